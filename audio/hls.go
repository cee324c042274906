package audio

import "context"

func (o *Opener) openHLS(ctx context.Context, in *input, trail []string) (Track, error) {
	return Track{}, &unsupportedError{name: in.name, what: "an HLS stream"}
}

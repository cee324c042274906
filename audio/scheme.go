package audio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"airplay2mqtt/audio/pcm"
)

// liveAhead is how much of a live input is read ahead: what lies there is heard
// later than it happened.
const liveAhead = 500 * time.Millisecond

// openPCM opens a live input. It does not wait for sound: who makes it may begin
// when it pleases.
func (o *Opener) openPCM(ctx context.Context, location string) (Track, error) {
	l, err := pcm.Parse(location)
	if err != nil {
		return Track{}, &unsupportedError{name: location, what: "a live input that is written wrongly", err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, orDefault(o.Timeout, defaultTimeout))
	defer cancel()
	r, err := l.Open(ctx, pcm.Config{DialContext: o.DialContext, AllowPath: o.AllowInput})
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
			err = ctx.Err()
		}
		return Track{}, fmt.Errorf("audio: open %s: %w", location, err)
	}
	in := &input{name: location, r: r, close: r.Close, live: true}
	s := &decoded{in: in}
	if s.d, err = made(pcm.NewDecoder(r, l.Format)); err == nil {
		err = s.begin()
	}
	if err != nil {
		r.Close()
		return Track{}, err
	}
	s.format.Container = "raw"
	b := newBuffer(newChain(s), liveAhead, nil)
	b.begin()
	return Track{Source: b, Format: s.format, Live: true}, nil
}

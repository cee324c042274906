package audio

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
)

// A Report is what [Opener.Probe] finds out. Its JSON has the keys container,
// codec, sample_rate, bit_depth, channels, duration (in seconds, null where it
// is not known), seekable, streamable, reason, tags and artwork.
type Report struct {
	Container string // "ogg"; "": not known
	Codec     string // "vorbis"
	Rate      int    // frames per second
	Bits      int    // per sample; 0 for lossy codecs
	Channels  int
	Duration  time.Duration // zero: not known, or endless
	Seekable  bool
	// Streamable tells that the first second could be decoded.
	Streamable bool
	Reason     string // why it is not streamable, "" if it is
	Tags       Tags
	Artwork    int // the size of the picture in bytes, 0: there is none
}

// MarshalJSON writes the keys that [Report] tells of. Tags that are not known
// are left out.
func (r Report) MarshalJSON() ([]byte, error) {
	type sounding struct {
		Title  string `json:"title,omitempty"`
		Artist string `json:"artist,omitempty"`
		Album  string `json:"album,omitempty"`
		Genre  string `json:"genre,omitempty"`
		Year   int    `json:"year,omitempty"`
		Track  int    `json:"track,omitempty"`
	}
	out := struct {
		Container  string   `json:"container"`
		Codec      string   `json:"codec"`
		Rate       int      `json:"sample_rate"`
		Bits       int      `json:"bit_depth"`
		Channels   int      `json:"channels"`
		Duration   *float64 `json:"duration"`
		Seekable   bool     `json:"seekable"`
		Streamable bool     `json:"streamable"`
		Reason     string   `json:"reason"`
		Tags       sounding `json:"tags"`
		Artwork    int      `json:"artwork"`
	}{
		r.Container, r.Codec, r.Rate, r.Bits, r.Channels, nil, r.Seekable, r.Streamable, r.Reason,
		sounding{r.Tags.Title, r.Tags.Artist, r.Tags.Album, r.Tags.Genre, r.Tags.Year, r.Tags.Track}, r.Artwork,
	}
	if r.Duration > 0 {
		seconds := float64(r.Duration.Round(time.Millisecond)) / float64(time.Second)
		out.Duration = &seconds
	}
	return json.Marshal(out)
}

// Probe tells what can be opened at a location, and decodes its first second.
// A playlist stands for its first entry. What is no sound, or breaks down in its
// first second, is a Report with a reason; an error is what kept Probe from
// looking: nothing is there, or it could not be fetched, or ctx ended.
func (o *Opener) Probe(ctx context.Context, location string) (Report, error) {
	track, err := o.probing().Open(ctx, location)
	return report(ctx, track, err)
}

// ProbeReader is Probe of what r reads, which it takes over and closes.
func (o *Opener) ProbeReader(ctx context.Context, r io.ReadCloser, name string) (Report, error) {
	track, err := o.probing().OpenReader(ctx, r, name)
	return report(ctx, track, err)
}

// probing reads no further ahead than is looked at.
func (o *Opener) probing() *Opener {
	p := *o
	p.ReadAhead, p.Reconnect = time.Second, -1
	return &p
}

func report(ctx context.Context, t Track, err error) (Report, error) {
	if err != nil {
		var large *TooLargeError
		if errors.Is(err, ErrUnsupported) || errors.As(err, &large) || errors.Is(err, errBroke) {
			return Report{Reason: reason(err)}, nil
		}
		return Report{}, err
	}
	defer t.Close()
	r := Report{
		Container: t.Format.Container, Codec: t.Format.Codec,
		Rate: t.Format.Rate, Bits: t.Format.Bits, Channels: t.Format.Channels,
		Duration: t.Tags.Duration, Seekable: t.Seekable(), Tags: t.Tags, Artwork: len(t.Tags.Artwork),
	}
	switch err := second(ctx, t.Source.(*Buffer)); {
	case ctx.Err() != nil:
		return Report{}, ctx.Err()
	case err != nil:
		r.Reason = reason(err)
	default:
		r.Streamable = true
	}
	return r, nil
}

// second reads the first second.
func second(ctx context.Context, b *Buffer) error {
	p := make([]Frame, readChunk)
	for left := Rate; left > 0; {
		n, err := b.Read(p[:min(left, len(p))])
		left -= n
		if errors.Is(err, ErrNotReady) {
			err = b.Wait(ctx, 1)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reason is an error for people, without our name.
func reason(err error) string {
	var unsupported *unsupportedError
	if errors.As(err, &unsupported) {
		s := unsupported.Error()
		return strings.TrimPrefix(s, "audio: open "+unsupported.name+": ")
	}
	return strings.TrimPrefix(err.Error(), "audio: ")
}

package ffmpeg

import (
	"io"
	"sync/atomic"
	"time"

	"airplay2mqtt/audio/tags"
)

// Faststart is what is fed to ffmpeg when r is decoded.
func Faststart(r io.Reader) (io.Reader, error) { return newSource(r).open(new(atomic.Bool)) }

// An Index is what a moov box says.
type Index struct {
	Indexed, Protected bool
	Bits               int
	Tags               tags.Tags
}

// ParseIndex reads a moov box.
func ParseIndex(b []byte) Index {
	m := parseMovie(b)
	return Index{m.indexed, m.protected, m.bits, m.tags}
}

// Told is what is taken from ffmpeg's messages.
type Told struct {
	Container, Codec string
	Duration         time.Duration
	Complaint        string
	Spoke            bool
}

// Report reads messages that come in pieces.
func Report(pieces ...string) Told {
	r := newReport()
	for _, p := range pieces {
		io.WriteString(r, p)
	}
	r.over()
	s := r.wait()
	return Told{s.container, s.codec, s.duration, r.complaint(), r.spoke()}
}

// MaxKept is how much of a stream is kept.
const MaxKept = maxKept

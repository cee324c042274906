package audio

import (
	"errors"

	"airplay2mqtt/audio/tags"
)

// Rate is what every receiver plays, in frames per second.
const Rate = 44100

// A Frame is one stereo sample, left then right, full scale from -1 to 1. It
// is an alias, so that decoders need not import this package.
type Frame = [2]float32

// A Source is like io.Reader, for frames. It is used by one goroutine at a
// time; Close may be called from another, once or more often, and ends a
// Read that waits.
type Source interface {
	// Rate is in frames per second and never changes.
	Rate() int
	// Read fills p from the beginning and returns how many frames it put
	// there. At the end it returns io.EOF, with or without frames. A source
	// that reads ahead (Buffer) returns 0 and ErrNotReady instead of waiting.
	Read(p []Frame) (n int, err error)
	Close() error
}

// A Seeker is a Source that knows its length and can go to any frame of it. One
// that learns only when it is opened whether it can (a [Buffer], say) has a
// method Seekable() bool too, and returns ErrNotSeekable where it cannot.
type Seeker interface {
	Source
	// Len is in frames, -1 where it is not known.
	Len() int64
	// SeekFrame makes the next Read begin at frame n, exactly.
	SeekFrame(n int64) error
}

// Tags is what a sound says of itself.
type Tags = tags.Tags

// A Format is what a sound was before it was decoded.
type Format struct {
	Container, Codec string // "ogg", "vorbis"
	Rate             int    // frames per second
	Bits             int    // per sample; 0 for lossy codecs
	Channels         int
}

// A Track is opened sound.
type Track struct {
	Source
	Tags   Tags
	Format Format
	Live   bool // it has no end and cannot be read faster than it happens
	// Titles tells what a radio plays, each time that changes, when the first
	// frame of it is read. It keeps the newest only and is never closed; nil
	// for what is no radio.
	Titles <-chan string
}

// Seekable tells whether the track's source, a [Seeker], can go anywhere.
func (t Track) Seekable() bool { return t.Source != nil && seekable(t.Source) }

var (
	// ErrNotReady is returned by Read of a source that reads ahead and has
	// nothing yet.
	ErrNotReady = errors.New("audio: nothing read ahead yet")
	// ErrNotSeekable is returned where the sound cannot go back or forth.
	ErrNotSeekable = errors.New("audio: this sound cannot seek")
	// ErrUnsupported is wrapped by errors for what is no sound that we read.
	ErrUnsupported = errors.New("audio: not a sound that can be played")
)

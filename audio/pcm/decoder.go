// Package pcm reads sound that another program makes while it is heard: raw
// samples, 16 bits with the little end first, from a fifo, a socket of the Unix
// domain or a TCP server.
//
//	l, err := pcm.Parse("pcm+tcp://192.168.1.4:4953?rate=48000")
//	if err != nil {
//		return err
//	}
//	r, err := l.Open(ctx, pcm.Config{})
//	if err != nil {
//		return err
//	}
//	defer r.Close()
//	d, err := pcm.NewDecoder(r, l.Format)
//	if err != nil {
//		return err
//	}
//	n, err := d.Read(frames)
//
// This is what librespot (--backend pipe), Snapcast, MPD and shairport-sync
// write, and what anything else can: ffmpeg, for one, with "-f s16le".
//
// Servers and sockets are connected to; when they hang up, the sound is at its
// end. A fifo has no end: its writers come and go, and while there is none there
// is nothing to read.
package pcm

import (
	"encoding/binary"
	"errors"
	"io"

	"airplay2mqtt/audio/downmix"
	"airplay2mqtt/audio/tags"
)

// ErrNotSeekable is returned by SeekFrame: what has been heard is gone.
var ErrNotSeekable = errors.New("pcm: live sound cannot seek")

// A Decoder makes frames of samples. It is used by one goroutine at a time.
type Decoder struct {
	r      io.Reader
	format Format
	mixer  *downmix.Mixer
	raw    []byte    // samples as they come
	buf    []float32 // samples on their way to the mixer
	err    error     // what the next read returns
}

// block is how many frames are decoded at once.
const block = 2048

// NewDecoder returns a decoder for what r reads. Nothing is read yet.
func NewDecoder(r io.Reader, f Format) (*Decoder, error) {
	f = f.orUsual()
	if err := f.check(); err != nil {
		return nil, err
	}
	mixer, err := downmix.New(f.Channels, downmix.WAVE)
	if err != nil {
		return nil, err
	}
	return &Decoder{
		r: r, format: f, mixer: mixer,
		raw: make([]byte, block*f.align()), buf: make([]float32, block*f.Channels),
	}, nil
}

// Rate is in frames per second.
func (d *Decoder) Rate() int { return d.format.Rate }

// Channels is how many channels come; what Read returns has two.
func (d *Decoder) Channels() int { return d.format.Channels }

// Bits is 16.
func (d *Decoder) Bits() int { return 16 }

// Codec is "pcm".
func (d *Decoder) Codec() string { return "pcm" }

// Len is -1: nobody knows.
func (d *Decoder) Len() int64 { return -1 }

// Tags is empty.
func (d *Decoder) Tags() tags.Tags { return tags.Tags{} }

// Seekable is false.
func (d *Decoder) Seekable() bool { return false }

// SeekFrame returns ErrNotSeekable.
func (d *Decoder) SeekFrame(int64) error { return ErrNotSeekable }

// Read fills p with frames, at least one, and returns how many. It waits for
// the first and for no more. At the end it returns io.EOF; a frame that is not
// whole then is dropped.
func (d *Decoder) Read(p [][2]float32) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := d.read(d.raw[:min(len(p), block)*d.format.align()])
	for i := range n / 2 {
		d.buf[i] = float32(int16(binary.LittleEndian.Uint16(d.raw[2*i:]))) / 0x8000
	}
	return d.mixer.Mix(p, d.buf[:n/2]), err
}

// read fills p with whole frames.
func (d *Decoder) read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	align := d.format.align()
	n, err := io.ReadAtLeast(d.r, p, align)
	if rest := n % align; err == nil && rest != 0 {
		var k int
		k, err = io.ReadFull(d.r, p[n:n+align-rest])
		n += k
	}
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	if n -= n % align; n > 0 {
		d.err = err
		return n, nil
	}
	return 0, err
}

// Close does nothing but keep to the convention: there is nothing to free, and
// the reader belongs to the caller.
func (d *Decoder) Close() error { return nil }

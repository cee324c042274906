package audio

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
)

// A chain is what a decoded input sounds like at one rate, even if that of the
// input changes on the way.
type chain struct {
	d     *decoded
	first Source // the input resampled, as far as its first rate goes
	now   Source // what is being read
}

func newChain(d *decoded) *chain {
	first := Resample(d, Rate)
	return &chain{d, first, first}
}

func (c *chain) Rate() int      { return Rate }
func (c *chain) Len() int64     { return length(c.first) }
func (c *chain) Seekable() bool { return c.d.Seekable() }
func (c *chain) Close() error   { return c.d.Close() }

func (c *chain) Read(p []Frame) (int, error) {
	for {
		n, err := c.now.Read(p)
		if err != io.EOF {
			return n, err
		}
		rate, ok := c.d.next()
		if !ok {
			return n, err
		}
		if c.now = Resample(&stretch{c.d, rate}, Rate); n > 0 {
			return n, nil
		}
	}
}

func (c *chain) SeekFrame(n int64) error {
	s, ok := c.first.(Seeker)
	if !ok || !c.Seekable() {
		return ErrNotSeekable
	}
	c.now = c.first
	return s.SeekFrame(n)
}

// A stretch is the part of an input that has one rate.
type stretch struct {
	*decoded
	rate int
}

func (s *stretch) Rate() int { return s.rate }

// oneLink tells whether the last page of an Ogg file belongs to a stream that
// began with the first pages, so that it is no chain.
func oneLink(r io.ReadSeeker) bool {
	first := make([]byte, 4096)
	n, _ := io.ReadFull(r, first)
	begun := serials(first[:n])
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return false
	}
	const most = 65307 // bytes of a page
	if _, err := r.Seek(max(0, end-most), io.SeekStart); err != nil {
		return false
	}
	last := make([]byte, most)
	n, _ = io.ReadFull(r, last)
	_, _ = r.Seek(0, io.SeekStart)
	at := serials(last[:n])
	return len(at) > 0 && slices.Contains(begun, at[len(at)-1])
}

// serials are those of the pages that begin in b:
//
//	"OggS" | version 0 | flags | granule 8 | serial 4 | …
func serials(b []byte) (all []uint32) {
	for {
		i := bytes.Index(b, []byte("OggS\x00"))
		if i < 0 || len(b) < i+18 {
			return all
		}
		all = append(all, binary.LittleEndian.Uint32(b[i+14:]))
		b = b[i+18:]
	}
}

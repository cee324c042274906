// Package cursor reads streams of which some can seek and some cannot, so that
// who walks through one need not ask: what lies between is sought past, or else
// read past.
//
//	c := cursor.New(r)
//	if err := c.Skip(100); err != nil {
//		return err
//	}
//	_, err := io.ReadFull(c, header)
package cursor

import (
	"fmt"
	"io"
)

// A Cursor is a place in a stream. Positions count from where the stream stood
// when New got it.
type Cursor struct {
	r      io.Reader
	seeker io.Seeker // nil: it cannot seek
	base   int64     // the seeker's idea of position 0
	pos    int64
	size   int64 // -1: unknown
}

// New returns a cursor at the beginning of what r reads. It can seek if r is an
// io.Seeker that works, which pipes and devices that call themselves files are
// not.
func New(r io.Reader) *Cursor {
	c := &Cursor{r: r, size: -1}
	s, ok := r.(io.Seeker)
	if !ok {
		return c
	}
	base, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return c // a pipe
	}
	end, err := s.Seek(0, io.SeekEnd)
	if err != nil || end < base {
		return c
	}
	if _, err := s.Seek(base, io.SeekStart); err != nil || end == base {
		return c // a device, which has no size
	}
	c.seeker, c.base, c.size = s, base, end-base
	return c
}

// Seekable tells whether GoTo works.
func (c *Cursor) Seekable() bool { return c.seeker != nil }

// Pos is where the next byte comes from.
func (c *Cursor) Pos() int64 { return c.pos }

// Size is where the stream ends, -1 if that is not known. It is known of all
// that can seek.
func (c *Cursor) Size() int64 { return c.size }

// Read reads what comes next.
func (c *Cursor) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.pos += int64(n)
	return n, err
}

// Skip goes on by n bytes. It is no error if there are not so many: the next
// Read tells.
func (c *Cursor) Skip(n int64) error {
	if n == 0 {
		return nil
	}
	if c.seeker != nil {
		return c.GoTo(c.pos + n)
	}
	_, err := io.CopyN(io.Discard, c, n)
	if err == io.EOF {
		return nil
	}
	return err
}

// GoTo makes the next Read begin at a position. The cursor must be Seekable.
func (c *Cursor) GoTo(pos int64) error {
	if _, err := c.seeker.Seek(c.base+pos, io.SeekStart); err != nil {
		return fmt.Errorf("seek: %w", err)
	}
	c.pos = pos
	return nil
}

package aiff

import (
	"errors"
	"fmt"
	"io"
)

// An input is the stream that a file comes from. Its positions count from where
// it stood when the decoder got it.
type input struct {
	r      io.Reader
	seeker io.Seeker // nil: it cannot seek
	base   int64     // the seeker's idea of position 0
	pos    int64
	size   int64 // -1: unknown
}

func newInput(r io.Reader) *input {
	in := &input{r: r, size: -1}
	s, ok := r.(io.Seeker)
	if !ok {
		return in
	}
	base, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return in // a pipe that calls itself a file
	}
	end, err := s.Seek(0, io.SeekEnd)
	if err != nil || end < base {
		return in
	}
	if _, err := s.Seek(base, io.SeekStart); err != nil || end == base {
		return in // a device, which has no size
	}
	in.seeker, in.base, in.size = s, base, end-base
	return in
}

// readFull fills p or returns why not, like io.ReadFull.
func (in *input) readFull(p []byte) error {
	n, err := io.ReadFull(in.r, p)
	in.pos += int64(n)
	return err
}

// skip goes on by n bytes, past the end if there are not so many.
func (in *input) skip(n int64) error {
	if n == 0 {
		return nil
	}
	if in.seeker != nil {
		return in.seek(in.pos + n)
	}
	k, err := io.CopyN(io.Discard, in.r, n)
	in.pos += k
	if err == io.EOF {
		return nil // the next read will tell
	}
	return err
}

func (in *input) seek(pos int64) error {
	if _, err := in.seeker.Seek(in.base+pos, io.SeekStart); err != nil {
		return fmt.Errorf("aiff: seek: %w", err)
	}
	in.pos = pos
	return nil
}

// errHere ends the walk at samples behind which it cannot go on.
var errHere = errors.New("aiff: the samples are here")

// headerError makes the end of the input inside a header what it is.
func headerError(err error) error {
	var codec *CodecError
	switch {
	case ended(err):
		return fmt.Errorf("%w: it ends within its header", ErrFormat)
	case errors.Is(err, ErrFormat), errors.As(err, &codec):
		return err
	}
	return fmt.Errorf("aiff: read header: %w", err)
}

// A body is the part of the input that holds the samples.
type body struct {
	in    *input
	start int64
	left  int64 // bytes to come, -1: until the end of the input
	size  int64 // bytes in all, -1: unknown
	align int64 // bytes of a frame
	err   error // what the next read returns
}

func newBody(in *input, h header) *body {
	return &body{in: in, start: h.start, left: h.size, size: h.size, align: int64(h.format.align())}
}

// frames is how many frames the body has, -1 if that is not known.
func (b *body) frames() int64 {
	if b.size < 0 {
		return -1
	}
	return b.size / b.align
}

// read fills p with whole frames, at least one, and waits for no more than
// that. p has room for one.
func (b *body) read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	align := int(b.align)
	if b.left >= 0 {
		p = p[:min(int64(len(p)), b.left)]
	}
	p = p[:len(p)/align*align]
	if len(p) == 0 {
		return 0, io.EOF
	}
	n, err := io.ReadAtLeast(b.in.r, p, align)
	if rest := n % align; err == nil && rest != 0 {
		var k int
		k, err = io.ReadFull(b.in.r, p[n:n+align-rest])
		n += k
	}
	b.in.pos += int64(n)
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if err == io.ErrUnexpectedEOF {
		err = io.EOF // truncated: what there is of the last frame is dropped
	}
	if n -= n % align; n > 0 {
		b.err = err
		return n, nil
	}
	return 0, err
}

// seek goes to a frame, or to the end if there are not so many.
func (b *body) seek(frame int64) error {
	frame = min(frame, b.frames())
	if err := b.in.seek(b.start + frame*b.align); err != nil {
		return err
	}
	b.left, b.err = b.size-frame*b.align, nil
	return nil
}

package cursor

import "io"

// A Section is the part of a stream that holds samples: frames of a fixed number
// of bytes, one behind the other.
type Section struct {
	c     *Cursor
	start int64
	left  int64 // bytes to come, -1: until the end of the stream
	size  int64 // bytes in all, -1: unknown
	frame int64 // bytes of one
	err   error // what the next read returns
}

// NewSection returns the section that begins at start, where c must stand when
// it is first read, with frames of so many bytes each. A size of -1 is for one
// that ends with the stream; it never goes beyond that.
func NewSection(c *Cursor, start, size int64, frame int) *Section {
	if c.size >= 0 && (size < 0 || size > c.size-start) {
		size = max(c.size-start, 0)
	}
	return &Section{c: c, start: start, left: size, size: size, frame: int64(frame)}
}

// Frames is how many the section has, -1 if that is not known.
func (s *Section) Frames() int64 {
	if s.size < 0 {
		return -1
	}
	return s.size / s.frame
}

// Seekable tells whether SeekFrame works.
func (s *Section) Seekable() bool { return s.c.Seekable() }

// Read fills p, which must have room for one, with whole frames: at least one,
// and it waits for no more than that. At the end it returns io.EOF; a frame of
// which the end is missing is dropped.
func (s *Section) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	align := int(s.frame)
	if s.left >= 0 {
		p = p[:min(int64(len(p)), s.left)]
	}
	p = p[:len(p)/align*align]
	if len(p) == 0 {
		return 0, io.EOF
	}
	n, err := io.ReadAtLeast(s.c, p, align)
	if rest := n % align; err == nil && rest != 0 {
		var k int
		k, err = io.ReadFull(s.c, p[n:n+align-rest])
		n += k
	}
	if s.left >= 0 {
		s.left -= int64(n)
	}
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	if n -= n % align; n > 0 {
		s.err = err
		return n, nil
	}
	return 0, err
}

// SeekFrame makes the next Read begin at frame n, or at the end if there are not
// so many. The section must be Seekable.
func (s *Section) SeekFrame(n int64) error {
	n = min(n, s.Frames())
	if err := s.c.GoTo(s.start + n*s.frame); err != nil {
		return err
	}
	s.left, s.err = s.size-n*s.frame, nil
	return nil
}

package flac

import (
	"errors"
	"io"
)

// An input is a window on a stream. Bytes stay in it until they are skipped,
// so that what proves to be no frame can be looked at again.
type input struct {
	r      io.Reader
	buf    []byte
	head   int   // buf[head:] has not been skipped
	offset int64 // of buf[head], from the beginning of the stream
	err    error // what ended the stream
}

// inputSize is how much is asked of the stream at once, if that much is there.
const inputSize = 64 << 10

func newInput(r io.Reader) *input {
	return &input{r: r, buf: make([]byte, 0, inputSize)}
}

// window is all that is here.
func (in *input) window() []byte { return in.buf[in.head:] }

// need waits until n bytes are in the window. It returns false if the stream
// ends before.
func (in *input) need(n int) bool {
	for len(in.buf)-in.head < n {
		if in.err != nil {
			return false
		}
		in.more(n)
	}
	return true
}

// more reads what comes next, making room for n bytes in the window.
func (in *input) more(n int) {
	if in.head > 0 && cap(in.buf)-in.head < max(n, inputSize/2) {
		in.buf = in.buf[:copy(in.buf, in.buf[in.head:])]
		in.head = 0
	}
	if free := cap(in.buf) - len(in.buf); free < 1 || free < n-(len(in.buf)-in.head) {
		grown := make([]byte, len(in.buf), max(2*cap(in.buf), in.head+n))
		copy(grown, in.buf)
		in.buf = grown
	}
	for range 100 {
		got, err := in.r.Read(in.buf[len(in.buf):cap(in.buf)])
		in.buf = in.buf[:len(in.buf)+got]
		if in.err = err; got > 0 || err != nil {
			return
		}
	}
	in.err = io.ErrNoProgress
}

// skip moves the window on by up to n bytes, which need not be in it, and
// returns false if the stream ends before.
func (in *input) skip(n int64) bool {
	for n > 0 {
		if len(in.buf) == in.head && !in.need(1) {
			return false
		}
		step := min(n, int64(len(in.buf)-in.head))
		in.head += int(step)
		in.offset += step
		n -= step
	}
	return true
}

// seek moves the window to an offset from the beginning of the stream, which
// began at base of the reader.
func (in *input) seek(s io.Seeker, base, offset int64) error {
	if _, err := s.Seek(base+offset, io.SeekStart); err != nil {
		return err
	}
	in.buf, in.head, in.offset, in.err = in.buf[:0], 0, offset, nil
	return nil
}

// end is the error that ended the stream, io.EOF if it was cut short.
func (in *input) end() error {
	if in.err == nil || errors.Is(in.err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return in.err
}

package flac

import (
	"errors"
	"fmt"
	"io"

	"github.com/mewkiz/flac/frame"
)

// An engine decodes single frames with the library, which is named in this
// file only. What the library cannot do is done around it:
//
//   - It does not know the stream's info, so a sample size that is not in the
//     header is put there for it.
//   - It writes a line to the standard logger for each frame at 24 and 176.4
//     kHz, so it is given a header without a rate, and the frame's sum is
//     reckoned here.
//   - It may panic on what is no frame.
type engine struct {
	info streamInfo
	r    frameReader
	head [maxHeader]byte
}

// decode decodes the frame that begins the window, whose header is h. It
// returns the frame and its size in bytes, and leaves the window alone.
func (e *engine) decode(in *input, h header) (f *frame.Frame, size int, err error) {
	if h.blockSize > 65535 {
		// The library counts blocks in 16 bits.
		return nil, 0, fmt.Errorf("block of 65536 samples: %w", ErrUnsupported)
	}
	e.r = frameReader{in: in, limit: e.maxFrame(h)}
	code := in.window()[2] & 0xf
	quiet := code == rateCode24k || code == rateCode176k
	if quiet {
		e.r.rest, e.r.end = e.withoutRate(in.window()[:h.size]), h.size
	}
	f, err = e.parse()
	size = e.r.pos()
	if err != nil && quiet && complete(f, h) && crc16(in.window()[:size]) == 0 {
		err = nil // only the library's sum is wrong, as it must be
	}
	if err == nil && !complete(f, h) {
		err = ErrMalformed
	}
	return f, size, err
}

// The codes of the rates that the library has something to say about.
const (
	rateCode176k = 2
	rateCode24k  = 7
)

// parse runs the library.
func (e *engine) parse() (f *frame.Frame, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrMalformed, p)
		}
	}()
	f, err = frame.New(&e.r)
	if err != nil {
		return nil, noEOF(err)
	}
	f.BitsPerSample = uint8(e.info.bits)
	return f, f.Parse()
}

// complete tells whether a frame has all its samples.
func complete(f *frame.Frame, h header) bool {
	if f == nil || len(f.Subframes) != h.channels {
		return false
	}
	for _, s := range f.Subframes {
		if s == nil || len(s.Samples) != h.blockSize {
			return false
		}
	}
	return true
}

// maxFrame is larger than any frame with that header that an encoder writes:
// twice its size without compression.
func (e *engine) maxFrame(h header) int {
	return 1024 + 2*h.channels*(h.blockSize*(e.info.bits+1)/8+64)
}

// withoutRate is a header that says "as in the stream's info" of its rate, of
// the same size as head. It is valid until the next call.
func (e *engine) withoutRate(head []byte) []byte {
	front := e.head[:copy(e.head[:], head)]
	front[2] &= 0xf0
	front[len(front)-1] = crc8(front[:len(front)-1])
	return front
}

// A frameReader reads from a window without skipping. The library reads a byte
// or two at a time, so it is quick where these are at hand.
type frameReader struct {
	in    *input
	rest  []byte // what is at hand
	next  int    // what comes next of rest
	end   int    // where rest ends in the window
	limit int    // what would be read behind it is no frame any more
}

// pos is how much of the window has been read.
func (r *frameReader) pos() int { return r.end - len(r.rest) + r.next }

func (r *frameReader) Read(p []byte) (int, error) {
	if r.next == len(r.rest) {
		if err := r.more(); err != nil {
			return 0, err
		}
	}
	if len(p) == 1 {
		p[0] = r.rest[r.next]
		r.next++
		return 1, nil
	}
	n := copy(p, r.rest[r.next:])
	r.next += n
	return n, nil
}

// more takes at hand what comes next.
func (r *frameReader) more() error {
	if r.end >= r.limit {
		return errFrameTooLong
	}
	if !r.in.need(r.end + 1) {
		return io.ErrUnexpectedEOF
	}
	w := r.in.window()
	w = w[:min(len(w), r.limit)]
	r.rest, r.next, r.end = w[r.end:], 0, len(w)
	return nil
}

var errFrameTooLong = errors.New("frame without end")

// noEOF is err, but an end of the stream is one that came too soon.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

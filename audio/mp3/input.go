package mp3

import (
	"fmt"
	"io"

	"airplay2mqtt/audio/cursor"
)

// An input is a stream that can be looked at before it is read. Its positions
// count from where it stood when the decoder got it.
type input struct {
	src *cursor.Cursor

	pos  int64  // of buf[0]
	buf  []byte // read and not consumed; a part of room
	room []byte
	err  error // of the last read: nothing comes any more
}

// window is how far ahead one can look. Three frames are less.
const window = 16 << 10

func newInput(r io.Reader) *input {
	return &input{src: cursor.New(r), room: make([]byte, window)}
}

// peek returns the next n bytes, or fewer if there are no more; in.err then says
// why. They are valid until the next call.
func (in *input) peek(n int) []byte {
	if len(in.buf) < n && in.err == nil {
		in.fill(n)
	}
	return in.buf[:min(n, len(in.buf))]
}

// fill reads until n bytes are there, and more if they come with them.
func (in *input) fill(n int) {
	if cap(in.buf) < n {
		in.buf = append(in.room[:0], in.buf...)
	}
	for idle := 0; len(in.buf) < n && in.err == nil; idle++ {
		var k int
		k, in.err = in.src.Read(in.buf[len(in.buf):cap(in.buf)])
		in.buf = in.buf[:len(in.buf)+k]
		if k > 0 {
			idle = 0
		} else if idle > 100 {
			in.err = io.ErrNoProgress
		}
	}
}

// skip goes on by n bytes, past the end if there are not so many.
func (in *input) skip(n int64) error {
	if n > int64(len(in.buf)) && in.src.Seekable() {
		return in.seek(in.pos + n)
	}
	for n > int64(len(in.buf)) && in.err == nil {
		n -= int64(len(in.buf))
		in.drop(len(in.buf))
		in.fill(1)
	}
	in.drop(int(min(n, int64(len(in.buf)))))
	return nil
}

// drop consumes what was looked at.
func (in *input) drop(n int) {
	in.buf = in.buf[n:]
	in.pos += int64(n)
}

func (in *input) seek(pos int64) error {
	if err := in.src.GoTo(pos); err != nil {
		return fmt.Errorf("mp3: %w", err)
	}
	in.pos, in.buf, in.err = pos, in.room[:0], nil
	return nil
}

// Read makes an input an io.Reader of what comes next.
func (in *input) Read(p []byte) (int, error) {
	b := in.peek(min(len(p), 1))
	if len(b) == 0 && len(p) > 0 {
		return 0, in.err
	}
	n := copy(p, in.buf)
	in.drop(n)
	return n, nil
}

package audio

import (
	"errors"
	"io"
	"time"
)

// spoolSize is up to how many bytes a download is kept in memory, so that it
// can be sought.
const spoolSize = 8 << 20

// A spool keeps what has been read of a download of known length. It reads no
// further than somebody wants, and so needs no goroutine.
type spool struct {
	r    io.Reader
	data []byte // read so far; its capacity is the whole
	err  error  // of r, met behind data
}

func newSpool(r io.Reader, size int) *spool { return &spool{r: r, data: make([]byte, 0, size)} }

// more reads once.
func (s *spool) more() error {
	if len(s.data) == cap(s.data) {
		return io.EOF
	}
	if s.err == nil {
		var n int
		n, s.err = s.r.Read(s.data[len(s.data):cap(s.data)])
		s.data = s.data[:len(s.data)+n]
		if s.err == io.EOF && len(s.data) < cap(s.data) {
			s.err = io.ErrUnexpectedEOF
		}
		if n > 0 {
			return nil
		}
	}
	return s.err
}

// hurry reads everything, if that takes next to no time, as it does for a
// chime at home: its length is then known before it is heard. It tells whether
// it has everything.
func (s *spool) hurry() bool {
	begun := time.Now()
	for len(s.data) < cap(s.data) {
		past := time.Since(begun)
		if past > 150*time.Millisecond || past > 50*time.Millisecond && len(s.data) < cap(s.data)/3 {
			return false
		}
		if s.more() != nil {
			return false
		}
	}
	return true
}

// A spoolView reads a spool from any place.
type spoolView struct {
	*spool
	at int
}

func (v *spoolView) Read(p []byte) (int, error) {
	for v.at >= len(v.data) {
		if v.at >= cap(v.data) {
			return 0, io.EOF
		}
		if err := v.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, v.data[v.at:])
	v.at += n
	return n, nil
}

func (v *spoolView) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += int64(v.at)
	case io.SeekEnd:
		offset += int64(cap(v.data))
	}
	if offset < 0 {
		return 0, errors.New("audio: seek before the beginning")
	}
	v.at = int(min(offset, int64(cap(v.data))))
	return offset, nil
}

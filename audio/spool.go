package audio

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
	"time"
)

// spoolSize is up to how many bytes a download is kept in memory, so that it
// can be sought.
const spoolSize = 8 << 20

// A spool keeps a download of known length, which goes on in a goroutine of its
// own.
type spool struct {
	r    io.Reader
	done chan struct{} // closed with the goroutine

	mu    sync.Mutex
	grown sync.Cond
	data  []byte // so far; its capacity is the whole
	err   error  // why there is no more
}

func newSpool(r io.Reader, size int) *spool {
	s := &spool{r: r, done: make(chan struct{}), data: make([]byte, 0, size)}
	s.grown.L = &s.mu
	go s.run()
	return s
}

func (s *spool) run() {
	defer close(s.done)
	for free := s.data[:cap(s.data)]; len(free) > 0; {
		n, err := readBytes(s.r, free)
		free = free[n:]
		if err == io.EOF && len(free) > 0 {
			err = io.ErrUnexpectedEOF
		}
		s.mu.Lock()
		s.data = s.data[:len(s.data)+n]
		if s.err == nil {
			s.err = err
		}
		s.grown.Broadcast()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func readBytes(r io.Reader, b []byte) (n int, err error) {
	defer recovered(&err)
	return r.Read(b)
}

// hurry waits until everything is here, if that takes next to no time, as it
// does for a chime at home: its length is then known before it is heard.
func (s *spool) hurry(ctx context.Context) bool {
	t := time.NewTimer(150 * time.Millisecond)
	defer t.Stop()
	select {
	case <-s.done:
	case <-t.C:
	case <-ctx.Done():
	}
	return s.whole()
}

// whole tells whether all of it is here.
func (s *spool) whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.data) == cap(s.data)
}

// close ends reads that wait, and waits for the goroutine, whose reader must
// have been closed.
func (s *spool) close() {
	s.mu.Lock()
	s.err = fs.ErrClosed
	s.grown.Broadcast()
	s.mu.Unlock()
	<-s.done
}

// readAt reads what is there at an offset, and waits until there is something.
func (s *spool) readAt(p []byte, at int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at >= cap(s.data) {
		return 0, io.EOF
	}
	for at >= len(s.data) && s.err == nil {
		s.grown.Wait()
	}
	if at >= len(s.data) {
		return 0, s.err
	}
	return copy(p, s.data[at:]), nil
}

// A spoolView reads a spool from any place.
type spoolView struct {
	spool *spool
	at    int
}

func (v *spoolView) Read(p []byte) (int, error) {
	n, err := v.spool.readAt(p, v.at)
	v.at += n
	return n, err
}

func (v *spoolView) Seek(offset int64, whence int) (int64, error) {
	size := int64(cap(v.spool.data))
	switch whence {
	case io.SeekCurrent:
		offset += int64(v.at)
	case io.SeekEnd:
		offset += size
	}
	if offset < 0 {
		return 0, errors.New("audio: seek before the beginning")
	}
	v.at = int(min(offset, size))
	return offset, nil
}

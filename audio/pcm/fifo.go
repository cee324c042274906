package pcm

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
)

// A fifo is a named pipe that never ends. Its Read is for one goroutine, its
// Close for any.
type fifo struct {
	path  string // as it was given: what is there may be replaced
	cfg   Config
	align int // bytes of a frame

	phase   int       // bytes of a frame that have been read so far
	checked time.Time // when the path was looked at

	mu     sync.Mutex
	file   *os.File
	over   bool
	closed chan struct{} // closed with the fifo
}

const (
	// pause is how often a writer is looked for. The system does not tell when
	// one comes.
	pause = 20 * time.Millisecond
	// check is how often it is looked whether the fifo is still the one that
	// others write to: programs remove and make theirs when they start.
	check = time.Second
)

func openFIFO(path string, align int, cfg Config) (*fifo, error) {
	f := &fifo{path: path, cfg: cfg, align: align, closed: make(chan struct{}), checked: time.Now()}
	file, err := f.open()
	if err != nil {
		return nil, err
	}
	f.file = file
	return f, nil
}

// open opens what is at the path now. It does not wait for a writer.
func (f *fifo) open() (*os.File, error) {
	path, err := f.cfg.resolve(f.path)
	if err != nil {
		return nil, err
	}
	// Looked at before: opening alone can do something (a tape).
	if err := is(path, fs.ModeNamedPipe); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, cause(err)
	}
	info, err := file.Stat()
	if err == nil {
		err = isMode(info, fs.ModeNamedPipe)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// Read waits for a writer, and for what it writes. If one goes within a frame,
// the frame is completed with zeros, so that the next one begins with a frame.
func (f *fifo) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := f.current().Read(p)
		if n > 0 {
			f.phase = (f.phase + n) % f.align
			return n, nil
		}
		switch {
		case f.isClosed():
			return 0, fs.ErrClosed
		case err == io.EOF, errors.Is(err, syscall.EAGAIN): // nobody writes, or not now
		case err != nil:
			return 0, cause(err)
		}
		if err == io.EOF && f.phase > 0 {
			return f.complete(p), nil
		}
		if err := f.wait(); err != nil {
			return 0, err
		}
	}
}

func (f *fifo) current() *os.File {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file
}

func (f *fifo) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}

// complete fills p with the rest of a frame.
func (f *fifo) complete(p []byte) int {
	n := min(len(p), f.align-f.phase)
	clear(p[:n])
	f.phase = (f.phase + n) % f.align
	return n
}

// wait lets a moment pass, and looks now and then whether the fifo has been
// replaced.
func (f *fifo) wait() error {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-f.closed:
		return fs.ErrClosed
	case <-t.C:
	}
	if time.Since(f.checked) < check {
		return nil
	}
	f.checked = time.Now()
	return f.follow()
}

// follow opens the fifo again if it is another one now. While there is none, it
// may come back.
func (f *fifo) follow() error {
	file, err := f.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || same(file, f.file) {
		return file.Close()
	}
	f.file.Close()
	f.file = file
	return nil
}

func same(a, b *os.File) bool {
	infoA, errA := a.Stat()
	infoB, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// Close ends a Read that waits. It may be called more than once.
func (f *fifo) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return nil
	}
	f.over = true
	close(f.closed)
	return f.file.Close()
}

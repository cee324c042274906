package mqtt

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeSize is how much a pipe holds in each direction before a write waits.
const pipeSize = 1 << 20

// pipe returns the two ends of a connection in memory. Unlike net.Pipe it holds
// what was written until it is read, as a socket does: client and broker write to
// each other at the same time, and with net.Pipe each waits for the other.
func pipe() (near, far net.Conn) {
	there, back := newLane(), newLane()
	return &pipeEnd{in: back, out: there}, &pipeEnd{in: there, out: back}
}

type pipeEnd struct{ in, out *lane }

func (e *pipeEnd) Read(p []byte) (int, error)  { return e.in.read(p) }
func (e *pipeEnd) Write(p []byte) (int, error) { return e.out.write(p) }

func (e *pipeEnd) Close() error {
	e.in.hangUp()
	e.out.end()
	return nil
}

func (e *pipeEnd) SetDeadline(t time.Time) error {
	e.in.readBy.set(e.in, t)
	e.out.writeBy.set(e.out, t)
	return nil
}

func (e *pipeEnd) SetReadDeadline(t time.Time) error  { e.in.readBy.set(e.in, t); return nil }
func (e *pipeEnd) SetWriteDeadline(t time.Time) error { e.out.writeBy.set(e.out, t); return nil }
func (e *pipeEnd) LocalAddr() net.Addr                { return pipeAddr{} }
func (e *pipeEnd) RemoteAddr() net.Addr               { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// A lane is one direction of a pipe.
type lane struct {
	mu      sync.Mutex
	change  *sync.Cond
	held    bytes.Buffer
	ended   bool // nothing will be written any more
	hungUp  bool // nothing will be read any more
	readBy  deadline
	writeBy deadline
}

func newLane() *lane {
	l := &lane{}
	l.change = sync.NewCond(&l.mu)
	return l
}

func (l *lane) read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.hungUp:
			return 0, net.ErrClosed
		case l.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case l.held.Len() > 0:
			n, _ := l.held.Read(p)
			l.change.Broadcast()
			return n, nil
		case l.ended:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		l.change.Wait()
	}
}

func (l *lane) write(p []byte) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.ended:
			return n, net.ErrClosed
		case l.hungUp:
			return n, io.ErrClosedPipe
		case l.writeBy.passed():
			return n, os.ErrDeadlineExceeded
		case n == len(p):
			return n, nil
		}
		if room := pipeSize - l.held.Len(); room > 0 {
			m, _ := l.held.Write(p[n:min(len(p), n+room)])
			n += m
			l.change.Broadcast()
			continue
		}
		l.change.Wait()
	}
}

func (l *lane) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.writeBy.stop()
	l.change.Broadcast()
}

func (l *lane) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hungUp = true
	l.held.Reset()
	l.readBy.stop()
	l.change.Broadcast()
}

// A deadline wakes those who wait on a lane when it has come.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) set(l *lane, t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d.stop()
	d.at = t
	if !t.IsZero() && !l.ended && !l.hungUp {
		d.timer = time.AfterFunc(time.Until(t), func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.change.Broadcast()
		})
	}
	l.change.Broadcast()
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

package memnet

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how much a stream holds that was not read.
const window = 256 << 10

// A conn is one end of a stream. Like a *net.TCPConn it takes SetLinger(0),
// after which Close resets it.
type conn struct {
	in, out       *half
	near, far     *Host
	local, remote netip.AddrPort
	read, write   *deadline
	mu            sync.Mutex
	abrupt        bool
}

// pipe makes the two ends of a stream.
func pipe(a, b *Host, aa, ba netip.AddrPort) (near, far *conn) {
	ab, ba2 := newHalf(), newHalf()
	near = &conn{in: ba2, out: ab, near: a, far: b, local: aa, remote: ba, read: newDeadline(), write: newDeadline()}
	far = &conn{in: ab, out: ba2, near: b, far: a, local: ba, remote: aa, read: newDeadline(), write: newDeadline()}
	return near, far
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		if err := c.read.passed(); err != nil {
			return 0, c.fail("read", err)
		}
		w, n, err := c.in.take(p, c.linked)
		if err == io.EOF {
			return 0, err
		}
		if err != nil {
			return 0, c.fail("read", err)
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		if err := w.on(c.read); err != nil {
			return 0, c.fail("read", err)
		}
	}
}

// linked tells whether both cables are in; if not, w waits for the first that
// is out.
func (c *conn) linked(w *wait) bool {
	for _, h := range []*Host{c.near, c.far} {
		if shut, changed := h.plugged.state(); shut {
			w.link = changed
			return false
		}
	}
	return true
}

func (c *conn) Write(p []byte) (int, error) {
	sent := 0
	for {
		if err := c.write.passed(); err != nil {
			return sent, c.fail("write", err)
		}
		w, n, err := c.out.put(p[sent:], c.near.net.Latency)
		sent += n
		if err != nil {
			return sent, c.fail("write", err)
		}
		if sent == len(p) {
			return sent, nil
		}
		if err := w.on(c.write); err != nil {
			return sent, c.fail("write", err)
		}
	}
}

func (c *conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// Close ends the stream: the other end reads what is under way, then io.EOF.
func (c *conn) Close() error {
	c.mu.Lock()
	abrupt := c.abrupt
	c.mu.Unlock()
	if abrupt {
		c.abort()
		return nil
	}
	c.in.refuse(net.ErrClosed)
	c.out.finish()
	return nil
}

// abort ends the stream with a reset.
func (c *conn) abort() {
	reset := os.NewSyscallError("read", syscall.ECONNRESET)
	c.in.refuse(net.ErrClosed)
	c.out.refuse(reset)
	c.out.finish()
}

// SetLinger makes Close a reset if sec is 0, as on a *net.TCPConn.
func (c *conn) SetLinger(sec int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abrupt = sec == 0
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

func (c *conn) SetDeadline(t time.Time) error {
	c.read.set(t)
	c.write.set(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.read.set(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.write.set(t)
	return nil
}

// A half is one direction of a stream.
type half struct {
	mu       sync.Mutex
	pieces   []piece
	size     int
	finished bool  // the writer has closed
	err      error // what the reader is told at once; the rest is lost
	changed  chan struct{}
}

// A piece is what one Write put, and when it arrives.
type piece struct {
	at   time.Time
	data []byte
}

func newHalf() *half { return &half{changed: make(chan struct{})} }

// wake tells who waits. h.mu is held.
func (h *half) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// take reads what has arrived. With n == 0 and no error there is nothing yet.
func (h *half) take(p []byte, linked func(*wait) bool) (w wait, n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.changed = h.changed
	switch {
	case h.err != nil:
		return w, 0, h.err
	case !linked(&w):
		return w, 0, nil
	case len(h.pieces) == 0 && h.finished:
		return w, 0, io.EOF
	case len(h.pieces) == 0:
		return w, 0, nil
	}
	first := &h.pieces[0]
	if time.Now().Before(first.at) {
		w.until = first.at
		return w, 0, nil
	}
	n = copy(p, first.data)
	first.data = first.data[n:]
	if len(first.data) == 0 {
		h.pieces = h.pieces[1:]
	}
	h.size -= n
	h.wake()
	return w, n, nil
}

// put writes as much as there is room for.
func (h *half) put(p []byte, latency time.Duration) (w wait, n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.changed = h.changed
	switch {
	case h.finished:
		return w, 0, net.ErrClosed
	case errors.Is(h.err, net.ErrClosed): // the reader is gone
		return w, 0, os.NewSyscallError("write", syscall.EPIPE)
	case h.err != nil:
		return w, 0, h.err
	}
	n = min(len(p), window-h.size)
	if n > 0 {
		h.pieces = append(h.pieces, piece{at: time.Now().Add(latency), data: append([]byte(nil), p[:n]...)})
		h.size += n
		h.wake()
	}
	return w, n, nil
}

// finish is the writer's orderly end.
func (h *half) finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.finished {
		h.finished = true
		h.wake()
	}
}

// refuse ends the direction: what is under way is lost, and who reads is told
// err. The first refusal counts.
func (h *half) refuse(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = err
		h.pieces, h.size = nil, 0
		h.wake()
	}
}

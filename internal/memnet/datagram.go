package memnet

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// queueLimit is how many datagrams a socket holds that were not read.
const queueLimit = 8192

// ListenPacket opens a socket for datagrams. The network is "udp"; address is
// ":6000", or ":0" for any free port.
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	port, err := h.port(address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	s, err := h.open(port)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	return s, nil
}

func (h *Host) dialSocket(network string, to netip.AddrPort) (net.Conn, error) {
	s, err := h.open(0)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	s.peer = to
	return s, nil
}

func (h *Host) open(port uint16) (*socket, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	port, err := pick(h, h.sockets, port)
	if err != nil {
		return nil, err
	}
	s := &socket{host: h, addr: netip.AddrPortFrom(h.ip, port), read: newDeadline(),
		changed: make(chan struct{}, 1), over: make(chan struct{})}
	h.sockets[port] = s
	return s, nil
}

// A socket is a net.PacketConn, and a net.Conn if it has a peer: then it
// takes datagrams from there only and learns, as from ICMP, that nobody
// listens there.
type socket struct {
	host       *Host
	addr, peer netip.AddrPort
	read       *deadline
	changed    chan struct{} // full while there is something to take
	over       chan struct{} // closed by Close

	mu      sync.Mutex
	queue   []datagram
	slab    []byte    // where datagrams are kept, so that few are allocated
	limit   time.Time // for writing
	refused bool      // the peer's port is closed; the next call is told
	closed  bool
}

// slabSize is room for some forty packets of sound.
const slabSize = 64 << 10

type datagram struct {
	at   time.Time
	from netip.AddrPort
	data []byte
}

func (s *socket) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		if err := s.read.passed(); err != nil {
			return 0, nil, s.fail("read", err)
		}
		w, d, err := s.take()
		if err != nil {
			return 0, nil, s.fail("read", err)
		}
		if d != nil {
			return copy(p, d.data), net.UDPAddrFromAddrPort(d.from), nil
		}
		if err := w.on(s.read); err != nil {
			return 0, nil, s.fail("read", err)
		}
	}
}

func (s *socket) Read(p []byte) (int, error) {
	n, _, err := s.ReadFrom(p)
	return n, err
}

// take returns the next datagram that has arrived, nil if there is none.
func (s *socket) take() (w wait, d *datagram, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.changed, w.link = s.changed, s.over
	if err := s.trouble(); err != nil {
		return w, nil, err
	}
	if len(s.queue) == 0 {
		return w, nil, nil
	}
	first := s.queue[0]
	if time.Now().Before(first.at) {
		w.until = first.at
		return w, nil, nil
	}
	s.queue = s.queue[1:]
	if len(s.queue) > 0 {
		s.wake() // another reader may wait
	}
	return w, &first, nil
}

// trouble is why the socket cannot be used now. s.mu is held.
func (s *socket) trouble() error {
	switch {
	case s.closed:
		return net.ErrClosed
	case s.refused:
		s.refused = false
		return os.NewSyscallError("recvfrom", syscall.ECONNREFUSED)
	}
	return nil
}

func (s *socket) Write(p []byte) (int, error) {
	if !s.peer.IsValid() {
		return 0, s.fail("write", syscall.EDESTADDRREQ)
	}
	return s.send(p, s.peer)
}

func (s *socket) WriteTo(p []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok || s.peer.IsValid() {
		return 0, s.fail("write", syscall.EISCONN)
	}
	ap := u.AddrPort()
	return s.send(p, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
}

func (s *socket) send(p []byte, to netip.AddrPort) (int, error) {
	s.mu.Lock()
	err := s.trouble()
	if err == nil && !s.limit.IsZero() && !time.Now().Before(s.limit) {
		err = os.ErrDeadlineExceeded
	}
	s.mu.Unlock()
	if err != nil {
		return 0, s.fail("write", err)
	}
	if !s.host.net.carry(s.host, s.addr, to, p) && s.peer.IsValid() {
		s.mu.Lock()
		s.refused = true
		s.wake()
		s.mu.Unlock()
	}
	return len(p), nil
}

// carry brings a datagram to its socket, unless it is lost under way. It
// returns false if the host is there and nobody listens on that port.
func (n *Net) carry(near *Host, from, to netip.AddrPort, p []byte) bool {
	far := n.find(to.Addr())
	n.mu.Lock()
	lost := n.Lose != nil && n.Lose(from, to, p)
	n.mu.Unlock()
	if far == nil || lost {
		return true
	}
	for _, h := range []*Host{near, far} {
		if shut, _ := h.plugged.state(); shut {
			return true
		}
	}
	far.mu.Lock()
	s := far.sockets[to.Port()]
	far.mu.Unlock()
	if s == nil {
		return false
	}
	s.arrive(time.Now().Add(n.Latency), from, p)
	return true
}

func (s *socket) arrive(at time.Time, from netip.AddrPort, p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.peer.IsValid() && s.peer != from || len(s.queue) >= queueLimit {
		return
	}
	if cap(s.slab)-len(s.slab) < len(p) {
		s.slab = make([]byte, 0, max(slabSize, len(p)))
	}
	begin := len(s.slab)
	s.slab = append(s.slab, p...)
	s.queue = append(s.queue, datagram{at: at, from: from, data: s.slab[begin:]})
	s.wake()
}

// wake tells one who waits.
func (s *socket) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Close frees the port. Who reads is told net.ErrClosed.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.fail("close", net.ErrClosed)
	}
	s.closed = true
	close(s.over)
	s.host.forget(s)
	return nil
}

// forget frees a port.
func (h *Host) forget(s *socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sockets, s.addr.Port())
}

func (s *socket) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
}

func (s *socket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.addr) }

func (s *socket) RemoteAddr() net.Addr {
	if !s.peer.IsValid() {
		return nil
	}
	return net.UDPAddrFromAddrPort(s.peer)
}

func (s *socket) SetDeadline(t time.Time) error {
	s.read.set(t)
	return s.SetWriteDeadline(t)
}

func (s *socket) SetReadDeadline(t time.Time) error {
	s.read.set(t)
	return nil
}

// SetWriteDeadline bounds writes, which never wait.
func (s *socket) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = t
	return nil
}

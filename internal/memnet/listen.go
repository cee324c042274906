package memnet

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

var errInUse = os.NewSyscallError("bind", syscall.EADDRINUSE)

// Listen waits for streams. The network is "tcp"; address is ":5000", or ":0"
// for any free port.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	port, err := h.port(address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	port, err = pick(h, h.listeners, port)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	l := &listener{host: h, addr: netip.AddrPortFrom(h.ip, port),
		queue: make(chan *conn, 16), over: make(chan struct{})}
	h.listeners[port] = l
	return l, nil
}

// DialContext connects a stream ("tcp") or a socket for datagrams ("udp") to
// an address, which must be numeric.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := target(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if network == "udp" || network == "udp4" || network == "udp6" {
		return h.dialSocket(network, to)
	}
	c, err := h.connect(ctx, to)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	return c, nil
}

func (h *Host) connect(ctx context.Context, to netip.AddrPort) (*conn, error) {
	far := h.net.find(to.Addr())
	for _, end := range []*Host{h, far} { // a host that is not there never answers
		if err := reach(ctx, end); err != nil {
			return nil, err
		}
	}
	if err := pause(ctx, h.net.Latency); err != nil {
		return nil, err
	}
	far.mu.Lock()
	l := far.listeners[to.Port()]
	far.mu.Unlock()
	if l == nil {
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	h.mu.Lock()
	port, err := pick(h, map[uint16]bool{}, 0)
	h.mu.Unlock()
	if err != nil {
		return nil, err
	}
	near, their := pipe(h, far, netip.AddrPortFrom(h.ip, port), to)
	select {
	case l.queue <- their:
		return near, nil
	case <-l.over:
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// reach waits until the host has its cable.
func reach(ctx context.Context, h *Host) error {
	for {
		var changed <-chan struct{}
		if h != nil {
			shut, c := h.plugged.state()
			if !shut {
				return nil
			}
			changed = c
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A listener is a net.Listener.
type listener struct {
	host  *Host
	addr  netip.AddrPort
	queue chan *conn
	once  sync.Once
	over  chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.over:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }

func (l *listener) Close() error {
	l.once.Do(func() {
		l.host.mu.Lock()
		delete(l.host.listeners, l.addr.Port())
		l.host.mu.Unlock()
		close(l.over)
		for {
			select {
			case c := <-l.queue:
				c.abort()
			default:
				return
			}
		}
	})
	return nil
}

package memnet

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// A Net joins hosts. Set its fields before it is used.
type Net struct {
	// Latency is how long everything is under way. Zero: no time at all.
	Latency time.Duration
	// Lose decides for each datagram whether it is lost. It is called in the
	// order of sending, one call at a time, and must not use the network.
	// Nil: none is.
	Lose func(from, to netip.AddrPort, datagram []byte) bool

	mu    sync.Mutex
	hosts map[netip.Addr]*Host
}

// New returns a network without hosts.
func New() *Net { return &Net{hosts: make(map[netip.Addr]*Host)} }

// Host returns the host with that IP address, a new one the first time. It
// panics if addr is no address.
func (n *Net) Host(addr string) *Host {
	ip := netip.MustParseAddr(addr)
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[ip]
	if h == nil {
		h = &Host{net: n, ip: ip, nextPort: 49152, plugged: newGate(),
			listeners: make(map[uint16]*listener), sockets: make(map[uint16]*socket)}
		n.hosts[ip] = h
	}
	return h
}

// find returns the host with that address, nil if there is none.
func (n *Net) find(ip netip.Addr) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[ip.Unmap()]
}

// A Host has one address, and ports.
type Host struct {
	net     *Net
	ip      netip.Addr
	plugged *gate

	mu        sync.Mutex
	nextPort  uint16
	listeners map[uint16]*listener
	sockets   map[uint16]*socket
}

// Addr returns the host's address.
func (h *Host) Addr() netip.Addr { return h.ip }

// Unplug pulls the cable: datagrams are lost, streams stand still, and nobody
// is told.
func (h *Host) Unplug() { h.plugged.shut() }

// Plug puts the cable back: streams go on where they stood.
func (h *Host) Plug() { h.plugged.open() }

// port parses the address of a listener on this host.
func (h *Host) port(address string) (uint16, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	if host != "" {
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.IsUnspecified() && ip != h.ip {
			return 0, fmt.Errorf("memnet: %s has no address %q", h.ip, host)
		}
	}
	p, err := strconv.ParseUint(service, 10, 16)
	return uint16(p), err
}

// pick returns port, or for zero a free one. h.mu is held.
func pick[T any](h *Host, taken map[uint16]T, port uint16) (uint16, error) {
	if port != 0 {
		if _, ok := taken[port]; ok {
			return 0, errInUse
		}
		return port, nil
	}
	for range 16384 {
		h.nextPort++
		if h.nextPort < 49152 {
			h.nextPort = 49152
		}
		if _, ok := taken[h.nextPort]; !ok {
			return h.nextPort, nil
		}
	}
	return 0, errInUse
}

// target parses where to send.
func target(address string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		host, _, _ := net.SplitHostPort(address)
		return ap, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}

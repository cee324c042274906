package duty

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// Datagrams hands each datagram that comes to a socket to handle, until the
// socket is closed. Other errors are those of single datagrams, unless there
// is no end to them.
func Datagrams(conn net.PacketConn, handle func(b []byte, from net.Addr)) {
	buf := make([]byte, 2048)
	for errs := 0; errs < 100; {
		n, from, err := conn.ReadFrom(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			errs++
		default:
			errs = 0
			handle(buf[:n], from)
		}
	}
}

// IP returns an address without port, the zero address if it has none.
func IP(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// From tells whether a datagram comes from an address. The zone does not
// count: one end gives it and the other does not.
func From(a net.Addr, want netip.Addr) bool { return IP(a).WithZone("") == want.WithZone("") }

// Port returns the port of a socket, 0 if it has none.
func Port(c net.PacketConn) uint16 {
	a, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		return 0
	}
	return uint16(a.Port)
}

// Listen opens one of our UDP ports at an address: any, if the bounds are 0, or
// the first between them that is free.
func Listen(listen func(network, address string) (net.PacketConn, error), at netip.Addr, first, last uint16) (conn net.PacketConn, err error) {
	for port := int(first); port <= int(max(first, last)); port++ {
		if conn, err = listen("udp", netip.AddrPortFrom(at, uint16(port)).String()); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// SendTo sends a datagram that does not wait for long.
func SendTo(conn net.PacketConn, to net.Addr, packet []byte, now time.Time) error {
	conn.SetWriteDeadline(now.Add(patience))
	_, err := conn.WriteTo(packet, to)
	return err
}

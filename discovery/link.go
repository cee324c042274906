package discovery

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

var (
	group4 = netip.MustParseAddrPort("224.0.0.251:5353")
	group6 = netip.MustParseAddrPort("[ff02::fb]:5353")
)

// A link carries multicast DNS packets on one network interface. Its methods
// may be called at the same time; after close, read returns net.ErrClosed.
type link interface {
	read(b []byte) (n int, from netip.AddrPort, err error)
	write(b []byte) error
	close() error
}

// openLinks opens the links of an interface, one for IPv4 and one for IPv6 as
// far as the interface has addresses. It is an error only if there is none.
func openLinks(n netif) ([]link, error) {
	var links []link
	var errs []error
	if n.speaks(netip.Addr.Is4) {
		l, err := openLink4(n)
		if err == nil {
			links = append(links, l)
		}
		errs = append(errs, err)
	}
	if n.speaks(netip.Addr.Is6) {
		l, err := openLink6(n)
		if err == nil {
			links = append(links, l)
		}
		errs = append(errs, err)
	}
	if len(links) == 0 {
		return nil, fmt.Errorf("multicast on %s: %w", n.name, errors.Join(errs...))
	}
	return links, nil
}

// A link4 is a link by IPv4.
type link4 struct {
	*ipv4.PacketConn
	iface int
	from  *ipv4.ControlMessage // on the loopback: the address to send from
}

func openLink4(n netif) (*link4, error) {
	conn, err := listenGroup4(n.index)
	if err != nil {
		return nil, err
	}
	l := &link4{PacketConn: ipv4.NewPacketConn(conn), iface: n.index}
	if i := slices.IndexFunc(n.prefixes, func(p netip.Prefix) bool { return p.Addr().Is4() }); n.loopback && i >= 0 {
		// Left alone, Linux sends from 0.0.0.0, and Avahi does not answer that.
		l.from = &ipv4.ControlMessage{Src: n.prefixes[i].Addr().AsSlice(), IfIndex: n.index}
	}
	err = errors.Join(
		l.SetControlMessage(ipv4.FlagInterface, true),
		l.JoinGroup(&n.net, net.UDPAddrFromAddrPort(group4)),
		l.SetMulticastInterface(&n.net),
		l.SetMulticastTTL(255),
		l.SetMulticastLoopback(true), // receivers may run on this machine
	)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

func (l *link4) read(b []byte) (int, netip.AddrPort, error) {
	for {
		n, cm, from, err := l.ReadFrom(b)
		// A socket also gets what is for a group that another socket has
		// joined on another interface.
		if err == nil && cm != nil && cm.IfIndex != l.iface {
			continue
		}
		return n, addrPort(from), err
	}
}

func (l *link4) write(b []byte) error {
	_, err := l.WriteTo(b, l.from, net.UDPAddrFromAddrPort(group4))
	return err
}

func (l *link4) close() error { return l.Close() }

// A link6 is a link by IPv6.
type link6 struct {
	*ipv6.PacketConn
	iface int
}

func openLink6(n netif) (*link6, error) {
	conn, err := listenGroup6(n.index)
	if err != nil {
		return nil, err
	}
	l := &link6{ipv6.NewPacketConn(conn), n.index}
	err = errors.Join(
		l.SetControlMessage(ipv6.FlagInterface, true),
		l.JoinGroup(&n.net, net.UDPAddrFromAddrPort(group6)),
		l.SetMulticastInterface(&n.net),
		l.SetMulticastHopLimit(255),
		l.SetMulticastLoopback(true),
	)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

func (l *link6) read(b []byte) (int, netip.AddrPort, error) {
	for {
		n, cm, from, err := l.ReadFrom(b)
		if err == nil && cm != nil && cm.IfIndex != l.iface {
			continue
		}
		return n, addrPort(from), err
	}
}

func (l *link6) write(b []byte) error {
	_, err := l.WriteTo(b, nil, net.UDPAddrFromAddrPort(group6))
	return err
}

func (l *link6) close() error { return l.Close() }

func addrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		p := u.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

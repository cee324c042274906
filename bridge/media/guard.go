package media

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// An AddressError says which address was not connected to, and why.
type AddressError struct {
	Host string // as it stood in the URL
	Why  string
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("%s is not connected to: %s (media.allow and media.deny decide)", e.Host, e.Why)
}

// A Guard decides which addresses URLs may lead to. What is allowed by name or
// address always may; what is denied never; of the rest, this machine itself
// (loopback), link-local addresses, the metadata services of clouds and
// multicast are refused, and all else, the local network included, may be
// reached, since that is where a home's sound lives.
type Guard struct {
	allow, deny rules
	dialer      net.Dialer
}

// NewGuard reads rows such as nas.local, *.example.org, 192.168.1.5 or
// 10.0.0.0/8.
func NewGuard(allow, deny []string) (*Guard, error) {
	g := &Guard{dialer: net.Dialer{Timeout: 10 * time.Second}}
	var err error
	if g.allow, err = parseRules(allow); err != nil {
		return nil, err
	}
	g.deny, err = parseRules(deny)
	return g, err
}

// DialContext connects like net.Dialer, and looks at the address that is
// really connected to, after name resolution, so that neither a redirect nor a
// name that changes its address gets past it. Its refusals are *AddressError.
// Sockets of the Unix domain are no addresses; [Folders.Allow] is for them.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "unix" {
		return g.dialer.DialContext(ctx, network, address)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	named := g.allow.name(host)
	if !named && g.deny.name(host) {
		return nil, &AddressError{host, "the configuration denies it"}
	}
	d := g.dialer
	d.ControlContext = func(_ context.Context, _, connected string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(connected)
		if err != nil {
			return &AddressError{host, "its address cannot be read"}
		}
		if named {
			return nil
		}
		return g.check(host, at.Addr())
	}
	return d.DialContext(ctx, network, address)
}

// check decides about an address; host is what it was called.
func (g *Guard) check(host string, a netip.Addr) error {
	a = plain(a)
	switch {
	case g.allow.address(a):
		return nil
	case g.deny.address(a):
		return &AddressError{host, "the configuration denies " + a.String()}
	}
	if why := private(a); why != "" {
		return &AddressError{host, a.String() + " is " + why}
	}
	return nil
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	translated  = netip.MustParsePrefix("64:ff9b::/96")
	broadcast   = netip.MustParseAddr("255.255.255.255")
	metadata    = []netip.Addr{
		netip.MustParseAddr("fd00:ec2::254"),   // Amazon, IPv6
		netip.MustParseAddr("100.100.100.200"), // Alibaba
		netip.MustParseAddr("168.63.129.16"),   // Azure
	}
)

// private says what an address is that no URL from outside may lead to.
func private(a netip.Addr) string {
	for _, m := range metadata {
		if a == m {
			return "the metadata service of a cloud"
		}
	}
	switch {
	case a.IsLoopback(), a.IsUnspecified(), thisNetwork.Contains(a):
		return "this machine itself"
	case a.IsLinkLocalUnicast():
		return "a link-local address"
	case a.IsMulticast(), a == broadcast:
		return "not a single machine"
	}
	return ""
}

// plain is the address that is meant: IPv4 addresses inside IPv6 ones come
// out, zones are dropped.
func plain(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if translated.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// rules are the rows of media.allow or media.deny.
type rules struct {
	names    []string // lower case; *.x for all below x
	networks []netip.Prefix
}

func parseRules(rows []string) (rules, error) {
	var r rules
	for _, row := range rows {
		if p, err := netip.ParsePrefix(row); err == nil {
			r.networks = append(r.networks, p.Masked())
		} else if a, err := netip.ParseAddr(row); err == nil {
			a = plain(a)
			r.networks = append(r.networks, netip.PrefixFrom(a, a.BitLen()))
		} else if row == "" || strings.ContainsAny(row, "/: ") {
			return r, fmt.Errorf("media: %q is no host name, address or network", row)
		} else {
			r.names = append(r.names, canonical(row))
		}
	}
	return r, nil
}

func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

func (r rules) name(host string) bool {
	host = canonical(host)
	for _, n := range r.names {
		if below, ok := strings.CutPrefix(n, "*"); ok && strings.HasSuffix(host, below) || host == n {
			return true
		}
	}
	return false
}

func (r rules) address(a netip.Addr) bool {
	for _, p := range r.networks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

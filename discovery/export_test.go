package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/grandcat/zeroconf"
	"github.com/miekg/dns"
)

// A LAN is a network in memory, for tests in virtual time.
type LAN struct {
	// Deaf makes sockets of our own impossible.
	Deaf bool
	// Asked is called with each question that is sent, if it is set.
	Asked func(iface, name string, kind uint16)

	mu     sync.Mutex
	ifaces []netif
	links  []*lanLink
	asked  []string
	finds  func(service string) []*zeroconf.ServiceEntry
}

// Zeroconf sets what zeroconf finds. Until it is called, zeroconf cannot ask.
func (l *LAN) Zeroconf(finds func(service string) []*zeroconf.ServiceEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finds = finds
}

// Plug adds an interface with its own addresses.
func (l *LAN) Plug(name string, prefixes ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := netif{name: name, index: len(l.ifaces) + 1, loopback: name == "lo"}
	for _, p := range prefixes {
		n.prefixes = append(n.prefixes, netip.MustParsePrefix(p))
	}
	l.ifaces = append(slices.Clone(l.ifaces), n)
}

// Unplug removes all interfaces.
func (l *LAN) Unplug() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ifaces = nil
}

// Send multicasts a packet on an interface.
func (l *LAN) Send(iface, from string, packet []byte) {
	l.mu.Lock()
	links := slices.Clone(l.links)
	l.mu.Unlock()
	for _, k := range links {
		if k.iface.name == iface {
			select {
			case k.packets <- lanPacket{netip.MustParseAddrPort(from), packet}:
			case <-k.closed:
			}
		}
	}
}

// Questions are those that were sent since it was called last.
func (l *LAN) Questions() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := l.asked
	l.asked = nil
	return asked
}

// BrowseOn is Browse, on a LAN.
func BrowseOn(ctx context.Context, l *LAN, cfg Config, found func(Event)) error {
	return browse(ctx, cfg, found, world{l.interfaces, l.open, l.round})
}

func (l *LAN) interfaces(names []string) ([]netif, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []netif
	for _, n := range l.ifaces {
		if slices.Contains(names, n.name) || (len(names) == 0 && !n.loopback) {
			found = append(found, n)
		}
	}
	return found, missing(names, found)
}

func (l *LAN) open(n netif) ([]link, error) {
	if l.Deaf {
		return nil, errors.New("operation not permitted")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	k := &lanLink{lan: l, iface: n, packets: make(chan lanPacket), closed: make(chan struct{})}
	l.links = append(l.links, k)
	return []link{k}, nil
}

func (l *LAN) round(ctx context.Context, _ []netif, hear func(sighting)) error {
	l.mu.Lock()
	finds := l.finds
	l.mu.Unlock()
	if finds == nil {
		return errors.New("no zeroconf here")
	}
	for _, s := range services {
		for _, e := range finds(s.String()) {
			hear(sighting{records: recordsOf(s, e)})
		}
	}
	<-ctx.Done()
	return nil
}

type lanPacket struct {
	from netip.AddrPort
	data []byte
}

type lanLink struct {
	lan     *LAN
	iface   netif
	packets chan lanPacket
	closed  chan struct{}
}

func (k *lanLink) read(b []byte) (int, netip.AddrPort, error) {
	select {
	case p := <-k.packets:
		return copy(b, p.data), p.from, nil
	case <-k.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (k *lanLink) write(b []byte) error {
	var m dns.Msg
	if err := m.Unpack(b); err != nil {
		return err
	}
	for _, q := range m.Question {
		k.lan.mu.Lock()
		k.lan.asked = append(k.lan.asked, q.Name+" "+dns.TypeToString[q.Qtype])
		k.lan.mu.Unlock()
		if k.lan.Asked != nil {
			go k.lan.Asked(k.iface.name, q.Name, q.Qtype)
		}
	}
	return nil
}

func (k *lanLink) close() error {
	k.lan.mu.Lock()
	defer k.lan.mu.Unlock()
	k.lan.links = slices.DeleteFunc(k.lan.links, func(o *lanLink) bool { return o == k })
	close(k.closed)
	return nil
}

// A Records is what a parsed packet said.
type Records []record

// Parse reads a packet as the listeners do.
func Parse(b []byte) Records { return parse(b) }

// Hear makes a cache from packets, one after the other, and steps it.
func Hear(packets ...[]byte) (devices, instances, hosts int) {
	c := newCache()
	n := netif{name: "eth0", index: 1, prefixes: []netip.Prefix{netip.MustParsePrefix("192.168.1.2/24")}}
	now := time.Unix(0, 0)
	c.attach(now, []netif{n})
	for _, b := range packets {
		c.hear(now, sighting{iface: 1, from: netip.MustParseAddr("192.168.1.9"), records: parse(b)})
		now = now.Add(settlingHalf)
		events, questions := c.step(now)
		devices += len(events)
		pack(questions)
		c.roundOver(now, now)
	}
	return devices, len(c.instances), len(c.hosts)
}

// Escape and Unescape are inverses.
var (
	Escape   = escape
	Unescape = unescape
)

// Round asks once with zeroconf itself, on a real interface.
func Round(ctx context.Context, iface string) error {
	ifaces, err := interfaces([]string{iface})
	if err != nil {
		return err
	}
	return browseRound(ctx, ifaces, func(sighting) {})
}

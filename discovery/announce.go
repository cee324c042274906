package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grandcat/zeroconf"
)

// An Instance is a service of ours.
type Instance struct {
	// Name is what people call it, at most 63 bytes.
	Name string
	// Type is the kind of service, such as _raop._tcp.
	Type string
	Port uint16
	// Host is the name of the machine, without the domain. Empty: one that is
	// made from the machine's own name and the port, so that it cannot quarrel
	// with a responder that announces the machine.
	Host string
	// Addrs are where the service is. None: the addresses of each interface
	// it is announced on.
	Addrs []netip.Addr
	// TXT is the TXT record.
	TXT map[string]string
}

// settled is how old a registration is before it is ended: zeroconf's server
// must have come up to be shut down cleanly.
const settled = 50 * time.Millisecond

// Announce makes a service known until ctx ends, then says goodbye, and
// returns why ctx ended. When the network interfaces or their addresses change,
// it is announced anew. Where that is impossible, Announce says so to the
// logger once and tries again every half minute; it returns another error only
// for an instance that cannot be announced anywhere.
func Announce(ctx context.Context, cfg Config, instance Instance) error {
	text, err := instance.check()
	if err != nil {
		return fmt.Errorf("discovery: announce %q: %w", instance.Name, err)
	}
	a := &announcer{cfg: cfg, instance: instance, text: text, trouble: trouble{
		log:   cfg.Logger,
		begun: "a service cannot be announced; trying again every 30 s",
		ended: "the service is announced",
	}}
	defer a.goodbye()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-timer.C:
			timer.Reset(a.look(now))
		}
	}
}

// check tells whether an instance fits into packets, and makes the strings of
// its TXT record.
func (i Instance) check() (text []string, err error) {
	kind, protocol, _ := strings.Cut(i.Type, ".")
	switch {
	case i.Name == "" || len(i.Name) > 63:
		return nil, errors.New("a name has from 1 to 63 bytes")
	case len(kind) < 2 || kind[0] != '_' || (protocol != "_tcp" && protocol != "_udp"):
		return nil, fmt.Errorf("%q is not a type of service, such as _raop._tcp", i.Type)
	case i.Port == 0:
		return nil, errors.New("a service needs a port")
	case len(i.Host) > 63 || strings.Contains(i.Host, "."):
		return nil, fmt.Errorf("%q is not the name of a machine without its domain", i.Host)
	}
	size := 0
	for _, key := range slices.Sorted(maps.Keys(i.TXT)) {
		s := key + "=" + i.TXT[key]
		size += len(s) + 1
		if key == "" || strings.Contains(key, "=") || len(s) > 255 || size > 4096 {
			return nil, fmt.Errorf("the TXT record is malformed or too long at %q", key)
		}
		text = append(text, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s))
	}
	return text, nil
}

// An announcer has a server of zeroconf for the loopback and one for the other
// interfaces, because what is announced there has other addresses. It is used
// by one goroutine: a server cannot be changed and ended at the same time.
type announcer struct {
	cfg      Config
	instance Instance
	text     []string
	trouble  trouble
	on       []netif
	servers  []*zeroconf.Server
	since    time.Time
}

// look registers anew when the interfaces have changed, and returns when to
// look again.
func (a *announcer) look(now time.Time) time.Duration {
	ifaces, err := interfaces(a.cfg.Interfaces)
	if len(a.servers) > 0 && slices.EqualFunc(ifaces, a.on, netif.equal) {
		return lookEvery
	}
	a.goodbye()
	a.on, a.since = ifaces, now
	inside, outside := split(ifaces)
	if failed := errors.Join(a.register(inside), a.register(outside)); failed != nil {
		err = failed
	}
	if len(a.servers) == 0 {
		a.trouble.report(err)
		return blindPause
	}
	a.trouble.report(nil)
	return lookEvery
}

// split parts the loopback from the other interfaces.
func split(ifaces []netif) (inside, outside []netif) {
	for _, n := range ifaces {
		if n.loopback {
			inside = append(inside, n)
		} else {
			outside = append(outside, n)
		}
	}
	return inside, outside
}

func (a *announcer) register(ifaces []netif) error {
	if len(ifaces) == 0 {
		return nil
	}
	i := a.instance
	var ips []string
	for _, addr := range i.addrs(ifaces) {
		ips = append(ips, addr.WithZone("").String())
	}
	// Given the domain "local.", zeroconf makes "host.local.local." of a host;
	// given "local", it leaves it alone.
	s, err := zeroconf.RegisterProxy(
		presented(i.Name), i.Type, "local", int(i.Port), i.host()+".local.", ips, a.text, nets(ifaces))
	if err != nil {
		return err
	}
	a.servers = append(a.servers, s)
	return nil
}

// goodbye ends the registration and tells the network.
func (a *announcer) goodbye() {
	if len(a.servers) == 0 {
		return
	}
	<-time.After(time.Until(a.since.Add(settled)))
	for _, s := range a.servers {
		s.Shutdown()
	}
	a.servers = nil
}

func (i Instance) host() string {
	if i.Host != "" {
		return escape(i.Host)
	}
	name, _ := os.Hostname()
	name, _, _ = strings.Cut(name, ".")
	name = name[:min(len(name), 50)]
	return escape(cmp.Or(name, "host") + "-" + strconv.Itoa(int(i.Port)))
}

// addrs are the addresses to announce; none lets zeroconf announce on each
// interface its own. It does not do so for the loopback.
func (i Instance) addrs(ifaces []netif) []netip.Addr {
	if len(i.Addrs) > 0 {
		return i.Addrs
	}
	var found []netip.Addr
	for _, n := range ifaces {
		if !n.loopback {
			continue
		}
		for _, p := range n.prefixes {
			found = append(found, p.Addr())
		}
	}
	return found
}

// presented escapes a name for zeroconf, which cuts dots off its ends even
// where they are escaped.
func presented(name string) string {
	s := escape(name)
	if strings.HasPrefix(name, ".") {
		s = `\046` + s[2:]
	}
	if strings.HasSuffix(name, ".") {
		s = s[:len(s)-2] + `\046`
	}
	return s
}

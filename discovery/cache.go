package discovery

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

const (
	maxInstances = 1024
	maxHosts     = 1024
	// calm is the shortest time between two looks at what has changed, so
	// that a flood of packets costs no more than reading them.
	calm = 20 * time.Millisecond
)

// A sighting is what one packet said, and where it came from.
type sighting struct {
	iface   int        // the index of the network interface; 0: not known
	from    netip.Addr // the sender; zero: not known
	records []record
}

// A cache is all that the network has said and that still holds. It knows no
// socket and no clock: time comes in, and events and questions come out.
type cache struct {
	ifaces    []netif
	instances map[string]*instance // by folded name
	hosts     map[string]*host     // by folded name
	pairs     pairMemory
	tracker   tracker
	next      time.Time // when step has something to do
	looked    time.Time // when it last had
}

func newCache() *cache {
	return &cache{
		instances: map[string]*instance{},
		hosts:     map[string]*host{},
		pairs:     pairMemory{},
		tracker:   tracker{},
	}
}

// attach tells which interfaces we are on, which decides what can be reached.
func (c *cache) attach(now time.Time, ifaces []netif) {
	c.ifaces = ifaces
	c.next = now
}

// hear takes the records of a packet in. Whatever their order is, names of
// instances come first and addresses last.
func (c *cache) hear(now time.Time, s sighting) {
	fresh := map[string][]netip.Addr{}
	for i, r := range s.records {
		if r.kind == address {
			s.records[i].addr = meant(r.addr, s, c.ifaces)
			fresh[fold(r.name)] = append(fresh[fold(r.name)], s.records[i].addr)
		}
	}
	for k := pointer; k <= address; k++ {
		for _, r := range s.records {
			if r.kind == k && c.hearOne(now, s.iface, r, fresh[fold(r.name)]) {
				c.next = sooner(c.next, c.looked.Add(calm))
			}
		}
	}
}

func (c *cache) hearOne(now time.Time, iface int, r record, fresh []netip.Addr) (changed bool) {
	switch r.kind {
	case pointer:
		return c.hearPointer(now, iface, r)
	case address:
		return c.hearAddress(now, iface, r, fresh)
	}
	if r.kind == server && r.port == 0 && r.ttl > 0 {
		return false // "flagship naming": the name is taken, the service is not there
	}
	i := c.instance(now, r.name, r)
	if i == nil {
		return false
	}
	if r.kind == text {
		return i.hearText(now, r)
	}
	changed = i.hearServer(now, r, iface)
	c.next = sooner(c.next, i.wake(now))
	return changed
}

func (c *cache) hearPointer(now time.Time, iface int, r record) (changed bool) {
	s, ok := serviceOf(r.name)
	of, _, is := instanceOf(r.target)
	if !ok || !is || of != s {
		return false
	}
	i := c.instance(now, r.target, r)
	switch {
	case i == nil:
		return false
	case r.ttl == 0:
		i.goodbye(now, iface)
		c.next = sooner(c.next, i.wake(now))
		return false
	}
	return len(i.at) == 0 // it must be asked for
}

func (c *cache) hearAddress(now time.Time, iface int, r record, fresh []netip.Addr) (changed bool) {
	if r.addr.Is6() && r.addr.IsLinkLocalUnicast() && r.addr.Zone() == "" {
		return false // of no use without knowing the interface
	}
	key := fold(r.name)
	h := c.hosts[key]
	if h == nil && (r.ttl == 0 || len(c.hosts) >= maxHosts) {
		return false
	}
	if h == nil {
		h = &host{name: r.name}
		c.hosts[key] = h
	}
	changed = h.hear(now, r, r.addr, iface, fresh)
	c.next = sooner(c.next, h.wake(now))
	return changed
}

// instance finds the instance that a record speaks of. Unless the record is a
// goodbye, the instance is made when it is new and there is room, and counts
// as heard.
func (c *cache) instance(now time.Time, name string, r record) *instance {
	s, label, ok := instanceOf(name)
	if !ok {
		return nil
	}
	i := c.instances[fold(name)]
	if r.ttl == 0 {
		return i
	}
	if i == nil && len(c.instances) < maxInstances {
		i = &instance{
			service: s, name: name, label: clean(unescape(label)),
			first: now, at: map[int]place{},
		}
		c.instances[fold(name)] = i
	}
	if i != nil {
		i.heard = now
	}
	return i
}

// meant is the address that a device means when it says a.
func meant(a netip.Addr, s sighting, ifaces []netif) netip.Addr {
	n := slices.IndexFunc(ifaces, func(i netif) bool { return i.index == s.iface })
	if n < 0 {
		return a
	}
	switch i := ifaces[n]; {
	case a.Is6() && a.IsLinkLocalUnicast():
		return a.WithZone(i.name)
	case a.IsLoopback() && !i.loopback && a.Is4() && s.from.Is4() && !ours(s.from, ifaces):
		// A Pioneer VSX-1130 says that it lives at 127.0.0.1; it means where
		// the packet came from (docs/protocols/raop.md, services).
		return s.from
	}
	return a
}

// roundOver counts who did not answer in a round of questions.
func (c *cache) roundOver(now, began time.Time) {
	for key, i := range c.instances {
		if i.round(now, began) {
			delete(c.instances, key)
			c.next = now
		}
	}
}

// step does what time and news make necessary: it tells what has changed, and
// what should be asked. It is called when next has come.
func (c *cache) step(now time.Time) ([]Event, []question) {
	c.expire(now)
	devices := pairUp(c.devices(), c.pairs, now)
	events, next := c.tracker.step(now, devices)
	questions := c.questions(now)
	c.looked = now
	for _, i := range c.instances {
		next = sooner(next, i.wake(now))
	}
	for _, h := range c.hosts {
		next = sooner(next, h.wake(now))
	}
	if !next.IsZero() && next.Before(now.Add(calm)) {
		next = now.Add(calm)
	}
	c.next = next
	return events, questions
}

func (c *cache) expire(now time.Time) {
	used := map[string]string{}
	for key, i := range c.instances {
		if i.expire(now) {
			delete(c.instances, key)
			continue
		}
		for _, p := range i.at {
			used[fold(p.host)] = p.host
		}
	}
	for key, h := range c.hosts {
		h.expire(now)
		if len(h.known()) == 0 && used[key] == "" {
			delete(c.hosts, key)
		}
	}
	for key, name := range used {
		if c.hosts[key] == nil {
			c.hosts[key] = &host{name: name}
		}
	}
}

// questions are what is missing, or about to expire.
func (c *cache) questions(now time.Time) []question {
	var ask []question
	hosts := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(c.instances)) {
		i := c.instances[key]
		if i.asks(now) {
			ask = append(ask, question{i.name, dns.TypeSRV}, question{i.name, dns.TypeTXT})
		}
		if p, ok := i.place(); ok {
			hosts[fold(p.host)] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.hosts)) {
		if h := c.hosts[key]; h.asks(now, hosts[key]) {
			ask = append(ask, question{h.name, dns.TypeA}, question{h.name, dns.TypeAAAA})
		}
	}
	return ask[:min(len(ask), 4*questionsPerPacket)]
}

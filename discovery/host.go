package discovery

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

const (
	maxAddrs = 16
	// lingering is how long a device without an address keeps its last ones: a
	// change of address is often told as a goodbye and a hello later on.
	lingering = 10 * time.Second
)

// A host is a name in the local domain and the addresses it has. Addresses
// are kept by the interface they were heard on, because a host with two
// legs tells each network only of the leg that stands in it.
type host struct {
	name  string // as it was written
	addrs []addr
	last  []addr    // what addrs were before none was left
	empty time.Time // when that was
	nag   nag
}

type addr struct {
	netip.Addr     // with the zone, where it needs one
	iface          int
	heard, expires time.Time
}

// hear takes an address in, and tells whether it was new. fresh is what else
// the same packet said, which must not be flushed with what was before.
func (h *host) hear(now time.Time, r record, a netip.Addr, iface int, fresh []netip.Addr) bool {
	if r.ttl == 0 {
		h.goodbye(now, a, iface)
		return false
	}
	if iface != 0 {
		h.forget(func(old addr) bool { return old.iface == 0 })
	} else if slices.ContainsFunc(h.addrs, func(old addr) bool { return old.iface != 0 }) {
		return false // what we heard ourselves is truer
	}
	if r.flush {
		h.flush(now, iface, a.Is4(), fresh)
	}
	i := slices.IndexFunc(h.addrs, func(old addr) bool { return old.Addr == a && old.iface == iface })
	switch {
	case i >= 0:
		h.addrs[i].heard, h.addrs[i].expires = now, now.Add(r.ttl)
		return false
	case len(h.addrs) >= maxAddrs:
		return false
	}
	h.addrs = append(h.addrs, addr{a, iface, now, now.Add(r.ttl)})
	h.last = nil
	return true
}

// goodbye lets an address end, unless it is said again.
func (h *host) goodbye(now time.Time, a netip.Addr, iface int) {
	for i, old := range h.addrs {
		if old.Addr == a && (old.iface == iface || old.iface == 0) {
			h.addrs[i].expires = earlier(old.expires, now.Add(goodbyeGrace))
		}
	}
}

// flush lets the addresses of a family end that were not said again.
func (h *host) flush(now time.Time, iface int, v4 bool, fresh []netip.Addr) {
	for i, old := range h.addrs {
		if old.iface == iface && old.Is4() == v4 && !slices.Contains(fresh, old.Addr) &&
			now.Sub(old.heard) > goodbyeGrace {
			h.addrs[i].expires = earlier(old.expires, now.Add(goodbyeGrace))
		}
	}
}

// expire drops what is over.
func (h *host) expire(now time.Time) {
	before := h.addrs
	h.forget(func(a addr) bool { return !now.Before(a.expires) })
	switch {
	case len(before) > 0 && len(h.addrs) == 0:
		h.last, h.empty = before, now
	case h.last != nil && now.Sub(h.empty) >= lingering:
		h.last = nil
	}
}

// forget drops addresses, and leaves the old slice as it was.
func (h *host) forget(over func(addr) bool) {
	if slices.ContainsFunc(h.addrs, over) {
		h.addrs = slices.DeleteFunc(slices.Clone(h.addrs), over)
	}
}

// known are the addresses to use now.
func (h *host) known() []addr {
	if len(h.addrs) == 0 {
		return h.last
	}
	return h.addrs
}

// wake is when something about the host may change by itself.
func (h *host) wake(now time.Time) time.Time {
	var at time.Time
	for _, a := range h.addrs {
		at = sooner(at, a.expires)
		at = sooner(at, after(now, aging(a.heard, a.expires)))
	}
	if h.last != nil {
		at = sooner(at, h.empty.Add(lingering))
	}
	return sooner(at, h.nag.at)
}

// asks tells whether the addresses should be asked for now: because there are
// none, or lest they expire.
func (h *host) asks(now time.Time, used bool) bool {
	most := time.Minute
	for _, a := range h.addrs {
		most = min(most, patience(a.heard, a.expires))
		if now.Before(aging(a.heard, a.expires)) {
			used = false
		}
	}
	return h.nag.due(now, used, most)
}

// choose orders addresses, the best first, and leaves out those that lead
// nowhere unless there are no others.
func choose(known []addr, ifaces []netif) []netip.Addr {
	known = slices.Clone(known)
	slices.SortFunc(known, func(a, b addr) int {
		return cmp.Or(
			cmp.Compare(rank(a, ifaces), rank(b, ifaces)),
			a.Addr.Compare(b.Addr),
			cmp.Compare(a.iface, b.iface))
	})
	var good, last []netip.Addr
	for _, a := range known {
		switch {
		case slices.Contains(good, a.Addr) || slices.Contains(last, a.Addr):
		case rank(a, ifaces) < rankUseless:
			good = append(good, a.Addr)
		default:
			last = append(last, a.Addr)
		}
	}
	if len(good) == 0 && len(last) > 0 {
		return last[:1]
	}
	return good
}

const rankUseless = 10

// rank is low for addresses that can probably be reached.
func rank(a addr, ifaces []netif) int {
	loopback := slices.ContainsFunc(ifaces, func(i netif) bool { return i.loopback })
	switch {
	case a.IsLoopback() && !loopback:
		return rankUseless + 1
	case a.Is4() && a.IsLinkLocalUnicast():
		return rankUseless
	}
	base := 0
	if !a.Is4() {
		base = 3
	}
	for _, i := range ifaces {
		if i.index == a.iface && i.has(a.Addr) {
			return base
		}
	}
	if slices.ContainsFunc(ifaces, func(i netif) bool { return i.has(a.Addr) }) {
		return base + 1
	}
	return base + 2
}

// A nag asks again and again, but ever less often, while something is wanted.
type nag struct {
	times int
	at    time.Time // of the next question; zero while nothing is wanted
}

// due tells whether to ask now, where most is the longest pause between
// questions. The first one waits a little, because the answer is often on its
// way.
func (n *nag) due(now time.Time, wanted bool, most time.Duration) bool {
	switch {
	case !wanted:
		*n = nag{}
		return false
	case n.at.IsZero():
		n.at = now.Add(200 * time.Millisecond)
		return false
	case now.Before(n.at):
		return false
	}
	n.at = now.Add(min(time.Second<<min(n.times, 6), max(most, time.Second)))
	n.times++
	return true
}

// patience is the longest pause between questions for a record that is about
// to expire: RFC 6762, 5.2, asks four times in its last fifth.
func patience(heard, expires time.Time) time.Duration {
	return min(expires.Sub(heard)/20, time.Minute)
}

// aging is when a record has lived four fifths of its life and is asked for.
func aging(heard, expires time.Time) time.Time {
	return heard.Add(expires.Sub(heard) * 4 / 5)
}

// sooner is the earlier of two times of which zero means never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// after is a time that is still to come, or never.
func after(now, t time.Time) time.Time {
	if t.After(now) {
		return t
	}
	return time.Time{}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

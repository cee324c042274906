package discovery

import (
	"maps"
	"slices"
	"time"
)

const (
	// goodbyeGrace is how long a record lives on after its goodbye, so that
	// it can be said again: RFC 6762, 10.1.
	goodbyeGrace = time.Second
	// unresolved is how long an instance is kept of which only the name is
	// known; it is asked for meanwhile.
	unresolved = 10 * time.Second
	// A device that does not answer is gone after so many rounds, and not
	// before so long: rounds follow each other fast in the beginning.
	missedRounds = 3
	missedFor    = 30 * time.Second
)

// An instance is one service of one device, as far as the records tell.
// Where it lives is kept by the interface it was heard on: a goodbye on one
// network says nothing about the other.
type instance struct {
	service service
	name    string // as it was written
	label   string // the part before the service, as people write it
	first   time.Time
	heard   time.Time
	missed  int // rounds in a row
	at      map[int]place
	text    map[string]string // nil: not heard
	old     time.Time         // when the text should be asked for again
	nag     nag
}

// A place is where an instance can be reached.
type place struct {
	host           string // as it was written
	port           uint16
	heard, expires time.Time
}

// place is the newest place of all interfaces.
func (i *instance) place() (place, bool) {
	var best place
	for _, iface := range slices.Sorted(maps.Keys(i.at)) {
		if p := i.at[iface]; best.heard.IsZero() || p.heard.After(best.heard) {
			best = p
		}
	}
	return best, len(i.at) > 0
}

// hearServer takes an SRV record in, and tells whether it said something new.
func (i *instance) hearServer(now time.Time, r record, iface int) bool {
	if r.ttl == 0 {
		i.goodbye(now, iface)
		return false
	}
	if iface != 0 {
		delete(i.at, 0)
	} else if len(i.at) > 0 && !i.only(0) {
		return false // what we heard ourselves is truer
	}
	before, known := i.place()
	i.at[iface] = place{r.target, r.port, now, now.Add(r.ttl)}
	return !known || fold(before.host) != fold(r.target) || before.port != r.port
}

// hearText takes a TXT record in, and tells whether it said something new.
func (i *instance) hearText(now time.Time, r record) bool {
	if r.ttl == 0 {
		return false // it is worth nothing without the place, which has its own goodbye
	}
	i.old = now.Add(r.ttl * 4 / 5)
	said := pairs(r.text)
	if i.text != nil && maps.Equal(i.text, said) {
		return false
	}
	i.text = said
	return true
}

// goodbye lets the instance end on an interface, unless it is heard again.
func (i *instance) goodbye(now time.Time, iface int) {
	for _, k := range []int{iface, 0} {
		if p, ok := i.at[k]; ok {
			p.expires = earlier(p.expires, now.Add(goodbyeGrace))
			i.at[k] = p
		}
	}
}

func (i *instance) only(iface int) bool {
	_, ok := i.at[iface]
	return ok && len(i.at) == 1
}

// expire drops what is over and tells whether nothing is left.
func (i *instance) expire(now time.Time) (over bool) {
	had := len(i.at) > 0
	maps.DeleteFunc(i.at, func(_ int, p place) bool { return !now.Before(p.expires) })
	if len(i.at) > 0 {
		return false
	}
	return had || now.Sub(i.heard) >= unresolved
}

// round counts a round of questions that is over.
func (i *instance) round(now, began time.Time) (over bool) {
	// An answer that was multicast for somebody else less than a second
	// before is not said again: RFC 6762, 6.
	if !i.heard.Before(began.Add(-2 * time.Second)) {
		i.missed = 0
		return false
	}
	i.missed++
	return i.missed >= missedRounds && now.Sub(i.heard) >= missedFor
}

// asks tells whether the place and the text should be asked for now: because
// they are missing, or lest they expire.
func (i *instance) asks(now time.Time) bool {
	p, ok := i.place()
	if !ok || i.text == nil {
		return i.nag.due(now, true, time.Minute)
	}
	old := !now.Before(aging(p.heard, p.expires)) || !now.Before(i.old)
	return i.nag.due(now, old, patience(p.heard, p.expires))
}

// wake is when something about the instance may change by itself.
func (i *instance) wake(now time.Time) time.Time {
	at := sooner(after(now, i.old), i.nag.at)
	for _, p := range i.at {
		at = sooner(at, p.expires)
		at = sooner(at, after(now, aging(p.heard, p.expires)))
	}
	if len(i.at) == 0 {
		at = sooner(at, i.heard.Add(unresolved))
	}
	return at
}

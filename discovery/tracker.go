package discovery

import (
	"maps"
	"slices"
	"time"
)

// changing is how long a change is waited with, because the records of two
// services that change together come one after the other.
const changing = 100 * time.Millisecond

// A tracker compares what is with what was told, and tells the difference
// once it has lasted.
type tracker map[string]*tracked

type tracked struct {
	told  Device
	known bool      // it was told
	since time.Time // of a difference to what was told; zero: none
}

// step returns the events that are due, in an order that depends on nothing
// but the devices, and when it should be called again.
func (t tracker) step(now time.Time, all []candidate) (events []Event, next time.Time) {
	events = t.leave(all)
	for _, d := range all {
		if d.Leader != "" {
			continue
		}
		due := t.compare(now, d)
		switch {
		case due.IsZero():
		case now.Before(due):
			next = sooner(next, due)
		default:
			*t[d.ID] = tracked{told: d.Device.clone(), known: true}
			events = append(events, Event{Device: d.Device.clone()})
		}
	}
	return events, next
}

// compare tells when a device should be told; zero if there is nothing new.
func (t tracker) compare(now time.Time, d candidate) time.Time {
	k := t[d.ID]
	if k == nil {
		k = &tracked{}
		t[d.ID] = k
	}
	if k.known && k.told.equal(d.Device) {
		k.since = time.Time{}
		return time.Time{}
	}
	if k.since.IsZero() {
		k.since = now
	}
	if k.known {
		return k.since.Add(changing)
	}
	return k.since.Add(d.settle)
}

// leave tells of the devices that are gone, or hidden now.
func (t tracker) leave(all []candidate) (events []Event) {
	there := map[string]candidate{}
	for _, d := range all {
		there[d.ID] = d
	}
	for _, id := range slices.Sorted(maps.Keys(t)) {
		d, ok := there[id]
		if ok && d.Leader == "" {
			continue
		}
		if k := t[id]; k.known {
			gone := k.told.clone()
			gone.Leader = d.Leader
			events = append(events, Event{Device: gone, Gone: true})
		}
		delete(t, id)
	}
	return events
}

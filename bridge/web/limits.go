package web

import (
	"net/netip"
	"sync"
	"time"
)

// maxPeers is how many addresses are told apart; who has not come for longest
// is forgotten.
const maxPeers = 512

// limits hold each address to a number of things at once, and then to so many
// a second.
type limits struct {
	size, rate float64

	mu      sync.Mutex
	buckets map[netip.Addr]*bucket
}

// A bucket holds what somebody may still do.
type bucket struct {
	left float64
	at   time.Time
}

func newLimits(size, rate float64) *limits {
	return &limits{size: size, rate: rate, buckets: map[netip.Addr]*bucket{}}
}

// take takes one, if any is left.
func (l *limits) take(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of(from).take(l.size, l.rate)
}

// left tells whether any is, and takes none.
func (l *limits) left(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(from)
	b.fill(l.size, l.rate)
	return b.left >= 1
}

// of wants mu held.
func (l *limits) of(from netip.Addr) *bucket {
	b := l.buckets[from]
	if b == nil {
		if len(l.buckets) >= maxPeers {
			l.forget()
		}
		b = &bucket{left: l.size, at: time.Now()}
		l.buckets[from] = b
	}
	return b
}

func (l *limits) forget() {
	var oldest netip.Addr
	var since time.Time
	for from, b := range l.buckets {
		if since.IsZero() || b.at.Before(since) {
			oldest, since = from, b.at
		}
	}
	delete(l.buckets, oldest)
}

func (b *bucket) fill(size, rate float64) {
	now := time.Now()
	b.left = min(size, b.left+rate*now.Sub(b.at).Seconds())
	b.at = now
}

func (b *bucket) take(size, rate float64) bool {
	b.fill(size, rate)
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

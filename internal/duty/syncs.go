package duty

import "time"

// Syncs come quickly at first, because a receiver drops those that it gets
// before it knows our clock: one a second costs the first second of sound
// (docs/protocols/raop.md, the first-sync trap).
const (
	quickSyncs   = time.Second
	quickBetween = 100 * time.Millisecond
	syncBetween  = time.Second
)

// Syncs says when the next packet is due that ties sound to time. The session
// guards it.
type Syncs struct {
	due   time.Time     // zero: there is no line to tell of
	quick time.Time     // until when they come quickly
	told  chan struct{} // closed once the first of a line was sent; nil: it was
}

// Begin plans the first sync of a line and returns what is closed when it has
// been sent.
func (p *Syncs) Begin(now time.Time) <-chan struct{} {
	if p.told == nil {
		p.told = make(chan struct{})
	}
	p.due, p.quick = now, now.Add(quickSyncs)
	return p.told
}

// Soon makes the next one due at once, if there is a line.
func (p *Syncs) Soon(now time.Time) {
	if !p.due.IsZero() {
		p.due = now
	}
}

// First tells whether the next one is the first of its line.
func (p *Syncs) First() bool { return p.told != nil }

// Wait returns how long it is until the next one is due: 0 if it is.
func (p *Syncs) Wait(now time.Time) time.Duration {
	if p.due.IsZero() {
		return time.Hour
	}
	return max(0, p.due.Sub(now))
}

// Again is when to try again where one could not be made.
func (p *Syncs) Again() time.Duration { return quickBetween }

// Step plans the one after that which is sent now. told is to be closed once
// that has been sent; nil: there is nobody who waits for it.
func (p *Syncs) Step(now time.Time) (told chan struct{}, wait time.Duration) {
	between := syncBetween
	if now.Before(p.quick) {
		between = quickBetween
	}
	if p.due = p.due.Add(between); p.due.Before(now) {
		p.due = now.Add(between)
	}
	told, p.told = p.told, nil
	return told, p.due.Sub(now)
}

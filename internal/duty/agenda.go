package duty

import (
	"sync"
	"time"
)

// An Agenda says when each chore of a session is due: things that the receiver
// is asked for in the background, one at a time, so that a slow receiver delays
// nothing but its own chores. C numbers them. Its methods may be called by any
// goroutine, and do not wait.
type Agenda[C ~int] struct {
	bell Bell

	mu  sync.Mutex  // a leaf
	due []time.Time // zero: not at all
}

// NewAgenda is for so many chores.
func NewAgenda[C ~int](chores C) *Agenda[C] {
	return &Agenda[C]{bell: NewBell(), due: make([]time.Time, chores)}
}

// Plan puts a chore on the agenda, unless it is due earlier anyway.
func (a *Agenda[C]) Plan(c C, at time.Time) {
	a.mu.Lock()
	if due := a.due[c]; due.IsZero() || at.Before(due) {
		a.due[c] = at
	}
	a.mu.Unlock()
	a.bell.Ring()
}

// Move makes a chore due at a time, whenever it was before.
func (a *Agenda[C]) Move(c C, at time.Time) {
	a.mu.Lock()
	a.due[c] = at
	a.mu.Unlock()
	a.bell.Ring()
}

// Drop takes a chore off.
func (a *Agenda[C]) Drop(c C) {
	a.mu.Lock()
	a.due[c] = time.Time{}
	a.mu.Unlock()
}

// Run does what is due until over is closed.
func (a *Agenda[C]) Run(over <-chan struct{}, do func(C)) {
	Loop(over, a.bell, func() time.Duration {
		c, ok, wait := a.next(time.Now())
		if ok {
			do(c)
		}
		return wait
	})
}

// next takes the chore that is due longest. If none is, it tells when to look
// again.
func (a *Agenda[C]) next(now time.Time) (c C, ok bool, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var first time.Time
	for i, due := range a.due {
		if !due.IsZero() && (first.IsZero() || due.Before(first)) {
			c, first = C(i), due
		}
	}
	switch {
	case first.IsZero():
		return 0, false, time.Hour
	case now.Before(first):
		return 0, false, first.Sub(now)
	}
	a.due[c] = time.Time{}
	return c, true, 0
}

package memnet

import (
	"os"
	"sync"
	"time"
)

// A gate is open or shut, and tells who asks when that changes.
type gate struct {
	mu      sync.Mutex
	closed  bool
	changed chan struct{}
}

func newGate() *gate { return &gate{changed: make(chan struct{})} }

func (g *gate) open() { g.set(false) }
func (g *gate) shut() { g.set(true) }

func (g *gate) set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != closed {
		g.closed = closed
		close(g.changed)
		g.changed = make(chan struct{})
	}
}

// state tells whether the gate is shut, and what is closed when it is not
// so any more.
func (g *gate) state() (shut bool, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed, g.changed
}

// A deadline closes a channel when its time has come.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	over  chan struct{}
}

func newDeadline() *deadline { return &deadline{over: make(chan struct{})} }

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		d.over = make(chan struct{}) // the one before is being closed
	}
	d.timer = nil
	select {
	case <-d.over:
		d.over = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	over := d.over
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, func() { close(over) })
		return
	}
	close(over)
}

func (d *deadline) done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

// passed returns os.ErrDeadlineExceeded if the time has come.
func (d *deadline) passed() error {
	select {
	case <-d.done():
		return os.ErrDeadlineExceeded
	default:
		return nil
	}
}

// A wait says for what a read or write waits. Nil channels and a zero time
// are for nothing.
type wait struct {
	changed, link <-chan struct{}
	until         time.Time
}

// on waits, or returns os.ErrDeadlineExceeded.
func (w wait) on(d *deadline) error {
	var due <-chan time.Time
	if !w.until.IsZero() {
		t := time.NewTimer(time.Until(w.until))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-w.changed:
	case <-w.link:
	case <-due:
	case <-d.done():
		return os.ErrDeadlineExceeded
	}
	return nil
}

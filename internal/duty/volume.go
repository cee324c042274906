package duty

import (
	"context"
	"errors"
	"sync"
)

// ErrOver is returned to who waits for something of a session that has ended.
var ErrOver = errors.New("the session is over")

// A Volume is a receiver's, as far as it is known, from 0 to 1, and whose turn
// it is to set it: so none is set again that has just been replaced. Its methods
// may be called by any goroutine.
type Volume struct {
	turn chan struct{} // full while it is being set

	mu    sync.Mutex // a leaf
	level float64
	known bool // told by the receiver or us
	set   bool // by us
}

// NewVolume is one of which nothing is known.
func NewVolume() *Volume { return &Volume{turn: make(chan struct{}, 1)} }

// Level returns it, if it is known.
func (v *Volume) Level() (level float64, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.level, v.known
}

// Told notes that it was set.
func (v *Volume) Told(level float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.level, v.known, v.set = level, true, true
}

// Learn takes the receiver's word for it, where we have set none.
func (v *Volume) Learn(level float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.set {
		v.level, v.known = level, true
	}
}

// Changed notes that the receiver has changed it.
func (v *Volume) Changed(level float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.level, v.known = level, true
}

// Set sets it by send, when it is its turn. It returns ErrOver if over is closed
// before.
func (v *Volume) Set(ctx context.Context, over <-chan struct{}, level float64, send func(context.Context, float64) error) error {
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-over:
		return ErrOver
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := send(ctx, level); err != nil {
		return err
	}
	v.Told(level)
	return nil
}

// Repeat sends again what we have set before, if we have.
func (v *Volume) Repeat(over <-chan struct{}, send func(context.Context, float64) error) error {
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-over:
		return ErrOver
	}
	v.mu.Lock()
	level, set := v.level, v.set
	v.mu.Unlock()
	if !set {
		return nil
	}
	return send(context.Background(), level)
}

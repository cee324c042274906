package player

import (
	"context"
	"errors"
	"time"
)

// A hope is for what a dial that fails is tried again.
type hope struct {
	// back: a session was lost; what was switched off and on, or has lost the
	// network for a moment, is given time to come back.
	back bool
	// free: a bell is to ring; somebody who is about to hang up may.
	free bool
}

// busyTries is how often a busy receiver is dialled again.
const busyTries = 3

// reach dials, again and again while there is hope: a receiver that does not
// answer each 1, 2, 4 s until ctx ends, one that is busy after 0.5, 1 and 2 s.
func (p *Player) reach(ctx context.Context, h hope) (Session, error) {
	away, busy := time.Second, time.Second/2
	for tries := 0; ; {
		s, err := p.cfg.Dial(ctx)
		var wait time.Duration
		switch {
		case err == nil:
			return s, nil
		case h.back && unreachable(err):
			wait, away = away, 2*away
		case h.free && isBusy(err) && tries < busyTries:
			wait, busy, tries = busy, 2*busy, tries+1
		default:
			return nil, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// unreachable tells whether err says that nobody answers.
func unreachable(err error) bool {
	var u interface {
		error
		Unreachable() bool
	}
	return errors.As(err, &u) && u.Unreachable()
}

// isBusy tells whether err says that somebody else has the receiver.
func isBusy(err error) bool {
	var b interface {
		error
		Busy() bool
	}
	return errors.As(err, &b) && b.Busy()
}

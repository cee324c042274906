package player

import (
	"context"
	"time"
)

// prepareFor is how long a session is kept that was asked for ahead of need,
// where nobody says how long.
const prepareFor = 30 * time.Second

// warmUp opens a session, unless there is one, and keeps it for a while.
func (p *Player) warmUp(ctx context.Context, c Prepare, answer func(error)) {
	if c.For <= 0 {
		c.For = prepareFor
	}
	if until := time.Now().Add(c.For); until.After(p.keep) {
		p.keep = until
	}
	switch {
	case p.session != nil:
		if p.main == nil {
			p.stay()
		}
		answer(nil)
	case len(p.prepared) >= inboxSize || p.filmed():
		answer(ErrBusy)
	default:
		p.prepared = append(p.prepared, answer)
		p.dial(ctx)
	}
}

// warmed answers who waits for a session only to have one.
func (p *Player) warmed(err error) {
	waiting := p.prepared
	p.prepared = nil
	for _, answer := range waiting {
		answer(err)
	}
}

// hold gives up dialling, unless somebody wants a session all the same.
func (p *Player) hold() {
	if len(p.prepared) > 0 || p.called != nil {
		return
	}
	p.dialing.abandon()
	p.dialing = nil
}

// stay keeps a session that has nothing to do for as long as it is to be kept.
func (p *Player) stay() {
	if p.session == nil || p.cfg.HangUp < 0 || p.called != nil || p.occupied() {
		return
	}
	p.idle.set(max(p.cfg.HangUp, time.Until(p.keep)))
}

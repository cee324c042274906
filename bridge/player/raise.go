package player

import (
	"context"
	"errors"
	"math"
	"time"
)

// Restore gives the speaker back the volume that it had before an announcement,
// which somebody before this player did not live to do. If it cannot be reached,
// it is tried again until it can.
type Restore struct{ Level float64 }

func (Restore) command() {}

// A raise is what an announcement does to the volume.
type raise struct {
	raised *float64      // how loud it is meanwhile; nil: as it is otherwise
	debt   bool          // the receiver has, or may have, a volume that is not its own
	repay  alarm         // when to try to give that back, where there is no session
	wait   time.Duration // before the next try
}

// loud is how loud the receiver is to be.
func (p *Player) loud() float64 {
	switch {
	case p.raised != nil:
		return p.within(*p.raised)
	case p.state.Muted:
		return 0
	}
	return p.within(p.state.Volume)
}

// louden makes the receiver as loud as an announcement wants.
func (p *Player) louden(ctx context.Context, a *announcement) {
	if !p.knob.chosen && p.knob.sent == unset {
		p.adopt()
	}
	level := p.state.Volume
	if v := a.request.Volume; v != nil {
		switch v.By {
		case Relative:
			level += v.Level
		case AtLeast:
			level = max(level, v.Level)
		default:
			level = v.Level
		}
	}
	if level = p.within(level); level != p.loud() {
		p.raised = &level
		if !p.debt {
			p.debt = true
			p.cfg.Announcements.Raised(p.state.Volume)
		}
	}
	if err := p.turn(ctx); err != nil {
		p.cfg.Logger.Warn().Err(err).Msg("set volume")
	}
}

// soften gives the receiver its volume back.
func (p *Player) soften(ctx context.Context) {
	if p.raised == nil {
		return
	}
	p.raised = nil
	if p.isLost() {
		return // it is given back by another session
	}
	if err := p.turn(ctx); err != nil {
		p.cfg.Logger.Warn().Err(err).Msg("set volume")
	}
}

// forgive says that the receiver's volume is as it should be, or not ours.
func (p *Player) forgive() {
	p.repay.off()
	p.wait = 0
	if p.debt {
		p.debt = false
		p.cfg.Announcements.Lowered()
	}
}

// longestPause is the time between tries to give a volume back.
const longestPause = time.Minute

// owe sees to it that a receiver whose session is lost gets its volume back.
func (p *Player) owe() {
	if !p.debt || p.session != nil {
		return
	}
	p.repay.set(p.wait)
	p.wait = min(max(2*p.wait, time.Second), longestPause)
}

// payBack opens a session to give the receiver its volume back.
func (p *Player) payBack(ctx context.Context) {
	p.repay.off()
	p.dial(ctx)
}

// restore begins to give a volume back.
func (p *Player) restore(ctx context.Context, level float64) error {
	if math.IsNaN(level) {
		return errors.New("player: the volume is not a number")
	}
	p.knob.chosen, p.debt = true, true
	p.take(p.within(level))
	p.state.Chosen = min(max(level, 0), 1)
	if p.session == nil {
		p.owe()
		return nil
	}
	return p.turn(ctx)
}

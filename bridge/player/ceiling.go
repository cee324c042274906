package player

import (
	"context"
	"errors"
	"math"
	"time"
)

// within holds a level to what is allowed now. It is the one place where that
// is done: every volume that is kept or sent has been here.
func (p *Player) within(level float64) float64 {
	most, _ := p.ceiling(time.Now())
	return min(max(level, 0), most)
}

// ceiling is what nothing gets past, and until when; zero: for ever.
func (p *Player) ceiling(at time.Time) (level float64, until time.Time) {
	level = p.cfg.MaxVolume
	if p.cfg.Ceiling == nil {
		return level, until
	}
	most, until := p.cfg.Ceiling(at)
	return min(level, max(most, 0)), until
}

// glance is how often the clock on the wall is looked at: it may be put
// forward, or stand still while the machine sleeps.
const glance = time.Minute

// watchCeiling sees to it that comply is called when something else is allowed.
func (p *Player) watchCeiling() {
	now := time.Now()
	if _, until := p.ceiling(now); !until.IsZero() {
		p.knob.curfew.set(min(max(until.Sub(now), 0), glance))
	}
}

// comply turns down what is too loud by now, and up again what was turned down
// and need not be any more.
func (p *Player) comply(ctx context.Context) {
	p.watchCeiling()
	level := p.within(p.state.Chosen)
	if !p.state.VolumeKnown || level == p.state.Volume && p.raised == nil {
		return
	}
	p.knob.answer(ErrReplaced)
	p.state.Volume = level
	if err := p.turn(ctx); err != nil {
		p.cfg.Logger.Warn().Err(err).Msg("set volume")
	}
}

// turned takes over what somebody did with the speaker's own knob.
func (p *Player) turned(ctx context.Context, level float64) error {
	if math.IsNaN(level) {
		return errors.New("player: the volume is not a number")
	}
	level = min(max(level, 0), 1)
	p.knob.answer(ErrReplaced)
	p.knob.sent, p.raised = level, nil
	p.state.Muted = level == 0
	if level > 0 {
		p.take(p.within(level))
	}
	return p.turn(ctx)
}

// tune takes over other limits than before.
func (p *Player) tune(ctx context.Context, c Tune) {
	with := Config{
		Lead: c.Lead, HangUp: c.HangUp, MaxVolume: c.MaxVolume,
		Announcements: Announcements{Cooldown: c.Cooldown, PerHour: c.PerHour},
	}.withDefaults()
	p.cfg.Lead, p.cfg.HangUp, p.cfg.MaxVolume = with.Lead, with.HangUp, with.MaxVolume
	p.cfg.Announcements.Cooldown, p.cfg.Announcements.PerHour = with.Announcements.Cooldown, with.Announcements.PerHour
	p.comply(ctx)
}

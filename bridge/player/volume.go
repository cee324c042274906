package player

import (
	"context"
	"errors"
	"math"
	"time"
)

// step is the time between the steps of a fade.
const step = 100 * time.Millisecond

// unset is a level that no session was ever told.
const unset = -1

// A knob is what the player knows of the volume beside its State.
type knob struct {
	chosen bool    // somebody set it, so it is set on every session
	sent   float64 // what the session was last told, or has told; unset: nothing yet
	curfew alarm   // when something else may be allowed

	// Of a fade; step is off while there is none.
	step     alarm
	from, to float64
	began    time.Time
	lasts    time.Duration
	who      func(error)
}

// answer ends a fade where it is.
func (k *knob) answer(err error) {
	k.step.off()
	if k.who != nil {
		k.who(err)
		k.who = nil
	}
}

func (p *Player) setVolume(ctx context.Context, c SetVolume, answer func(error)) {
	level := c.Level
	if c.Relative {
		level += p.volume()
	}
	if math.IsNaN(level) {
		answer(errors.New("player: the volume is not a number"))
		return
	}
	p.knob.answer(ErrReplaced)
	p.knob.chosen, p.raised = true, nil
	level = p.within(level)
	if c.Fade > 0 && p.session != nil && !p.state.Muted && p.state.VolumeKnown {
		p.knob.from, p.knob.to = p.state.Volume, level
		p.knob.began, p.knob.lasts, p.knob.who = time.Now(), c.Fade, answer
		p.knob.step.set(min(step, c.Fade))
		return
	}
	p.take(level)
	answer(p.turn(ctx))
}

// take makes a level that is allowed the volume that is.
func (p *Player) take(level float64) {
	p.state.Volume, p.state.Chosen, p.state.VolumeKnown = level, level, true
}

// volume is the volume that is, as far as that is known.
func (p *Player) volume() float64 {
	if p.state.VolumeKnown {
		return p.state.Volume
	}
	return p.within(p.cfg.FirstVolume)
}

// fade makes the next step.
func (p *Player) fade(ctx context.Context) {
	k := &p.knob
	k.step.off()
	part := float64(time.Since(k.began)) / float64(k.lasts)
	if part >= 1 {
		p.take(p.within(k.to))
		k.answer(p.turn(ctx))
		return
	}
	p.take(p.within(k.from + part*(k.to-k.from)))
	if err := p.turn(ctx); err != nil {
		k.answer(err)
		return
	}
	k.step.set(step)
}

func (p *Player) mute(ctx context.Context, to MuteTo) error {
	p.raised = nil
	switch to {
	case MuteOn:
		p.state.Muted = true
	case MuteOff:
		p.state.Muted = false
	case MuteToggle:
		p.state.Muted = !p.state.Muted
	default:
		return errors.New("player: mute on, off, or toggle")
	}
	return p.turn(ctx)
}

// applyVolume makes the session as loud as it is to be before a sound begins:
// as loud as the sound wants, or as was set; or, if nobody ever set anything,
// as it is.
func (p *Player) applyVolume(ctx context.Context, wanted *float64) {
	if p.conducts() {
		if wanted != nil {
			p.allAs(wanted)
		}
		return
	}
	switch {
	case wanted != nil && !math.IsNaN(*wanted):
		p.knob.answer(ErrReplaced)
		p.knob.chosen = true
		p.take(p.within(*wanted))
	case p.knob.chosen:
	default:
		p.adopt()
	}
	if err := p.turn(ctx); err != nil {
		p.cfg.Logger.Warn().Err(err).Msg("set volume")
	}
}

// adopt takes over the receiver's own volume, if it tells.
func (p *Player) adopt() {
	if t, ok := as[VolumeTeller](p.session); ok {
		if level, known := t.Volume(); known {
			p.take(p.within(level))
			p.knob.sent = level
			return
		}
	}
	p.take(p.volume())
}

// turn tells the session, or the film, the volume, unless it knows.
func (p *Player) turn(ctx context.Context) error {
	level := p.loud()
	set := p.volumeSetter()
	known := p.state.VolumeKnown || p.state.Muted && p.session != nil // a film's could not be given back
	if set == nil || !known {
		return nil
	}
	if level != p.knob.sent {
		if err := p.call(ctx, func(ctx context.Context) error { return set(ctx, level) }); err != nil {
			p.knob.sent = unset
			return err
		}
		p.knob.sent = level
	}
	if p.raised == nil {
		p.forgive()
	}
	return nil
}

// volumeSetter sets the volume of what is heard; nil: nothing is that has one.
func (p *Player) volumeSetter() func(ctx context.Context, level float64) error {
	if p.session != nil {
		return p.session.SetVolume
	}
	if s, ok := p.showing.(LoudShowing); ok {
		return s.SetVolume
	}
	return nil
}

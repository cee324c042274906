package player

import (
	"context"
	"errors"
	"time"

	"airplay2mqtt/audio/stream"
)

const (
	// absence is how long a sound goes on without a session, for another to
	// join it. The stream ends by itself then.
	absence = 20 * time.Second
	// judgement is how long a session that takes no packets may need to know
	// why it is over.
	judgement = 1500 * time.Millisecond
	// trust is how long a session that was dialled again must last to be
	// dialled again once more.
	trust = 30 * time.Second
)

// An absent is what is known of a session that was lost while something was
// heard. What is heard goes on, so that the next one joins it with a gap and
// not from the beginning.
type absent struct {
	away  bool  // it is lost, and another is dialled
	cause error // why it is
	doubt alarm
	why   error // of the doubt
	since time.Time
	back  alarm // when what is heard is heard again
}

func (a *absent) forget() {
	a.away = false
	a.doubt.off()
	a.back.off()
}

// suspect is told that the session takes no packets any more. It is about to
// say why it is over, or it hangs.
func (p *Player) suspect(ctx context.Context, err error) {
	switch {
	case p.session == nil || p.away:
	case p.isLost():
		p.dropped(ctx)
	case !p.main.began:
		p.goOn(ctx, p.ending(err))
	default:
		p.why = err
		p.doubt.set(judgement)
	}
}

// condemn goes on without a session that did not say why it is over.
func (p *Player) condemn(ctx context.Context) {
	p.doubt.off()
	if p.session != nil {
		p.goOn(ctx, p.ending(p.why))
	}
}

// lose dials again, once, while what is heard goes on. A receiver that another
// sender has taken is not fought for.
func (p *Player) lose(ctx context.Context, err error) {
	again := !p.absent.since.IsZero() && time.Since(p.absent.since) < trust
	if p.show != nil && (again || !p.main.began && !p.warm) && len(p.loans()) > 0 && !takenOver(err) { // the members go on
		p.detach(ctx)
		p.awayAgain(err)
		return
	}
	if takenOver(err) || again || p.show == nil || !p.main.began {
		p.broken(ctx, err)
		return
	}
	p.cfg.Logger.Warn().Err(err).Msg("the session is lost; dial again and go on")
	p.detach(ctx)
	p.away, p.cause = true, err
	p.look.off()
	p.state.Status, p.state.Confidence = Buffering, ""
	p.dial(ctx)
}

// awayAgain dials again in a while, because members of the group go on.
func (p *Player) awayAgain(err error) {
	p.cfg.Logger.Info().Err(err).Msg("the session is lost; the members of the group go on")
	p.away, p.cause = true, err
	p.look.off()
	p.state.Status, p.state.Confidence = Buffering, ""
	p.redial.set(redialSeldom)
}

// rejoin lets what is heard be heard on another session, from where it is by
// now.
func (p *Player) rejoin(ctx context.Context) {
	p.away = false
	if p.show == nil { // it has not begun yet
		p.sound(ctx)
		return
	}
	p.absent.since = time.Now()
	if p.paused { // it joins when that is over
		return
	}
	p.applyVolume(ctx, nil)
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.show.stream.Attach(limit, p.session); err != nil {
		p.broken(ctx, p.ending(err))
		return
	}
	p.show.sink = p.session
	p.inform(ctx, tagsAre(p.main.tags), placeIs(p.show.place(p.main)))
	p.back.set(floor(p.session))
}

// returned says that what is heard is heard again.
func (p *Player) returned() {
	p.back.off()
	if p.show == nil || p.paused || p.show.told() != stream.Playing {
		return
	}
	p.state.Status = Playing
	p.place()
	p.observe()
}

// woken goes on after this machine has slept.
func (p *Player) woken(ctx context.Context) {
	if p.session != nil {
		p.goOn(ctx, errSlept)
	}
}

var errSlept = errors.New("player: this machine has slept")

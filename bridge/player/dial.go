package player

import (
	"context"
	"fmt"
)

// dial opens a session, unless there is one or soon will be.
func (p *Player) dial(ctx context.Context) {
	if p.session != nil || p.dialing != nil || p.filmed() || p.undecided() || p.conducts() {
		return
	}
	h, limit := hope{back: p.away, free: p.speaking != nil}, fetchPatience
	if p.backoff > 0 {
		limit = redialPatience
	}
	p.dialing = bear(ctx, &p.children, limit,
		func(ctx context.Context) (Session, error) {
			if err := p.takeLine(ctx); err != nil {
				return nil, err
			}
			s, err := p.reach(ctx, h)
			if err != nil {
				<-p.line
			}
			return s, err
		}, p.close)
}

// takeLine waits until the device is not used by us any more.
func (p *Player) takeLine(ctx context.Context) error {
	select {
	case p.line <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("player: the session before has not ended: %w", ctx.Err())
	}
}

// dialled takes the session.
func (p *Player) dialled(ctx context.Context, r result[Session]) {
	p.dialing = nil
	resume := p.resuming
	p.resuming = nil
	p.warmed(r.err)
	if a := p.speaking; r.err != nil && a != nil && a.voice == nil {
		p.speaking, p.held = nil, true
		p.deplore(a, r.err)
	}
	switch {
	case r.err == nil:
	case resume != nil:
		p.state.Status, p.state.Problem = Paused, p.cfg.Explain(r.err)
		p.away = false
		resume(r.err)
		return
	case p.away && p.paused: // it stays in the pause
		p.away = false
		p.state.Problem = p.cfg.Explain(r.err)
		return
	case p.away && len(p.loans()) > 0:
		p.awayAgain(r.err)
		return
	case p.called != nil:
		p.unreached(r.err)
		return
	case p.main == nil: // it was only to be ready
		p.owe()
		return
	case p.show == nil && !p.hopeless():
		p.beginWithout(ctx, r.err)
		return
	default:
		p.fail(r.err)
		return
	}
	p.warm = false
	p.session, p.knob.sent = newMixer(r.made), unset
	p.cfg.Logger.Info().Msg("session began")
	if p.debt && p.speaking == nil {
		p.applyVolume(ctx, nil)
	}
	switch {
	case resume != nil:
		p.away = false
		resume(p.takeUp(ctx))
	case p.away:
		p.rejoin(ctx)
	case p.main == nil:
		p.stay()
	default:
		p.sound(ctx)
	}
	if a := p.speaking; a != nil && a.voice == nil {
		p.utter(ctx)
	}
}

// close closes a session. Another is dialled only then.
func (p *Player) close(s Session) {
	if err := s.Close(); err != nil {
		p.cfg.Logger.Debug().Err(err).Msg("close")
	}
	<-p.line
}

// dropped goes on without the session, which is over.
func (p *Player) dropped(ctx context.Context) {
	p.goOn(ctx, p.ending(errGone))
}

// goOn goes on without the session, which is of no use any more.
func (p *Player) goOn(ctx context.Context, err error) {
	p.doubt.off()
	if a := p.speaking; a != nil && a.voice != nil {
		p.stumble(ctx, err)
	}
	if takenOver(err) {
		p.interrupted = false // what waits stays paused: nobody is fought
		p.forgive()
	}
	switch {
	case p.called != nil:
		p.forgoSession(ctx, err)
	case p.main == nil:
		// Receivers hang up on those who are silent: nothing is lost.
		p.cfg.Logger.Info().Err(err).Msg("session ended")
		p.release()
	case p.show.over():
		p.finished(ctx) // first; then there is nothing to lose
	case p.paused:
		p.cfg.Logger.Info().Err(err).Msg("session ended in a pause; it is dialled again after that")
		p.detach(ctx)
	default:
		p.lose(ctx, err)
	}
}

// ending returns why the session is over, if it is.
func (p *Player) ending(otherwise error) error {
	if p.session == nil {
		return otherwise
	}
	select {
	case <-p.session.Done():
	default:
		return otherwise
	}
	if err := p.session.Err(); err != nil {
		return err
	}
	return otherwise
}

// call calls the session and waits for its answer, but not for longer than
// patience, not even if the session would.
func (p *Player) call(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer := make(chan error, 1)
	p.children.Go(func() { answer <- f(ctx) })
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("player: the session does not answer: %w", ctx.Err())
	}
}

// release closes the session.
func (p *Player) release() {
	if session := p.session; session != nil {
		p.session = nil
		if l := p.lent; l != nil {
			p.lent = nil
			p.children.Go(func() { l.end(context.Background()) }) // soon, as the session ends
		}
		p.children.Go(func() { p.close(session) })
		p.owe()
	}
}

// hangUp ends the session, because nothing needs it.
func (p *Player) hangUp() {
	p.idle.off()
	if p.session != nil {
		p.cfg.Logger.Info().Msg("hang up")
		p.release()
	}
}

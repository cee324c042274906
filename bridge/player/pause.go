package player

import (
	"context"
	"errors"
	"time"

	"airplay2mqtt/audio"
)

// pause falls silent and keeps the place.
func (p *Player) pause(ctx context.Context) error {
	b := p.main
	switch {
	case b == nil:
		return nil
	case p.waiting != nil: // it was about to go on
		p.giveUpResuming()
		return nil
	case b.paused:
		return nil
	case b.stream == nil: // it was about to begin
		b.paused, b.since = true, time.Now()
		p.state.Status = Paused
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := b.stream.Pause(limit)
	p.listen(ctx)
	return err
}

// resume goes on after a pause, perhaps with another session.
func (p *Player) resume(ctx context.Context, answer func(error)) {
	b := p.main
	switch {
	case b == nil:
		answer(ErrIdle)
	case !b.paused:
		answer(nil)
	case b.stream == nil:
		b.paused, p.state.Status = false, Buffering
		p.dial(ctx)
		p.sound(ctx)
		answer(nil)
	case b.track.Live && time.Since(b.since) > livePatience:
		p.halt()
		b.paused, p.state.Status = false, Buffering
		p.fetch(ctx)
		answer(nil)
	case p.session == nil:
		if p.waiting != nil {
			p.waiting(ErrReplaced)
		}
		p.waiting, p.state.Status = answer, Buffering
		p.dial(ctx)
	default:
		answer(p.takeUp(ctx))
	}
}

// takeUp goes on with the session there is.
func (p *Player) takeUp(ctx context.Context) error {
	b := p.main
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if b.sink != p.session {
		p.applyVolume(ctx, nil)
		if err := b.stream.Attach(limit, p.session); err != nil {
			p.state.Status = Paused
			p.release()
			return err
		}
		b.sink = p.session
		p.inform(ctx, tagsAre(b.tags), placeIs(b.stream.Elapsed()))
	}
	b.paused = false
	err := b.stream.Resume(limit)
	p.listen(ctx)
	return err
}

// detach goes on with the pause without the session, which is over.
func (p *Player) detach(ctx context.Context) {
	if b := p.main; b.stream != nil && b.sink != nil {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := b.stream.Detach(ctx, b.sink); err != nil {
			p.cfg.Logger.Debug().Err(err).Msg("detach")
		}
		b.sink = nil
	}
	p.release()
}

// giveUpResuming stays in the pause.
func (p *Player) giveUpResuming() {
	p.waiting(ErrReplaced)
	p.waiting = nil
	p.dialing.abandon()
	p.dialing = nil
	p.state.Status = Paused
}

// seek goes to another place of the sound.
func (p *Player) seek(life context.Context, c Seek) error {
	b := p.main
	switch {
	case b == nil || b.stream == nil:
		return ErrIdle
	case !p.state.Seekable:
		return audio.ErrNotSeekable
	}
	to := c.To
	if c.Relative {
		to += b.stream.Elapsed()
	}
	ctx, cancel := context.WithTimeout(life, patience)
	defer cancel()
	err := b.stream.Seek(ctx, max(to, 0))
	p.listen(life)
	if !errors.Is(err, audio.ErrNotSeekable) {
		p.place(b.stream.Elapsed())
		p.inform(life, placeIs(p.state.Position))
	}
	return err
}

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
	case p.resuming != nil: // it was about to go on
		p.giveUpResuming()
		return nil
	case p.paused:
		return nil
	case p.filmed():
		return p.pauseFilm(ctx)
	case p.show == nil: // it was about to begin
		p.paused, p.since = true, time.Now()
		p.state.Status = Paused
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := p.show.stream.Pause(limit)
	p.listen(ctx)
	return err
}

// resume goes on after a pause, perhaps with another session.
func (p *Player) resume(ctx context.Context, answer func(error)) {
	b := p.main
	switch {
	case b == nil:
		answer(ErrIdle)
	case !p.paused:
		answer(nil)
	case p.filmed():
		answer(p.resumeFilm(ctx))
	case p.show == nil:
		p.paused, p.state.Status = false, Buffering
		p.dial(ctx)
		p.summon()
		p.sound(ctx)
		answer(nil)
	case b.track.Live && time.Since(p.since) > livePatience:
		p.halt()
		p.paused, p.state.Status = false, Buffering
		p.fetch(ctx)
		answer(nil)
	case p.session == nil && !p.conducts():
		if p.resuming != nil {
			p.resuming(ErrReplaced)
		}
		p.resuming, p.state.Status = answer, Buffering
		p.dial(ctx)
		p.summon()
	default:
		p.summon()
		answer(p.takeUp(ctx))
	}
}

// takeUp goes on with the session there is.
func (p *Player) takeUp(ctx context.Context) error {
	b := p.main
	if p.show == nil { // it ended meanwhile, and is fetched again
		p.paused, p.state.Status = false, Buffering
		p.sound(ctx)
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if p.show.sink != p.session {
		p.applyVolume(ctx, nil)
		if err := p.show.stream.Attach(limit, p.session); err != nil {
			p.state.Status = Paused
			p.release()
			return err
		}
		p.show.sink = p.session
		p.inform(ctx, tagsAre(b.tags), placeIs(p.show.place(b)))
	}
	p.paused = false
	err := p.show.stream.Resume(limit)
	p.listen(ctx)
	return err
}

// detach goes on with the pause without the session, which is over.
func (p *Player) detach(ctx context.Context) {
	if p.show != nil && p.show.sink != nil {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := p.show.stream.Detach(ctx, p.show.sink); err != nil {
			p.cfg.Logger.Debug().Err(err).Msg("detach")
		}
		p.show.sink = nil
	}
	p.release()
}

// giveUpResuming stays in the pause.
func (p *Player) giveUpResuming() {
	p.resuming(ErrReplaced)
	p.resuming = nil
	p.hold()
	p.state.Status = Paused
}

// seek goes to another place of the sound.
func (p *Player) seek(life context.Context, c Seek) error {
	b := p.main
	switch {
	case p.showing != nil:
		to := c.To
		if c.Relative {
			to += p.projected(time.Now())
		}
		return p.seekFilm(life, to)
	case b == nil || p.show == nil || b.part == nil:
		return ErrIdle
	case !p.state.Seekable:
		return audio.ErrNotSeekable
	}
	to := c.To
	if c.Relative {
		to += p.show.place(b)
	}
	ctx, cancel := context.WithTimeout(life, patience)
	defer cancel()
	err := p.show.seek(ctx, b, max(to, 0))
	p.listen(life)
	if !errors.Is(err, audio.ErrNotSeekable) {
		p.place()
		p.inform(life, placeIs(p.state.Position))
	}
	return err
}

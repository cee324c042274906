package player

import (
	"context"
	"slices"
	"time"
)

// restart is how much of a sound has been heard at most for Previous to go to
// the one before.
const restart = 3 * time.Second

// next leaves what is heard for what waits behind it.
func (p *Player) next(ctx context.Context) error {
	b := p.main
	if b == nil {
		return ErrIdle
	}
	p.conclude(ctx, Skipped)
	p.remember(b)
	p.drop(RepeatOne)
	p.proceed(ctx, p.ready(p.draw))
	p.notify()
	b.give(ErrReplaced)
	return nil
}

// previous begins what is heard again, or what was heard before it.
func (p *Player) previous(ctx context.Context) error {
	b := p.main
	if b == nil {
		return ErrIdle
	}
	into := time.Duration(0)
	if p.show != nil && b.part != nil {
		into = p.show.place(b) - lasting(b.part.from)
	}
	if p.showing != nil {
		into = p.projected(time.Now()) - b.request.Start
	}
	n := len(p.past)
	if n == 0 || into > restart && !b.track.Live {
		return p.restart(ctx)
	}
	last := p.past[n-1]
	p.past = p.past[:n-1]
	p.conclude(ctx, Skipped)
	p.recall()
	back := p.again(b.request, "")
	back.round = b.round
	p.queue = slices.Insert(p.queue, 0, back)
	again := p.again(last.request, "")
	again.round = last.round
	p.proceed(ctx, again)
	p.notify()
	b.give(ErrReplaced)
	return nil
}

// restart begins what is heard again.
func (p *Player) restart(ctx context.Context) error {
	b := p.main
	if p.showing != nil {
		return p.seekFilm(ctx, b.request.Start)
	}
	if p.show == nil || b.part == nil || b.track.Live {
		return nil // it is about to begin, or has no beginning
	}
	if p.state.Seekable {
		return p.seek(ctx, Seek{To: lasting(b.part.from)})
	}
	p.quiet(ctx)
	p.paused, p.state.Status = false, Buffering
	p.fetch(ctx)
	return nil
}

// ready takes what was opened ahead, if it still can be played from its
// beginning, or else is drawn. Nothing is performed.
func (p *Player) ready(draw func() *playback) *playback {
	for len(p.lineup) > 0 {
		b := p.lineup[0]
		p.lineup = p.lineup[1:]
		if b.unwanted != nil {
			p.discard(b)
			continue
		}
		if b.cue() != nil {
			p.discard(b) // it is opened again
		}
		return b
	}
	if b := p.coming; b != nil && b != p.main {
		return b
	}
	return draw()
}

// drop lets go of what was opened ahead for being repeated. Nothing is
// performed.
func (p *Player) drop(why Repeat) {
	p.lineup = slices.DeleteFunc(p.lineup, func(b *playback) bool {
		if b.encore == why {
			p.discard(b)
		}
		return b.encore == why
	})
	if b := p.coming; b != nil && b != p.main && b.encore == why {
		p.opening.abandon()
		p.coming, p.opening = nil, nil
	}
}

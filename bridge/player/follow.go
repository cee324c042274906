package player

import (
	"context"
	"slices"
	"time"

	"airplay2mqtt/audio"
)

const (
	// foresight is how long before it is needed the next sound is opened, if
	// the end of the one before can be foreseen; else that is when all of it
	// has been read.
	foresight = 15 * audio.Rate
	// crowd is how many sounds are open at most and have not been read.
	crowd = 8
	// grace is how much later than expected a sound may be heard.
	grace = 50 * time.Millisecond
)

// prepare opens the next sound in time for it to follow without a gap.
func (p *Player) prepare(ctx context.Context) {
	defer p.watch() // for what comes may be known only now
	p.attend()
	p.ahead.off()
	if p.show == nil {
		return
	}
	p.retract()
	m := p.show.medley
	left, known, parts := m.left()
	if p.coming == nil && known && parts < crowd && (p.repeatsOne() || !p.alone()) {
		switch {
		case left <= foresight:
			if b := p.successor(); b != nil {
				p.open(ctx, b)
			}
		case !p.paused:
			p.ahead.set(max(lasting(left-foresight), 100*time.Millisecond))
		}
	}
	m.expect(p.coming != nil || p.more())
}

// retract puts what was opened ahead back into the queue where a seek has made
// it useless or unneeded.
func (p *Player) retract() {
	if len(p.lineup) == 0 || p.main.part == nil {
		return
	}
	first, last := p.show.look(p.lineup[0]), p.show.look(p.last())
	far := !first.begun && p.show.look(p.main).rest > foresight
	if last.spoiled || far {
		p.recall()
	}
}

// successor takes what comes after all that was opened; nil: nothing.
func (p *Player) successor() *playback {
	if b := p.same(); b != nil {
		return b
	}
	return p.draw()
}

// more tells whether there is a successor.
func (p *Player) more() bool {
	if len(p.queue) > 0 && !p.repeatsOne() {
		return !p.alone()
	}
	return p.repeatsOne() || len(p.played()) > 0
}

// soonest returns when what is drawn now would be heard.
func (p *Player) soonest() time.Time {
	now := time.Now()
	if p.show == nil {
		return now
	}
	left, _, _ := p.show.medley.left()
	return now.Add(lasting(left + max(p.show.medley.read()-p.show.ear(), 0)))
}

// follow takes over which sound the ear hears.
func (p *Player) follow(ctx context.Context) {
	for p.show != nil && p.crosses() {
		p.cross(ctx)
	}
	p.begun(ctx)
}

// crosses tells whether the sound has been heard to its end and another comes.
func (p *Player) crosses() bool {
	b := p.main
	if b.part == nil {
		return false
	}
	if l := p.show.look(b); !l.done || p.show.ear() < l.end {
		return false
	}
	if len(p.lineup) == 0 {
		return p.coming != nil && !p.show.medley.ended()
	}
	return !p.show.medley.ended() || p.show.look(p.lineup[0]).begun
}

// cross goes on with the next sound, which has come to the ear, or would have
// if it were open.
func (p *Player) cross(ctx context.Context) {
	p.begun(ctx) // however short it was
	b := p.main
	p.complete(b)
	p.show.medley.forget(b.part)
	p.discard(b)
	p.retitle.off()
	if len(p.lineup) > 0 {
		p.main, p.lineup = p.lineup[0], p.lineup[1:]
	} else {
		p.main = p.coming
	}
	next := p.main
	p.present(next)
	b.give(nil)
	switch {
	case next.unwanted != nil:
		p.quiet(ctx)
		p.proceed(ctx, p.ready(p.successor))
	case next.request.late(time.Now().Add(-grace)):
		p.miss(ctx, ErrExpired)
	case next.request.Volume != nil:
		p.applyVolume(ctx, next.request.Volume)
	}
}

// complete tells that a sound was played to its end, or as far as it could be
// read.
func (p *Player) complete(b *playback) {
	if err := p.show.look(b).err; err != nil {
		p.lament(b, err)
		b.give(err)
		return
	}
	p.event(b, PlaybackFinished, Ended, Problem{})
	p.remember(b)
}

// lament tells that a sound could not be played.
func (p *Player) lament(b *playback, err error) {
	b.unwanted = err
	p.cfg.Logger.Warn().Err(err).Str("playback", b.id).Msg("play")
	p.state.Problem = p.cfg.Explain(err)
	p.event(b, PlaybackFailed, Failed, p.state.Problem)
}

// pass goes on without a sound that was to be heard later.
func (p *Player) pass(b *playback, err error) {
	p.discard(b)
	p.lament(b, err)
	p.notify()
	b.give(err)
}

// miss goes on without the sound that was to be heard now.
func (p *Player) miss(ctx context.Context, err error) {
	b := p.main
	p.quiet(ctx)
	p.lament(b, err)
	p.proceed(ctx, p.ready(p.successor))
	p.notify()
	b.give(err)
}

// proceed begins the next playback, if there is one. Nothing is performed.
func (p *Player) proceed(ctx context.Context, next *playback) {
	if next == nil {
		p.leave()
		return
	}
	p.clear()
	p.begin(ctx, next)
}

// watch sees to it that we are called when the next sound comes to the ear.
func (p *Player) watch() {
	p.crossing.off()
	b := p.main
	if p.show == nil || p.state.Status != Playing || b.part == nil {
		return
	}
	l, ear := p.show.look(b), p.show.ear()
	switch {
	case l.begun && !b.began:
		p.crossing.set(max(lasting(l.base+1-ear), time.Millisecond))
	case l.done && (len(p.lineup) > 0 || p.coming != nil):
		p.crossing.set(max(lasting(l.end+1-ear), time.Millisecond))
	}
}

// attend sees to it that we are called when a Play expires.
func (p *Player) attend() {
	p.expiry.off()
	var first time.Time
	soonest := func(b *playback) {
		if t := b.request.Expires; !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if p.main != nil && !p.main.began {
		soonest(p.main)
	}
	for b := range p.waiting {
		if b.part == nil {
			soonest(b)
		}
	}
	if !first.IsZero() {
		p.expiry.set(max(time.Until(first)+grace, time.Millisecond))
	}
}

// expire sends away those who have waited for too long. For what is opened
// that is decided when its turn comes.
func (p *Player) expire(ctx context.Context) {
	p.listen(ctx)
	p.follow(ctx)
	var gone []*playback
	at := time.Now().Add(-grace)
	late := func(b *playback) bool { return b.request.late(at) }
	if b := p.coming; b != nil && b != p.main && late(b) {
		p.opening.abandon()
		p.coming, p.opening = nil, nil
		gone = append(gone, b)
	}
	for _, b := range p.queue {
		if late(b) {
			gone = append(gone, b)
		}
	}
	p.queue = slices.DeleteFunc(p.queue, late)
	if b := p.main; b != nil && !b.began && late(b) {
		p.miss(ctx, ErrExpired)
	}
	p.notify()
	giveAll(gone, ErrExpired)
}

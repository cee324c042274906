package player

import (
	"context"
	"strconv"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
)

// play begins a playback, or has it wait.
func (p *Player) play(ctx context.Context, c Play, answer func(error)) {
	if err := p.check(c); err != nil {
		answer(err)
		return
	}
	p.onItsOwn(ctx)
	b := p.admit(c, answer)
	p.state.Problem = Problem{}
	p.cfg.Logger.Info().Str("playback", b.id).Str("file", c.File).Msg("play")
	switch {
	case p.main != nil && (c.Enqueue == EnqueueAdd || c.Enqueue == EnqueueNext):
		p.want(c.Repeat)
		b.asked = time.Time{} // others are before it
		p.enqueue(b)
	case p.main != nil && c.Enqueue == EnqueuePlay:
		before := p.main
		p.conclude(ctx, Replaced)
		p.remember(before)
		p.want(c.Repeat)
		p.begin(ctx, b)
		p.notify()
		before.give(ErrReplaced)
	default:
		gone := p.replace(ctx)
		if c.Enqueue == EnqueueReplace {
			p.want(RepeatOff)
		}
		p.want(c.Repeat)
		p.begin(ctx, b)
		giveAll(gone, ErrReplaced)
	}
}

// want changes what comes after a sound, if somebody wants that.
func (p *Player) want(r Repeat) {
	if r != "" {
		p.setRepeat(r) // which is valid: it has been checked
	}
}

// admit makes a playback of a request.
func (p *Player) admit(c Play, answer func(error)) *playback {
	p.plays++
	return &playback{request: c, id: "p" + strconv.Itoa(p.plays), answer: answer, asked: time.Now(), tags: c.said()}
}

// replace ends all that is played and waits, for something else to begin. It
// returns who is to be answered.
func (p *Player) replace(ctx context.Context) []*playback {
	gone := p.empty()
	if p.main != nil {
		gone = append([]*playback{p.main}, gone...)
		p.conclude(ctx, Replaced)
	}
	p.past = nil
	return gone
}

// begin makes a playback the one that is heard. Nothing is performed.
func (p *Player) begin(ctx context.Context, b *playback) {
	p.main = b
	p.recall()
	if b.round == 0 {
		b.round = p.round
	}
	p.idle.off()
	p.paused, p.warm = false, p.session != nil
	p.state.Status = Buffering
	p.present(b)
	p.dial(ctx)
	p.summon()
	switch {
	case b.track.Source != nil:
		p.sound(ctx)
	case p.coming != b:
		p.open(ctx, b)
	}
}

// present says what is heard, or about to be.
func (p *Player) present(b *playback) {
	p.state.PlaybackID, p.state.URL, p.state.File = b.id, b.request.URL, b.request.File
	p.state.Title, p.state.Artist, p.state.Album = b.tags.Title, b.tags.Artist, b.tags.Album
	p.state.Position, p.state.Since = 0, time.Time{}
	p.state.Live, p.state.Seekable, p.state.Duration = false, false, 0
	p.state.Video = b.film() != nil
	if b.track.Source != nil {
		p.state.Live, p.state.Seekable, p.state.Duration = b.track.Live, seekable(b.track), duration(b.track)
	}
}

// fetch opens the sound that is to be heard anew and, unless there is a
// session, dials, both at once. Nothing is performed.
func (p *Player) fetch(ctx context.Context) {
	p.recall()
	p.open(ctx, p.main)
	p.warm = p.session != nil
	p.dial(ctx)
	p.summon()
}

// open opens the sound of a playback.
func (p *Player) open(ctx context.Context, b *playback) {
	p.discard(b)
	p.coming = b
	p.opening = bear(ctx, &p.children, fetchPatience,
		func(ctx context.Context) (audio.Track, error) { return p.find(ctx, b.request) },
		func(t audio.Track) { t.Close() })
}

// opened takes a sound.
func (p *Player) opened(ctx context.Context, r result[audio.Track]) {
	b := p.coming
	p.coming, p.opening = nil, nil
	err := r.err
	if _, ok := r.made.Source.(feature); ok && err == nil {
		p.found(ctx, b, r.made)
		return
	}
	if err == nil {
		b.take(r.made)
		err = b.cue()
	}
	switch {
	case err != nil && b == p.main:
		p.miss(ctx, err)
	case err != nil:
		p.pass(b, err)
	case b != p.main:
		p.lineup = append(p.lineup, b)
		p.show.medley.add(b.part)
	case p.show != nil:
		p.present(b)
		p.show.medley.add(b.part)
	default:
		p.present(b)
		p.dial(ctx) // what might have been a film had to be known first
		if p.shows(b.request) {
			p.summon()
		}
		p.sound(ctx)
	}
}

// sound lets the sound be heard, once it is open and there is a session.
func (p *Player) sound(ctx context.Context) {
	b := p.main
	if p.roll(ctx) {
		return
	}
	if b == nil || b.track.Source == nil || !p.assembled() || p.paused || p.show != nil || p.occupied() {
		return
	}
	if b.request.late(time.Now().Add(p.lead(b))) && !b.began {
		p.miss(ctx, ErrExpired)
		return
	}
	p.applyVolume(ctx, b.request.Volume)
	p.perform(ctx, b)
}

// listen takes over what the ear hears by now.
func (p *Player) listen(ctx context.Context) {
	select {
	case s := <-p.show.hears():
		p.heard(ctx, s)
	default:
	}
}

// heard takes over what the ear hears.
func (p *Player) heard(ctx context.Context, s stream.State) {
	switch s {
	case stream.Playing:
		p.state.Status = Playing
		if p.away {
			p.state.Status = Buffering
		}
		p.observe()
	case stream.Starting, stream.Starved:
		p.state.Status = Buffering
	case stream.Paused:
		p.state.Status = Paused
		p.paused, p.since = true, time.Now()
	}
	if s != stream.Ended { // finished says the rest
		p.place()
	}
	p.follow(ctx)
}

// place says where in the sound the ear is, because it got there by a jump.
func (p *Player) place() {
	if b := p.main; b.part != nil {
		p.state.Position, p.state.Since = p.show.place(b), time.Now()
	}
}

// begun tells, once, that the first frame is heard. What takes the receiver's
// time, and ours, has waited until now.
func (p *Player) begun(ctx context.Context) {
	b := p.main
	if b == nil || b.began || b.part == nil || p.show == nil || p.state.Status == Buffering && !p.away || !p.show.heard(b) {
		return
	}
	b.began = true
	p.place()
	p.notify() // who has the answer finds the state told
	b.give(p.turnout())
	p.event(b, PlaybackStarted, "", Problem{})
	p.inform(ctx, tagsAre(b.tags), placeIs(p.show.place(b)))
	p.cover(b.tags.Artwork)
}

// cover shows a cover, here and where members show theirs; none hides it.
func (p *Player) cover(image []byte) {
	if len(image) == 0 && !p.artwork {
		return
	}
	p.artwork = len(image) > 0
	p.cfg.Artwork(image)
	for _, g := range p.roster {
		p.coverOf(g, image)
	}
}

// news is something to tell a receiver.
type news func(ctx context.Context, s Session) error

// inform tells the receiver, and those of all members, something that may take
// its time, one after another.
func (p *Player) inform(ctx context.Context, all ...news) {
	for _, g := range p.roster {
		p.newsTo(g, all...)
	}
	session := p.session
	if session == nil {
		return
	}
	before, done := p.informed, make(chan struct{})
	p.informed = done
	p.children.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		for _, tell := range all {
			if err := tell(ctx, session); err != nil {
				p.cfg.Logger.Debug().Err(err).Msg("the receiver was not informed")
			}
		}
	})
}

// tagsAre is the news of what is playing.
func tagsAre(tags audio.Tags) news {
	return func(ctx context.Context, s Session) error { return s.SetTags(ctx, tags) }
}

// placeIs is the news of where in the sound the ear is.
func placeIs(at time.Duration) news {
	return func(ctx context.Context, s Session) error {
		if t, ok := as[PositionTaker](s); ok {
			return t.SetPosition(ctx, at)
		}
		return nil
	}
}

// titled keeps what a radio plays until that is heard, which is when what was
// read now has gone all the way.
func (p *Player) titled(title string) {
	p.main.title = title
	if p.show == nil {
		p.retitle.set(p.lead(p.main))
		return
	}
	p.retitle.set(lasting(max(p.show.medley.read()-p.show.ear(), 0)))
}

func (p *Player) titleHeard(ctx context.Context) {
	p.retitle.off()
	if p.main == nil {
		return
	}
	p.main.tags.Title = p.main.title
	p.state.Title = p.main.title
	p.inform(ctx, tagsAre(p.main.tags))
}

// observe asks the session whether its receiver follows our clock.
func (p *Player) observe() {
	p.look.off()
	if p.state.Status != Playing && !(p.lent != nil && p.mirror.Status == Playing) {
		return
	}
	if w, ok := as[ClockWatcher](p.session); ok {
		p.state.Confidence = w.Confidence()
		p.look.set(time.Second)
	}
}

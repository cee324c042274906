package player

import (
	"context"
	"errors"
	"strconv"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
)

// play begins a playback in place of the one that is.
func (p *Player) play(ctx context.Context, c Play, answer func(error)) {
	if (c.URL == "") == (c.File == "") {
		answer(errors.New("player: play wants a URL or a file, and not both"))
		return
	}
	before, dialing := p.main, p.dialing
	p.dialing = nil
	p.end(ctx, Replaced)
	p.dialing = dialing // is as good for this one
	p.idle.off()
	p.plays++
	p.main = &playback{request: c, id: "p" + strconv.Itoa(p.plays), answer: answer}
	p.state.Status, p.state.Problem = Buffering, Problem{}
	p.state.PlaybackID, p.state.URL, p.state.File = p.main.id, c.URL, c.File
	p.state.Title, p.state.Artist, p.state.Album = c.Title, c.Artist, c.Album
	p.cfg.Logger.Info().Str("playback", p.main.id).Str("file", c.File).Msg("play")
	before.give(ErrReplaced)
	p.fetch(ctx)
}

// fetch opens the sound and, unless there is a session, dials, both at once.
func (p *Player) fetch(ctx context.Context) {
	request := p.main.request
	p.opening = bear(ctx, &p.children, fetchPatience,
		func(ctx context.Context) (audio.Track, error) { return p.cfg.Open(ctx, request) },
		func(t audio.Track) { t.Close() })
	p.main.warm = p.session != nil
	p.dial(ctx)
}

// opened takes the sound.
func (p *Player) opened(ctx context.Context, r result[audio.Track]) {
	p.opening = nil
	if r.err != nil {
		p.fail(r.err)
		return
	}
	b := p.main
	b.track = r.made
	b.tags = withRequest(r.made.Tags, b.request)
	p.state.Title, p.state.Artist, p.state.Album = b.tags.Title, b.tags.Artist, b.tags.Album
	p.state.Live = r.made.Live
	p.state.Duration = duration(r.made)
	p.state.Seekable = seekable(r.made)
	p.sound(ctx)
}

// sound lets the sound be heard, once it is open and there is a session.
func (p *Player) sound(ctx context.Context) {
	b := p.main
	if b == nil || b.track.Source == nil || p.session == nil || b.paused || b.stream != nil {
		return
	}
	p.applyVolume(ctx, b.request.Volume)
	b.states = make(chan stream.State, 1)
	cfg := stream.Config{
		Lead:    b.request.Lead,
		From:    b.request.Start,
		Overlap: overlap,
		Notify:  b.tell,
		Logger:  p.cfg.Logger,
	}
	if cfg.Lead <= 0 {
		cfg.Lead = p.cfg.Lead
	}
	if b.track.Live {
		cfg.From = 0
	}
	if b.request.MaxDuration > 0 {
		cfg.Until = cfg.From + b.request.MaxDuration
	}
	b.sink = p.session
	s := stream.New(b.track, cfg, p.session)
	b.stream = s
	ctx, b.cancel = context.WithCancel(ctx)
	p.children.Go(func() { s.Run(ctx) }) // finished reads its Err
}

// listen takes over what the ear hears by now.
func (p *Player) listen(ctx context.Context) {
	select {
	case s := <-p.main.hears():
		p.heard(ctx, s)
	default:
	}
}

// heard takes over what the ear hears.
func (p *Player) heard(ctx context.Context, s stream.State) {
	b := p.main
	switch s {
	case stream.Playing:
		p.state.Status = Playing
		p.observe()
	case stream.Starting, stream.Starved:
		p.state.Status = Buffering
	case stream.Paused:
		p.state.Status = Paused
		b.paused, b.since = true, time.Now()
	}
	if s != stream.Ended { // finished says the rest
		p.place(b.stream.Elapsed())
	}
	p.begun(ctx)
}

// place says where in the sound the ear is, because it got there by a jump.
func (p *Player) place(at time.Duration) {
	p.state.Position, p.state.Since = at, time.Now()
}

// begun tells, once, that the first frame is heard. What takes the receiver's
// time, and ours, has waited until now.
func (p *Player) begun(ctx context.Context) {
	b := p.main
	select {
	case <-b.stream.Heard():
	default:
		return
	}
	if b.began {
		return
	}
	b.began = true
	b.give(nil)
	p.event(PlaybackStarted, "", Problem{})
	p.inform(ctx, tagsAre(b.tags), placeIs(b.stream.Elapsed()))
	if len(b.tags.Artwork) > 0 || p.artwork {
		p.artwork = len(b.tags.Artwork) > 0
		p.cfg.Artwork(b.tags.Artwork)
	}
}

// inform tells the receiver something that may take its time, one after
// another.
func (p *Player) inform(ctx context.Context, news ...func(ctx context.Context, s Session) error) {
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
		for _, tell := range news {
			if err := tell(ctx, session); err != nil {
				p.cfg.Logger.Debug().Err(err).Msg("the receiver was not informed")
			}
		}
	})
}

// tagsAre is the news of what is playing.
func tagsAre(tags audio.Tags) func(context.Context, Session) error {
	return func(ctx context.Context, s Session) error { return s.SetTags(ctx, tags) }
}

// placeIs is the news of where in the sound the ear is.
func placeIs(at time.Duration) func(context.Context, Session) error {
	return func(ctx context.Context, s Session) error {
		if t, ok := s.(PositionTaker); ok {
			return t.SetPosition(ctx, at)
		}
		return nil
	}
}

// titled keeps what a radio plays until that is heard, which is when what was
// read now has gone all the way.
func (p *Player) titled(title string) {
	if lead := p.main.request.Lead; lead > 0 {
		p.retitle.set(lead)
	} else {
		p.retitle.set(p.cfg.Lead)
	}
	p.main.title = title
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
	if p.state.Status != Playing {
		return
	}
	if w, ok := p.session.(ClockWatcher); ok {
		p.state.Confidence = w.Confidence()
		p.look.set(time.Second)
	}
}

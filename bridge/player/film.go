package player

import (
	"context"
	"slices"
	"time"

	"airplay2mqtt/audio"
)

// A Film is a film that has been found, and that the device can play itself.
type Film interface {
	// Tags is what is known of it.
	Tags() audio.Tags
	// Show has the device play it, from a place on; ctx bounds the call. It is
	// called once at most, and not after Close.
	Show(ctx context.Context, from time.Duration) (Showing, error)
	// Close gives up what the device gets the film from. It is called when the
	// Showing is closed, and may be called twice.
	Close() error
}

// A Showing is a film that a device plays. Its methods may be called from
// several goroutines; those that take a context wait no longer than it allows.
type Showing interface {
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	Seek(ctx context.Context, to time.Duration) error
	// Scenes tells how far the film is, the newest only, and is closed when it
	// is over. Err then says why: nil if it was played to its end, and what has
	// a method TakenOver() bool that returns true if somebody else has stopped
	// it.
	Scenes() <-chan Scene
	Err() error
	// Close ends the film, so that the device can be used by others, and waits
	// for that, a few seconds at most.
	Close() error
}

// A LoudShowing is one whose volume can be set.
type LoudShowing interface {
	SetVolume(ctx context.Context, level float64) error
}

// A Scene is how far a film is, as of a moment.
type Scene struct {
	Status   Status // Buffering, Playing, Paused
	Position time.Duration
	Duration time.Duration // 0: not known, or it has no end
	At       time.Time
}

// Mode is what is made of a Play.
type Mode string

const (
	AutoMode  Mode = ""      // a film where the device plays films and it is one, else sound
	SoundMode Mode = "audio" // its sound only
	FilmMode  Mode = "video" // a film, whatever it looks like
)

// raisePatience is how long a device may take until it has taken a film.
const raisePatience = 20 * time.Second

// A screen is what a device shows. Nothing is performed meanwhile, and there is
// no session.
type screen struct {
	raising *child[Showing] // told to play; nil: nothing is
	showing Showing         // nil: nothing
	asked   time.Time       // when it was told something last: what it said before is past
}

// A feature is a film in the place of sound: the source of a track that has
// none.
type feature struct{ Film }

func (feature) Rate() int                       { return audio.Rate }
func (feature) Read([]audio.Frame) (int, error) { return 0, nil }

// find opens the film that a request is for, or else its sound.
func (p *Player) find(ctx context.Context, c Play) (audio.Track, error) {
	if !p.shows(c) {
		return p.cfg.Open(ctx, c)
	}
	film, err := p.cfg.Film(ctx, c)
	switch {
	case err != nil:
		return audio.Track{}, err
	case film == nil:
		return p.cfg.Open(ctx, c)
	}
	return audio.Track{Source: feature{film}, Tags: film.Tags()}, nil
}

// shows tells whether a request may be for a film.
func (p *Player) shows(c Play) bool {
	return c.Mode != SoundMode && p.cfg.Shows != nil && p.cfg.Shows(c)
}

// film is that of a playback, nil: it has none.
func (b *playback) film() Film {
	if b != nil {
		if f, ok := b.track.Source.(feature); ok {
			return f.Film
		}
	}
	return nil
}

// filmed tells whether a film is shown, or about to be.
func (p *Player) filmed() bool { return p.raising != nil || p.showing != nil }

// undecided tells whether a session might be in the way of a film.
func (p *Player) undecided() bool {
	b := p.main
	return b != nil && p.show == nil && (b.film() != nil || b.track.Source == nil && p.shows(b.request))
}

// found takes a film that was opened. One that comes after a sound waits for
// its end: films are not opened ahead.
func (p *Player) found(ctx context.Context, b *playback, t audio.Track) {
	if b != p.main {
		p.children.Go(func() { t.Close() })
		b.alone = true
		p.queue = slices.Insert(p.queue, 0, b)
		return
	}
	if p.show != nil {
		p.quiet(ctx)
	}
	b.take(t)
	p.present(b)
	p.sound(ctx)
}

// alone tells whether what comes next is a film.
func (p *Player) alone() bool { return len(p.queue) > 0 && p.queue[0].alone }

// roll has the device play the film that is next, and tells whether it is one.
func (p *Player) roll(ctx context.Context) bool {
	b := p.main
	film := b.film()
	switch {
	case film == nil:
		return false
	case p.paused || p.filmed():
		return true
	case b.request.late(time.Now()):
		p.miss(ctx, ErrExpired)
		return true
	}
	p.give(p.dismiss(ctx, Replaced), ErrReplaced)
	p.warm = false
	p.warmed(ErrBusy)
	p.dialing.abandon()
	p.dialing = nil
	p.hangUp()
	p.raising = bear(ctx, &p.children, raisePatience, func(ctx context.Context) (Showing, error) {
		if err := p.takeLine(ctx); err != nil {
			return nil, err
		}
		s, err := film.Show(ctx, b.request.Start)
		if err != nil {
			<-p.line
		}
		return s, err
	}, p.strike)
	return true
}

// strike ends a film. A session is dialled only then.
func (p *Player) strike(s Showing) {
	if err := s.Close(); err != nil {
		p.cfg.Logger.Debug().Err(err).Msg("close")
	}
	<-p.line
}

// shown takes a film that the device has taken.
func (p *Player) shown(ctx context.Context, r result[Showing]) {
	p.raising = nil
	if r.err != nil {
		p.miss(ctx, r.err)
		return
	}
	p.showing, p.knob.sent = r.made, unset
	p.cfg.Logger.Info().Msg("film began")
	if p.main.request.Volume != nil || p.knob.chosen {
		p.applyVolume(ctx, p.main.request.Volume)
	}
	if p.paused {
		if err := p.direct(ctx, p.showing.Pause); err != nil {
			p.miss(ctx, err)
		}
	}
}

// scenes tells how far the film is.
func (p *Player) scenes() <-chan Scene {
	if p.showing == nil {
		return nil
	}
	return p.showing.Scenes()
}

// scene takes over how far the film is.
func (p *Player) scene(ctx context.Context, s Scene, more bool) {
	b := p.main
	switch {
	case !more:
		p.credits(ctx, p.showing.Err())
		return
	case !s.At.After(p.asked):
		return
	case s.Status == Playing && !b.began:
		b.began = true
		defer func() {
			p.notify()
			b.give(nil)
			p.event(b, PlaybackStarted, "", Problem{})
		}()
	case s.Status == Paused && !p.paused:
		p.since = time.Now()
	}
	p.paused = s.Status == Paused
	if jump := s.Position - p.projected(s.At); s.Status != p.state.Status || p.state.Since.IsZero() || jump.Abs() > time.Second {
		p.state.Position, p.state.Since = s.Position, s.At
	}
	p.state.Status, p.state.Duration = s.Status, s.Duration
	p.state.Seekable, p.state.Live = s.Duration > 0, s.Duration == 0 && b.began
	if most := b.request.MaxDuration; most > 0 && b.began && s.Position-b.request.Start >= most {
		p.credits(ctx, nil)
	}
}

// direct tells the film to do something.
func (p *Player) direct(ctx context.Context, do func(context.Context) error) error {
	p.asked = time.Now()
	return p.call(ctx, do)
}

// projected is where the state says that the film is at some time.
func (p *Player) projected(at time.Time) time.Duration {
	if p.state.Status != Playing {
		return p.state.Position
	}
	return p.state.Position + at.Sub(p.state.Since)
}

// credits goes on after a film.
func (p *Player) credits(ctx context.Context, err error) {
	b := p.main
	switch {
	case err == nil:
		p.event(b, PlaybackFinished, Ended, Problem{})
		p.remember(b)
		p.halt()
		p.proceed(ctx, p.ready(p.successor))
		p.notify()
		b.give(nil)
	case takenOver(err):
		p.broken(ctx, err)
	default:
		p.miss(ctx, err)
	}
}

// dim ends what is shown, and lets go of the film.
func (p *Player) dim() {
	b, showing := p.main, p.showing
	film := b.film()
	p.raising.abandon()
	p.raising, p.showing = nil, nil
	if film == nil {
		return
	}
	b.track = audio.Track{}
	p.children.Go(func() {
		if showing != nil {
			p.strike(showing)
		}
		film.Close()
	})
}

// pauseFilm stops the film where it is.
func (p *Player) pauseFilm(ctx context.Context) error {
	if p.showing != nil {
		if err := p.direct(ctx, p.showing.Pause); err != nil {
			return err
		}
	}
	now := time.Now()
	p.state.Position = p.projected(now)
	if !p.state.Since.IsZero() {
		p.state.Since = now
	}
	p.paused, p.since, p.state.Status = true, now, Paused
	return nil
}

// resumeFilm goes on after a pause.
func (p *Player) resumeFilm(ctx context.Context) error {
	if p.showing != nil {
		if err := p.direct(ctx, p.showing.Resume); err != nil {
			return err
		}
	}
	p.paused, p.state.Status = false, Buffering // until the device says that it plays
	return nil
}

// seekFilm goes to another place of the film.
func (p *Player) seekFilm(ctx context.Context, to time.Duration) error {
	if !p.state.Seekable {
		return audio.ErrNotSeekable
	}
	to = min(max(to, 0), p.state.Duration)
	if err := p.direct(ctx, func(ctx context.Context) error { return p.showing.Seek(ctx, to) }); err != nil {
		return err
	}
	p.state.Position, p.state.Since = to, time.Now()
	return nil
}

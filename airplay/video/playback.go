package video

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"airplay2mqtt/internal/plist"
)

// A Playback is a film that a receiver plays. Its methods may be called from
// several goroutines.
type Playback struct {
	session *Session
	film    request
	states  chan State
	done    chan struct{}

	mu       sync.Mutex
	progress *progress
	orders   int // that were obeyed: an answer to what was asked before one is old
	told     State
	over     bool
	err      error
}

func newPlayback(s *Session, film request) *Playback {
	return &Playback{session: s, film: film, states: make(chan State, 1), done: make(chan struct{}),
		progress: newProgress(time.Now(), film.from, s.cfg.Patience)}
}

// afresh begins to wait anew, after another way was taken.
func (p *Playback) afresh() {
	p.change(func(now time.Time) outcome {
		p.progress = newProgress(now, p.film.from, p.session.cfg.Patience)
		return outcome{}
	})
}

// States tells what changes: the newest only, for who does not keep up. It is
// closed when the film is over.
func (p *Playback) States() <-chan State { return p.states }

// State is how far the film is, as of the last news.
func (p *Playback) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.progress.state
}

// Elapsed is where the film is by now.
func (p *Playback) Elapsed() time.Duration { return p.State().place(time.Now()) }

// Started tells whether the film has played yet.
func (p *Playback) Started() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.progress.started
}

// Done is closed when the film is over.
func (p *Playback) Done() <-chan struct{} { return p.done }

// Err says why the film is over: nil if it was played to its end, or by Stop.
func (p *Playback) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Pause stops the film where it is.
func (p *Playback) Pause(ctx context.Context) error { return p.rate(ctx, 0, Paused) }

// Resume goes on after a Pause.
func (p *Playback) Resume(ctx context.Context) error { return p.rate(ctx, 1, Playing) }

func (p *Playback) rate(ctx context.Context, rate float64, status Status) error {
	if err := p.alive(); err != nil {
		return err
	}
	if err := p.session.now().rate(ctx, rate); err != nil {
		return fmt.Errorf("video: %w", err)
	}
	p.change(func(now time.Time) outcome {
		p.orders++
		p.progress.paused = rate == 0
		if p.progress.started {
			p.progress.state.Position, p.progress.state.At = p.progress.position(now), now
			p.progress.state.Status, p.progress.still = status, 0
		}
		return outcome{}
	})
	return nil
}

// Seek goes to another place of the film.
func (p *Playback) Seek(ctx context.Context, to time.Duration) error {
	if err := p.alive(); err != nil {
		return err
	}
	s := p.State()
	if s.Duration == 0 {
		return ErrNotSeekable
	}
	to = min(max(to, 0), s.Duration)
	if err := p.session.now().seek(ctx, to); err != nil {
		return fmt.Errorf("video: %w", err)
	}
	p.change(func(now time.Time) outcome {
		p.orders++
		p.progress.sought(now, to)
		return outcome{}
	})
	return nil
}

// Stop ends the film; the receiver shows what it showed before.
func (p *Playback) Stop(ctx context.Context) error {
	if p.alive() != nil {
		return nil
	}
	p.finish(nil)
	if err := p.session.now().stop(ctx); err != nil {
		return fmt.Errorf("video: %w", err)
	}
	return nil
}

func (p *Playback) alive() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over && p.err != nil {
		return p.err
	}
	if p.over {
		return errors.New("video: the film is over")
	}
	return nil
}

// watch asks the receiver again and again, until the film is over.
func (p *Playback) watch() {
	tick := time.NewTicker(p.session.cfg.Poll)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-tick.C:
		}
		if err := p.poll(); err != nil {
			p.session.fail(err)
			return
		}
	}
}

func (p *Playback) obeyed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.orders
}

// movePatience is how long it may take to go over to another way.
const movePatience = 30 * time.Second

// poll asks once. After an error the session is over.
func (p *Playback) poll() error {
	ctx, cancel := context.WithTimeout(p.session.life, answerPatience)
	defer cancel()
	before := p.obeyed()
	r, err := p.session.now().poll(ctx)
	if err != nil {
		return p.lost(err)
	}
	var o outcome
	var refused int
	p.change(func(now time.Time) outcome {
		if r.none || p.orders != before {
			o = p.progress.wait(now)
		} else {
			o = p.progress.info(now, r.code, r.info)
		}
		refused = p.progress.refused
		return o
	})
	switch {
	case o.seek:
		if err := ignoreStatus(p.Seek(ctx, p.film.from)); err != nil {
			return p.lost(err)
		}
	case refused >= moveAfter && !p.Started():
		return p.move(&StatusError{Request: "playback-info", Code: r.code})
	}
	return nil
}

// move goes over to another way, if there is one that has not been tried: tvOS
// 18 and later take /play, and tell nothing of it.
func (p *Playback) move(why error) error {
	if way, _ := p.session.Way(); way != Inside || !p.session.more() {
		return nil
	}
	ctx, cancel := context.WithTimeout(p.session.life, movePatience)
	defer cancel()
	if err := p.session.start(ctx, p, fmt.Errorf("%w: %w", errWay, why)); err != nil {
		return fmt.Errorf("video: play: %w", explain(err, p.session.cfg.Password))
	}
	return nil
}

// ignoreStatus is nil for what the receiver has answered, if only with a no.
func ignoreStatus(err error) error {
	var status *StatusError
	if errors.As(err, &status) || errors.Is(err, ErrNotSeekable) {
		return nil
	}
	return err
}

// lost is what a broken line means: at its end, a film is over.
func (p *Playback) lost(err error) error {
	if p.session.life.Err() != nil {
		return context.Cause(p.session.life)
	}
	if p.alive() != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	p.mu.Lock()
	s := p.progress.state
	p.mu.Unlock()
	if left := s.Duration - s.place(time.Now()); s.Duration > 0 && left < near {
		p.finish(nil)
	} else if p.session.taken(err) {
		return fmt.Errorf("%w: %w", ErrStopped, err)
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}

// heard takes what the receiver tells by itself.
func (p *Playback) heard(event plist.Dict) {
	p.change(func(now time.Time) outcome { return p.progress.event(now, event) })
}

// change changes the state and tells it.
func (p *Playback) change(do func(now time.Time) outcome) {
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return
	}
	o := do(time.Now())
	if p.progress.state != p.told && !o.over {
		p.told = p.progress.state
		select {
		case <-p.states:
		default:
		}
		p.states <- p.told
	}
	p.mu.Unlock()
	if o.over {
		p.finish(o.err)
	}
}

// finish ends the film; the first reason counts.
func (p *Playback) finish(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	p.over, p.err = true, err
	close(p.states)
	close(p.done)
}

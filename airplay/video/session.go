package video

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/internal/plist"
)

// goodbye is how long is waited for a receiver that is to stop.
const goodbye = 3 * time.Second

// A Session is with a receiver that plays films, one at a time. Its methods may
// be called from several goroutines.
type Session struct {
	cfg     Config
	address string
	life    context.Context // ends with the session, and its cause says why
	end     context.CancelCauseFunc
	work    sync.WaitGroup
	closing sync.Once
	over    chan struct{}

	turn chan struct{} // full while a film is begun

	mu      sync.Mutex // a leaf: guards what follows, and is never held across a call
	link    link
	way     Way
	left    []Way     // not tried yet
	reasons []error   // why other ways were not taken
	current *Playback // what plays, or did; nil: nothing yet
}

// watch waits for the end, and ends with it all that the session has started.
func (s *Session) watch() {
	defer close(s.over)
	<-s.life.Done()
	s.now().close()
	s.work.Wait()
}

// now is the link at the moment.
func (s *Session) now() link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link
}

// Way tells how the receiver is shown films, and why so if that was not the
// first choice.
func (s *Session) Way() (w Way, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.reasons...); err != nil {
		reason = err.Error()
	}
	return s.way, reason
}

// Play has the receiver play what is at an address that it can reach, from a
// place on. ctx bounds the asking. What was played on the session before is
// over with it (ErrReplaced). The film is still to be fetched by the receiver
// when Play returns: whether that works its States tell.
func (s *Session) Play(ctx context.Context, address string, from time.Duration) (*Playback, error) {
	if s.life.Err() != nil {
		return nil, context.Cause(s.life)
	}
	id, err := newID(s.cfg.Rand)
	if err != nil {
		return nil, fmt.Errorf("video: %w", err)
	}
	p := newPlayback(s, request{address, from, id})
	s.mu.Lock()
	before := s.current
	s.current = p
	s.mu.Unlock()
	if before != nil {
		before.finish(ErrReplaced)
	}
	if err := s.start(ctx, p, nil); err != nil {
		err = fmt.Errorf("video: play: %w", explain(err, s.cfg.Password))
		p.finish(err)
		return nil, err
	}
	s.work.Go(p.watch)
	return p, nil
}

// start has the receiver play, in the next way where it refuses one. why is the
// refusal of the way that it is shown films in now; nil: none.
func (s *Session) start(ctx context.Context, p *Playback, why error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		if why == nil {
			why = s.now().play(ctx, p.film)
		}
		switch {
		case why == nil:
			return nil
		case !errors.Is(why, errWay) || !s.more():
			return why
		}
		way, _ := s.Way()
		s.refused(way, why)
		s.now().close()
		if err := s.connect(ctx); err != nil {
			s.end(err)
			return err
		}
		why = nil
		p.afresh()
	}
}

// heard takes what a link's receiver tells by itself.
func (s *Session) heard(l link, event plist.Dict) {
	if s.now() != l {
		return
	}
	if c := event.Text("category"); c != "" && c != "video" {
		return
	}
	s.cfg.Logger.Debug().Str("event", event.Text("state")+event.Text("type")).Msg("video event")
	if p := s.playing(); p != nil {
		p.heard(event)
	}
}

// lost ends the session because a link has ended that is still its own. It does
// not wait for the link.
func (s *Session) lost(l link, err error) {
	if s.now() != l || s.life.Err() != nil {
		return
	}
	p := s.playing()
	if p != nil {
		err = p.lost(err)
	}
	s.fail(err)
}

// fetchPatience is how long fetching for the receiver may take.
const fetchPatience = 15 * time.Second

// grant fetches a playlist for the receiver, whose address says something to
// senders only, or that it leaves to them, and sends it.
func (s *Session) grant(ctx context.Context, l link, w wish) {
	address := w.request.Text("FCUP_Response_URL")
	ctx, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	f := fetched{status: http.StatusNotFound}
	if strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://") {
		f.status, f.mime, f.body = s.cfg.Fetch(ctx, address)
	}
	s.cfg.Logger.Debug().Int("code", f.status).Int("bytes", len(f.body)).Msg("fetched a playlist for the receiver")
	if err := l.give(ctx, w, f); err != nil {
		s.cfg.Logger.Debug().Err(err).Msg("the receiver was not sent what it asked for")
	}
}

// SetVolume sets the volume, from 0 to 1, where films have one: ErrNoVolume.
func (s *Session) SetVolume(ctx context.Context, level float64) error {
	l, ok := s.now().(louder)
	if !ok {
		return ErrNoVolume
	}
	if err := l.volume(ctx, level); err != nil {
		return fmt.Errorf("video: %w", err)
	}
	return nil
}

// playing is what plays, nil if nothing does.
func (s *Session) playing() *Playback {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.over }

// Err says why the session is over: ErrClosed, or what went wrong. It is nil
// before.
func (s *Session) Err() error {
	select {
	case <-s.over:
		return context.Cause(s.life)
	default:
		return nil
	}
}

// fail ends the session.
func (s *Session) fail(err error) {
	s.end(err)
	if p := s.playing(); p != nil {
		p.finish(err)
	}
}

// Close stops what plays, so that others can use the receiver, hangs up, and
// waits for all that the session has started. It may be called twice.
func (s *Session) Close() error {
	s.closing.Do(func() {
		if p := s.playing(); p != nil && s.life.Err() == nil {
			ctx, cancel := context.WithTimeout(context.Background(), goodbye)
			p.Stop(ctx)
			cancel()
		}
		s.fail(ErrClosed)
	})
	<-s.over
	return nil
}

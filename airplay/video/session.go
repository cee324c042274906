package video

import (
	"context"
	"errors"
	"fmt"
	"net/url"
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
	cfg    Config
	id     string
	line   *line
	events *line // nil: the receiver has none

	life    context.Context // ends with the session, and its cause says why
	end     context.CancelCauseFunc
	work    sync.WaitGroup
	closing sync.Once
	over    chan struct{}

	mu      sync.Mutex
	current *Playback // what plays, or did; nil: nothing yet
}

// begin starts to hear what the receiver tells.
func (s *Session) begin() {
	if s.events != nil {
		s.work.Go(s.hear)
	}
	go func() {
		defer close(s.over)
		<-s.life.Done()
		s.work.Wait()
	}()
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
	p := newPlayback(s, id, from)
	s.mu.Lock()
	before := s.current
	s.current = p
	s.mu.Unlock()
	if before != nil {
		before.finish(ErrReplaced)
	}
	if err := s.start(ctx, address, from, id); err != nil {
		err = fmt.Errorf("video: play: %w", explain(err, s.cfg.Password))
		p.finish(err)
		return nil, err
	}
	s.work.Go(p.watch)
	return p, nil
}

// start asks with a property list, which UxPlay demands, and with text where
// that is not understood, as by the oldest receivers.
func (s *Session) start(ctx context.Context, address string, from time.Duration, id string) error {
	if u, err := url.Parse(address); err != nil || u.Scheme == "" || strings.ContainsAny(address, "\r\n") {
		return errors.New("not a URL")
	}
	body, err := plist.Marshal(plist.Dict{
		"Content-Location": address, "Start-Position-Seconds": from.Seconds(), "uuid": id,
		"X-Apple-Session-ID": s.id, "rate": 1.0, "clientProcName": s.cfg.Name, // UxPlay wants to know
	})
	if err != nil {
		return err
	}
	a, err := s.line.ask(ctx, "POST", "/play", "application/x-apple-binary-plist", body)
	if err == nil && (a.code == 400 || a.code == 406 || a.code == 415) {
		text := "Content-Location: " + address + "\nStart-Position: 0.000000\n"
		refused := a.ok("play")
		if a, err = s.line.ask(ctx, "POST", "/play", "text/parameters", []byte(text)); err != nil {
			return refused // it was not the form that was wrong
		}
	}
	if err != nil {
		return err
	}
	return a.ok("play")
}

// command asks for something that has no answer worth reading.
func (s *Session) command(ctx context.Context, name, path string) error {
	a, err := s.line.ask(ctx, "POST", path, "", nil)
	if err == nil {
		err = a.ok(name)
	}
	if err != nil {
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
	s.line.close()
	if s.events != nil {
		s.events.close()
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

package video

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
)

// Dial connects to a receiver in the first of the Config's ways that it takes.
// ctx bounds the dialling, not the session.
func Dial(ctx context.Context, address string, c *Config) (*Session, error) {
	cfg := c.withDefaults()
	s := &Session{cfg: cfg, address: address, left: cfg.Ways, turn: make(chan struct{}, 1), over: make(chan struct{})}
	s.life, s.end = context.WithCancelCause(context.Background())
	if err := s.connect(ctx); err != nil {
		s.end(err)
		return nil, fmt.Errorf("video: dial %s: %w", address, explain(err, cfg.Password))
	}
	go s.watch()
	return s, nil
}

// connect makes a link in the first of the ways that are left which the
// receiver takes.
func (s *Session) connect(ctx context.Context) error {
	for {
		way := s.next()
		l, err := s.open(ctx, way)
		if err == nil {
			return s.adopt(l, way)
		}
		if ctx.Err() != nil || !s.more() || !errors.Is(err, errWay) {
			return errors.Join(append(s.refusals(), err)...)
		}
		s.refused(way, err)
	}
}

// next takes the next way, of which there must be one.
func (s *Session) next() Way {
	s.mu.Lock()
	defer s.mu.Unlock()
	way := s.left[0]
	s.left = s.left[1:]
	return way
}

// more tells whether there is a way that was not tried.
func (s *Session) more() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.left) > 0
}

// refused notes why a way is not taken.
func (s *Session) refused(way Way, err error) {
	s.mu.Lock()
	s.reasons = append(s.reasons, fmt.Errorf("%s: %w", way, err))
	s.mu.Unlock()
	s.cfg.Logger.Warn().Str("way", string(way)).Err(err).Msg("does not show films in this way, trying the next")
}

func (s *Session) refusals() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reasons)
}

// adopt makes a link that of the session.
func (s *Session) adopt(l link, way Way) error {
	s.mu.Lock()
	over := s.life.Err() != nil
	if !over {
		s.link, s.way = l, way
	}
	s.mu.Unlock()
	if over {
		l.close()
		return context.Cause(s.life)
	}
	return nil
}

func (s *Session) open(ctx context.Context, way Way) (link, error) {
	switch way {
	case Plain:
		return s.dialPlain(ctx)
	case Inside:
		return s.dialInside(ctx)
	case Queue:
		return s.dialQueue(ctx)
	}
	return nil, fmt.Errorf("%w: there is no way %q", errWay, way)
}

// newID makes a random UUID.
func newID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// explain adds to an error what a caller can decide on.
func explain(err error, password string) error {
	var status *StatusError
	if !errors.As(err, &status) || errors.Is(err, ErrPairing) || errors.Is(err, ErrPassword) {
		return err
	}
	switch {
	case status.Code == 401 && password == "":
		return fmt.Errorf("%w: %w", ErrPassword, err)
	case status.Code == 401:
		return fmt.Errorf("%w, and refused the one it was given: %w", ErrPassword, err)
	case status.Code == 403, status.Code == 470:
		return fmt.Errorf("%w: %w", ErrPairing, err)
	case status.Code == 409, status.Code == 453:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// LocalAddr is our end of the connection, which the receiver can reach.
func (s *Session) LocalAddr() net.Addr {
	near, _ := s.now().addresses()
	return near
}

// RemoteAddr is the receiver's.
func (s *Session) RemoteAddr() net.Addr {
	_, far := s.now().addresses()
	return far
}

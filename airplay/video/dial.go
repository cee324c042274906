package video

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Dial connects to a receiver: a line for questions, and one on which it tells
// what happens. ctx bounds the dialling, not the session.
func Dial(ctx context.Context, address string, c *Config) (*Session, error) {
	cfg := c.withDefaults()
	s, err := dial(ctx, address, cfg)
	if err != nil {
		return nil, fmt.Errorf("video: dial %s: %w", address, explain(err, cfg.Password))
	}
	return s, nil
}

func dial(ctx context.Context, address string, cfg Config) (*Session, error) {
	id, err := newID(cfg.Rand)
	if err != nil {
		return nil, err
	}
	conn, err := cfg.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	header := []pair{
		{"Host", address}, {"User-Agent", "MediaControl/1.0"}, {"X-Apple-Session-ID", id}, {"X-Apple-Client-Name", cfg.Name},
	}
	s := &Session{cfg: cfg, id: id, line: newLine(conn, cfg, header), over: make(chan struct{})}
	s.life, s.end = context.WithCancelCause(context.Background())
	a, err := s.line.ask(ctx, "GET", "/server-info", "", nil)
	if err == nil && a.code != 404 { // some have none
		err = a.ok("server-info")
	}
	if err == nil {
		err = s.reverse(ctx, address, header)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	s.begin()
	return s, nil
}

// reverse opens the line on which the receiver asks and we answer. Receivers
// that have none are polled only.
func (s *Session) reverse(ctx context.Context, address string, header []pair) error {
	conn, err := s.cfg.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	upgrade := []pair{{"Upgrade", "PTTH/1.0"}, {"Connection", "Upgrade"}, {"X-Apple-Purpose", "event"}}
	l := newLine(conn, s.cfg, append(upgrade, header...))
	a, err := l.ask(ctx, "POST", "/reverse", "", nil)
	switch {
	case err != nil:
		conn.Close()
		return err
	case a.code == 101:
		conn.SetDeadline(time.Time{})
		s.events = l
		return nil
	case a.code == 404, a.code == 405, a.code == 501:
		conn.Close()
		return nil
	}
	conn.Close()
	return a.ok("reverse")
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
	if !errors.As(err, &status) {
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
func (s *Session) LocalAddr() net.Addr { return s.line.conn.LocalAddr() }

// RemoteAddr is the receiver's.
func (s *Session) RemoteAddr() net.Addr { return s.line.conn.RemoteAddr() }

package raop

import (
	"errors"
	"fmt"
	"strings"

	"airplay2mqtt/internal/rtsp"
)

// What callers can decide on, or tell a person. They are wrapped in errors
// that name the receiver and the step.
var (
	// ErrPassword: the receiver wants a password, and there was none or a
	// wrong one.
	ErrPassword = errors.New("the receiver asks for a password")
	// ErrBusy: somebody else is playing on the receiver.
	ErrBusy = errors.New("the receiver is busy")
	// ErrPairing: the receiver serves only who has been paired with it.
	ErrPairing = errors.New("the receiver wants to be paired")
	// ErrImposter: the receiver does not show that it is the one that was
	// paired.
	ErrImposter = errors.New("the receiver is not the one that was paired, or was reset since")
	// ErrTiming: the receiver cannot ask us for the time, without which it
	// plays nothing.
	ErrTiming = errors.New("the receiver's timing requests do not reach this host (a firewall, or a container without host networking)")
	// ErrProtocol: what answers speaks something else.
	ErrProtocol = errors.New("what answers is no AirPlay 1 receiver, or is at another port")
	// ErrClosedByReceiver: the receiver ended the session. Mostly somebody
	// else has taken it over.
	ErrClosedByReceiver = errors.New("raop: closed by the receiver")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("raop: session closed")
)

// A StatusError is an answer other than 200 OK.
type StatusError struct {
	Method string
	Code   int
	Reason string
}

// Error returns, for example, "setup: 453 Not Enough Bandwidth".
func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s: %d %s", strings.ToLower(e.Method), e.Code, e.Reason))
}

// status returns the code of a StatusError, 0 for other errors.
func status(err error) int {
	var e *StatusError
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// explain adds to an error of the start ladder what a caller can decide on.
func (d *dialer) explain(err error) error {
	switch code := status(err); {
	case code == 401 && d.cfg.Password == "":
		return fmt.Errorf("%w: %w", ErrPassword, err)
	case code == 401:
		return fmt.Errorf("%w, and refused the one it was given: %w", ErrPassword, err)
	case code == 453:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	case code == 470, code == 403 && d.info.wantsPairing():
		return fmt.Errorf("%w: %w", ErrPairing, err)
	case code == 503, code == 520:
		return fmt.Errorf("%w: %w", ErrTiming, err)
	case code == 0 && !d.answered && rtsp.HungUp(err):
		// shairport-sync 5 accepts the connection and resets it at once
		// (docs/protocols/raop.md, busy and taken over).
		return fmt.Errorf("%w: it hung up before it answered: %w", ErrBusy, err)
	case code == 0 && rtsp.HungUp(err) && !errors.Is(err, ErrClosedByReceiver):
		return fmt.Errorf("%w: %w", ErrClosedByReceiver, err)
	case errors.Is(err, rtsp.ErrMalformed):
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return err
}

package airplay

import (
	"errors"
	"fmt"
	"strings"
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
	// ErrNoClock: the receiver does not keep time with us, so that it would
	// stay silent behind all its answers.
	ErrNoClock = errors.New("the receiver accepts everything and does not keep time with us, so it would stay silent")
	// ErrTiming: the receiver refuses the way of keeping time.
	ErrTiming = errors.New("the receiver refuses this way of keeping time")
	// ErrNotAirPlay2: the receiver does not answer as AirPlay 2 ones do.
	ErrNotAirPlay2 = errors.New("the receiver does not speak AirPlay 2")
	// ErrClosedByReceiver: the receiver ended the session. Mostly somebody
	// else has taken it over.
	ErrClosedByReceiver = errors.New("airplay: closed by the receiver")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("airplay: session closed")
)

// A StatusError is an answer other than 200 OK.
type StatusError struct {
	Method string
	Code   int
	Reason string
}

// Error returns, for example, "setup: 400 Bad Request".
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

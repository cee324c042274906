package pair

import (
	"errors"
	"time"

	"airplay2mqtt/internal/pairing"
)

// A Kind is what a caller can decide on.
type Kind string

// The kinds.
const (
	Rejected  Kind = "rejected"  // the PIN was wrong
	BackOff   Kind = "back_off"  // too many tries: wait
	Busy      Kind = "busy"      // it pairs with somebody else
	Forbidden Kind = "forbidden" // it takes only those of its home or account
	Failed    Kind = "failed"    // all else that it said
)

// An Error is a refusal by the receiver. Its text says what to do.
type Error struct {
	Kind Kind
	// Wait is for how long it wants to be left alone. 0: it did not say.
	Wait time.Duration
	err  error
}

func (e *Error) Error() string { return e.err.Error() }

func (e *Error) Unwrap() error { return e.err }

// kinds are those of reasons; what is missing is Failed.
var kinds = map[pairing.Reason]Kind{
	pairing.WrongSecret: Rejected, pairing.BackOff: BackOff, pairing.MaxTries: BackOff,
	pairing.Busy: Busy, pairing.Forbidden: Forbidden,
}

// kindOf makes an Error of what a receiver said, and leaves all else.
func kindOf(err error) error {
	var said *pairing.Error
	if !errors.As(err, &said) {
		return err
	}
	kind := kinds[said.Reason]
	if kind == "" {
		kind = Failed
	}
	return &Error{Kind: kind, Wait: said.Wait, err: err}
}

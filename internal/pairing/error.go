package pairing

import (
	"fmt"
	"time"

	"airplay2mqtt/internal/rtsp"
)

// A Reason is why a pairing did not come about.
type Reason int

// The reasons. Those up to Busy are what receivers say, the others what is
// found in what they say.
const (
	Refused     Reason = iota // without a reason
	WrongSecret               // the PIN or password is wrong, or one is wanted where none was given
	BackOff                   // too many tries; wait
	MaxPeers                  // its list of paired senders is full
	MaxTries                  // too many wrong PINs
	Unavailable               // not now
	Busy                      // somebody else is being paired
	Forbidden                 // 403: it does not talk to us
	PINNeeded                 // 470: it wants a PIN
	Forgotten                 // it does not know the key that it was paired with
	NotSpoken                 // it knows nothing of this way of pairing
	Imposter                  // it cannot prove that it is who it was, or that it knows the PIN
	Malformed                 // what it says makes no sense
)

var reasons = map[Reason]string{
	Refused:     "refused without a reason",
	WrongSecret: "the PIN or password is wrong",
	BackOff:     "too many tries, it wants to be left alone for a while",
	MaxPeers:    "it is paired with as many senders as it can remember; remove one in its settings",
	MaxTries:    "too many wrong PINs; switch it off and on, or wait",
	Unavailable: "it cannot be paired at the moment",
	Busy:        "another sender is being paired with it",
	Forbidden:   "it does not accept this sender (403)",
	PINNeeded:   "it wants to be paired with a PIN (470)",
	Forgotten:   "it does not know this pairing any more; pair again",
	NotSpoken:   "it does not pair in this way",
	Imposter:    "it cannot prove that it is the device it should be",
	Malformed:   "its answer makes no sense",
}

// An Error is a refusal, and at which step.
type Error struct {
	Step   string // "pair-setup M2"
	Reason Reason
	Code   int           // of the response; 200 where it said so in other ways
	Wait   time.Duration // for how long not to try again; 0: it did not say
	Detail string        // what exactly, for the log; may be empty
	Server string        // what the receiver calls itself, where it said so
}

func (e *Error) Error() string {
	s := e.Step + ": " + reasons[e.Reason]
	if e.Reason == Refused && e.Code != 0 && e.Code != 200 {
		s += fmt.Sprintf(" (%d)", e.Code)
	}
	if e.Wait > 0 {
		s += fmt.Sprintf(" (%v)", e.Wait)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Is tells whether target is an Error of the same reason that names no step.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Step == "" && t.Reason == e.Reason
}

// Because is for errors.Is: any Error of that reason.
func Because(r Reason) error { return &Error{Reason: r} }

// Check makes an error of an answer that is not 200.
func Check(step string, resp rtsp.Response) error {
	reason := Refused
	switch resp.Code {
	case 200:
		return nil
	case 400, 404, 405, 501:
		reason = NotSpoken
	case 403:
		reason = Forbidden
	case 453:
		reason = Busy
	case 470:
		reason = PINNeeded
	}
	return &Error{Step: step, Reason: reason, Code: resp.Code, Server: resp.Header.Get("Server")}
}

// Nonsense is the error for an answer that makes none.
func Nonsense(step, format string, args ...any) error {
	return &Error{Step: step, Reason: Malformed, Code: 200, Detail: fmt.Sprintf(format, args...)}
}

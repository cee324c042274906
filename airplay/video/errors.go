package video

import (
	"errors"
	"fmt"
	"strings"
)

// What callers can decide on, or tell a person. They are wrapped in errors that
// name the receiver and the step.
var (
	// ErrPassword: the receiver wants a password, and there was none or a
	// wrong one.
	ErrPassword = errors.New("the receiver asks for a password")
	// ErrPairing: the receiver serves only who has been paired with it.
	ErrPairing = errors.New("the receiver wants to be paired")
	// ErrBusy: somebody else is playing on the receiver.
	ErrBusy = errors.New("the receiver is busy")
	// ErrNotStarted: the receiver took the address and plays nothing.
	ErrNotStarted = errors.New("the receiver took the address and did not begin to play")
	// ErrStopped: somebody has stopped the film at the receiver, or plays
	// something else on it.
	ErrStopped = errors.New("it was stopped at the receiver, or another sender took it")
	// ErrLost: the receiver ended the connection in the middle of a film.
	ErrLost = errors.New("the receiver ended the connection")
	// ErrTiming: the receiver cannot ask us for the time.
	ErrTiming = errors.New("the receiver does not learn the time from this machine")
	// ErrReplaced: another film was played on the session.
	ErrReplaced = errors.New("video: another film is played")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("video: session closed")
	// ErrNotSeekable: the film has no places to go to.
	ErrNotSeekable = errors.New("video: it has no end, and so no places to go to")
	// ErrNoVolume: films have no volume on that receiver.
	ErrNoVolume = errors.New("video: the receiver has no volume for films")
)

// A StatusError is an answer other than 200 OK.
type StatusError struct {
	Request string // "play"
	Code    int
	Reason  string
}

// Error returns, for example, "play: 500 Internal Server Error".
func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s: %d %s", e.Request, e.Code, e.Reason))
}

// A PlayerError is what the receiver's player says of a film that it does not
// play.
type PlayerError struct {
	Domain string
	Code   int64
}

// Error says what is known of the code.
func (e *PlayerError) Error() string {
	what := meaning(e.Domain, e.Code)
	if what == "" {
		what = "its player could not play it"
	}
	return strings.TrimSpace(fmt.Sprintf("%s (%d %s)", what, e.Code, e.Domain))
}

// meaning is what is known of the codes of Apple's player.
func meaning(domain string, code int64) string {
	switch {
	case code == -6707:
		return "the stream is not one that its player can play" // such as the MJPEG of cameras
	case domain == "NSURLErrorDomain" && (code == -1100 || code == -1011):
		return "its player did not find it at that address"
	case domain == "NSURLErrorDomain" && (code == -1200 || code == -1202 || code == -1203):
		return "its player does not trust the certificate of that server"
	case domain == "NSURLErrorDomain" && (code == -1001 || code == -1004 || code == -1003 || code == -1009):
		return "its player could not reach that address"
	case code == -11828, code == -11829, code == -12847:
		return "its player does not know this kind of file"
	case code == -11833:
		return "its player does not know this codec"
	}
	return ""
}

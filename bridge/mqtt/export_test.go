package mqtt

import (
	"io"
	"net"
)

// What tests outside the package look at.
var Matches = matches

func Pipe() (near, far net.Conn) { return pipe() }

// Trim reads packets as a client does, and returns what is passed on, and the
// size that a payload had if it is a mark.
func Trim(r io.Reader, max int) (io.Reader, func(payload []byte) (int, bool)) {
	t := newTrimmer(r, max)
	return t, t.trimmed
}

package bridge

import (
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

// How long the end may take: less than three seconds in all, because systemd,
// Docker and people have no patience. Usually it is a tenth of one.
const (
	lastSound = 1500 * time.Millisecond // for devices, to be hung up on
	lastWords = 700 * time.Millisecond  // for the broker, to hear of the end
	lastCall  = 700 * time.Millisecond  // for connections, to be closed
)

// errSilent is told where the broker does not answer at the end.
var errSilent = errors.New("bridge: the broker did not answer at the end; it was left")

// depart waits for the lines to the broker and for all that is done beside, and
// no longer than lastCall: what hangs then ends with the program.
func (b *Bridge) depart(line *errgroup.Group) error {
	closed, done := make(chan error, 1), make(chan struct{})
	go func() {
		closed <- line.Wait()
		_ = b.chores.Wait() // each has told what went wrong
		close(done)
	}()
	limit := time.NewTimer(lastCall)
	defer limit.Stop()
	select {
	case err := <-closed:
		select {
		case <-done:
		case <-limit.C:
			b.log.Debug().Msg("something is still being done; it is left")
		}
		return err
	case <-limit.C:
		return errSilent
	}
}

package duty

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"airplay2mqtt/internal/rtsp"
)

// An End is when and why a session is over. Make it with NewEnd. Its methods may
// be called by any goroutine.
type End struct {
	name               string
	closed, byReceiver error

	leaving atomic.Bool
	once    sync.Once
	over    chan struct{}
	err     error // to be read after over
}

// NewEnd is for a session of a package of that name, whose errors are these:
// that it was closed, and that the receiver closed it.
func NewEnd(name string, closed, byReceiver error) *End {
	return &End{name: name, closed: closed, byReceiver: byReceiver, over: make(chan struct{})}
}

// Over is closed when it has come.
func (e *End) Over() <-chan struct{} { return e.over }

// Err says why it has come. It is nil before.
func (e *End) Err() error {
	select {
	case <-e.over:
		return e.err
	default:
		return nil
	}
}

// Fail brings it about; the first reason counts. release gives back what the
// session has before anybody knows of the end, so that who dials again then finds
// it given back. It must not wait for goroutines: Fail may be called from any.
func (e *End) Fail(err error, release func()) {
	e.once.Do(func() {
		release()
		e.err = err
		close(e.over)
	})
}

// PlayOut waits until a receiver has played what is left, if that is next to
// nothing: the silence behind the last frame of a sound. Receivers are some
// milliseconds late, and throw away what they have when they are told to stop.
func (e *End) PlayOut(left time.Duration) {
	const nothing = 300 * time.Millisecond
	if left > nothing {
		return
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
	case <-e.over:
	}
}

// Leave notes that a goodbye is being said: who hangs up from now on does what
// we want.
func (e *End) Leave() { e.leaving.Store(true) }

// Watch waits for the end of a session's connection, and returns what that is the
// end by; nil if the end has come before.
func (e *End) Watch(c *rtsp.Client) error {
	select {
	case <-e.over:
		return nil
	case <-c.Done():
	}
	switch err := c.Err(); {
	case e.leaving.Load():
		return e.closed
	case rtsp.HungUp(err):
		return fmt.Errorf("%w: %w", e.byReceiver, err)
	default:
		return fmt.Errorf("%s: connection lost: %w", e.name, err)
	}
}

// Wrap makes the error of a request that of the session if its connection has
// ended.
func (e *End) Wrap(c *rtsp.Client, err error) error {
	switch {
	case err == nil:
		return nil
	case c.Err() != nil:
		<-e.over
		return e.err
	}
	return fmt.Errorf("%s: %w", e.name, err)
}

package airplay

import (
	"context"
	"fmt"
	"time"

	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// goodbye is how long a receiver gets to answer TEARDOWN.
const goodbye = 2 * time.Second

// Close says goodbye to the receiver, which falls silent, and waits for the
// session's goroutines. It takes no longer than two seconds and may be called
// again.
func (s *Session) Close() error {
	s.bye.Do(func() {
		s.leaving.Store(true)
		if s.Err() == nil {
			s.tearDown()
		}
		s.fail(ErrClosed)
	})
	s.wg.Wait()
	return nil
}

// tearDown ends the stream and the session at the receiver's.
func (s *Session) tearDown() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	stream := plist.Dict{"type": s.kind.number()}
	if s.streamID != 0 {
		stream["streamID"] = s.streamID
	}
	for _, body := range []plist.Dict{{"streams": []any{stream}}, {}} {
		req, err := withList(rtsp.Request{Method: "TEARDOWN"}, body)
		if err == nil {
			_, err = s.ask(ctx, req)
		}
		if err != nil {
			s.log.Debug().Err(err).Msg("teardown not answered")
			return
		}
	}
}

// fail ends the session; the first reason counts. It does not wait for the
// goroutines, which it may be called from.
func (s *Session) fail(err error) {
	s.once.Do(func() {
		s.err = err
		s.leaveRemote()
		close(s.over)
		for _, c := range []interface{ Close() error }{s.audio, s.events, s.control, s.timingPort} {
			if c != nil {
				c.Close()
			}
		}
		if s.peer != nil {
			s.peer.Remove()
		}
		s.rtsp.Close()
	})
}

// watch ends the session when its connection ends.
func (s *Session) watch() {
	defer s.wg.Done()
	select {
	case <-s.over:
		return
	case <-s.rtsp.Done():
	}
	switch err := s.rtsp.Err(); {
	case s.leaving.Load():
		s.fail(ErrClosed)
	case rtsp.HungUp(err):
		s.fail(fmt.Errorf("%w: %w", ErrClosedByReceiver, err))
	default:
		s.fail(fmt.Errorf("airplay: connection lost: %w", err))
	}
}

// wrap makes the error of a request that of the session if that has ended.
func (s *Session) wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case s.rtsp.Err() != nil:
		<-s.over
		return s.err
	}
	return fmt.Errorf("airplay: %w", err)
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

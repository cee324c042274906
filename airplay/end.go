package airplay

import (
	"context"
	"time"

	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// goodbye is how long a receiver gets to answer TEARDOWN.
const goodbye = 2 * time.Second

// Close says goodbye to the receiver, which falls silent, and waits for the
// session's goroutines. A sound that has just ended is played to its end. It
// takes no longer than three seconds and may be called again.
func (s *Session) Close() error {
	s.bye.Do(func() {
		s.playOut()
		s.end.Leave()
		if s.Err() == nil {
			s.tearDown()
		}
		s.fail(ErrClosed)
	})
	s.wg.Wait()
	return nil
}

// playOut waits until the receiver has played what it was sent, if that is next
// to nothing.
func (s *Session) playOut() {
	s.mu.Lock()
	left := time.Duration(0)
	if b := &s.beat; b.sounding {
		left = time.Until(b.line.tl.At(b.tape.end))
	}
	s.mu.Unlock()
	s.end.PlayOut(left)
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
func (s *Session) fail(err error) { s.end.Fail(err, s.release) }

// release gives back what the session has.
func (s *Session) release() {
	s.leaveRemote()
	if s.audio != nil {
		s.audio.Close()
	}
	for _, c := range []interface{ Close() error }{s.blocks, s.events, s.control, s.timingPort} {
		if c != nil {
			c.Close()
		}
	}
	if s.peer != nil {
		s.peer.Remove()
	}
	s.rtsp.Close()
}

// watch ends the session when its connection ends.
func (s *Session) watch() {
	defer s.wg.Done()
	if err := s.end.Watch(s.rtsp); err != nil {
		s.fail(err)
	}
}

package airplay

import (
	"context"
	"fmt"
	"time"

	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// number is what the kind is called in SETUP.
func (k Kind) number() int64 {
	if k == Buffered {
		return 103
	}
	return 96
}

// withList puts a property list into a request.
func withList(req rtsp.Request, body plist.Dict) (rtsp.Request, error) {
	b, err := plist.Marshal(body)
	if err != nil {
		return req, err
	}
	req.Header.Add("Content-Type", "application/x-apple-binary-plist")
	req.Body = b
	return req, nil
}

// anchorAgain is when an anchor is repeated that the receiver refused: strict
// ones do until they have measured the clock (WiiM, Sonos).
const anchorAgain = 500 * time.Millisecond

// tellAnchor says which frame is heard when, and lets time run. Until that is
// accepted it is said again.
func (s *Session) tellAnchor() {
	s.mu.Lock()
	wanted := s.anchoring
	line, at := s.beat.line, s.beat.place
	s.mu.Unlock()
	if !wanted {
		return
	}
	now := time.Now()
	at = max(at, line.tl.FrameAt(now)) // what is past cannot be held to
	clock, ns, ok := s.peer.Stamp(line.tl.At(at))
	if !ok {
		s.agenda.Plan(anchor, now.Add(anchorAgain))
		return
	}
	err := s.setRate(context.Background(), anchorOf(line.rtp(at), clock, ns))
	if err != nil {
		s.log.Debug().Err(err).Msg("anchor not accepted yet")
		s.agenda.Plan(anchor, now.Add(anchorAgain))
		return
	}
	s.mu.Lock()
	s.anchoring = false
	s.mu.Unlock()
}

// primeAnchor lets time run before there is any sound. shairport-sync 5.1 ends
// when it is told to for the first time and knows the time already; now it
// cannot know it yet [T]. What comes before the true anchor has an hour's time,
// so that it is kept.
func (s *Session) primeAnchor(ctx context.Context) error {
	if s.kind != Buffered || !s.quirk.silent {
		return nil
	}
	clock, ns, ok := s.peer.Stamp(time.Now().Add(time.Hour))
	if !ok {
		return nil
	}
	return s.setRate(ctx, anchorOf(s.self.firstTime, clock, ns))
}

// anchorOf says that a frame is heard at an instant of a clock.
func anchorOf(rtp uint32, clock, ns uint64) plist.Dict {
	return plist.Dict{
		"rate": int64(1), "rtpTime": int64(rtp),
		"networkTimeSecs": int64(ns / 1e9), "networkTimeFrac": fraction(ns % 1e9),
		"networkTimeTimelineID": int64(clock), "networkTimeFlags": int64(0),
	}
}

// fraction returns nanoseconds as a binary fraction of a second, as the signed
// number that has its 64 bits.
func fraction(ns uint64) int64 {
	hi := ns << 32 / 1e9
	lo := (ns << 32 % 1e9) << 32 / 1e9
	return int64(hi<<32 | lo)
}

func (s *Session) setRate(ctx context.Context, body plist.Dict) error {
	req, err := withList(rtsp.Request{Method: "SETRATEANCHORTIME"}, body)
	if err != nil {
		return err
	}
	_, err = s.ask(ctx, req)
	return err
}

// flushBuffered stops time and has the receiver forget what it holds.
func (s *Session) flushBuffered(ctx context.Context, seq, next uint32) error {
	if err := s.setRate(ctx, plist.Dict{"rate": int64(0)}); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	req, err := withList(rtsp.Request{Method: "FLUSHBUFFERED"},
		plist.Dict{"flushUntilSeq": int64(seq & (1<<23 - 1)), "flushUntilTS": int64(next)})
	if err != nil {
		return err
	}
	_, err = s.ask(ctx, req)
	return err
}

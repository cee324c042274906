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

// anchorAfter is how long after the first block the anchor follows:
// shairport-sync 5.1 ends where it is told when to play before it has anything
// to play, and knows the time already [T].
const anchorAfter = 30 * time.Millisecond

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
		s.plan(anchor, now.Add(anchorAgain))
		return
	}
	err := s.setRate(context.Background(), plist.Dict{
		"rate": int64(1), "rtpTime": int64(line.rtp(at)),
		"networkTimeSecs": int64(ns / 1e9), "networkTimeFrac": fraction(ns % 1e9),
		"networkTimeTimelineID": int64(clock), "networkTimeFlags": int64(0),
	})
	if err != nil {
		s.log.Debug().Err(err).Msg("anchor not accepted yet")
		s.plan(anchor, now.Add(anchorAgain))
		return
	}
	s.mu.Lock()
	s.anchoring = false
	s.mu.Unlock()
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

package raop

import (
	"context"
	"time"

	"airplay2mqtt/internal/rtsp"
)

// A chore is something that is asked of the receiver in the background.
type chore int

const (
	repeatVolume chore = iota
	tellTags
	keepAlive
	checkTiming
	yield
	chores
)

const (
	// HomePods and Apple TVs close what was quiet for 30 s or more
	// (philippe44/libraop#8, #39, #44).
	keepAliveBetween = 20 * time.Second
	// keepAlivePatience is that of two ordinary requests.
	keepAlivePatience = 20 * time.Second
	// settled is when a receiver has put its own volume behind it, after
	// RECORD (docs/protocols/raop.md, volume).
	settled = 150 * time.Millisecond
)

// doChores is the goroutine that asks in the background.
func (s *Session) doChores() {
	defer s.wg.Done()
	now := time.Now()
	s.agenda.Plan(keepAlive, now.Add(keepAliveBetween))
	s.agenda.Plan(checkTiming, now.Add(timingSilence))
	k := keeper{s: s}
	s.agenda.Run(s.end.Over(), func(c chore) { s.do(c, &k) })
}

func (s *Session) do(c chore, k *keeper) {
	switch c {
	case repeatVolume:
		s.repeatVolume()
	case tellTags:
		s.tellTags()
	case keepAlive:
		k.keepAlive()
		s.agenda.Plan(keepAlive, time.Now().Add(keepAliveBetween))
	case checkTiming:
		s.checkTiming()
	case yield:
		s.yield()
	}
}

// repeatVolume sets again what we have set before.
func (s *Session) repeatVolume() {
	if err := s.volume.Repeat(s.end.Over(), s.sendVolume); err != nil {
		s.log.Debug().Err(err).Msg("volume not repeated")
	}
}

// repeatVolumeAfterTiming plans that for a receiver that first asked for the
// time when the repetition after RECORD was over: only now does it play.
func (s *Session) repeatVolumeAfterTiming() {
	s.mu.Lock()
	late := !s.recorded.IsZero() && time.Since(s.recorded) > settled
	s.mu.Unlock()
	if late {
		s.agenda.Plan(repeatVolume, time.Now())
	}
}

// checkTiming asks a receiver that has stopped asking us whether it is there.
func (s *Session) checkTiming() {
	next := timingSilence
	if last := s.lastAsked.Load(); last != 0 {
		silent := time.Since(s.born) - time.Duration(last)
		if silent >= timingSilence {
			s.agenda.Plan(keepAlive, time.Now())
		} else {
			next -= silent
		}
	}
	s.agenda.Plan(checkTiming, time.Now().Add(next))
}

// A keeper keeps the session alive. It belongs to the goroutine that does the
// chores.
type keeper struct {
	s          *Session
	noFeedback bool
}

// keepAlive asks for nothing, by the request that the receiver understands.
// Every answer is good: what counts is that it was asked. No answer ends the
// connection, and so the session.
func (k *keeper) keepAlive() {
	if !k.noFeedback {
		resp, err := k.ask(rtsp.Request{Method: "POST", URI: "/feedback"})
		k.noFeedback = err != nil || resp.Code != 200
		return
	}
	k.ask(rtsp.Request{Method: "OPTIONS", URI: "*"})
}

func (k *keeper) ask(req rtsp.Request) (rtsp.Response, error) {
	return k.s.rtsp.DoWithin(context.Background(), keepAlivePatience, k.s.dress(req))
}

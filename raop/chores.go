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

// plan puts a chore on the agenda, unless it is due earlier anyway.
func (s *Session) plan(c chore, at time.Time) {
	s.mu.Lock()
	if due := s.agenda[c]; due.IsZero() || at.Before(due) {
		s.agenda[c] = at
	}
	s.mu.Unlock()
	wake(s.wakeChore)
}

// doChores is the goroutine that asks in the background, one thing at a time,
// so that a slow receiver delays nothing but its own chores.
func (s *Session) doChores() {
	defer s.wg.Done()
	now := time.Now()
	s.plan(keepAlive, now.Add(keepAliveBetween))
	s.plan(checkTiming, now.Add(timingSilence))
	timer := time.NewTimer(0)
	defer timer.Stop()
	k := keeper{s: s}
	for {
		select {
		case <-s.over:
			return
		case <-s.wakeChore:
		case <-timer.C:
		}
		c, wait := s.nextChore(time.Now())
		if c < chores {
			s.do(c, &k)
			wait = 0
		}
		timer.Reset(wait)
	}
}

// nextChore takes the chore that is due longest from the agenda. If none is,
// it returns chores, and when to look again.
func (s *Session) nextChore(now time.Time) (next chore, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next = chores
	var first time.Time
	for c, due := range s.agenda {
		if !due.IsZero() && (first.IsZero() || due.Before(first)) {
			next, first = chore(c), due
		}
	}
	switch {
	case next == chores:
		return chores, time.Hour
	case now.Before(first):
		return chores, first.Sub(now)
	}
	s.agenda[next] = time.Time{}
	return next, 0
}

func (s *Session) do(c chore, k *keeper) {
	switch c {
	case repeatVolume:
		s.repeatVolume()
	case tellTags:
		s.tellTags()
	case keepAlive:
		k.keepAlive()
		s.plan(keepAlive, time.Now().Add(keepAliveBetween))
	case checkTiming:
		s.checkTiming()
	case yield:
		s.yield()
	}
}

// repeatVolume sets again what we have set before.
func (s *Session) repeatVolume() {
	select {
	case s.volumeTurn <- struct{}{}:
		defer func() { <-s.volumeTurn }()
	case <-s.over:
		return
	}
	s.mu.Lock()
	v := s.volume
	s.mu.Unlock()
	if !v.set {
		return
	}
	if err := s.sendVolume(context.Background(), v.level); err != nil {
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
		s.plan(repeatVolume, time.Now())
	}
}

// checkTiming asks a receiver that has stopped asking us whether it is there.
func (s *Session) checkTiming() {
	next := timingSilence
	if last := s.lastAsked.Load(); last != 0 {
		silent := time.Since(s.born) - time.Duration(last)
		if silent >= timingSilence {
			s.plan(keepAlive, time.Now())
		} else {
			next -= silent
		}
	}
	s.plan(checkTiming, time.Now().Add(next))
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

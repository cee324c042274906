package airplay

import (
	"context"
	"time"

	"airplay2mqtt/internal/rtsp"
)

// A chore is something that is asked of the receiver in the background.
type chore int

const (
	anchor chore = iota
	repeatVolume
	tellTags
	feedback
	yield
	chores
)

const (
	feedbackBetween = 2 * time.Second
	// feedbackPatience is that of three of them: one or two may get lost.
	feedbackPatience = 6 * time.Second
	// settled is when a receiver that drops a volume before sound takes one
	// (docs/protocols/airplay2.md, volume).
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
	s.plan(feedback, time.Now().Add(feedbackBetween))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.over:
			return
		case <-s.wakeChore:
		case <-timer.C:
		}
		c, wait := s.nextChore(time.Now())
		if c < chores {
			s.do(c)
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

func (s *Session) do(c chore) {
	switch c {
	case anchor:
		s.tellAnchor()
	case repeatVolume:
		s.repeatVolume()
	case tellTags:
		s.tellTags()
	case feedback:
		// Every answer is good; none ends the connection, and so the session.
		s.rtsp.DoWithin(context.Background(), feedbackPatience, rtsp.Request{Method: "POST", URI: "/feedback"})
		s.plan(feedback, time.Now().Add(feedbackBetween))
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

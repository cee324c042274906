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

// doChores is the goroutine that asks in the background.
func (s *Session) doChores() {
	defer s.wg.Done()
	s.agenda.Plan(feedback, time.Now().Add(feedbackBetween))
	s.agenda.Run(s.end.Over(), s.do)
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
		s.agenda.Plan(feedback, time.Now().Add(feedbackBetween))
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

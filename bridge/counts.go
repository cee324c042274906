package bridge

import (
	"sync"
	"sync/atomic"

	"airplay2mqtt/airplay"
	"airplay2mqtt/raop"
)

// counts are what is counted of a device's sessions. Its methods may be called
// from any goroutine.
type counts struct {
	dials, failed atomic.Int64

	mu   sync.Mutex
	past sent // by sessions that are over
	open map[*session]func() sent
}

// sent is what sessions have sent, of either protocol.
type sent struct {
	packets, late, refused uint64 // for the first time; not, because it was too late, or the network said no
	asked, resent, copies  uint64 // again: how many were asked for, sent, and sent without being asked for
}

func sentByFirst(s raop.Stats) sent {
	return sent{s.Packets, s.Late, s.SendErrors, s.ResendAsked, s.Resent, s.Copies}
}

func sentBySecond(s airplay.Stats) sent {
	return sent{s.Packets, s.Late, s.SendErrors, s.ResendAsked, s.Resent, 0}
}

func (s sent) and(t sent) sent {
	return sent{
		s.packets + t.packets, s.late + t.late, s.refused + t.refused,
		s.asked + t.asked, s.resent + t.resent, s.copies + t.copies,
	}
}

// dialled counts a try to open a session, unless it was called off.
func (c *counts) dialled(err error, calledOff bool) {
	if err != nil && calledOff {
		return
	}
	c.dials.Add(1)
	if err != nil {
		c.failed.Add(1)
	}
}

func (c *counts) begin(s *session, count func() sent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[*session]func() sent{}
	}
	c.open[s] = count
}

func (c *counts) end(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if count := c.open[s]; count != nil {
		c.past = c.past.and(count())
		delete(c.open, s)
	}
}

// sum is what all sessions have sent so far, and how many are open.
func (c *counts) sum() (all sent, open int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all = c.past
	for _, count := range c.open {
		all = all.and(count())
	}
	return all, len(c.open)
}

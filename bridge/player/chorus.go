package player

import (
	"context"
	"sync"
	"time"
)

const (
	// chorusPatience is how long players that are ready wait for others.
	chorusPatience = 700 * time.Millisecond
	// settling is how long silencing a receiver and turning its volume take.
	settling = 60 * time.Millisecond
)

// A chorus is an announcement that several players begin at one instant: when
// all who take part are ready, or one has waited for long enough. Who comes
// later begins by itself: what is announced is heard whole.
type chorus struct {
	over func() // told when it is over for all; must not block

	mu     sync.Mutex // a leaf
	open   int        // how many have not said whether they are ready
	inside int        // how many for whom it is not over
	lead   time.Duration
	at     time.Time // zero: not decided
	calls  []func()  // those who are ready
}

// A chair is one player's place in a chorus. A nil one is that of a soloist.
type chair struct {
	chorus *chorus

	// Guarded by the chorus.
	seated, gone bool
}

// A choral is an Announce of which others hear the same.
type choral struct {
	Announce
	chair *chair
}

func (choral) command() {}

// sit says that a player is ready, given how long it needs, and returns when to
// begin; zero: that is not decided yet, and call will tell.
func (c *chair) sit(lead time.Duration, call func()) time.Time {
	s := c.chorus
	s.mu.Lock()
	if s.at.IsZero() && !c.seated && !c.gone {
		c.seated = true
		s.open--
		s.lead = max(s.lead, lead)
		s.calls = append(s.calls, call)
	}
	all := s.open <= 0
	s.mu.Unlock()
	if all {
		s.unite()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// stand says that it is over for a player, whatever it did.
func (c *chair) stand() {
	s := c.chorus
	s.mu.Lock()
	last := false
	if !c.gone {
		c.gone = true
		s.inside--
		last = s.inside == 0
		if !c.seated {
			s.open--
		}
	}
	all := s.open <= 0
	s.mu.Unlock()
	if all {
		s.unite()
	}
	if last {
		s.over()
	}
}

// unite decides when it begins, with those who are ready.
func (s *chorus) unite() {
	s.mu.Lock()
	var calls []func()
	if s.at.IsZero() && len(s.calls) > 0 {
		s.at = time.Now().Add(s.lead + settling)
		calls, s.calls = s.calls, nil
	}
	s.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// attuned tells whether an announcement may begin now: alone, or when the others
// do.
func (p *Player) attuned(a *announcement) bool {
	if a.chair == nil {
		return true
	}
	a.at = a.chair.sit(chimeLead(p.session), func() {
		p.mail.put(func(ctx context.Context) { p.enter(ctx, a) })
	})
	if a.at.IsZero() {
		p.entry.set(chorusPatience)
		return false
	}
	p.entry.off()
	return true
}

// enter begins an announcement that has waited for others.
func (p *Player) enter(ctx context.Context, a *announcement) {
	if p.speaking == a && a.voice == nil && p.session != nil {
		p.utter(ctx)
	}
}

// unite begins an announcement without those who are not ready.
func (p *Player) unite() {
	p.entry.off()
	if a := p.speaking; a != nil && a.voice == nil && a.chair != nil {
		a.chair.chorus.unite()
	}
}

// sing has all members announce something at one instant. What they hear of us
// goes on softer, or waits.
func (p *Player) sing(ctx context.Context, c Announce, answer func(error)) {
	if len(p.roster) == 0 {
		answer(ErrNobody)
		return
	}
	s := &chorus{open: len(p.roster), inside: len(p.roster)}
	s.over = func() { p.mail.put(p.sung) }
	if p.policyOf(c) == Interrupt && p.show != nil && !p.paused && p.pause(ctx) == nil {
		p.interrupted = p.paused
	}
	p.deal(answer, func(g *guest, answer func(error)) error {
		seat := &chair{chorus: s}
		err := g.player.Send(choral{c, seat}, func(err error) {
			if err != nil {
				seat.stand()
			}
			answer(err)
		})
		if err != nil {
			seat.stand()
		}
		return err
	})
}

// sung goes on with what was interrupted for what the members have announced.
func (p *Player) sung(ctx context.Context) {
	if p.interrupted {
		p.carryOn(ctx)
	}
}

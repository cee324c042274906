package player

import (
	"context"
	"time"
)

const (
	// redialSoon and redialSeldom are the time before a member whose speaker is lost dials
	// it again, at first and at last; redialPatience is how long that may take.
	redialSoon     = 500 * time.Millisecond
	redialSeldom   = 2 * time.Second
	redialPatience = 4 * time.Second
)

// A membership is what a player is in the groups of others.
type membership struct {
	home    *Player     // whose group it has joined; nil: none
	called  *invitation // which it has accepted; nil: none, it plays on its own
	lent    *loan       // its session, as its leader has it; nil: there is none, or it needs it itself
	wanted  *float64    // how loud it is to be when it lends that; nil: as it is
	mirror  State       // what its leader tells
	redial  alarm       // when to dial a speaker that was lost again
	backoff time.Duration
}

// join asks a leader to be taken into its group.
func (p *Player) join(leader *Player, answer func(error)) {
	switch {
	case p.conducts() || leader == nil:
		answer(errNoGroup)
		return
	case leader == p:
		answer(ErrSelf)
		return
	case p.leads():
		answer(ErrFollows)
		return
	}
	if !leader.mail.put(func(context.Context) { leader.admitMember(p, answer) }) {
		answer(ErrClosed)
	}
}

// joined takes over that a leader has taken us into its group.
func (p *Player) joined(ctx context.Context, leader *Player) {
	if p.home != leader {
		p.moveOut()
	}
	if p.called != nil && p.called.leader != leader {
		p.excuse(ctx)
	}
	p.home = leader
}

// unjoin leaves all groups, and sends away who has joined ours.
func (p *Player) unjoin(ctx context.Context) {
	p.moveOut()
	p.excuse(ctx)
	p.sendHome(ctx)
}

// moveOut leaves the group that was joined.
func (p *Player) moveOut() {
	home := p.home
	p.home = nil
	if home != nil {
		home.mail.put(func(ctx context.Context) { home.forget(ctx, p) })
	}
}

// sentHome takes over that the leader has no group any more.
func (p *Player) sentHome(ctx context.Context, leader *Player) {
	if p.home == leader {
		p.home = nil
	}
	if p.called != nil && p.called.leader == leader {
		p.excuse(ctx)
	}
}

// onItsOwn leaves all groups because something of our own is heard now.
func (p *Player) onItsOwn(ctx context.Context) {
	p.moveOut()
	p.excuse(ctx)
}

// calledBy ends what is heard, and lends the session to a leader as soon as
// there is one.
func (p *Player) calledBy(ctx context.Context, inv *invitation, volume *float64) {
	switch {
	case p.leaving:
		inv.leader.mail.put(func(ctx context.Context) { inv.leader.missed(ctx, inv, ErrClosed) })
		return
	case p.called == inv && p.lent != nil:
		return
	case p.called == inv: // it was not there the last time
		p.wanted, p.mirror.Status = volume, Buffering
		p.redial.off()
		return
	}
	p.excuse(ctx)
	p.disband(ctx)
	gone := p.empty()
	if b := p.main; b != nil {
		gone = append(gone, b)
		p.conclude(ctx, Replaced)
	}
	p.interrupted = false
	p.called, p.wanted, p.backoff = inv, volume, 0
	p.mirror = State{Status: Buffering}
	if len(gone) > 0 {
		p.leave()
	}
	p.idle.off()
	p.notify()
	giveAll(gone, ErrReplaced)
}

// offer lends the session to the leader, as soon as there is one that is not
// needed otherwise.
func (p *Player) offer(ctx context.Context) {
	inv := p.called
	switch {
	case inv == nil || p.lent != nil:
	case p.session == nil:
		if p.dialing == nil && p.redial.C() == nil && p.follows() {
			p.dial(ctx)
		}
	case !p.isLost() && !p.occupied():
		p.applyVolume(ctx, p.wanted)
		if p.session == nil || p.isLost() {
			return // by what was called meanwhile
		}
		p.wanted, p.backoff, p.state.Problem = nil, 0, Problem{}
		session := p.session
		var l *loan
		l = newLoan(session, func(err error) {
			p.mail.put(func(ctx context.Context) { p.spoilt(ctx, l, err) })
		})
		p.lent = l
		p.rest(ctx)
		inv.leader.mail.put(func(ctx context.Context) { inv.leader.borrow(ctx, inv, l) })
		p.observe()
	}
}

// follows tells whether the leader lets something be heard.
func (p *Player) follows() bool {
	return p.mirror.Status == Playing || p.mirror.Status == Buffering
}

// takeBack takes the session back from the leader, silent.
func (p *Player) takeBack(ctx context.Context) {
	l := p.lent
	if l == nil {
		return
	}
	p.lent = nil
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if l.end(limit) && p.session == l.session && !p.isLost() {
		p.flush(ctx)
	}
}

// excuse leaves the leader that has called us. The others go on.
func (p *Player) excuse(ctx context.Context) {
	inv := p.called
	if inv == nil {
		return
	}
	p.part(ctx)
	inv.leader.mail.put(func(ctx context.Context) { inv.leader.excused(ctx, inv) })
}

// released takes over that the leader needs us no more.
func (p *Player) released(ctx context.Context, inv *invitation) {
	if p.called == inv {
		p.part(ctx)
	}
}

// part goes on without the leader.
func (p *Player) part(ctx context.Context) {
	p.takeBack(ctx)
	p.called, p.wanted, p.mirror = nil, nil, State{}
	p.redial.off()
	p.cover(nil)
	if p.main == nil {
		if p.speaking == nil {
			p.hold()
		}
		p.stay()
	}
}

// spoilt goes on without a session that the leader found to be of no use.
func (p *Player) spoilt(ctx context.Context, l *loan, err error) {
	if p.lent == l && p.session == l.session {
		p.forgoSession(ctx, p.ending(err))
	}
}

// forgoSession goes on without the session while the leader plays, and dials again in
// a while. Who has taken the speaker keeps it.
func (p *Player) forgoSession(ctx context.Context, err error) {
	inv, l := p.called, p.lent
	p.lent = nil
	if l != nil {
		l.end(ctx)
	}
	p.state.Problem = p.cfg.Explain(err)
	p.cfg.Logger.Info().Err(err).Msg("a member of a group is lost; the others go on")
	p.release()
	if takenOver(err) {
		p.excuse(ctx)
		return
	}
	p.redialLater()
	inv.leader.mail.put(func(ctx context.Context) { inv.leader.missed(ctx, inv, err) })
}

// unreached goes on where the speaker could not be dialled.
func (p *Player) unreached(err error) {
	inv := p.called
	if p.backoff == 0 {
		p.cfg.Logger.Warn().Err(err).Msg("a member of a group cannot be reached; it is tried again")
	}
	p.state.Problem = p.cfg.Explain(err)
	p.redialLater()
	inv.leader.mail.put(func(ctx context.Context) { inv.leader.missed(ctx, inv, err) })
}

func (p *Player) redialLater() {
	p.backoff = min(max(2*p.backoff, redialSoon), redialSeldom)
	p.redial.set(p.backoff)
}

// mirrored takes over what the leader does.
func (p *Player) mirrored(inv *invitation, s State) {
	if p.called != inv {
		return
	}
	was := p.mirror.Status
	p.mirror = s
	if s.Status == Playing && was != Playing {
		p.observe()
	}
}

// hearNews tells the receiver what the leader plays.
func (p *Player) hearNews(ctx context.Context, inv *invitation, all []news) {
	if p.called == inv && p.lent != nil {
		p.inform(ctx, all...)
	}
}

// forward has the leader obey a command that is about what all hear. It tells
// whether it did.
func (p *Player) forward(ctx context.Context, o order) bool {
	if p.called == nil {
		return false
	}
	if _, ok := o.command.(Pause); ok && (p.occupied() || len(p.bids) > 0) {
		p.hush(ctx)
	}
	if err := p.called.leader.Send(o.command, o.answer); err != nil {
		o.answer(err)
	}
	return true
}

// public is the state as it is told: of a member, what its leader plays, as loud
// as it is here.
func (p *Player) public() State {
	s := p.state
	if p.called != nil {
		s = p.mirror
		s.Volume, s.VolumeKnown, s.Muted, s.Chosen = p.state.Volume, p.state.VolumeKnown, p.state.Muted, p.state.Chosen
		s.Announcing, s.Confidence = p.state.Announcing, p.state.Confidence
		if p.state.Problem != (Problem{}) {
			s.Problem = p.state.Problem
		}
		if p.lent == nil && s.Status == Playing && p.state.Announcing == "" {
			s.Status = Buffering
		}
		s.Leader = p.called.leader.cfg.Name
	} else if p.home != nil {
		s.Leader = p.home.cfg.Name
	}
	if s.Joined = ""; p.home != nil {
		s.Joined = p.home.cfg.Name
	}
	s.Members = p.names()
	if p.conducts() {
		s.Volume, s.VolumeKnown, s.Muted = p.mean()
		s.Chosen = s.Volume
	}
	return s
}

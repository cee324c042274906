package player

import (
	"context"
	"slices"
	"strings"
	"time"
)

const (
	// quickMuster and muster are how long the first packet waits for members
	// that have no session yet: the first where it is to be heard at once.
	quickMuster, longMuster = 700 * time.Millisecond, 3 * time.Second
	quick                   = 400 * time.Millisecond
	// deserted is how long a sound goes on that no member can hear.
	desertion = 10 * time.Second
	// keepMembers is how long members are kept after the last sound where the
	// session is kept for ever.
	keepMembers = 10 * time.Second
)

// A leadership is what a player is in its own group.
type leadership struct {
	roster   []*guest
	muster   alarm // until when the first packet waits for members
	deserted alarm // when to give up what no member can hear
	dissolve alarm // when to let the members go
}

// A guest is a member as its leader sees it.
type guest struct {
	player *Player
	fixed  bool        // by Lead
	joined bool        // by Join
	inv    *invitation // nil: it is not called, or has left
	loan   *loan       // its session; nil: it has not lent it
	err    error       // why it has no session, of all that it tried; nil: none failed yet

	level        float64
	known, muted bool
}

// leads tells whether others have joined.
func (p *Player) leads() bool {
	return slices.ContainsFunc(p.roster, func(g *guest) bool { return g.joined })
}

// appoint takes over who the members are.
func (p *Player) appoint(ctx context.Context, members []*Player) error {
	if slices.Contains(members, p) {
		return ErrSelf
	}
	for _, g := range slices.Clone(p.roster) {
		if g.fixed = false; !g.joined && !slices.Contains(members, g.player) {
			p.forget(ctx, g.player)
		}
	}
	for _, m := range members {
		p.enrol(m).fixed = true
	}
	return nil
}

// admitMember takes a player that asks for it into the group.
func (p *Player) admitMember(m *Player, answer func(error)) {
	if p.home != nil || p.leaving {
		answer(ErrFollows)
		return
	}
	if !m.mail.put(func(ctx context.Context) {
		m.joined(ctx, p)
		m.notify()
		answer(nil)
	}) {
		answer(ErrClosed)
		return
	}
	p.enrol(m).joined = true
}

// enrol makes a player a member. If something is heard it joins that.
func (p *Player) enrol(m *Player) *guest {
	for _, g := range p.roster {
		if g.player == m {
			return g
		}
	}
	g := &guest{player: m}
	p.roster = append(p.roster, g)
	m.mail.put(func(context.Context) { m.watchedBy(p) })
	if p.main != nil && !p.paused && p.called == nil {
		p.invite(g, nil)
	}
	return g
}

// forget lets a member go for good.
func (p *Player) forget(ctx context.Context, m *Player) {
	i := slices.IndexFunc(p.roster, func(g *guest) bool { return g.player == m })
	if i < 0 {
		return
	}
	g := p.roster[i]
	if g.joined = false; g.fixed {
		return
	}
	p.roster = slices.Delete(p.roster, i, i+1)
	p.dismissGuest(ctx, g)
	m.mail.put(func(context.Context) { m.unwatchedBy(p) })
}

// sendHome dissolves the group of those that have joined.
func (p *Player) sendHome(ctx context.Context) {
	for _, g := range slices.Clone(p.roster) {
		if g.joined {
			m := g.player
			p.forget(ctx, m)
			m.mail.put(func(ctx context.Context) { m.sentHome(ctx, p) })
		}
	}
}

// summon calls all members, because something is about to be heard.
func (p *Player) summon() {
	if p.undecided() { // films are not for groups
		return
	}
	p.dissolve.off()
	p.deserted.off()
	var volume *float64
	if b := p.main; b != nil && p.conducts() && !b.began {
		volume = b.request.Volume
	}
	waits := false
	for _, g := range p.roster {
		if g.loan == nil {
			p.invite(g, volume)
			waits = true
		}
	}
	waits = waits || len(p.roster) > 0 && p.session == nil && !p.conducts()
	if !waits || p.show != nil {
		return
	}
	p.muster.set(longMuster)
	if p.main != nil && p.lead(p.main) <= quick {
		p.muster.set(quickMuster)
	}
}

// invite calls a member. One that is known to be away is not waited for.
func (p *Player) invite(g *guest, volume *float64) {
	m := g.player
	if g.inv == nil {
		g.inv = &invitation{p, m}
	}
	inv := g.inv
	if !m.mail.put(func(ctx context.Context) { m.calledBy(ctx, inv, volume) }) {
		g.inv, g.err = nil, ErrClosed
	}
}

// assembled tells whether there is all that the first packet waits for.
func (p *Player) assembled() bool {
	there := p.session != nil
	if !there && !p.conducts() && !p.away {
		return false
	}
	for _, g := range p.roster {
		switch {
		case g.loan != nil:
			there = true
		case g.inv != nil && g.err == nil && p.muster.C() != nil:
			return false
		}
	}
	return there
}

// mustered begins without those who are late.
func (p *Player) mustered(ctx context.Context) {
	p.muster.off()
	if p.main != nil && p.show == nil && p.dialing != nil && p.called == nil && len(p.loans()) > 0 {
		p.away, p.cause = true, ErrLate // our own speaker is one of them
	}
	p.goAhead(ctx)
}

// beginWithout lets the members hear what our own speaker cannot, which joins
// them when it can.
func (p *Player) beginWithout(ctx context.Context, err error) {
	p.cfg.Logger.Warn().Err(err).Msg("no session; the members of the group begin without it")
	p.away, p.cause = true, err
	p.redial.set(redialSeldom)
	p.goAhead(ctx)
}

// goAhead begins once all are there that can be, or gives up if nobody can be.
func (p *Player) goAhead(ctx context.Context) {
	p.sound(ctx)
	if (p.conducts() || p.away) && p.main != nil && p.show == nil && p.hopeless() {
		p.fail(p.despair())
	}
}

// hopeless tells whether no member has a session, or soon will.
func (p *Player) hopeless() bool {
	return !slices.ContainsFunc(p.roster, func(g *guest) bool { return g.inv != nil && (g.loan != nil || g.err == nil) })
}

// despair is why nobody hears anything.
func (p *Player) despair() error {
	if p.away {
		return p.cause
	}
	for _, g := range p.roster {
		if g.err != nil {
			return g.err
		}
	}
	return ErrNobody
}

// guest finds the member that an invitation is for; nil: it holds no more.
func (p *Player) guest(inv *invitation) *guest {
	for _, g := range p.roster {
		if g.inv == inv {
			return g
		}
	}
	return nil
}

// borrow takes a member's session, which joins what is heard.
func (p *Player) borrow(ctx context.Context, inv *invitation, l *loan) {
	g := p.guest(inv)
	if g == nil {
		inv.member.mail.put(func(ctx context.Context) { inv.member.released(ctx, inv) })
		return
	}
	if g.loan != nil {
		p.detachLoan(ctx, g.loan)
	}
	g.loan, g.err = l, nil
	p.deserted.off()
	p.reflectTo(g, p.told)
	if b := p.main; b != nil && b.began && p.show != nil {
		p.newsTo(g, tagsAre(b.tags), placeIs(p.show.place(b)))
		if len(b.tags.Artwork) > 0 {
			p.coverOf(g, b.tags.Artwork)
		}
	}
	if f := p.show; f != nil {
		p.children.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 2*patience)
			defer cancel()
			if err := f.stream.Attach(ctx, l); err != nil {
				p.cfg.Logger.Debug().Err(err).Msg("attach") // who owns it learns it from the loan
			}
		})
		return
	}
	p.goAhead(ctx)
}

// detachLoan takes a session out of what is heard.
func (p *Player) detachLoan(ctx context.Context, l *loan) {
	f := p.show
	if f == nil || l == nil {
		return
	}
	p.children.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := f.stream.Detach(ctx, l); err != nil {
			p.cfg.Logger.Debug().Err(err).Msg("detach")
		}
	})
}

// missed goes on without a member, which comes when it can.
func (p *Player) missed(ctx context.Context, inv *invitation, err error) {
	g := p.guest(inv)
	if g == nil {
		return
	}
	p.detachLoan(ctx, g.loan)
	g.loan, g.err = nil, err
	p.thin(ctx)
}

// excused goes on without a member, which has left.
func (p *Player) excused(ctx context.Context, inv *invitation) {
	g := p.guest(inv)
	if g == nil {
		return
	}
	p.detachLoan(ctx, g.loan)
	g.inv, g.loan, g.err = nil, nil, nil
	if p.conducts() && p.main != nil && !slices.ContainsFunc(p.roster, func(g *guest) bool { return g.inv != nil }) {
		gone := p.end(ctx, Stopped)
		p.notify()
		giveAll(gone, ErrReplaced)
		return
	}
	p.thin(ctx)
}

// thin goes on where there are fewer members than before.
func (p *Player) thin(ctx context.Context) {
	switch {
	case p.main == nil:
	case p.show == nil:
		p.goAhead(ctx)
	case p.conducts() && len(p.loans()) == 0 && p.deserted.C() == nil:
		p.deserted.set(desertion)
	}
}

// givenUp ends what no member has heard for a while.
func (p *Player) givenUp() {
	p.deserted.off()
	switch {
	case p.main == nil || p.show == nil:
	case p.paused:
		p.deserted.set(desertion)
	default:
		p.fail(p.despair())
	}
}

// loans are the sessions of members that what is heard is sent to.
func (p *Player) loans() []*loan {
	var loans []*loan
	for _, g := range p.roster {
		if g.loan != nil {
			loans = append(loans, g.loan)
		}
	}
	return loans
}

// hushMembers silences the members, and waits for none.
func (p *Player) hushMembers() {
	for _, l := range p.loans() {
		l.hush(&p.children)
	}
}

// dismissGuest lets a member go.
func (p *Player) dismissGuest(ctx context.Context, g *guest) {
	inv, m := g.inv, g.player
	if inv == nil {
		return
	}
	p.detachLoan(ctx, g.loan)
	g.inv, g.loan, g.err = nil, nil, nil
	m.mail.put(func(ctx context.Context) { m.released(ctx, inv) })
}

// disband lets all members go, until something is played again.
func (p *Player) disband(ctx context.Context) {
	p.dissolve.off()
	for _, g := range p.roster {
		p.dismissGuest(ctx, g)
	}
}

// disbandLater lets the members go if nothing else comes for a while.
func (p *Player) disbandLater() {
	if !slices.ContainsFunc(p.roster, func(g *guest) bool { return g.inv != nil }) {
		return
	}
	p.muster.off()
	p.deserted.off()
	if p.cfg.HangUp < 0 {
		p.dissolve.set(keepMembers)
		return
	}
	p.dissolve.set(p.cfg.HangUp)
}

// turnout says which members do not hear what is heard; nil: all do.
func (p *Player) turnout() error {
	var missing []Absence
	if p.away {
		missing = append(missing, Absence{p.cfg.Name, p.cause})
	}
	for _, g := range p.roster {
		switch {
		case g.loan != nil:
		case g.err != nil:
			missing = append(missing, Absence{g.player.cfg.Name, g.err})
		case g.inv != nil:
			missing = append(missing, Absence{g.player.cfg.Name, ErrLate})
		}
	}
	return allBut(missing)
}

// names is who is in the group: of a speaker that leads, itself first.
func (p *Player) names() string {
	var names []string
	for _, g := range p.roster {
		if p.main == nil || g.inv != nil {
			names = append(names, g.player.cfg.Name)
		}
	}
	if len(names) > 0 && !p.conducts() {
		names = append([]string{p.cfg.Name}, names...)
	}
	return strings.Join(names, ",")
}

// mean is how loud the members are.
func (p *Player) mean() (level float64, known, muted bool) {
	n := 0
	muted = len(p.roster) > 0
	for _, g := range p.roster {
		muted = muted && g.muted
		if g.known {
			level += g.level
			n++
		}
	}
	if n == 0 {
		return 0, false, muted
	}
	return level / float64(n), true, muted
}

// reflect tells the members what we do.
func (p *Player) reflect(s State) {
	for _, g := range p.roster {
		p.reflectTo(g, s)
	}
	for _, w := range p.watchers {
		w.mail.put(func(context.Context) { w.hearVolume(p, s) })
	}
}

func (p *Player) reflectTo(g *guest, s State) {
	if inv, m := g.inv, g.player; inv != nil {
		m.mail.put(func(context.Context) { m.mirrored(inv, s) })
	}
}

// newsTo has a member's receiver informed.
func (p *Player) newsTo(g *guest, all ...news) {
	if inv, m := g.inv, g.player; inv != nil && g.loan != nil {
		m.mail.put(func(ctx context.Context) { m.hearNews(ctx, inv, all) })
	}
}

// coverOf shows a cover for a member, too.
func (p *Player) coverOf(g *guest, image []byte) {
	if inv, m := g.inv, g.player; inv != nil {
		m.mail.put(func(context.Context) {
			if m.called == inv {
				m.cover(image)
			}
		})
	}
}

// allAs makes all members as loud as the sound that is heard wants.
func (p *Player) allAs(wanted *float64) {
	for _, g := range p.roster {
		if inv, m := g.inv, g.player; inv != nil && g.loan != nil {
			m.mail.put(func(ctx context.Context) {
				if m.called == inv {
					m.applyVolume(ctx, wanted)
				}
			})
		}
	}
}

// watchedBy tells a leader, from now on, how loud we are.
func (p *Player) watchedBy(leader *Player) {
	if !slices.Contains(p.watchers, leader) {
		p.watchers = append(p.watchers, leader)
	}
	s := p.public()
	leader.mail.put(func(context.Context) { leader.hearVolume(p, s) })
}

func (p *Player) unwatchedBy(leader *Player) {
	p.watchers = slices.DeleteFunc(p.watchers, func(w *Player) bool { return w == leader })
}

// hearVolume takes over how loud a member is.
func (p *Player) hearVolume(m *Player, s State) {
	for _, g := range p.roster {
		if g.player == m {
			g.level, g.known, g.muted = s.Volume, s.VolumeKnown, s.Muted
		}
	}
}

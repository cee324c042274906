package player

import (
	"context"
	"slices"
	"strconv"
	"time"

	"airplay2mqtt/audio"
)

// deskSize is how many announcements may wait.
const deskSize = 16

// An announcement is one Announce, from the moment it is taken on until it is
// over.
type announcement struct {
	request Announce
	id, key string
	policy  Policy
	chair   *chair // among others who announce the same; nil: it is alone
	answer  func(error)
	asked   time.Time     // when it was
	clips   []*audio.Clip // nil: not open yet
	at      time.Time     // when its first frame is to be heard; zero: as soon as may be
	voice   voice         // what lets it be heard; nil: nothing yet
	heard   bool          // its first frame was
	again   bool          // it was begun once more, with another session
}

// A desk is where announcements wait, and the one that is heard.
type desk struct {
	speaking    *announcement   // begun, or as soon as there is a session; nil: none
	bids        []*announcement // that wait, the first in front
	fetched     *announcement   // whose clips are being made; nil: none
	fetching    *child[[]*audio.Clip]
	postponed   []order              // what would disturb the one that is heard
	held        bool                 // one was heard, and what it was heard over has not gone on yet
	interrupted bool                 // it is the announcement's pause
	lately      map[string]time.Time // when the ones of a key were taken on, for the cooldown
	hour        []time.Time          // when those of the last hour were, the oldest first
	announces   int                  // how many there were
	deadline    alarm                // when one has waited for too long
	entry       alarm                // when to begin without other players
}

// announce takes an Announce on, or answers why not.
func (p *Player) announce(ctx context.Context, c Announce, place *chair, answer func(error)) {
	a := &announcement{request: c, key: c.key(), policy: p.policyOf(c), chair: place, answer: answer, asked: time.Now()}
	if err := p.admissible(a); err != nil {
		answer(err)
		return
	}
	var gone *announcement
	if len(p.bids) >= deskSize {
		gone = p.bids[len(p.bids)-1]
		if gone.request.Priority >= c.Priority {
			answer(ErrTooOften)
			return
		}
		p.bids = p.bids[:len(p.bids)-1]
	}
	p.announces++
	a.id = "a" + strconv.Itoa(p.announces)
	p.note(a.key)
	i := len(p.bids)
	for i > 0 && p.bids[i-1].request.Priority < c.Priority {
		i--
	}
	p.bids = slices.Insert(p.bids, i, a)
	if gone != nil {
		gone.give(ErrTooOften)
	}
	if p.speaking != nil && p.speaking.request.Priority < c.Priority && p.able(a) {
		p.give(p.dismiss(ctx, Replaced), ErrReplaced)
	}
}

// policyOf is what becomes of what is playing.
func (p *Player) policyOf(c Announce) Policy {
	if c.Policy == "" {
		return p.cfg.Announcements.Policy
	}
	return c.Policy
}

// admissible tells whether an announcement may be heard at all.
func (p *Player) admissible(a *announcement) error {
	c, now := a.request, time.Now()
	if err := c.check(); err != nil {
		return err
	}
	switch {
	case c.late(now):
		return ErrExpired
	case p.state.Muted && !c.Unmute:
		return ErrMuted
	case p.engaged(a.key):
		return ErrSame
	case a.policy == Skip && (p.busy() || p.speaking != nil), a.policy != Wait && p.filmed():
		return ErrSkipped
	case now.Sub(p.lately[a.key]) < p.cfg.Announcements.Cooldown:
		return ErrTooOften
	}
	first := 0
	for first < len(p.hour) && now.Sub(p.hour[first]) >= time.Hour {
		first++
	}
	p.hour = slices.Delete(p.hour, 0, first)
	if len(p.hour) >= p.cfg.Announcements.PerHour {
		return ErrTooOften
	}
	return nil
}

// engaged tells whether an announcement of a key waits or is heard.
func (p *Player) engaged(key string) bool {
	return p.speaking != nil && p.speaking.key == key ||
		slices.ContainsFunc(p.bids, func(a *announcement) bool { return a.key == key })
}

// note remembers that an announcement was taken on.
func (p *Player) note(key string) {
	now := time.Now()
	p.hour = append(p.hour, now)
	if p.cfg.Announcements.Cooldown <= 0 {
		return
	}
	if p.lately == nil {
		p.lately = map[string]time.Time{}
	}
	for k, at := range p.lately {
		if now.Sub(at) >= p.cfg.Announcements.Cooldown {
			delete(p.lately, k)
		}
	}
	p.lately[key] = now
}

// busy tells whether something is playing, or about to, that an announcement
// may disturb.
func (p *Player) busy() bool {
	return p.main != nil && (!p.paused || p.interrupted) || p.called != nil && p.follows()
}

// occupied tells whether an announcement has the speaker.
func (p *Player) occupied() bool { return p.speaking != nil || p.held }

// able tells whether an announcement can be begun now. It takes its clips out
// of memory if they are there.
func (p *Player) able(a *announcement) bool {
	if a.policy == Wait && p.busy() || p.filmed() {
		return false
	}
	if a.clips == nil {
		a.clips = p.remembered(a.request.Clips)
	}
	return a.clips != nil
}

// remembered returns the clips of sounds if all are in memory.
func (p *Player) remembered(sounds []Sound) []*audio.Clip {
	clips := make([]*audio.Clip, len(sounds))
	for i, s := range sounds {
		clip, ok := p.cfg.Announcements.Kept(s)
		if !ok {
			return nil
		}
		clips[i] = clip
	}
	return clips
}

// herald begins what can be announced, and lets what it was heard over go on
// when nothing else can.
func (p *Player) herald(ctx context.Context) {
	for p.speaking == nil {
		i := slices.IndexFunc(p.bids, p.able)
		if i < 0 {
			break
		}
		a := p.bids[i]
		p.bids = slices.Delete(p.bids, i, i+1)
		p.speaking = a
		p.utter(ctx)
	}
	p.makeClips(ctx)
	p.attendDesk()
	if p.speaking == nil && p.held {
		p.carryOn(ctx)
	}
	if p.speaking != nil && p.speaking.voice == nil {
		p.dial(ctx) // unless there is a session, or one is dialled
	}
}

// makeClips makes the clips of the first announcement that has none. Those of
// one at a time are made, and kept: clips are large.
func (p *Player) makeClips(ctx context.Context) {
	if p.fetching != nil {
		return
	}
	for _, a := range p.bids {
		if a.clips != nil && p.fetched == a {
			return // they wait
		}
	}
	i := slices.IndexFunc(p.bids, func(a *announcement) bool { return a.clips == nil && !(a.policy == Wait && p.busy()) })
	if i < 0 {
		return
	}
	p.fetched = p.bids[i]
	sounds := p.fetched.request.Clips
	p.fetching = bear(ctx, &p.children, fetchPatience, func(ctx context.Context) ([]*audio.Clip, error) {
		clips := make([]*audio.Clip, len(sounds))
		for i, s := range sounds {
			var err error
			if clips[i], err = p.cfg.Announcements.Clip(ctx, s); err != nil {
				return nil, err
			}
		}
		return clips, nil
	}, func([]*audio.Clip) {})
}

// made takes clips.
func (p *Player) made(r result[[]*audio.Clip]) {
	a := p.fetched
	p.fetching = nil
	if r.err == nil {
		a.clips = r.made
		return
	}
	p.fetched = nil
	p.withdraw(a)
	p.deplore(a, r.err)
}

// withdraw takes an announcement out of those that wait.
func (p *Player) withdraw(a *announcement) {
	p.bids = slices.DeleteFunc(p.bids, func(other *announcement) bool { return other == a })
	if p.fetched == a {
		p.fetching.abandon()
		p.fetching, p.fetched = nil, nil
	}
}

// sendAway takes away all announcements that wait, to be answered.
func (p *Player) sendAway() []*announcement {
	gone := p.bids
	p.bids = nil
	p.fetching.abandon()
	p.fetching, p.fetched = nil, nil
	return gone
}

// attendDesk sees to it that we are called when an announcement expires.
func (p *Player) attendDesk() {
	p.deadline.off()
	var first time.Time
	soonest := func(a *announcement) {
		if t := a.request.Expires; !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, a := range p.bids {
		soonest(a)
	}
	if a := p.speaking; a != nil && a.voice == nil {
		soonest(a)
	}
	if !first.IsZero() {
		p.deadline.set(max(time.Until(first)+time.Millisecond, time.Millisecond))
	}
}

// forgo sends away the announcements that have waited for too long.
func (p *Player) forgo() {
	p.deadline.off()
	now := time.Now()
	for _, a := range slices.Clone(p.bids) {
		if a.request.late(now) {
			p.withdraw(a)
			a.give(ErrExpired)
		}
	}
	if a := p.speaking; a != nil && a.voice == nil && a.request.late(now) {
		p.speaking, p.held = nil, true
		a.give(ErrExpired)
	}
}

// give answers who asked for the announcement, once.
func (a *announcement) give(err error) {
	if a == nil || a.answer == nil {
		return
	}
	answer := a.answer
	a.answer = nil
	answer(err)
}

// give answers those who asked for announcements.
func (p *Player) give(gone []*announcement, err error) {
	p.notify()
	for _, a := range gone {
		a.give(err)
	}
}

// postpone has a command wait that would disturb an announcement, and tells
// whether it did.
func (p *Player) postpone(o order) bool {
	if !p.occupied() || !p.disturbs(o.command) {
		return false
	}
	if len(p.postponed) >= inboxSize {
		o.answer(ErrBusy)
		return true
	}
	p.postponed = append(p.postponed, o)
	return true
}

// disturbs tells whether a command would begin another stream.
func (p *Player) disturbs(c Command) bool {
	switch c := c.(type) {
	case Play:
		return p.main == nil || c.Enqueue != EnqueueAdd && c.Enqueue != EnqueueNext
	case PlayPause:
		return p.main == nil || p.paused && !p.interrupted
	case Resume, Seek, Next, Previous:
		return true
	}
	return false
}

package player

import (
	"context"
	"errors"
	"time"

	"airplay2mqtt/audio/stream"
)

// A voice lets clips be heard: an overlay of what is playing, or a stream of
// their own.
type voice interface {
	Heard() <-chan struct{} // closed when the first frame is
	Done() <-chan struct{}  // closed when the last one is, or will never be
	Err() error             // why it will never be; valid once Done is closed
}

// errGone says that the session was given up meanwhile.
var errGone = errors.New("player: the session ended")

// A solo is clips that are heard alone.
type solo struct {
	*stream.Stream
	cancel context.CancelFunc
}

// hears is closed when the announcement is heard. While it is, nobody is told
// again.
func (a *announcement) hears() <-chan struct{} {
	if a == nil || a.voice == nil || a.heard {
		return nil
	}
	return a.voice.Heard()
}

// ends is closed when the announcement has been heard to its end.
func (a *announcement) ends() <-chan struct{} {
	if a == nil || a.voice == nil {
		return nil
	}
	return a.voice.Done()
}

// utter lets the announcement be heard, once there is a session.
func (p *Player) utter(ctx context.Context) {
	a := p.speaking
	p.idle.off()
	switch {
	case a.request.late(time.Now()):
		p.decline(a, ErrExpired)
		return
	case p.state.Muted && !a.request.Unmute:
		p.decline(a, ErrMuted)
		return
	case a.policy == Skip && p.busy():
		p.decline(a, ErrSkipped)
		return
	case p.session == nil:
		p.dial(ctx)
		return
	case !p.attuned(a):
		return
	}
	reel := newReel(a.clips, framesIn(a.request.Lasts))
	if err := p.begins(ctx, a, reel); err != nil {
		p.stumble(ctx, err)
		return
	}
	p.cfg.Logger.Info().Str("announcement", a.id).Msg("announce")
}

// decline sends away the announcement that was to be heard.
func (p *Player) decline(a *announcement, err error) {
	p.speaking, p.held = nil, true
	p.notify()
	a.give(err)
}

// begins begins the announcement in the way that its policy wants, if there is
// anything that it disturbs.
func (p *Player) begins(ctx context.Context, a *announcement, clips *reel) error {
	sounding := p.show != nil && !p.paused && !p.show.over()
	m := p.session.(*mixer)
	others := p.lent != nil || sounding && len(p.loans()) > 0 // who hear the same are not disturbed
	if m.sounds() && (others || sounding && a.policy != Interrupt) {
		return p.duck(ctx, m, a, clips)
	}
	p.takeBack(ctx)
	if sounding {
		if err := p.pause(ctx); err != nil && !errors.Is(err, stream.ErrEnded) {
			return err
		}
		p.interrupted = p.paused
	}
	p.louden(ctx, a)
	if p.session == nil || p.isLost() {
		return p.ending(errGone) // by what was called meanwhile
	}
	p.rest(ctx)
	s := solo{Stream: stream.New(clips, stream.Config{Lead: chimeLead(m), At: a.at, Logger: p.cfg.Logger}, p.session)}
	ctx, s.cancel = context.WithCancel(ctx)
	p.counted(func() { s.Run(ctx) }, s.Stream, a.asked)
	a.voice = s
	return nil
}

// rest says that nothing is being sent that could be spoken over.
func (p *Player) rest(ctx context.Context) {
	if m, ok := p.session.(*mixer); ok {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		m.rest(ctx)
	}
}

// duck lets the announcement be heard over what is playing.
func (p *Player) duck(ctx context.Context, m *mixer, a *announcement, clips *reel) error {
	var o *overlay
	err := p.call(ctx, func(ctx context.Context) (err error) {
		o, err = m.seize(ctx)
		return err
	})
	if err != nil {
		return err
	}
	before := p.loud()
	p.louden(ctx, a)
	bed, wait := p.bed(before), time.Duration(0)
	if a.policy == Interrupt {
		bed = 0
	}
	if p.loud() != before {
		wait = lasting(turning)
	}
	if err := p.call(ctx, func(ctx context.Context) error { return o.speak(ctx, clips, a.at, bed, wait) }); err != nil {
		return err
	}
	a.voice = o
	return nil
}

// span is how many decibels lie between the levels 0 and 1: protocols agree on
// that.
const span = 30

// bed is how loud what is playing is to be while the volume is what it is now
// and was before.
func (p *Player) bed(before float64) float64 {
	if before <= 0 {
		return 0
	}
	return p.cfg.Announcements.Bed * decibels(-span*max(p.loud()-before, 0))
}

// stumble goes on where an announcement could not be begun, or broke off.
func (p *Player) stumble(ctx context.Context, err error) {
	a := p.speaking
	dead := p.session == nil || p.isLost()
	err = p.ending(err)
	fresh := !a.heard && !a.again && !takenOver(err)
	p.stopSpeaking(ctx)
	p.soften(ctx)
	if dead && fresh {
		// The session was kept and is lost; another is dialled.
		p.cfg.Logger.Info().Err(err).Msg("the session that was kept is dead; dial again")
		a.voice, a.again, p.speaking = nil, true, a
		return
	}
	if fresh && errors.Is(err, errMoved) {
		// This machine had stood still for so long that the music began anew.
		p.cfg.Logger.Info().Str("announcement", a.id).Msg("the music has begun anew; announce again")
		a.voice, a.again, p.speaking = nil, true, a
		p.utter(ctx)
		return
	}
	p.deplore(a, err)
}

// voiced tells that the announcement is heard.
func (p *Player) voiced() {
	a := p.speaking
	a.heard = true
	p.state.Announcing = a.request.activity()
	p.notify() // who has the answer finds the state told
	a.give(nil)
	p.tellOf(a, AnnouncementStarted, "", Problem{})
}

// spoken goes on when the announcement is over.
func (p *Player) spoken(ctx context.Context) {
	a := p.speaking
	select {
	case <-a.hears():
		p.voiced() // however short it was
	default:
	}
	if err := a.voice.Err(); err != nil {
		p.stumble(ctx, err)
		return
	}
	if !a.heard {
		p.voiced() // it had not a single frame
	}
	p.stopSpeaking(ctx)
	p.soften(ctx)
	p.tellOf(a, AnnouncementFinished, Ended, Problem{})
}

// stopSpeaking says that nothing is announced any more.
func (p *Player) stopSpeaking(ctx context.Context) {
	if s, ok := p.speaking.voice.(solo); ok {
		s.cancel()
		select {
		case <-s.Done():
		case <-time.After(patience): // a session that does not heed its context
			p.cfg.Logger.Warn().Msg("left a stream behind that does not end")
		}
		p.rest(ctx)
	}
	if place := p.speaking.chair; place != nil {
		// After our session is lent again: what the leader goes on with then is
		// heard from its beginning.
		if !p.mail.put(func(context.Context) { place.stand() }) {
			place.stand()
		}
	}
	p.speaking, p.held = nil, true
	p.state.Announcing = ""
}

// deplore tells that an announcement could not be heard, or not to its end.
func (p *Player) deplore(a *announcement, err error) {
	p.cfg.Logger.Warn().Err(err).Str("announcement", a.id).Msg("announce")
	if a.heard {
		reason := Failed
		if errors.Is(err, ErrReplaced) {
			reason = Replaced
		}
		p.tellOf(a, AnnouncementFinished, reason, p.cfg.Explain(err))
	}
	p.notify()
	a.give(err)
}

// dismiss ends the announcement because somebody wants it to. It returns who is to
// be answered.
func (p *Player) dismiss(ctx context.Context, reason string) []*announcement {
	a := p.speaking
	if a == nil {
		return nil
	}
	_, alone := a.voice.(solo)
	p.stopSpeaking(ctx)
	if alone && p.session != nil {
		p.flush(ctx)
	}
	p.soften(ctx)
	if a.heard {
		p.tellOf(a, AnnouncementFinished, reason, Problem{})
	}
	return []*announcement{a}
}

// hush ends all announcements, and lets what they were heard over go on.
func (p *Player) hush(ctx context.Context) {
	gone := append(p.sendAway(), p.dismiss(ctx, Stopped)...)
	if m, ok := p.session.(*mixer); ok && m.speaks() {
		// The rest of what was spoken lies in the receiver.
		if err := p.call(ctx, m.bringBack); err != nil {
			p.cfg.Logger.Debug().Err(err).Msg("hush")
		}
	}
	p.give(gone, ErrReplaced)
}

// silence ends all announcements because the speaker is to be silent. It
// returns who is to be answered, also of the commands that have waited.
func (p *Player) silence(ctx context.Context) (gone []*announcement, late []order) {
	over := p.lent != nil || p.show != nil && !p.paused // then it is flushed by who silences that
	speaks := p.speaking != nil
	gone = append(p.sendAway(), p.dismiss(ctx, Stopped)...)
	if m, ok := p.session.(*mixer); ok && speaks && !over && m.speaks() {
		p.flush(ctx)
	}
	p.interrupted, p.held = false, false
	late, p.postponed = p.postponed, nil
	return gone, late
}

// calm ends all announcements and silences the speaker.
func (p *Player) calm(ctx context.Context, silence func(context.Context) error, answer func(error)) {
	gone, late := p.silence(ctx)
	err := silence(ctx)
	if p.main == nil {
		p.stay()
	}
	if p.conducts() {
		for _, g := range p.roster {
			g.player.Send(Hush{}, nil) // one that is too busy will be asked again
		}
	}
	p.give(gone, ErrReplaced)
	for _, o := range late {
		o.answer(ErrReplaced)
	}
	answer(err)
}

// carryOn lets what was playing, and what was asked for meanwhile, go on.
func (p *Player) carryOn(ctx context.Context) {
	p.held = false
	if p.interrupted {
		p.interrupted = false
		p.resume(ctx, func(err error) {
			if err != nil {
				p.cfg.Logger.Warn().Err(err).Msg("resume after an announcement")
			}
		})
	}
	if p.main == nil {
		p.stay()
	}
	p.sound(ctx)
	late := p.postponed
	p.postponed = nil
	for _, o := range late {
		p.obey(ctx, o)
	}
}

// tellOf tells what happens to an announcement.
func (p *Player) tellOf(a *announcement, kind, reason string, problem Problem) {
	p.cfg.Event(Event{Type: kind, PlaybackID: a.id, Reason: reason, Problem: problem})
}

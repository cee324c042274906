package player

import (
	"context"
	"errors"
	"fmt"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
)

// finished goes on when the stream has ended by itself.
func (p *Player) finished(ctx context.Context) {
	p.listen(ctx)
	p.follow(ctx)
	if !p.show.over() {
		return // it was another one
	}
	b, err := p.main, p.show.stream.Err()
	if m, ok := p.session.(*mixer); ok {
		m.sent()
	}
	for _, l := range p.loans() {
		l.sent()
	}
	switch {
	case err == nil && p.away && len(p.loans()) == 0: // nobody has heard the end
		p.fail(p.cause)
	case err == nil && b.part == nil: // it is still being opened
		p.halt()
	case err == nil:
		p.complete(b)
		p.halt()
		p.proceed(ctx, p.ready(p.successor))
		p.notify()
		b.give(nil)
	case errors.Is(err, stream.ErrNoSinks):
		p.broken(ctx, p.ending(err))
	default:
		p.fail(err)
	}
}

// broken ends the performance because the session is of no use any more. One
// that was kept from before may have been lost, or taken by another sender,
// before this sound was asked for: then another is dialled.
func (p *Player) broken(ctx context.Context, err error) {
	b := p.main
	switch {
	case p.warm && !b.began:
		p.cfg.Logger.Info().Err(err).Msg("the session that was kept is dead; dial again")
		if p.show == nil { // the sound is still being opened
			p.release()
			p.dial(ctx)
			return
		}
		p.halt()
		p.release()
		p.fetch(ctx)
	case takenOver(err):
		gone := p.empty()
		p.halt()
		problem := p.cfg.Explain(err)
		p.event(b, PlaybackFinished, TakenOver, problem)
		p.release()
		p.leave()
		p.state.Problem = problem
		giveAll(append(gone, b), fmt.Errorf("%w: %w", ErrTakenOver, err))
	default:
		p.halt()
		p.release()
		p.fail(err)
	}
}

// fail ends all that is played and waits: without a session there is no use
// in going on.
func (p *Player) fail(err error) {
	b, gone := p.main, p.empty()
	p.halt()
	p.lament(b, err)
	p.leave()
	giveAll(append(gone, b), err)
}

// end ends all that is played and waits, because somebody wants it to. It
// returns who is to be answered.
func (p *Player) end(ctx context.Context, reason string) []*playback {
	b, gone := p.main, p.empty()
	if b == nil {
		return nil
	}
	p.conclude(ctx, reason)
	p.leave()
	return append(gone, b)
}

// conclude ends what is heard, because somebody wants it to. Its Play is
// still to be answered.
func (p *Player) conclude(ctx context.Context, reason string) {
	p.quiet(ctx)
	p.event(p.main, PlaybackFinished, reason, Problem{})
	p.clear()
}

// quiet ends the performance and silences the receiver, if it may be heard.
func (p *Player) quiet(ctx context.Context) {
	sounding := p.show != nil && !p.paused
	p.halt()
	if sounding && p.session != nil {
		p.flush(ctx)
	}
}

// flush silences the receiver. A session that cannot is of no use.
func (p *Player) flush(ctx context.Context) {
	if err := p.call(ctx, p.session.Flush); err != nil {
		p.cfg.Logger.Warn().Err(err).Msg("flush")
		p.release()
	}
}

// halt ends the performance and lets go of the sound that is heard. What was
// opened ahead is kept.
func (p *Player) halt() {
	p.look.off()
	p.retitle.off()
	p.crossing.off()
	p.absent.forget()
	p.dim()
	if f := p.show; f != nil {
		f.cancel()
		select {
		case <-f.stream.Done():
		case <-time.After(patience): // a session that does not heed its context
			p.cfg.Logger.Warn().Msg("left a stream behind that does not end")
		}
		if f.stream.Err() != nil && !p.paused { // it was not heard to its end
			p.hushMembers()
		}
		p.show = nil
	}
	b := p.main
	if b == nil {
		return
	}
	if p.coming == b {
		p.opening.abandon()
		p.coming, p.opening = nil, nil
	}
	if track := b.track; track.Source != nil {
		p.children.Go(func() { track.Close() }) // may wait for the network
	}
	b.track = audio.Track{}
}

// clear says that nothing is heard.
func (p *Player) clear() {
	if p.resuming != nil {
		p.resuming(ErrReplaced)
		p.resuming = nil
	}
	p.paused = false
	p.state = State{
		Status: Idle,
		Volume: p.state.Volume, VolumeKnown: p.state.VolumeKnown, Muted: p.state.Muted, Chosen: p.state.Chosen,
		Repeat: p.state.Repeat, Problem: p.state.Problem, Announcing: p.state.Announcing,
	}
	p.cover(nil)
}

// leave forgets all that was played, and hangs up if nothing else comes.
func (p *Player) leave() {
	p.halt()
	p.main = nil
	p.recall()
	p.past = nil
	p.clear()
	p.hold()
	p.stay()
	p.disbandLater()
}

// event tells what happens to a playback.
func (p *Player) event(b *playback, kind, reason string, problem Problem) {
	p.cfg.Event(Event{
		Type: kind, PlaybackID: b.id, Reason: reason, Problem: problem,
		URL: b.request.URL, File: b.request.File,
		Title: b.tags.Title, Artist: b.tags.Artist, Album: b.tags.Album,
	})
}

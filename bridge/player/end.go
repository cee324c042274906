package player

import (
	"context"
	"errors"
	"fmt"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
)

// finished ends the playback whose stream has ended by itself.
func (p *Player) finished(ctx context.Context) {
	p.listen(ctx)
	p.begun(ctx)
	b, err := p.main, p.main.stream.Err()
	switch {
	case err == nil:
		p.event(PlaybackFinished, Ended, Problem{})
		p.leave()
		b.give(nil)
	case errors.Is(err, stream.ErrNoSinks):
		p.broken(ctx, p.ending(err))
	default:
		p.fail(err)
	}
}

// broken ends the playback because the session is of no use any more. One
// that was kept from before may have been lost, or taken by another sender,
// before this sound was asked for: then another is dialled.
func (p *Player) broken(ctx context.Context, err error) {
	b := p.main
	switch {
	case b.warm && !b.began:
		p.cfg.Logger.Info().Err(err).Msg("the session that was kept is dead; dial again")
		if b.stream == nil { // the sound is still being opened
			p.release()
			p.dial(ctx)
			return
		}
		p.halt()
		p.release()
		p.fetch(ctx)
	case takenOver(err):
		p.halt()
		problem := p.cfg.Explain(err)
		p.event(PlaybackFinished, TakenOver, problem)
		p.release()
		p.leave()
		p.state.Problem = problem
		b.give(fmt.Errorf("%w: %w", ErrTakenOver, err))
	default:
		p.halt()
		p.release()
		p.fail(err)
	}
}

// fail ends the playback with an error.
func (p *Player) fail(err error) {
	b := p.main
	p.cfg.Logger.Warn().Err(err).Str("playback", b.id).Msg("play")
	problem := p.cfg.Explain(err)
	p.event(PlaybackFailed, Failed, problem)
	p.leave()
	p.state.Problem = problem
	b.give(err)
}

// end ends the playback, if there is one, because somebody wants it to. Its
// Play is still to be answered.
func (p *Player) end(ctx context.Context, reason string) {
	b := p.main
	if b == nil {
		return
	}
	sounding := b.stream != nil && !b.paused
	p.halt()
	if sounding && p.session != nil {
		p.flush(ctx)
	}
	p.event(PlaybackFinished, reason, Problem{})
	p.leave()
}

// flush silences the receiver. A session that cannot is of no use.
func (p *Player) flush(ctx context.Context) {
	if err := p.call(ctx, p.session.Flush); err != nil {
		p.cfg.Logger.Warn().Err(err).Msg("flush")
		p.release()
	}
}

// halt ends the stream and lets go of the sound.
func (p *Player) halt() {
	b := p.main
	p.opening.abandon()
	p.opening = nil
	p.look.off()
	p.retitle.off()
	if b.stream != nil {
		b.cancel()
		select {
		case <-b.stream.Done():
		case <-time.After(patience): // a session that does not heed its context
			p.cfg.Logger.Warn().Msg("left a stream behind that does not end")
		}
		b.stream, b.states, b.sink = nil, nil, nil
	}
	if track := b.track; track.Source != nil {
		p.children.Go(func() { track.Close() }) // may wait for the network
	}
	b.track = audio.Track{}
}

// leave forgets the playback, and hangs up if no other comes.
func (p *Player) leave() {
	p.halt()
	p.main = nil
	if p.waiting != nil {
		p.waiting(ErrReplaced)
		p.waiting = nil
	}
	p.state = State{
		Status: Idle,
		Volume: p.state.Volume, VolumeKnown: p.state.VolumeKnown, Muted: p.state.Muted,
		Problem: p.state.Problem,
	}
	if p.artwork {
		p.artwork = false
		p.cfg.Artwork(nil)
	}
	p.dialing.abandon()
	p.dialing = nil
	if p.session != nil {
		p.idle.set(p.cfg.HangUp)
	}
}

// event tells what happens to the playback.
func (p *Player) event(kind, reason string, problem Problem) {
	p.cfg.Event(Event{
		Type: kind, PlaybackID: p.main.id, Reason: reason, Problem: problem,
		URL: p.state.URL, File: p.state.File,
		Title: p.state.Title, Artist: p.state.Artist, Album: p.state.Album,
	})
}

package player

import (
	"context"
	"sync/atomic"
	"time"

	"airplay2mqtt/audio/stream"
)

// A performance is how playbacks are heard one after another without a gap: a
// stream of a medley. The first playback that is heard begins it, and it ends
// when what is heard is to be something else than comes by itself.
type performance struct {
	medley *medley
	stream *stream.Stream
	cancel context.CancelFunc // of the stream
	sink   Session            // what the stream is sent to; nil: nothing
	states chan stream.State  // what the ear hears; the newest only
	ears   atomic.Int32       // the newest of states
	alone  chan error         // why the stream has lost its last sink
}

// perform lets a playback be heard on the session.
func (p *Player) perform(ctx context.Context, b *playback) {
	f := &performance{medley: newMedley(b.part), sink: p.session, states: make(chan stream.State, 1), alone: make(chan error, 1)}
	cfg := stream.Config{
		Lead:   p.lead(b),
		Whole:  true,
		Linger: absence,
		Notify: f.tell,
		Alone:  f.lament,
		Logger: p.cfg.Logger,
	}
	if b.track.Live {
		cfg.Ahead = -1
	}
	sinks := p.sinks()
	if p.conducts() {
		cfg.Linger = desertion
	}
	f.stream = stream.New(f.medley, cfg, sinks...)
	// Who adds a sound before the last packet has to leave has it follow
	// without a gap, although all of the others has been read by then.
	f.medley.ear, f.medley.last = f.ear, framesIn(max(cfg.Lead, longest(sinks))+haste)
	ctx, f.cancel = context.WithCancel(ctx)
	p.rest(ctx)
	p.counted(func() { f.stream.Run(ctx) }, f.stream, b.awaited()) // finished reads its Err
	p.show = f
}

// haste is how long before its last packet has to leave a stream is told that
// it is the last one.
const haste = 100 * time.Millisecond

// floor is the time between Start and the first frame that a session needs.
func floor(s stream.Sink) time.Duration {
	if f, ok := s.(stream.Floor); ok {
		return f.MinLead()
	}
	return 0
}

// longest is the longest floor of several.
func longest(sinks []stream.Sink) time.Duration {
	var most time.Duration
	for _, s := range sinks {
		most = max(most, floor(s))
	}
	return most
}

// sinks are all that what is heard is sent to.
func (p *Player) sinks() []stream.Sink {
	var sinks []stream.Sink
	if p.session != nil {
		sinks = append(sinks, p.session)
	}
	for _, l := range p.loans() {
		sinks = append(sinks, l)
	}
	return sinks
}

// lead returns how long after its beginning a performance is heard.
func (p *Player) lead(b *playback) time.Duration {
	if b.request.Lead > 0 {
		return b.request.Lead
	}
	return p.cfg.Lead
}

// hears tells what the ear hears, each time that changes.
func (f *performance) hears() <-chan stream.State {
	if f == nil {
		return nil
	}
	return f.states
}

// forsaken tells why the stream has lost its last sink.
func (f *performance) forsaken() <-chan error {
	if f == nil {
		return nil
	}
	return f.alone
}

// lament is called by the stream, and does not block.
func (f *performance) lament(err error) {
	select {
	case f.alone <- err:
	default:
	}
}

// ended is closed when all has been heard.
func (f *performance) ended() <-chan struct{} {
	if f == nil {
		return nil
	}
	return f.stream.Done()
}

// over tells whether all has been heard.
func (f *performance) over() bool {
	select {
	case <-f.ended():
		return true
	default:
		return false
	}
}

// ends tells that a sound was read to its end.
func (f *performance) ends() <-chan struct{} {
	if f == nil {
		return nil
	}
	return f.medley.ends
}

// tell puts the newest state where hears finds it. It is called by one
// goroutine and does not block.
func (f *performance) tell(s stream.State) {
	select {
	case <-f.states:
	default:
	}
	f.ears.Store(int32(s))
	f.states <- s
}

// told is what the ear hears by what was told last.
func (f *performance) told() stream.State { return stream.State(f.ears.Load()) }

// ear returns the frame of the medley that is heard.
func (f *performance) ear() int64 { return nearest(f.stream.Elapsed()) }

// look looks at the part of a playback.
func (f *performance) look(b *playback) look { return f.medley.look(b.part, f.ear()) }

// place returns how far into a playback's sound the ear is. One that is still
// being opened will be heard from where it is to begin.
func (f *performance) place(b *playback) time.Duration {
	if b.part == nil {
		return b.request.Start
	}
	return lasting(f.look(b).place)
}

// heard tells whether the first frame of a playback has been heard. If others
// were before it, that is known a frame later.
func (f *performance) heard(b *playback) bool {
	select {
	case <-f.stream.Heard():
	default:
		return false
	}
	l := f.look(b)
	return l.begun && (l.base == 0 || f.ear() > l.base)
}

// seek goes to another place of a playback's sound.
func (f *performance) seek(ctx context.Context, b *playback, to time.Duration) error {
	return f.stream.Seek(ctx, lasting(f.medley.aim(b.part, framesIn(to))))
}

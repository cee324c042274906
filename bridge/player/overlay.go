package player

import (
	"context"
	"errors"
	"sync"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/loudness"
	"airplay2mqtt/audio/stream"
)

const (
	// ramp is how long the bed takes to become softer, and louder again.
	ramp = audio.Rate / 5
	// turning is how long before the bed comes back the receiver is given to
	// become as loud as it was.
	turning = audio.Rate * 8 / 100
	// leadIn is how many packets of silence precede the clips, for receivers
	// that mute their beginning. They lie within the lead.
	leadIn = 10
	// atOnce is how many packets may leave back to back, and burst how many
	// times faster than they are heard (docs/protocols/raop.md, burst and
	// pacing).
	atOnce, burst = 16, 8
	// alone is how long before it is heard an overlay is sent whose stream has
	// ended.
	alone = time.Second
)

// errNoLine says that there is nothing to speak over.
var errNoLine = errors.New("player: nothing is being sent")

// An overlay is clips that are heard over a stream, which is their bed.
type overlay struct {
	mixer *mixer
	tl    stream.Timeline
	heard chan struct{} // closed when the first frame of the clips is
	done  chan struct{} // closed when the last one is, or will never be
	err   error         // why it will never be; valid once done is closed
	quit  chan struct{}
	once  sync.Once     // closes done
	left  sync.Once     // closes quit
	gone  chan struct{} // closed when it does nothing any more

	// Set by speak, and of its goroutine.
	clips       *reel
	bed         float32   // how loud the stream is meanwhile
	first, last int64     // the frames of the line that the clips lie between
	back        int64     // from here on the bed comes back
	next        int64     // the frame to be sent next
	mixed       int64     // the frame to be mixed next
	clear       time.Time // when all that was sent would have been, at the pace
	lead        time.Duration
	limiter     *loudness.Limiter // nil: the clips are past it
	quantizer   audio.Quantizer
	line        []audio.Frame // mixed and not sent
	payload     [alac.PacketSize]byte
	pcm         [2 * packet]int16
	frames      [packet]audio.Frame
}

// seize silences the receiver and takes the line from the stream. What is to be
// heard is said by speak, which has to follow, or abandon.
func (m *mixer) seize(ctx context.Context) (*overlay, error) {
	o := &overlay{
		mixer: m,
		heard: make(chan struct{}), done: make(chan struct{}), quit: make(chan struct{}), gone: make(chan struct{}),
	}
	if o.tl = m.take(ctx, o); o.tl.IsZero() {
		return nil, errNoLine
	}
	err := m.Session.Flush(ctx)
	if err == nil {
		err = ctx.Err() // who asked has gone
	}
	if err != nil {
		o.abandon(err)
		return nil, err
	}
	return o, nil
}

// speak lets clips be heard, at some time if it is not too late for that. The stream is their bed, as loud as that says, 1
// being as loud as it is; where the receiver's volume is changed meanwhile, the
// bed waits at the end until that has been changed back.
func (o *overlay) speak(ctx context.Context, clips *reel, at time.Time, bed float64, wait time.Duration) error {
	limiter, err := loudness.NewLimiter(audio.Rate, 0)
	if err != nil {
		o.abandon(err)
		return err
	}
	o.clips, o.bed, o.limiter = clips, float32(bed), limiter
	o.lead = max(chimeLead(o.mixer), lasting(leadIn*packet))
	soonest := o.align(o.tl.FrameAt(time.Now().Add(o.lead)))
	o.first = max(soonest, o.tl.FrameAt(at))
	o.last = o.first + clips.total
	o.back = o.last + framesIn(wait)
	o.next = o.align(o.first+1) - (leadIn+1)*packet
	o.mixed = o.next
	o.line = make([]audio.Frame, 0, 3*packet)
	line := stream.Timeline{Rate: o.tl.Rate, Frame: o.next, Time: o.tl.At(o.next)}
	if err := o.mixer.Session.Start(ctx, line); err != nil {
		o.abandon(err)
		return err
	}
	o.mixer.speaking.Go(func() { defer close(o.gone); o.run() })
	return nil
}

// bringBack ends what is spoken, and lets the bed come back.
func (m *mixer) bringBack(ctx context.Context) error {
	o, err := m.seize(ctx)
	if err != nil {
		return err
	}
	return o.speak(ctx, newReel(nil, 0), time.Time{}, 0, 0)
}

// abandon gives up before there is anything to be heard.
func (o *overlay) abandon(why error) {
	o.fail(why)
	close(o.gone)
}

// chimeLead is how long before it is heard what must be heard soon is sent.
func chimeLead(s Session) time.Duration {
	if f, ok := s.(stream.Floor); ok && f.MinLead() > 0 {
		return f.MinLead()
	}
	return 250 * time.Millisecond
}

// align returns the first frame from there on that begins a packet.
func (o *overlay) align(frame int64) int64 {
	off := (frame - o.tl.Frame) % packet
	if off < 0 {
		off += packet
	}
	return frame + (packet-off)%packet
}

// Heard is closed when the first frame of the clips is.
func (o *overlay) Heard() <-chan struct{} { return o.heard }

// Done is closed when the last one is, or will never be, and Err then says why.
func (o *overlay) Done() <-chan struct{} { return o.done }

// Err says why the clips will not be heard to their end.
func (o *overlay) Err() error {
	select {
	case <-o.done:
		return o.err
	default:
		return nil
	}
}

// stop ends the overlay for a reason, if it has not ended, and waits until it
// sends nothing any more.
func (o *overlay) stop(ctx context.Context, why error) {
	o.once.Do(func() {
		o.err = why
		close(o.done)
	})
	o.left.Do(func() { close(o.quit) })
	select {
	case <-o.gone:
	case <-ctx.Done():
	}
}

// run sends until the line is given back.
func (o *overlay) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-o.quit:
			return
		case <-o.mixer.Session.Done():
			o.fail(errors.New("player: the session ended"))
			return
		case <-timer.C:
		}
		wake, over := o.step(time.Now())
		if over {
			return
		}
		timer.Reset(time.Until(wake))
	}
}

// fail says that the clips will not be heard to their end.
func (o *overlay) fail(err error) {
	o.mixer.leave(o)
	o.once.Do(func() {
		o.err = err
		close(o.done)
	})
}

// step sends what may be sent and tells what is heard. It returns when it wants
// to be called next.
func (o *overlay) step(now time.Time) (wake time.Time, over bool) {
	wake, gave, err := o.advance(now)
	if err != nil {
		o.fail(err)
		return now, true
	}
	first, last := o.tl.At(o.first), o.tl.At(o.last)
	switch {
	case now.Before(first):
		return sooner(wake, first), false
	case now.Before(last):
		o.begin()
		return sooner(wake, last), false
	}
	o.begin()
	o.once.Do(func() { close(o.done) })
	if gave {
		o.mixer.leave(o)
	}
	return wake, gave
}

// begin says that the clips are heard.
func (o *overlay) begin() {
	select {
	case <-o.heard:
	default:
		close(o.heard)
	}
}

// sooner returns the earlier of two times.
func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// advance sends packets, and gives the line back once the bed is as it was and
// all that the stream has sent was.
func (o *overlay) advance(now time.Time) (wake time.Time, gave bool, err error) {
	const breath, interval = 4 * time.Millisecond, packet * time.Second / audio.Rate / burst
	if o.clear.Before(now) {
		o.clear = now
	}
	for {
		if len(o.line) == 0 && o.next >= o.back+ramp && o.mixer.give(o, o.next) {
			return now.Add(alone), true, nil
		}
		for len(o.line) < packet {
			if wait := o.mix(now); wait > 0 {
				return now.Add(wait), false, nil
			}
		}
		if o.clear.Sub(now) > (atOnce-1)*interval {
			return now.Add(breath), false, nil
		}
		o.clear = o.clear.Add(interval)
		if err := o.send(); err != nil {
			return now, false, err
		}
	}
}

// send sends the next packet.
func (o *overlay) send() error {
	o.quantizer.Quantize(o.pcm[:], o.line[:packet])
	o.line = append(o.line[:0], o.line[packet:]...)
	p := stream.Packet{Frame: o.next, Payload: alac.AppendVerbatim(o.payload[:0], o.pcm[:])}
	o.next += packet
	return o.mixer.Session.WritePacket(p)
}

// mix adds the next packet to the line, or returns how long to wait for what
// the stream may still send.
func (o *overlay) mix(now time.Time) (wait time.Duration) {
	const breath = 8 * time.Millisecond
	sound, more := o.mixer.recall(&o.payload, o.mixed)
	if !sound {
		left := o.tl.At(o.mixed).Sub(now)
		switch {
		case more && left > o.lead/2: // who sends late has this much left
			return min(left-o.lead/2, breath)
		case !more && left > alone:
			return left - alone
		}
	}
	frames := o.frames[:]
	clear(frames)
	if sound {
		o.lay(frames)
	}
	o.say(frames)
	o.limit(frames)
	o.mixed += packet
	return 0
}

// lay puts what the stream has sent under the clips.
func (o *overlay) lay(frames []audio.Frame) {
	if n, err := alac.DecodeVerbatim(o.pcm[:], o.payload[:]); err != nil || n != packet {
		return // no stream of ours sends such a thing
	}
	for i := range frames {
		gain := o.gain(o.mixed+int64(i)) / 0x8000
		frames[i] = audio.Frame{gain * float32(o.pcm[2*i]), gain * float32(o.pcm[2*i+1])}
	}
}

// gain is how loud the bed is at a frame of the line.
func (o *overlay) gain(frame int64) float32 {
	low := o.bed * rise(o.back-o.first) // where the clips are short it has not come so far
	switch {
	case frame < o.back:
		return o.bed * rise(frame-o.first)
	default:
		return low + (1-low)*rise(frame-o.back)
	}
}

// rise is how much of a ramp so many frames are, from 0 to 1.
func rise(frames int64) float32 { return min(max(float32(frames)/ramp, 0), 1) }

// say puts the clips over the bed.
func (o *overlay) say(frames []audio.Frame) {
	var clip [packet]audio.Frame
	from := max(o.first-o.mixed, 0)
	if from >= packet || o.mixed >= o.last {
		return
	}
	n, _ := o.clips.Read(clip[:packet-from])
	for i, f := range clip[:n] {
		at := &frames[from+int64(i)]
		at[0] += f[0]
		at[1] += f[1]
	}
}

// limit adds frames to the line, so that nothing of the clips with their bed
// clips. It is some frames behind while they last.
func (o *overlay) limit(frames []audio.Frame) {
	if o.limiter == nil {
		o.line = append(o.line, frames...)
		return
	}
	if o.mixed < o.last {
		n := o.limiter.Process(frames)
		o.line = append(o.line, frames[:n]...)
		return
	}
	n := len(o.line)
	o.line = o.line[:n+o.limiter.Delay()]
	n += o.limiter.Flush(o.line[n:])
	o.line = append(o.line[:n], frames...)
	o.limiter = nil
}

package raop

import (
	"time"

	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
)

// A session that nothing is played on is kept awake by silence: shairport-sync
// 3.3 hangs up after two minutes without sound, and amplifiers fall asleep. It
// goes on the line that there is, so that nothing has to be flushed or synced
// for the next sound (docs/protocols/raop.md, warm sessions).
const (
	// idleFor is how long nothing may be sent before silence is.
	idleFor = 30 * time.Second
	// silentFor is how much of it is.
	silentFor = time.Second
	// silenceBetween is the time between wakes meanwhile: three packets.
	silenceBetween = 24 * time.Millisecond
	// silenceLead is how soon before its time silence is sent, at least.
	silenceLead = 120 * time.Millisecond
	// leadIn is the silence in front of what streams send. What is sent here
	// ends before it, so that a sound may begin at any time.
	leadIn = 90 * time.Millisecond
)

// keepAwake is the goroutine that sends silence now and then.
func (s *Session) keepAwake() {
	defer s.wg.Done()
	var pcm [2 * alac.FramesPerPacket]int16
	silence := alac.AppendVerbatim(nil, pcm[:])
	timer := time.NewTimer(idleFor)
	defer timer.Stop()
	for {
		select {
		case <-s.end.Over():
			return
		case <-timer.C:
		}
		timer.Reset(s.breathe(silence, time.Now()))
	}
}

// breathe sends the silence that is due, and returns when to look again.
func (s *Session) breathe(silence []byte, now time.Time) time.Duration {
	lead := max(s.MinLead()-leadIn, silenceLead)
	for {
		packet, wait := s.nextSilence(silence, now, lead)
		if packet == nil {
			return wait
		}
		s.send(packet, now)
	}
}

// nextSilence returns the next packet of silence, or when to look again.
func (s *Session) nextSilence(silence []byte, now time.Time, lead time.Duration) ([]byte, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.beat
	if !b.silence {
		if idle := now.Sub(b.used); idle < idleFor {
			return nil, idleFor - idle
		}
		s.beginSilence(now, lead)
	}
	switch soonest := b.line.tl.FrameAt(now.Add(lead)); {
	case b.end >= b.silenceEnd:
		b.silence, b.used = false, now
		return nil, idleFor
	case b.end > soonest:
		return nil, silenceBetween
	}
	packet := s.stampNow(stream.Packet{Frame: b.end, Payload: silence}, now)
	if packet == nil { // this machine was busy, or asleep: it has come too late
		b.silence, b.used = false, now
		return nil, idleFor
	}
	return packet, 0
}

// beginSilence goes on with the line from where it is by now, or begins one.
func (s *Session) beginSilence(now time.Time, lead time.Duration) {
	b := &s.beat
	if !b.begun {
		b.line = line{tl: stream.Timeline{Rate: 44100, Time: now.Add(lead)}, base: b.next}
		b.begun, b.marker, b.announced = true, true, s.announce(lead)
		b.sync.Begin(now)
		s.wakeSync.Ring()
	}
	b.end = max(b.end, b.line.tl.FrameAt(now.Add(lead)))
	b.silenceEnd = b.end + int64(silentFor*44100/time.Second)
	b.running, b.silence = false, true
}

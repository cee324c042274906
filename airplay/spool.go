package airplay

import (
	"time"

	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/rtp"
)

// A beat is where the sending of sound stands. It is guarded by the session's
// mutex.
type beat struct {
	line     line
	begun    bool // there was a Start, so that there is a line
	running  bool // packets leave
	sounding bool // there was no Flush after the last Start
	sent     bool // something was sent since the last flush
	marker   bool // the next packet is the first after silence
	seq      uint32
	// The frame from of the stream lies at place on the line.
	from, place int64
	tape        tape
	ring        *rtp.Ring
	pcm         [2 * perPacket]int16
	payload     []byte
	block       []byte
	sync        syncPlan
}

// on returns where a frame of the stream lies on the line.
func (b *beat) on(frame int64) int64 { return b.place + frame - b.from }

const (
	// ringSize is how many packets are remembered, 8.2 s.
	ringSize = 1024
	// rest is how long the spooler sleeps at least: a few packets then leave
	// at once, which costs less than waking for each.
	rest = 48 * time.Millisecond
	// backToBack is how many packets leave at once, and breath what comes
	// after them: receivers lose longer bursts.
	backToBack = 16
	breath     = 4 * time.Millisecond
	// farewell is how long silence goes on behind the last sound, for
	// receivers that may run dry at all.
	farewell = 15 * time.Second
	// sendPatience is how long a packet may wait for room in the socket's
	// buffer.
	sendPatience = 20 * time.Millisecond
)

// WritePacket takes a packet of sound, to be sent when its time comes. It
// returns an error only if the session is over.
func (s *Session) WritePacket(p stream.Packet) error {
	select {
	case <-s.over:
		return s.err
	default:
	}
	if len(p.Payload) != alac.PacketSize {
		return errPayload
	}
	s.mu.Lock()
	ready, err := s.put(p)
	s.mu.Unlock()
	if ready {
		wake(s.wakeSpool)
	}
	return err
}

// put lays a packet on the tape and tells whether the spooler ought to look at
// once. s.mu is held.
func (s *Session) put(p stream.Packet) (ready bool, err error) {
	b := &s.beat
	if !b.running {
		return false, nil
	}
	at := b.on(p.Frame)
	inTime, err := b.tape.write(at, p.Payload)
	if err != nil {
		return false, err
	}
	if !inTime {
		s.counts.Late++
		return false, nil
	}
	if b.tape.end < b.tape.cursor+perPacket {
		return false, nil
	}
	return !time.Now().Before(b.line.tl.At(b.tape.cursor).Add(-s.depth)), nil
}

// spool is the goroutine that sends sound, and the only one that does. Where
// there is none it sends silence, so that no receiver runs dry.
func (s *Session) spool() {
	defer s.wg.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-s.over:
			return
		case <-s.wakeSpool:
		case <-timer.C:
		}
		timer.Reset(s.sendDue())
	}
}

// sendDue sends what is due and returns when to look again.
func (s *Session) sendDue() time.Duration {
	for range backToBack {
		now := time.Now()
		packet, wait := s.nextPacket(now)
		if packet == nil {
			return wait
		}
		if s.kind == Realtime {
			s.audio.SetWriteDeadline(now.Add(sendPatience))
		}
		if _, err := s.audio.Write(packet); err != nil {
			s.sendFailed(err, now)
		}
	}
	return breath
}

// nextPacket returns the packet that is due, or when to look again. The packet
// is valid until the next call.
func (s *Session) nextPacket(now time.Time) (packet []byte, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.beat
	if !b.running {
		return nil, time.Hour
	}
	if !now.Before(b.line.tl.At(b.tape.cursor + perPacket)) {
		s.skip(now)
	}
	depth := s.depth
	if b.tape.end < b.tape.cursor+perPacket {
		if depth = s.fill; depth == 0 {
			return nil, time.Hour // WritePacket wakes
		}
		if !s.quirk.endless && now.Sub(b.line.tl.At(b.tape.end)) > farewell {
			b.running = false
			return nil, time.Hour
		}
	}
	if early := b.line.tl.At(b.tape.cursor).Add(-depth).Sub(now); early > 0 {
		return nil, early + rest
	}
	return s.pack(), 0
}

// skip goes on where a packet can still be heard, as after a suspend of this
// machine. s.mu is held.
func (s *Session) skip(now time.Time) {
	b := &s.beat
	behind := b.line.tl.FrameAt(now.Add(s.floor)) - b.tape.cursor
	packets := behind/perPacket + 1
	b.tape.jump(b.tape.cursor + packets*perPacket)
	b.marker = true
	s.counts.Late += uint64(packets)
}

// pack takes the next packet off the tape and seals it. s.mu is held.
func (s *Session) pack() []byte {
	b := &s.beat
	at, seq := b.tape.cursor, b.seq
	due := b.line.tl.At(at + perPacket)
	b.tape.take(&b.pcm)
	b.payload = alac.AppendVerbatim(b.payload[:0], b.pcm[:])
	b.seq++
	marker := b.marker
	b.marker, b.sent = false, true
	s.counts.Packets++
	if s.kind == Buffered {
		b.block = block{seq: seq, time: b.line.rtp(at), ssrc: s.ssrc}.appendTo(b.block[:0], s.sealer, b.payload)
		return b.block
	}
	h := rtp.Header{Marker: marker, Seq: uint16(seq), Time: b.line.rtp(at), SSRC: s.ssrc}
	packet := s.sealer.seal(h.AppendTo(b.ring.Claim(h.Seq)), b.payload)
	b.ring.Keep(h.Seq, len(packet), due)
	return packet
}

package airplay

import (
	"fmt"
	"time"

	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/duty"
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
	filled   bool // the last packet was silence of ours
	seq      uint32
	// The frame from of the stream lies at place on the line.
	from, place int64
	tape        tape
	ring        *rtp.Ring
	pcm         [2 * perPacket]int16
	payload     []byte
	block       []byte
	sync        duty.Syncs
	forget      bool // the next sync bids forget what was before
}

// on returns where a frame of the stream lies on the line.
func (b *beat) on(frame int64) int64 { return b.place + frame - b.from }

const (
	// ringSize is how many packets are remembered, 8.2 s.
	ringSize = 1024
	// rest is how long the spooler sleeps while there is time: as many packets
	// then leave at once, which costs less than waking for each. shortRest is
	// that where little is sent ahead: silence, and all that goes to receivers
	// which must not run dry.
	rest, shortRest = 120 * time.Millisecond, 48 * time.Millisecond
	// backToBack is how many packets leave at once, and breath what comes
	// after them: receivers lose longer bursts.
	backToBack = 16
	breath     = 4 * time.Millisecond
	// farewell is how long silence goes on behind the last sound, for
	// receivers that may run dry at all.
	farewell = 15 * time.Second
)

// WritePacket takes a packet of sound, to be sent when its time comes. It
// returns an error only if the session is over.
func (s *Session) WritePacket(p stream.Packet) error {
	select {
	case <-s.end.Over():
		return s.Err()
	default:
	}
	if len(p.Payload) != alac.PacketSize {
		return errPayload
	}
	s.mu.Lock()
	ready, err := s.put(p)
	s.mu.Unlock()
	if ready {
		s.wakeSpool.Ring()
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
	return s.hurries(time.Now()), nil
}

// hurries tells whether the next packet cannot wait until the spooler has
// rested. s.mu is held.
func (s *Session) hurries(now time.Time) bool {
	left := s.beat.line.tl.At(s.beat.tape.cursor).Sub(now)
	if s.kind == Buffered {
		return left < s.depth
	}
	return left < min(s.floor+2*s.rest, s.depth-2*s.rest)
}

// spool is the goroutine that sends sound, and the only one that does. Where
// there is none it sends silence, so that no receiver runs dry.
func (s *Session) spool() {
	defer s.wg.Done()
	duty.Loop(s.end.Over(), s.wakeSpool, s.sendDue)
}

// sendDue sends what is due and returns when to look again.
func (s *Session) sendDue() time.Duration {
	for range backToBack {
		now := time.Now()
		packet, wait := s.nextPacket(now)
		if packet == nil {
			return wait
		}
		if err := s.send(packet, now); err != nil {
			s.sendFailed(err, now)
		}
		s.sendAgain(now)
	}
	return breath
}

// send sends a packet. A connection for buffered sound that breaks is the end of
// the session.
func (s *Session) send(packet []byte, now time.Time) error {
	if s.kind == Realtime {
		return s.audio.Send(packet, now)
	}
	_, err := s.blocks.Write(packet)
	if err != nil {
		s.fail(fmt.Errorf("%w: its audio port is closed: %w", ErrClosedByReceiver, err))
	}
	return err
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
	depth, pause := s.depth, s.rest
	silent := b.tape.end < b.tape.cursor+perPacket
	if silent {
		if depth, pause = s.fill, shortRest; depth == 0 {
			return nil, time.Hour // WritePacket wakes
		}
		if !s.quirk.endless && now.Sub(b.line.tl.At(b.tape.end)) > farewell {
			b.running = false
			return nil, time.Hour
		}
	}
	early := b.line.tl.At(b.tape.cursor).Add(-depth).Sub(now)
	switch {
	case early <= 0:
		b.filled = silent
		return s.pack(), 0
	case silent && b.sounding: // sound may have come by then
		return nil, min(early+pause, s.rest)
	}
	return nil, early + pause
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
	s.again.Sent()
	return packet
}

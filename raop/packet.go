package raop

import (
	"fmt"
	"math/bits"
	"time"

	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/duty"
	"airplay2mqtt/internal/rtp"
)

// A packet is remembered for as long as it may be asked for: until it is heard.
// Streams send a packet 2.25 s before that at most, unless the listener chose
// to wait longer, and an offset may put it off by 2 s.
const reserve = 3 * time.Second

// ringLimit is how many packets are remembered at most, 16 s.
const ringLimit = 2048

const slotSize = rtp.HeaderSize + alac.PacketSize

// packet builds the next packet in the ring: header and payload, unencrypted.
func (b *beat) packet(p stream.Packet, ssrc uint32, pcm bool) []byte {
	h := rtp.Header{Marker: b.marker, Seq: b.seq, Time: b.line.rtp(p.Frame), SSRC: ssrc}
	b.next, b.end = h.Time+alac.FramesPerPacket, p.Frame+alac.FramesPerPacket
	if b.ring == nil {
		b.remember(0)
	}
	packet := h.AppendTo(b.ring.Claim(b.seq))
	if pcm {
		return appendPCM(packet, p.Payload)
	}
	return append(packet, p.Payload...)
}

// remember makes room for the packets of sound that is heard after lead.
func (b *beat) remember(lead time.Duration) {
	packets := uint(min(max(lead, 0)+reserve, time.Minute) * 44100 / (alac.FramesPerPacket * time.Second))
	room := min(1<<bits.Len(packets), ringLimit) // a power of two, so that numbers may wrap
	if room > b.room {
		b.ring, b.room = rtp.NewRing(room, slotSize), room
	}
}

// appendPCM appends the samples of a verbatim frame, the high byte first: the
// frame's header has 23 bits, so they are all a bit off.
func appendPCM(b, frame []byte) []byte {
	const head, tail = 2, 2
	for i := head; i < len(frame)-tail; i++ {
		b = append(b, frame[i]<<7|frame[i+1]>>1)
	}
	return b
}

// sendFailed counts what the network refused, and what it says of the receiver.
func (s *Session) sendFailed(err error, now time.Time) {
	s.mu.Lock()
	s.counts.SendErrors++
	verdict := s.refusals.Add(err, now)
	s.mu.Unlock()
	switch verdict {
	case duty.Suspicious:
		s.agenda.Plan(keepAlive, now)
	case duty.Hopeless:
		s.fail(fmt.Errorf("%w: its audio port is closed", ErrClosedByReceiver))
	}
}

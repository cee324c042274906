package gptp

import (
	"encoding/binary"
	"fmt"
)

// The kinds of what a Signaling carries, and the one that is looked into.
const (
	requestUnicast = 4
	grantUnicast   = 5
)

// A Signaling carries agreements. Ours either has what Apple's senders say
// once a second, or grants what was requested.
//
//	34     44
//	target type length value …
type Signaling struct {
	Header
	Target   PortID
	Requests []Unicast1588 // of a receiver
	Grants   []Unicast1588 // of ours; none: what Apple's senders say
}

// A Unicast1588 is a kind of message that is to be sent to who asks for it:
// how often, as a power of two in seconds, and for how many seconds.
type Unicast1588 struct {
	Type     Type
	Interval int8
	Duration uint32
}

// NewSignaling returns one without grants.
func NewSignaling(source PortID, seq uint16) Signaling {
	return Signaling{Header: Header{Type: TypeSignaling, Flags: Unicast | Timescale, Source: source, Seq: seq, Control: 5, Interval: -128}}
}

// What Apple's senders say: two extensions of their own, of which nobody
// outside knows the meaning.
const (
	appleFirst  = "\x00\x03\x00\x16\x00\x0d\x93\x00\x00\x01\x00\x00\x03\x01"
	appleSecond = "\x00\x03\x00\x20\x00\x0d\x93\x00\x00\x05\x00\x00\x03\x01"
	appleSize   = 26 + 36
	grantSize   = 4 + 8
)

// AppendTo appends the datagram.
func (s Signaling) AppendTo(b []byte) []byte {
	if len(s.Grants) == 0 {
		b = s.Target.appendTo(s.Header.appendTo(b, HeaderSize+10+appleSize))
		b = append(b, appleFirst...)
		b = append(b, make([]byte, 26-len(appleFirst))...)
		b = append(b, appleSecond...)
		return append(b, make([]byte, 36-len(appleSecond))...)
	}
	b = s.Target.appendTo(s.Header.appendTo(b, HeaderSize+10+len(s.Grants)*grantSize))
	for _, g := range s.Grants {
		b = append(b, 0, grantUnicast, 0, 8, byte(g.Type)<<4, byte(g.Interval))
		b = binary.BigEndian.AppendUint32(b, g.Duration)
		b = append(b, 0, 1) // it may be asked for again
	}
	return b
}

// Unmarshal reads a datagram. Of what it carries, requests and grants for
// unicast are looked at.
func (s *Signaling) Unmarshal(b []byte) error {
	var h Header
	b, err := h.expect(b, HeaderSize+10, TypeSignaling)
	if err != nil {
		return err
	}
	*s = Signaling{Header: h, Target: portID(b[HeaderSize:])}
	for rest := b[HeaderSize+10:]; len(rest) >= 4; {
		kind, size := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		if size > len(rest)-4 {
			return fmt.Errorf("%w: an extension of %d bytes", ErrMalformed, size)
		}
		value := rest[4 : 4+size]
		rest = rest[4+size:]
		if size < 6 {
			continue
		}
		u := Unicast1588{Type: Type(value[0] >> 4), Interval: int8(value[1]), Duration: binary.BigEndian.Uint32(value[2:])}
		switch kind {
		case requestUnicast:
			s.Requests = append(s.Requests, u)
		case grantUnicast:
			s.Grants = append(s.Grants, u)
		}
	}
	return nil
}

// Package gptp has the datagrams by which AirPlay 2 receivers and senders agree
// on the time, as values: a reduced IEEE 1588 in the profile of 802.1AS, over
// UDP.
//
//	var h gptp.Header
//	if err := h.Unmarshal(datagram); err != nil {
//		return err
//	}
//	if h.Type == gptp.TypeDelayReq { … }
//
// Instants are nanoseconds since a beginning that the clock chooses. See
// docs/protocols/airplay2.md, PTP.
package gptp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The ports, for source and destination alike: receivers drop what comes from
// others.
const (
	EventPort   = 319 // Sync, Delay_Req, Pdelay_Req, Pdelay_Resp
	GeneralPort = 320 // all that need not be stamped exactly
)

// A Type is a kind of message.
type Type byte

// The kinds.
const (
	TypeSync               Type = 0x0
	TypeDelayReq           Type = 0x1
	TypePdelayReq          Type = 0x2
	TypePdelayResp         Type = 0x3
	TypeFollowUp           Type = 0x8
	TypeDelayResp          Type = 0x9
	TypePdelayRespFollowUp Type = 0xa
	TypeAnnounce           Type = 0xb
	TypeSignaling          Type = 0xc
)

// The flags that are sent. TwoStep tells that the time of a Sync follows.
const (
	Unicast   uint16 = 0x0400
	TwoStep   uint16 = 0x0200
	Timescale uint16 = 0x0008
)

// ErrMalformed is wrapped by the errors for what is no such message.
var ErrMalformed = errors.New("gptp: malformed message")

// A PortID names the one who speaks.
type PortID struct {
	Clock uint64
	Port  uint16
}

func (p PortID) appendTo(b []byte) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(b, p.Clock), p.Port)
}

func portID(b []byte) PortID {
	return PortID{Clock: binary.BigEndian.Uint64(b), Port: binary.BigEndian.Uint16(b[8:])}
}

// HeaderSize is the length of what stands before every message.
const HeaderSize = 34

// A Header stands before every message. Receivers drop messages whose first
// half byte is not 1, as those of plain IEEE 1588 are.
//
//	0         1  2      4      6     8          16 20     30  32      33
//	10 | type 02 length domain flags correction 0  source seq control interval
type Header struct {
	Type       Type
	Length     int // of the whole message
	Flags      uint16
	Correction int64 // nanoseconds, times 2^16
	Source     PortID
	Seq        uint16
	Control    byte
	Interval   int8 // between messages of this type, as a power of two in seconds
}

func (h Header) appendTo(b []byte, length int) []byte {
	b = append(b, 0x10|byte(h.Type), 2)
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, h.Flags)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Correction))
	b = append(b, 0, 0, 0, 0)
	b = h.Source.appendTo(b)
	b = binary.BigEndian.AppendUint16(b, h.Seq)
	return append(b, h.Control, byte(h.Interval))
}

// Unmarshal reads the header of any message.
func (h *Header) Unmarshal(b []byte) error {
	if len(b) < HeaderSize {
		return fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	length := int(binary.BigEndian.Uint16(b[2:]))
	if b[0]>>4 != 1 || b[1]&0xf != 2 || length < HeaderSize || length > len(b) {
		return fmt.Errorf("%w: not of this profile", ErrMalformed)
	}
	*h = Header{
		Type:       Type(b[0] & 0xf),
		Length:     length,
		Flags:      binary.BigEndian.Uint16(b[6:]),
		Correction: int64(binary.BigEndian.Uint64(b[8:])),
		Source:     portID(b[20:]),
		Seq:        binary.BigEndian.Uint16(b[30:]),
		Control:    b[32],
		Interval:   int8(b[33]),
	}
	return nil
}

// expect reads the header of a message of that type and at least that length,
// and returns the message without what follows it in the datagram.
func (h *Header) expect(b []byte, size int, want ...Type) ([]byte, error) {
	if err := h.Unmarshal(b); err != nil {
		return nil, err
	}
	for _, t := range want {
		if h.Type == t && h.Length >= size {
			return b[:h.Length], nil
		}
	}
	return nil, fmt.Errorf("%w: type %d of %d bytes", ErrMalformed, h.Type, h.Length)
}

// timeSize is the length of an instant: seconds in 48 bits, nanoseconds in 32.
const timeSize = 10

func appendTime(b []byte, ns uint64) []byte {
	seconds := ns / 1e9
	b = binary.BigEndian.AppendUint16(b, uint16(seconds>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(seconds))
	return binary.BigEndian.AppendUint32(b, uint32(ns%1e9))
}

// latest is the last second that is believed, some 270 years from 1970: what
// is later would not fit when it is reckoned with.
const latest = 1 << 33

func parseTime(b []byte) (uint64, error) {
	seconds := uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
	ns := uint64(binary.BigEndian.Uint32(b[6:]))
	if seconds >= latest || ns >= 1e9 {
		return 0, fmt.Errorf("%w: %d.%09d s is no time", ErrMalformed, seconds, ns)
	}
	return seconds*1e9 + ns, nil
}

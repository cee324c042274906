package rtp

import "encoding/binary"

// TypePTPSync is the type of a sync by PTP.
const TypePTPSync = 0x57

// PTPSyncSize is the length of a sync by PTP.
const PTPSyncSize = 28

// A PTPSync ties a frame to an instant of a PTP clock: what is announced is
// the frame Time, at Now; what is heard then is the one 11035 frames before
// it. Latency only says how much a receiver is to hold. The first of a
// timeline bids the receiver forget the timeline before.
//
//	0     1  2    4    8        16           20
//	90/80 d7 0006 time now (ns) time+latency clock
type PTPSync struct {
	First         bool
	Time, Latency uint32
	Now, Clock    uint64
}

// AppendTo appends the datagram.
func (s PTPSync) AppendTo(b []byte) []byte {
	head := byte(0x80)
	if s.First {
		head = 0x90
	}
	b = append(b, head, 0x80|TypePTPSync, 0, 6)
	b = binary.BigEndian.AppendUint32(b, s.Time)
	b = binary.BigEndian.AppendUint64(b, s.Now)
	b = binary.BigEndian.AppendUint32(b, s.Time+s.Latency)
	return binary.BigEndian.AppendUint64(b, s.Clock)
}

// Unmarshal reads a datagram.
func (s *PTPSync) Unmarshal(b []byte) error {
	if err := check(b, TypePTPSync, PTPSyncSize); err != nil {
		return err
	}
	*s = PTPSync{
		First: b[0]&0x10 != 0,
		Time:  binary.BigEndian.Uint32(b[4:]),
		Now:   binary.BigEndian.Uint64(b[8:]),
		Clock: binary.BigEndian.Uint64(b[20:]),
	}
	s.Latency = binary.BigEndian.Uint32(b[16:]) - s.Time
	return nil
}

// A Lost answers a ResendRequest for a packet that is not there any more.
//
//	0  1  2    4   6
//	80 d6 0001 seq 0000
type Lost struct{ Seq uint16 }

// AppendTo appends the datagram.
func (l Lost) AppendTo(b []byte) []byte {
	b = append(b, 0x80, 0x80|TypeResend, 0, 1)
	b = binary.BigEndian.AppendUint16(b, l.Seq)
	return append(b, 0, 0)
}

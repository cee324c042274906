// Package rtp has the datagrams between a sender and a RAOP receiver as
// values: audio headers, syncs, timing, and what is lost and sent again.
//
//	var q rtp.ResendRequest
//	if err := q.Unmarshal(datagram); err != nil {
//		return err
//	}
//
// Sequence numbers and time stamps wrap; all arithmetic on them is modulo
// 2^16 and 2^32. See docs/protocols/raop.md, datagrams.
package rtp

import (
	"encoding/binary"
	"errors"
)

// The types of datagrams: the second byte without its top bit.
const (
	TypeTimingRequest = 0x52
	TypeTimingReply   = 0x53
	TypeSync          = 0x54
	TypeResendRequest = 0x55
	TypeResend        = 0x56
	TypeAudio         = 0x60
)

var (
	errShort = errors.New("rtp: datagram too short")
	errType  = errors.New("rtp: datagram of another type")
)

// Type tells what a datagram is, 0 if it is too short to say.
func Type(b []byte) byte {
	if len(b) < 2 {
		return 0
	}
	return b[1] & 0x7f
}

// check is what all Unmarshal methods do first.
func check(b []byte, want byte, size int) error {
	switch {
	case len(b) < size:
		return errShort
	case Type(b) != want:
		return errType
	}
	return nil
}

// HeaderSize is the length of an audio packet's header.
const HeaderSize = 12

// A Header is what stands before 352 frames of sound. The marker is set on
// the first packet after RECORD or FLUSH.
//
//	0  1     2    4    8    12
//	80 e0/60 seq  time ssrc payload
type Header struct {
	Marker     bool
	Seq        uint16
	Time, SSRC uint32
}

// AppendTo appends the header.
func (h Header) AppendTo(b []byte) []byte {
	second := byte(TypeAudio)
	if h.Marker {
		second |= 0x80
	}
	b = append(b, 0x80, second)
	b = binary.BigEndian.AppendUint16(b, h.Seq)
	b = binary.BigEndian.AppendUint32(b, h.Time)
	return binary.BigEndian.AppendUint32(b, h.SSRC)
}

// Unmarshal reads the header of an audio packet; the rest is the payload.
func (h *Header) Unmarshal(b []byte) error {
	if err := check(b, TypeAudio, HeaderSize); err != nil {
		return err
	}
	*h = Header{
		Marker: b[1]&0x80 != 0,
		Seq:    binary.BigEndian.Uint16(b[2:]),
		Time:   binary.BigEndian.Uint32(b[4:]),
		SSRC:   binary.BigEndian.Uint32(b[8:]),
	}
	return nil
}

// SyncSize is the length of a sync.
const SyncSize = 20

// The fields that stand where RTCP has its length. Receivers of the
// shairport family add 11025 frames of latency to FieldTunes only.
const (
	FieldTunes = 7 // iTunes and every open sender
	FieldIOS   = 4
)

// A Sync ties a frame to an instant: at Now the sender is at frame Time, and
// the receiver is asked to be Latency frames behind it. The first of a
// timeline bids the receiver forget the timeline before.
//
//	0     1  2     4            8         16
//	90/80 d4 field time-latency now (NTP) time
type Sync struct {
	First         bool
	Field         uint16
	Time, Latency uint32
	Now           uint64
}

// AppendTo appends the datagram.
func (s Sync) AppendTo(b []byte) []byte {
	head := byte(0x80)
	if s.First {
		head = 0x90
	}
	b = append(b, head, 0x80|TypeSync)
	b = binary.BigEndian.AppendUint16(b, s.Field)
	b = binary.BigEndian.AppendUint32(b, s.Time-s.Latency)
	b = binary.BigEndian.AppendUint64(b, s.Now)
	return binary.BigEndian.AppendUint32(b, s.Time)
}

// Unmarshal reads a datagram.
func (s *Sync) Unmarshal(b []byte) error {
	if err := check(b, TypeSync, SyncSize); err != nil {
		return err
	}
	*s = Sync{
		First: b[0]&0x10 != 0,
		Field: binary.BigEndian.Uint16(b[2:]),
		Time:  binary.BigEndian.Uint32(b[16:]),
		Now:   binary.BigEndian.Uint64(b[8:]),
	}
	s.Latency = s.Time - binary.BigEndian.Uint32(b[4:])
	return nil
}

// TimingSize is the length of a timing request and of its reply.
const TimingSize = 32

// A Timing is a question for the time, or its answer. The receiver asks and
// fills in Sent only. The answer has that in Reference, and when the question
// came and the answer went.
//
//	0  1     2     4 8         16       24   32
//	80 d2/d3 field 0 reference received sent
type Timing struct {
	Reply                     bool
	Field                     uint16 // 7 in a question; an answer repeats it
	Reference, Received, Sent uint64
}

// Answer returns the reply to a request. Sent is for the caller, as late as
// possible.
func (t Timing) Answer(received uint64) Timing {
	return Timing{Reply: true, Field: t.Field, Reference: t.Sent, Received: received}
}

// AppendTo appends the datagram.
func (t Timing) AppendTo(b []byte) []byte {
	kind := byte(TypeTimingRequest)
	if t.Reply {
		kind = TypeTimingReply
	}
	b = append(b, 0x80, 0x80|kind)
	b = binary.BigEndian.AppendUint16(b, t.Field)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint64(b, t.Reference)
	b = binary.BigEndian.AppendUint64(b, t.Received)
	return binary.BigEndian.AppendUint64(b, t.Sent)
}

// Unmarshal reads a datagram of either kind.
func (t *Timing) Unmarshal(b []byte) error {
	kind := Type(b)
	if kind != TypeTimingReply {
		kind = TypeTimingRequest
	}
	if err := check(b, kind, TimingSize); err != nil {
		return err
	}
	*t = Timing{
		Reply:     kind == TypeTimingReply,
		Field:     binary.BigEndian.Uint16(b[2:]),
		Reference: binary.BigEndian.Uint64(b[8:]),
		Received:  binary.BigEndian.Uint64(b[16:]),
		Sent:      binary.BigEndian.Uint64(b[24:]),
	}
	return nil
}

// A ResendRequest asks for Count packets from First on, which may wrap.
//
//	0  1  2    4     6
//	80 d5 0001 first count
type ResendRequest struct{ First, Count uint16 }

// AppendTo appends the datagram.
func (q ResendRequest) AppendTo(b []byte) []byte {
	b = append(b, 0x80, 0x80|TypeResendRequest, 0, 1)
	b = binary.BigEndian.AppendUint16(b, q.First)
	return binary.BigEndian.AppendUint16(b, q.Count)
}

// Unmarshal reads a datagram. Some receivers leave the top bit of its type
// clear.
func (q *ResendRequest) Unmarshal(b []byte) error {
	if err := check(b, TypeResendRequest, 8); err != nil {
		return err
	}
	q.First, q.Count = binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	return nil
}

// ResendSize is the length of what stands before a packet that is sent again.
const ResendSize = 4

// A Resend stands before the whole audio packet that is sent again.
//
//	0  1  2   4
//	80 d6 seq audio packet
type Resend struct{ Seq uint16 }

// AppendTo appends the datagram's head.
func (r Resend) AppendTo(b []byte) []byte {
	return binary.BigEndian.AppendUint16(append(b, 0x80, 0x80|TypeResend), r.Seq)
}

// Unmarshal reads the head; the packet follows it.
func (r *Resend) Unmarshal(b []byte) error {
	if err := check(b, TypeResend, ResendSize); err != nil {
		return err
	}
	r.Seq = binary.BigEndian.Uint16(b[2:])
	return nil
}

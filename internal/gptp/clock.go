package gptp

import "encoding/binary"

// announceSize is the length of an Announce with its trace of one clock.
const announceSize = 76

// An Announce is a clock that offers itself. Who sees a better one follows
// that.
//
//	34        44  46 47        48    49       50       52        53    61    63     64
//	time (0)  utc 0  priority1 class accuracy variance priority2 clock steps source 0008 0008 clock
type Announce struct {
	Header
	UTCOffset   int16
	Priority1   byte
	Class       byte
	Accuracy    byte
	Variance    uint16
	Priority2   byte
	Grandmaster uint64
	Steps       uint16
	TimeSource  byte
}

// NewAnnounce returns what a sender says of its clock: the figures are those
// of Apple's senders.
func NewAnnounce(source PortID, seq uint16) Announce {
	return Announce{
		Header:    Header{Type: TypeAnnounce, Flags: Unicast | Timescale, Source: source, Seq: seq, Control: 5},
		Priority1: 128, Class: 6, Accuracy: 0x21, Variance: 0x436a, Priority2: 128,
		Grandmaster: source.Clock, TimeSource: 0x20,
	}
}

// AppendTo appends the datagram.
func (a Announce) AppendTo(b []byte) []byte {
	b = a.Header.appendTo(b, announceSize)
	b = append(b, make([]byte, timeSize)...)
	b = binary.BigEndian.AppendUint16(b, uint16(a.UTCOffset))
	b = append(b, 0, a.Priority1, a.Class, a.Accuracy)
	b = binary.BigEndian.AppendUint16(b, a.Variance)
	b = append(b, a.Priority2)
	b = binary.BigEndian.AppendUint64(b, a.Grandmaster)
	b = binary.BigEndian.AppendUint16(b, a.Steps)
	b = append(b, a.TimeSource)
	b = append(b, 0, 8, 0, 8)
	return binary.BigEndian.AppendUint64(b, a.Grandmaster)
}

// Unmarshal reads a datagram; what follows the fixed part is not looked at.
func (a *Announce) Unmarshal(b []byte) error {
	var h Header
	b, err := h.expect(b, 64, TypeAnnounce)
	if err != nil {
		return err
	}
	*a = Announce{
		Header:      h,
		UTCOffset:   int16(binary.BigEndian.Uint16(b[44:])),
		Priority1:   b[47],
		Class:       b[48],
		Accuracy:    b[49],
		Variance:    binary.BigEndian.Uint16(b[50:]),
		Priority2:   b[52],
		Grandmaster: binary.BigEndian.Uint64(b[53:]),
		Steps:       binary.BigEndian.Uint16(b[61:]),
		TimeSource:  b[63],
	}
	return nil
}

// A Stamp is a message with one instant: a Sync or Delay_Req (where it is 0,
// the true one being when they leave), or a Follow_Up, which tells when the
// Sync of the same number left.
//
//	34
//	time
type Stamp struct {
	Header
	Time uint64
}

// NewSync returns a Sync, whose time follows.
func NewSync(source PortID, seq uint16) Stamp {
	return Stamp{Header: Header{Type: TypeSync, Flags: Unicast | TwoStep | Timescale, Source: source, Seq: seq, Interval: -3}}
}

// NewFollowUp returns when the Sync of that number left.
func NewFollowUp(source PortID, seq uint16, left uint64) Stamp {
	return Stamp{Header: Header{Type: TypeFollowUp, Flags: Unicast | Timescale, Source: source, Seq: seq, Control: 2, Interval: -3}, Time: left}
}

// NewDelayReq returns the question when it was received.
func NewDelayReq(source PortID, seq uint16) Stamp {
	return Stamp{Header: Header{Type: TypeDelayReq, Flags: Unicast | Timescale, Source: source, Seq: seq, Control: 1, Interval: 0x7f}}
}

// What Apple's senders append to a Follow_Up: that no time was corrected, as
// 802.1AS wants it, and whose time it is.
const (
	followUpIs   = "\x00\x03\x00\x1c\x00\x80\xc2\x00\x00\x01"
	followUpOf   = "\x00\x03\x00\x10\x00\x0d\x93\x00\x00\x04"
	stampSize    = HeaderSize + timeSize
	followUpSize = stampSize + len(followUpIs) + 22 + len(followUpOf) + 8 + 2
)

// AppendTo appends the datagram.
func (s Stamp) AppendTo(b []byte) []byte {
	if s.Type != TypeFollowUp {
		return appendTime(s.Header.appendTo(b, stampSize), s.Time)
	}
	b = appendTime(s.Header.appendTo(b, followUpSize), s.Time)
	b = append(b, followUpIs...)
	b = append(b, make([]byte, 22)...)
	b = append(b, followUpOf...)
	b = binary.BigEndian.AppendUint64(b, s.Source.Clock)
	return append(b, 0, 0)
}

// Unmarshal reads a datagram of one of those kinds.
func (s *Stamp) Unmarshal(b []byte) error {
	var h Header
	b, err := h.expect(b, stampSize, TypeSync, TypeDelayReq, TypePdelayReq, TypeFollowUp)
	if err != nil {
		return err
	}
	t, err := parseTime(b[HeaderSize:])
	if err != nil {
		return err
	}
	*s = Stamp{Header: h, Time: t}
	return nil
}

// An Answer is a message with one instant for one who asked: a Delay_Resp and
// a Pdelay_Resp say when the question came, a Pdelay_Resp_Follow_Up when the
// answer left.
//
//	34   44
//	time requester
type Answer struct {
	Header
	Time      uint64
	Requester PortID
}

const answerSize = stampSize + 10

// NewAnswer returns the answer of that type to a question.
func NewAnswer(t Type, source PortID, q Header, at uint64) Answer {
	a := Answer{Time: at, Requester: q.Source}
	a.Header = Header{Type: t, Flags: Unicast | Timescale, Source: source, Seq: q.Seq, Control: 5, Interval: 0x7f}
	switch t {
	case TypeDelayResp:
		a.Flags, a.Control, a.Interval = Unicast|TwoStep|Timescale, 3, -3
	case TypePdelayResp:
		a.Flags |= TwoStep
	}
	return a
}

// AppendTo appends the datagram.
func (a Answer) AppendTo(b []byte) []byte {
	return a.Requester.appendTo(appendTime(a.Header.appendTo(b, answerSize), a.Time))
}

// Unmarshal reads a datagram of one of those kinds.
func (a *Answer) Unmarshal(b []byte) error {
	var h Header
	b, err := h.expect(b, answerSize, TypeDelayResp, TypePdelayResp, TypePdelayRespFollowUp)
	if err != nil {
		return err
	}
	t, err := parseTime(b[HeaderSize:])
	if err != nil {
		return err
	}
	*a = Answer{Header: h, Time: t, Requester: portID(b[stampSize:])}
	return nil
}

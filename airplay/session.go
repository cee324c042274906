package airplay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/dacp"
	"airplay2mqtt/internal/duty"
	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/ntp"
	"airplay2mqtt/internal/parameter"
	"airplay2mqtt/internal/rtsp"

	"github.com/rs/zerolog"
)

// A Session is a connection with a receiver that has agreed to play. It is a
// stream.Sink. Its methods may be called by any goroutine, at any time; none
// but SetVolume, Flush and Close waits for the receiver.
type Session struct {
	cfg   Config
	info  Info
	quirk quirk
	log   zerolog.Logger
	born  time.Time

	rtsp      *rtsp.Client
	url       string
	near, far netip.Addr
	self      identity

	// Agreed while dialling, constant after it.
	timing      Timing
	kind        Kind
	reason      string // why it is kept so, where another way was tried first
	first       Timing // what to try first the next time
	paired      bool   // by PIN
	clock       ntp.Clock
	peer        *ptp.Peer // nil with NTP
	sealer      *sealer
	ssrc        uint32
	streamID    int64
	depth, fill time.Duration // how long before they are heard sound and silence leave
	floor       time.Duration
	rest        time.Duration // how long the spooler sleeps
	keys        hap.Keys
	events      net.Conn
	eventPort   uint16
	audio       *duty.Sender // realtime
	blocks      net.Conn     // buffered
	control     net.PacketConn
	timingPort  net.PacketConn // nil with PTP
	controlAddr net.Addr

	mu        sync.Mutex // a leaf: guards what follows, and is never held across a call
	beat      beat
	offset    time.Duration
	tags      tagsToTell
	counts    Stats
	refusals  duty.Refusals
	again     duty.Again
	ear       dacp.Ear
	followed  time.Time // when the receiver was first seen to follow the clock
	anchoring bool      // buffered: the anchor of a Start is not accepted yet

	asked     chan struct{} // closed when the first NTP request was answered
	lastAsked atomic.Int64  // when the last was, in nanoseconds since born; 0: never
	wakeSpool duty.Bell
	wakeSync  duty.Bell
	volume    *duty.Volume
	agenda    *duty.Agenda[chore]

	bye sync.Once
	end *duty.End
	wg  sync.WaitGroup
}

// Stats counts what a session did.
type Stats struct {
	Packets     uint64 // sent for the first time, silence included
	Late        uint64 // not sent, because their time had passed
	SendErrors  uint64 // not sent, because the network said no
	Syncs       uint64
	ResendAsked uint64 // packets that the receiver asked for again
	Resent      uint64 // of those, packets that were sent again
	Copies      uint64 // packets sent once more without being asked for
	Events      uint64 // that the receiver told
}

// Facts is what was learned of a receiver, worth remembering for the next Dial.
type Facts struct {
	Timing Timing // PTP or NTP
	Kind   Kind   // Realtime or Buffered
	// Reason says why it is kept so, where another way was tried first. Empty:
	// it is the first choice.
	Reason string
	// First is what to try first the next time, because the receiver does not
	// keep time in the way that is thought best. Empty: that one.
	First Timing
}

// Facts returns what was learned while dialling.
func (s *Session) Facts() Facts {
	return Facts{Timing: s.timing, Kind: s.kind, Reason: s.reason, First: s.first}
}

// MinLead is the smallest time between Start and the first frame being heard
// that the receiver can honour, as far as we know it. It is larger while the
// receiver is still learning the time.
func (s *Session) MinLead() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	lead := s.floor
	if wait := s.quirk.settles - time.Since(s.followed); s.timing == PTP && !s.followed.IsZero() {
		lead = max(lead, wait)
	}
	return lead + max(0, -s.offset)
}

// maxOffset bounds how far a receiver can be moved against others.
const maxOffset = 2 * time.Second

// SetOffset makes the receiver later than others that play the same stream,
// or earlier if negative, by up to 2 s, from the next packets on. To be
// earlier it needs that much more lead; see MinLead.
func (s *Session) SetOffset(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d = min(max(d, -maxOffset), maxOffset)
	s.beat.place += int64((d - s.offset).Seconds() * 44100)
	s.offset = d
}

// Start says when the coming packets are heard. The line through time on which
// they lie is that of the first Start; what comes between two sounds is
// silence.
func (s *Session) Start(ctx context.Context, tl stream.Timeline) error {
	if tl.Rate != 44100 {
		return fmt.Errorf("airplay: start: rate %d, receivers play 44100 only", tl.Rate)
	}
	s.mu.Lock()
	told := s.begin(tl, time.Now())
	s.mu.Unlock()
	s.wakeSync.Ring()
	s.wakeSpool.Ring()
	if told == nil {
		return s.Err()
	}
	select {
	case <-told:
		return nil
	case <-s.end.Over():
		return s.Err()
	case <-ctx.Done():
		return fmt.Errorf("airplay: start: %w", context.Cause(ctx))
	}
}

// begin lays a timeline on the line. It returns what is closed when the
// receiver has been told, nil where nobody needs to wait. s.mu is held.
func (s *Session) begin(tl stream.Timeline, now time.Time) (told <-chan struct{}) {
	b := &s.beat
	at := tl.Time.Add(s.offset)
	if !b.begun {
		s.ear.Began(now)
		b.begun, b.line.tl = true, stream.Timeline{Rate: 44100, Time: at}
		s.agenda.Move(repeatVolume, at.Add(settled))
	}
	if b.running {
		s.tags.pause(b.line.tl.FrameAt(now))
	}
	b.sounding = true
	b.from, b.place = tl.Frame, b.line.tl.FrameAt(at)
	b.tape.cut(b.place)
	fresh := !b.running || s.fill == 0 // what is buffered is not filled up with silence
	if fresh {
		b.tape.jump(b.place)
		b.running, b.marker = true, true
	}
	s.tags.restart(b.place)
	s.planTags(now)
	if s.kind == Buffered {
		s.anchoring = true
		s.agenda.Move(anchor, now)
		return nil
	}
	b.forget = b.forget || fresh
	return b.sync.Begin(now)
}

// Flush makes the receiver fall silent: at once, or, where it must not be
// told to forget anything, as soon as what it holds has been heard. The line
// goes on.
func (s *Session) Flush(ctx context.Context) error {
	s.mu.Lock()
	b := &s.beat
	if b.running {
		s.tags.pause(b.line.tl.FrameAt(time.Now()))
	}
	b.sounding = false
	s.planTags(time.Now())
	b.tape.cut(b.tape.cursor)
	if s.quirk.endless && s.kind == Realtime {
		// Noise otherwise (docs/protocols/airplay2.md, realtime).
		s.mu.Unlock()
		return s.Err()
	}
	sent, seq, next := b.sent, b.seq, b.line.rtp(b.tape.cursor)
	b.running, b.sent, b.marker = false, false, true
	b.ring.Forget()
	s.anchoring = false
	s.agenda.Drop(anchor)
	s.mu.Unlock()
	if !sent {
		return s.Err()
	}
	if s.kind == Buffered {
		return s.end.Wrap(s.rtsp, s.flushBuffered(ctx, seq, next))
	}
	_, err := s.ask(ctx, rtsp.Request{Method: "FLUSH",
		Header: rtsp.Header{{Name: "RTP-Info", Value: rtpInfo(seq, next)}}})
	return s.end.Wrap(s.rtsp, err)
}

func rtpInfo(seq, rtptime uint32) string {
	return fmt.Sprintf("seq=%d;rtptime=%d", uint16(seq), rtptime)
}

var (
	errPayload = errors.New("airplay: packet is not a verbatim ALAC frame of 352")
	errLevel   = errors.New("airplay: a volume is from 0 to 1")
)

// SetVolume sets the receiver's volume, from 0 to 1.
func (s *Session) SetVolume(ctx context.Context, level float64) error {
	if math.IsNaN(level) {
		return errLevel
	}
	err := s.volume.Set(ctx, s.end.Over(), min(max(level, 0), 1), s.sendVolume)
	if errors.Is(err, duty.ErrOver) {
		return s.Err()
	}
	return s.end.Wrap(s.rtsp, err)
}

func (s *Session) sendVolume(ctx context.Context, level float64) error {
	s.noteVolume(level)
	_, err := s.ask(ctx, rtsp.Request{Method: "SET_PARAMETER",
		Header: rtsp.Header{{Name: "Content-Type", Value: "text/parameters"}}, Body: parameter.Volume(level)})
	return err
}

// Volume returns the volume that was set, or else that which the receiver had
// when it was dialled. It is not known of all receivers.
func (s *Session) Volume() (level float64, known bool) { return s.volume.Level() }

// Stats returns the counts so far.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// clockSilence is how long a receiver may give no sign that it keeps time
// with us before it counts as stalled.
const clockSilence = 10 * time.Second

// Confidence tells by the receiver's questions for the time whether it can be
// in step: "clock_locked" while they keep coming, "unknown" before the first,
// and for receivers that never ask, and "stalled" when there was none for 10 s.
func (s *Session) Confidence() string {
	var last time.Time
	if s.peer != nil {
		last = s.peer.Last()
	} else if ns := s.lastAsked.Load(); ns != 0 {
		last = s.born.Add(time.Duration(ns))
	}
	switch {
	case last.IsZero():
		return "unknown"
	case time.Since(last) < clockSilence:
		return "clock_locked"
	}
	return "stalled"
}

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.end.Over() }

// Err says why the session is over: ErrClosed, ErrClosedByReceiver, or what
// went wrong. It is nil before.
func (s *Session) Err() error { return s.end.Err() }

package raop

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

	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/dacp"
	"airplay2mqtt/internal/duty"
	"airplay2mqtt/internal/ntp"
	"airplay2mqtt/internal/parameter"
	"airplay2mqtt/internal/rtp"
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
	auth  Auth
	log   zerolog.Logger
	clock ntp.Clock
	born  time.Time

	rtsp      *rtsp.Client
	number    uint32
	active    uint32 // the Active-Remote by which receivers sign what they say
	url       string
	near, far netip.Addr
	ssrc      uint32
	answered  bool // of use while dialling

	// Agreed on the start ladder, constant after it.
	id              string // the Session header; "" before SETUP
	server          string // what it calls itself
	pcm             bool   // no ALAC
	crypt           *cbc   // nil: sound goes unencrypted
	said            int    // Audio-Latency in frames, -1 if it did not say
	audio           *duty.Sender
	control, timing net.PacketConn
	controlAddr     net.Addr

	mu       sync.Mutex // a leaf: guards what follows, and is never held across a call
	beat     beat
	offset   time.Duration
	tags     tagsToTell
	counts   Stats
	again    duty.Again
	recorded time.Time // when RECORD was answered
	refusals duty.Refusals
	ear      dacp.Ear

	asked     chan struct{} // closed when the first timing request was answered
	lastAsked atomic.Int64  // when the last was, in nanoseconds since born; 0: never
	timings   atomic.Uint64
	wakeSync  duty.Bell
	volume    *duty.Volume
	agenda    *duty.Agenda[chore]

	bye sync.Once
	end *duty.End
	wg  sync.WaitGroup
}

// A beat is where the sending of sound stands.
type beat struct {
	line      line
	begun     bool // there was a Start
	running   bool // there was no Flush after it
	sent      bool // something was sent since RECORD or FLUSH
	marker    bool // the next packet is the first of its line
	count     int  // packets of the line that were sent
	seq       uint16
	next      uint32    // the time stamp behind the last packet
	end       int64     // its frame on the line
	announced uint32    // latency in frames
	ring      *rtp.Ring // made when the first packet comes
	room      int       // how many packets it holds
	sync      duty.Syncs
	used      time.Time // when something was sent, or begun
	over      bool      // the last packet was sent: no other shows what is missing

	silence    bool  // what is sent is silence of ours, until silenceEnd
	silenceEnd int64 // a frame of the line
}

// Stats counts what a session did.
type Stats struct {
	Packets     uint64 // sent for the first time
	Late        uint64 // not sent, because their time had passed
	SendErrors  uint64 // not sent, because the network said no
	Syncs       uint64
	Timings     uint64 // timing requests answered
	ResendAsked uint64 // packets that the receiver asked for again
	Resent      uint64 // of those, packets that were sent again
	Copies      uint64 // packets sent once more without being asked for
	Missed      uint64 // of those, packets that could not be heard any more
}

// Facts is what was learned of a receiver, worth remembering for the next Dial.
type Facts struct {
	// Auth is the way that worked.
	Auth Auth
	// AudioLatency is what the receiver says that it needs, negative if it
	// did not say.
	AudioLatency time.Duration
	// Server is what it calls itself.
	Server string
}

// Facts returns what was learned while dialling.
func (s *Session) Facts() Facts {
	f := Facts{Auth: s.auth, AudioLatency: -1, Server: s.server}
	if s.said >= 0 {
		f.AudioLatency = frames(s.said)
	}
	return f
}

// frames returns how long n frames take.
func frames(n int) time.Duration {
	return time.Duration(n) * time.Second / 44100
}

// MinLead is the smallest time between Start and the first frame being heard
// that the receiver can honour, as far as we know it.
func (s *Session) MinLead() time.Duration {
	s.mu.Lock()
	early := max(0, -s.offset)
	s.mu.Unlock()
	if s.cfg.Floor > 0 {
		return s.cfg.Floor + early
	}
	return frames(s.floor()+fixedLatency) + early
}

// floor is the smallest latency that may be announced where that decides when
// sound is heard. It is what plain senders must honour, so the receiver's own
// word counts for them even where we have measured less.
func (s *Session) floor() int {
	if s.cfg.Announce == Plain {
		return max(s.quirk.announceFloor(s.said), s.said)
	}
	return s.quirk.announceFloor(s.said)
}

// maxOffset bounds how far a receiver can be moved against others.
const maxOffset = 2 * time.Second

// SetOffset makes the receiver later than others that play the same stream,
// or earlier if negative, at once and by up to 2 s. To be earlier it needs
// that much more lead; see MinLead.
func (s *Session) SetOffset(d time.Duration) {
	s.mu.Lock()
	s.offset = min(max(d, -maxOffset), maxOffset)
	s.mu.Unlock()
	s.syncSoon()
}

// Start says when the coming packets are heard, and tells the receiver. The
// first Start of a session begins where RECORD said; every later one goes on
// the same line through time, as if nothing had been sent in between.
func (s *Session) Start(ctx context.Context, tl stream.Timeline) error {
	if tl.Rate != 44100 {
		return fmt.Errorf("raop: start: rate %d, receivers play 44100 only", tl.Rate)
	}
	now := time.Now()
	s.mu.Lock()
	b := &s.beat
	if b.running {
		s.tags.pause(b.line.later(s.offset).tl.FrameAt(now))
	}
	if !b.begun {
		s.ear.Began(now)
	}
	b.line = line{tl: tl, base: b.nextBase(tl.Time)}
	b.next, b.end = b.line.base, tl.Frame
	b.begun, b.running, b.marker, b.silence, b.over, b.used, b.count = true, true, true, false, false, now, 0
	lead := tl.Time.Add(s.offset).Sub(now)
	b.announced = s.announce(lead)
	b.remember(lead)
	told := b.sync.Begin(now)
	s.tags.restart(tl.Frame)
	s.planTags(now)
	s.mu.Unlock()
	s.wakeSync.Ring()
	select {
	case <-told:
		return nil
	case <-s.end.Over():
		return s.Err()
	case <-ctx.Done():
		return fmt.Errorf("raop: start: %w", context.Cause(ctx))
	}
}

// nextBase returns the time stamp of a frame that is heard at t: that of the
// line before, or the next unused one if the line before was sent beyond it,
// because receivers go on discarding below what they were told to flush
// (docs/protocols/raop.md, FLUSH).
func (b *beat) nextBase(t time.Time) uint32 {
	if !b.begun {
		return b.next
	}
	if f := b.line.tl.FrameAt(t); f > b.end {
		return b.line.rtp(f)
	}
	return b.next
}

// announce returns the latency to be announced, in frames, for sound that is
// heard after lead.
func (s *Session) announce(lead time.Duration) uint32 {
	toFrames := func(d time.Duration) int { return int(d * 44100 / time.Second) }
	var n int
	switch {
	case s.cfg.Announce == Plain:
		n = max(toFrames(lead)-fixedLatency, s.floor())
	case s.cfg.Announce > 0:
		n = max(toFrames(s.cfg.Announce), s.quirk.announceFloor(s.said))
	default:
		n = max(usualLatency, s.said, s.quirk.floor)
	}
	return uint32(min(max(n, 0), maxLatency))
}

// WritePacket sends a packet, unless its time has passed. Packets that the
// network refuses are counted and forgotten. It returns an error only if the
// session is over.
func (s *Session) WritePacket(p stream.Packet) error {
	select {
	case <-s.end.Over():
		return s.Err()
	default:
	}
	now := time.Now()
	b, err := s.stamp(p, now)
	if len(b) == 0 {
		return err
	}
	s.send(b, now)
	s.sendAgain(now)
	return nil
}

func (s *Session) send(packet []byte, now time.Time) {
	if err := s.audio.Send(packet, now); err != nil {
		s.sendFailed(err, now)
	}
}

var errPayload = errors.New("raop: packet is not a verbatim ALAC frame of 352")

// stamp puts the header before a payload and remembers both. It returns
// nothing if the packet is not to be sent.
func (s *Session) stamp(p stream.Packet, now time.Time) ([]byte, error) {
	if len(p.Payload) != alac.PacketSize {
		return nil, errPayload
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.beat.running {
		return nil, nil
	}
	return s.stampNow(p, now), nil
}

// stampNow does that with s.mu held.
func (s *Session) stampNow(p stream.Packet, now time.Time) []byte {
	b := &s.beat
	due := b.line.tl.At(p.Frame + alac.FramesPerPacket).Add(s.offset)
	if !now.Before(due) {
		s.counts.Late++
		return nil
	}
	packet := b.packet(p, s.ssrc, s.pcm)
	if s.crypt != nil {
		s.crypt.encrypt(packet[rtp.HeaderSize:])
	}
	b.ring.Keep(b.seq, len(packet), due)
	b.seq++
	b.count++
	b.sent, b.marker, b.used = true, false, now
	s.counts.Packets++
	s.again.Sent()
	if b.over = p.Last; b.over {
		s.again.End(b.seq)
		s.wakeSync.Ring()
	}
	return packet
}

// Flush makes the receiver forget what it has not played yet. The line goes
// on, and syncs with it, so that the next Start finds a receiver that knows
// where it is.
func (s *Session) Flush(ctx context.Context) error {
	s.mu.Lock()
	b := &s.beat
	sent, seq, next := b.sent, b.seq, b.next
	if b.running {
		s.tags.pause(b.line.later(s.offset).tl.FrameAt(time.Now()))
	}
	b.running, b.sent, b.silence, b.over, b.used = false, false, false, false, time.Now()
	b.ring.Forget()
	s.mu.Unlock()
	if !sent {
		return nil // AirConnect takes no FLUSH at the position of RECORD
	}
	req := rtsp.Request{Method: "FLUSH", Header: rtsp.Header{{Name: "RTP-Info", Value: rtpInfo(seq, next)}}}
	if _, err := s.ask(ctx, req); err != nil {
		return s.end.Wrap(s.rtsp, err)
	}
	s.settle(ctx)
	return nil
}

// flushSettles is how long after its answer a receiver may still throw away
// what comes. shairport-sync 3.3 answers FLUSH before its player has acted on
// it, and then loses up to 15 packets of what follows: with nothing between
// them 4 of 6 restarts lost their beginning, with 12 ms none of 8
// (docs/protocols/raop.md, FLUSH).
const flushSettles = 25 * time.Millisecond

// settle waits until a flush has taken effect.
func (s *Session) settle(ctx context.Context) {
	t := time.NewTimer(flushSettles)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.end.Over():
	case <-ctx.Done():
	}
}

func rtpInfo(seq uint16, rtptime uint32) string {
	return fmt.Sprintf("seq=%d;rtptime=%d", seq, rtptime)
}

var errLevel = errors.New("raop: a volume is from 0 to 1")

// SetVolume sets the receiver's volume, from 0 to 1.
func (s *Session) SetVolume(ctx context.Context, level float64) error {
	if math.IsNaN(level) {
		return errLevel
	}
	level = min(max(level, 0), 1)
	before, known := s.volume.Level()
	err := s.volume.Set(ctx, s.end.Over(), level, s.sendVolume)
	switch {
	case errors.Is(err, duty.ErrOver):
		return s.Err()
	case err == nil && known && before == 0 && level > 0:
		s.syncSoon()
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
	counts := s.counts
	counts.Timings = s.timings.Load()
	return counts
}

// Confidence tells by the receiver's timing requests whether it can be in
// step: "clock_locked" while they keep coming, "unknown" before the first,
// and "stalled" when there was none for 10 s.
func (s *Session) Confidence() string {
	switch last := s.lastAsked.Load(); {
	case last == 0:
		return "unknown"
	case time.Since(s.born)-time.Duration(last) < timingSilence:
		return "clock_locked"
	}
	return "stalled"
}

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.end.Over() }

// Err says why the session is over: ErrClosed, ErrClosedByReceiver, or what
// went wrong. It is nil before.
func (s *Session) Err() error { return s.end.Err() }

// goodbye is how long a receiver gets to answer TEARDOWN.
const goodbye = 2 * time.Second

// Close says goodbye to the receiver, which falls silent, and waits for the
// session's goroutines. A sound that has just ended is played to its end. It
// takes no longer than three seconds and may be called again.
func (s *Session) Close() error {
	s.bye.Do(func() {
		s.playOut()
		s.end.Leave()
		if s.Err() == nil {
			ctx, cancel := context.WithTimeout(context.Background(), goodbye)
			_, err := s.ask(ctx, rtsp.Request{Method: "TEARDOWN"})
			cancel()
			if err != nil {
				s.log.Debug().Err(err).Msg("teardown not answered")
			}
		}
		s.fail(ErrClosed)
	})
	s.wg.Wait()
	return nil
}

// playOut waits until the receiver has played what it was sent, if that is next
// to nothing.
func (s *Session) playOut() {
	s.mu.Lock()
	left := time.Duration(0)
	if b := &s.beat; b.running {
		left = time.Until(b.line.tl.At(b.end).Add(s.offset))
	}
	s.mu.Unlock()
	s.end.PlayOut(left)
}

// fail ends the session; the first reason counts. It does not wait for the
// goroutines, which it may be called from.
func (s *Session) fail(err error) { s.end.Fail(err, s.release) }

// release gives back what the session has.
func (s *Session) release() {
	s.leaveRemote()
	if s.audio != nil {
		s.audio.Close()
	}
	if s.control != nil {
		s.control.Close()
	}
	if s.timing != nil {
		s.timing.Close()
	}
	s.rtsp.Close()
}

// watch ends the session when its connection ends.
func (s *Session) watch() {
	defer s.wg.Done()
	if err := s.end.Watch(s.rtsp); err != nil {
		s.fail(err)
	}
}

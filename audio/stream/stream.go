package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/alac"
)

const (
	rate   = audio.Rate
	packet = alac.FramesPerPacket

	// patience is how long a sink may take for Start or Flush.
	patience = 3 * time.Second
	// furthest is how early a packet may leave, Lead and Ahead together:
	// receivers are built for two seconds (docs/protocols/raop.md, burst and
	// pacing).
	furthest = 2250 * time.Millisecond
	// farewell is the silence that is sent after the last frame: without it
	// some receivers click (docs/protocols/raop.md, teardown).
	farewell = 32
)

var (
	// ErrEnded is returned by methods of a stream that is over.
	ErrEnded = errors.New("stream: ended")
	// ErrNoSinks is wrapped by the error of a stream whose last sink failed.
	ErrNoSinks = errors.New("stream: no sink is left")
	// ErrAttached is returned where a sink would be attached twice.
	ErrAttached = errors.New("stream: sink is attached already")
)

// A Config says how a stream keeps time. The zero value is right for music.
type Config struct {
	// Lead is the time between Start, Resume or Seek and the first frame
	// being heard, and so how long before being heard packets leave at the
	// latest. 0: one second. A sink that needs more (Floor) gets more.
	Lead time.Duration
	// At is when the first frame is heard, if that is later than Lead and the
	// sinks want: streams that are given the same one begin as one. Zero: as
	// soon as may be.
	At time.Time
	// Ahead is how much earlier than Lead packets leave if the source is
	// there already, so that what is lost can be sent again. 0: one second;
	// negative, and for live tracks: none. Lead and Ahead together are held
	// to 2.25 s.
	Ahead time.Duration
	// LeadIn is how many packets of silence precede the first frame, within
	// Lead, for receivers that mute their beginning. 0: ten; negative: none.
	LeadIn int
	// MaxBurst is how many times faster than they are heard packets may
	// leave. 0: eight.
	MaxBurst int
	// From is where in the sound to begin. If it is not 0 the source must be
	// an audio.Seeker.
	From time.Duration
	// Until is the position at which the sound ends, even if the source has
	// more. 0: its own end.
	Until time.Duration
	// Whole has a pause fall between two packets, for which it waits up to 8 ms.
	// Receivers play whole packets, so that what they are told to forget in the
	// middle of one is heard all the same, and would be again after the pause.
	Whole bool
	// Linger is how long the timeline goes on after the last sink has failed,
	// for another to be attached; a pause does not count. 0: Run ends at once.
	// A stream whose last sink was detached goes on for as long as it lasts.
	Linger time.Duration
	// Notify is told what is at the ear, each time that changes, and before
	// the call returns that has changed it; nil: nobody. It is called by Run,
	// must not wait and must not call the stream.
	Notify func(State)
	// Alone is told, like Notify, each time the last sink has failed; nil:
	// nobody.
	Alone func(error)
	// Logger is told when a sink fails. The zero value is silent.
	Logger zerolog.Logger
}

func (c Config) withDefaults(live bool) Config {
	if c.Lead <= 0 {
		c.Lead = time.Second
	}
	if c.Ahead == 0 {
		c.Ahead = time.Second
	}
	if c.Ahead < 0 || live {
		c.Ahead = 0
	}
	if c.LeadIn == 0 {
		c.LeadIn = 10
	}
	c.LeadIn = max(c.LeadIn, 0)
	if c.MaxBurst <= 0 {
		c.MaxBurst = 8
	}
	return c
}

// A Stream turns one sound into packets on a beat and hands each packet to
// any number of sinks. Make one with New and let it sound with Run. All other
// methods may be called from anywhere, also before Run, for which those that
// take a context then wait. A context bounds the wait of its caller: what was
// asked for may still happen.
type Stream struct {
	cfg      Config
	requests chan func(ctx context.Context)
	settled  chan *call
	children sync.WaitGroup
	heard    chan struct{}
	done     chan struct{}
	err      error // set before done is closed
	began    atomic.Bool
	head     *playhead
	counters counters

	// What follows belongs to the goroutine of Run.

	tape    *tape
	members []*member
	paused  bool
	filling *filling // the source is being waited for; nil: it is not

	tl      Timeline      // zero: no packets are being sent
	begun   time.Time     // when the timeline was made
	barrier time.Time     // until when packets wait for all sinks to be ready
	tries   int           // how often it was made anew because Start was slow
	rolling bool          // a sink is ready, so packets leave
	next    int64         // the frame that the next packet begins with; only grows
	at      int64         // the position in the sound of the next frame to be sent
	first   int64         // the frame of the timeline that the sound begins with
	from    int64         // the position in the sound that the timeline begins with
	lead    time.Duration // Lead, or what the slowest sink needs
	ahead   time.Duration
	marked  State // what the next packet will be heard as
	left    int   // packets of silence that are still to be sent after the end
	pace    pace
	payload []byte
	pcm     [2 * packet]int16

	told    State
	failure error     // of the last sink; nil while there is one
	lonely  time.Time // until when another is awaited
}

// New makes a stream of what src holds from where it stands, resampled to
// 44100 Hz if it has another rate. Read is called on the beat and must not
// wait: what may (a network, a disk) is read ahead, as by audio.Open, and
// returns audio.ErrNotReady, which is heard as silence. The stream does not
// close src.
func New(src audio.Source, cfg Config, sinks ...Sink) *Stream {
	live := false
	switch t := src.(type) {
	case audio.Track:
		src, live = t.Source, t.Live
	case *audio.Track:
		src, live = t.Source, t.Live
	}
	if src.Rate() != rate {
		src = audio.Resample(src, rate)
	}
	s := &Stream{
		cfg:      cfg.withDefaults(live),
		requests: make(chan func(context.Context)),
		settled:  make(chan *call),
		heard:    make(chan struct{}),
		done:     make(chan struct{}),
		head:     newPlayhead(),
		tape:     &tape{src: src},
		payload:  make([]byte, 0, alac.PacketSize),
	}
	s.counters.born = time.Now()
	if s.tape.limit = math.MaxInt64; cfg.Until > 0 {
		s.tape.limit = frames(cfg.Until)
	}
	s.next = -int64(s.cfg.LeadIn) * packet
	s.pace.interval = lasts(packet, rate) / time.Duration(s.cfg.MaxBurst)
	for _, k := range sinks {
		s.join(k)
	}
	return s
}

// Run sends the sound, once. It returns nil when the last frame has been
// heard, which is some time after the last packet has left; what went wrong
// with the source, once all that came before has been heard; an error that
// wraps ErrNoSinks when the last sink has failed; or the error of ctx. The
// sinks are left as they are: who owns them flushes or closes them, or gives
// them to the next stream.
func (s *Stream) Run(ctx context.Context) error {
	if s.began.Swap(true) {
		return ErrEnded
	}
	s.err = s.run(ctx)
	s.head.freeze(time.Now())
	close(s.done)
	return s.err
}

func (s *Stream) run(ctx context.Context) error {
	defer s.children.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.cue(); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wake, err := s.step(ctx, time.Now())
		if errors.Is(err, errOver) {
			return s.verdict()
		}
		if err != nil {
			return err
		}
		var beat <-chan time.Time
		if !wake.IsZero() {
			timer.Reset(time.Until(wake))
			beat = timer.C
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case request := <-s.requests:
			s.advance(ctx, time.Now()) // what rested is sent before anything changes
			request(ctx)
		case c := <-s.settled:
			s.settle(c)
		case <-s.filling.over():
			s.refilled()
		case <-beat:
		}
	}
}

// errOver says that the last frame has been heard.
var errOver = errors.New("over")

// verdict says how the sound ended, once it has been heard.
func (s *Stream) verdict() error {
	if errors.Is(s.tape.err, io.EOF) {
		return nil
	}
	return fmt.Errorf("stream: read: %w", s.tape.err)
}

// cue goes to where the sound is to begin.
func (s *Stream) cue() error {
	if s.cfg.From <= 0 {
		return nil
	}
	at, err := s.tape.seek(frames(s.cfg.From))
	if err != nil {
		return fmt.Errorf("stream: seek: %w", err)
	}
	s.at = at
	s.head.rest(at, Starting)
	return nil
}

// step does what is due and returns when it wants to be called next, zero if
// only something new can bring it on.
func (s *Stream) step(ctx context.Context, now time.Time) (wake time.Time, err error) {
	wake = s.advance(ctx, now)
	if s.tell(now) == Ended {
		return time.Time{}, errOver
	}
	if s.failure != nil && (!s.paused || s.cfg.Linger <= 0) {
		if !now.Before(s.lonely) {
			return time.Time{}, fmt.Errorf("%w: %w", ErrNoSinks, s.failure)
		}
		wake = earlier(wake, s.lonely)
	}
	return earlier(wake, s.head.next(now)), nil
}

// advance brings the timeline on: begins one, moves it, or sends what is due.
func (s *Stream) advance(ctx context.Context, now time.Time) (wake time.Time) {
	switch {
	case s.paused:
		return time.Time{}
	case s.tl.IsZero():
		if len(s.members) == 0 || s.filling != nil {
			return time.Time{}
		}
		return s.begin(ctx, now, 0)
	case !s.rolling:
		return s.gather(ctx, now)
	case s.marked != Ended && !now.Before(s.tl.At(s.next)):
		// All that was sent has been heard while we were not looking: the
		// receivers have run dry, as after a suspend of this machine.
		s.counters.restarts.Add(1)
		return s.begin(ctx, now, 0)
	}
	return s.beat(ctx, now)
}

// begin makes a timeline on which the next frame is heard a lead from now,
// and slip later than that.
func (s *Stream) begin(ctx context.Context, now time.Time, slip time.Duration) (wake time.Time) {
	leadIn := int64(s.cfg.LeadIn) * packet
	s.lead = max(max(s.cfg.Lead, s.floor(), lasts(leadIn, rate))+slip, s.cfg.At.Sub(now))
	s.ahead = max(min(s.cfg.Ahead, furthest-s.lead), 0)
	s.tape.keep(frames(s.lead+s.ahead) + 4*packet)
	if err := s.tape.fill(s.at + packet); errors.Is(err, audio.ErrNotReady) {
		s.silence(Starting)
		return s.await(ctx, now, rate/4)
	}
	s.tl = Timeline{Rate: rate, Frame: s.next, Time: now.Add(s.lead - lasts(leadIn, rate))}
	s.begun, s.first, s.from, s.marked, s.rolling = now, s.next+leadIn, s.at, Starting, false
	s.barrier = now.Add(max((s.lead-s.floor())/2, tolerance))
	s.head.start(s.tl, s.at)
	s.pace.begin(now)
	for _, m := range s.members {
		s.start(ctx, m, s.tl)
	}
	return time.Time{}
}

// silence ends the timeline where the ear is, and says why.
func (s *Stream) silence(why State) {
	if !s.tl.IsZero() {
		s.at = max(s.unheard(time.Now()), s.from)
	}
	s.head.rest(s.at, why)
	s.tl, s.rolling, s.tries = Timeline{}, false, 0
}

// tell says what is at the ear, if that is news.
func (s *Stream) tell(now time.Time) State {
	_, state := s.head.now(now)
	if state == s.told {
		return state
	}
	s.told = state
	if state == Playing {
		select {
		case <-s.heard:
		default:
			close(s.heard)
		}
	}
	if s.cfg.Notify != nil {
		s.cfg.Notify(state)
	}
	return state
}

// frames returns how many frames begin within d.
func frames(d time.Duration) int64 { return scale(int64(d), rate, int64(time.Second)) }

// earlier returns the earlier of two times; zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

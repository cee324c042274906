package stream_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/audio/stream/streamtest"
)

const second = 44100 // in frames

// run lets a stream sound and returns what waits for its end.
func run(ctx context.Context, s *stream.Stream) (wait func() error) {
	var running sync.WaitGroup
	var err error
	running.Go(func() { err = s.Run(ctx) })
	return func() error {
		running.Wait()
		return err
	}
}

// expect holds a speaker to having heard the frames from first to end and
// nothing else.
func expect(t *testing.T, name string, got [][2]int16, first, end int64) {
	t.Helper()
	want := streamtest.Samples(first, end)
	if slices.Equal(got, want) {
		return
	}
	if len(got) != len(want) {
		t.Errorf("%s: got %d frames, want %d", name, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s: frame %d: got %v, want %v", name, i, got[i], want[i])
			return
		}
	}
}

// inStep holds two speakers to hearing the same at the same time, but for the
// nanosecond that is lost when a timeline is tied at another frame.
func inStep(t *testing.T, a, b []streamtest.Instant) {
	t.Helper()
	if len(a) != len(b) {
		t.Errorf("one speaker heard %d frames, the other %d", len(a), len(b))
	}
	for i := range min(len(a), len(b)) {
		if off := a[i].At.Sub(b[i].At); a[i].Sample != b[i].Sample || off.Abs() > 1 {
			t.Errorf("frame %d: one heard %v at %v, the other %v at %v", i, a[i].Sample, a[i].At, b[i].Sample, b[i].At)
			return
		}
	}
}

func since(began time.Time) time.Duration { return time.Since(began) }

func TestEveryFrameIsHeardOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, speaker := time.Now(), new(streamtest.Speaker)
		if err := stream.Play(t.Context(), streamtest.Sound(2*second), speaker); err != nil {
			t.Fatalf("Play: got %v, want nil", err)
		}
		if got := since(began); got != 3*time.Second {
			t.Errorf("Play returned after %v, want 3s: a lead and the sound", got)
		}
		expect(t, "heard", speaker.Samples(), 0, 2*second)
		if got := speaker.Sound()[0].At.Sub(began); got != time.Second {
			t.Errorf("first frame heard after %v, want 1s", got)
		}
	})
}

func TestStreamsBeginAtTheSameInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(700 * time.Millisecond)
		a, b := &streamtest.Speaker{Floor: 250 * time.Millisecond}, &streamtest.Speaker{StartTakes: 100 * time.Millisecond}
		first := run(t.Context(), stream.New(streamtest.Sound(second), stream.Config{At: at, Lead: 1}, a))
		time.Sleep(200 * time.Millisecond)
		other := run(t.Context(), stream.New(streamtest.Sound(second), stream.Config{At: at}, b))
		if err := errors.Join(first(), other()); err != nil {
			t.Fatal(err)
		}
		for name, heard := range map[string][]streamtest.Instant{"on time": a.Sound(), "with a lead that is too long": b.Sound()} {
			want := at
			if name != "on time" {
				want = at.Add(500 * time.Millisecond) // a second after 200 ms
			}
			if off := heard[0].At.Sub(want); off.Abs() > 1 {
				t.Errorf("%s: heard %v beside the instant", name, off)
			}
		}
	})
}

func TestSilencePrecedesTheFirstFrameAndFollowsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, speaker := time.Now(), new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(1000), stream.Config{}, speaker)
		if err := s.Run(t.Context()); err != nil {
			t.Fatalf("Run: got %v, want nil", err)
		}
		packets := speaker.Packets()
		if got := packets[0].Frame; got != -10*alac.FramesPerPacket {
			t.Errorf("first packet: got frame %d, want %d", got, -10*alac.FramesPerPacket)
		}
		if got := len(packets); got != 10+3+32 {
			t.Errorf("got %d packets, want 10 of lead-in, 3 of sound and 32 of silence", got)
		}
		start := speaker.Starts()[0].Timeline
		if start.Frame != packets[0].Frame {
			t.Errorf("the timeline begins at %d, want the first packet, %d", start.Frame, packets[0].Frame)
		}
		if got := start.At(0).Sub(began); got != time.Second {
			t.Errorf("frame 0 is heard after %v, want 1s", got)
		}
	})
}

func TestPacketsLeaveAheadButNoFasterThanEightfold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, speaker := time.Now(), new(streamtest.Speaker)
		if err := stream.Play(t.Context(), streamtest.Sound(4*second), speaker); err != nil {
			t.Fatalf("Play: got %v, want nil", err)
		}
		const length = float64(alac.FramesPerPacket) / second
		packets := speaker.Packets()
		for i, p := range packets {
			left := p.At.Sub(began).Seconds()
			if most := 20 + 8*left/length; float64(i+1) > most+1 {
				t.Fatalf("%d packets had left after %.4f s, want %.0f at most", i+1, left, most)
			}
			if early := p.Heard.Sub(p.At); early > 2*time.Second {
				t.Fatalf("packet %d left %v before it was heard, want 2s at most", i, early)
			}
		}
		// A second ahead at eight times the speed takes a seventh of a second.
		i := slices.IndexFunc(packets, func(p streamtest.Arrival) bool {
			return p.Heard.Sub(p.At) >= 2*time.Second-10*time.Millisecond
		})
		if i < 0 {
			t.Fatalf("no packet left 1.99s before it was heard")
		}
		if got := packets[i].At.Sub(began); got > 160*time.Millisecond {
			t.Errorf("a second ahead was reached after %v, want 160ms at most", got)
		}
		for k := i; k < len(packets)-1; k++ {
			// Twenty at a time, so that the processor can sleep between.
			if got := packets[k].Heard.Sub(packets[k].At); got < 1835*time.Millisecond {
				t.Fatalf("packet %d left %v before it was heard, want 1.835s at least", k, got)
			}
		}
	})
}

func TestLiveSoundLeavesOnTimeAndNotAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		track := audio.Track{Source: streamtest.Sound(second), Live: true}
		if err := stream.Play(t.Context(), track, speaker); err != nil {
			t.Fatalf("Play: got %v, want nil", err)
		}
		for i, p := range speaker.Packets()[32:] {
			if got := p.Heard.Sub(p.At); got > time.Second || got < time.Second-time.Nanosecond {
				t.Fatalf("packet %d left %v before it was heard, want 1s", 32+i, got)
			}
		}
	})
}

func TestALongLeadLeavesLessAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(4*second), stream.Config{Lead: 2 * time.Second}, speaker)
		if err := s.Run(t.Context()); err != nil {
			t.Fatalf("Run: got %v, want nil", err)
		}
		for i, p := range speaker.Packets() {
			if got := p.Heard.Sub(p.At); got > 2250*time.Millisecond {
				t.Fatalf("packet %d left %v before it was heard, want 2.25s at most", i, got)
			}
		}
	})
}

func TestTheSlowestReceiverSetsTheLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		quick, slow := new(streamtest.Speaker), &streamtest.Speaker{Floor: 300 * time.Millisecond}
		s := stream.New(streamtest.Sound(100), stream.Config{Lead: 250 * time.Millisecond, LeadIn: -1}, quick, slow)
		if err := s.Run(t.Context()); err != nil {
			t.Fatalf("Run: got %v, want nil", err)
		}
		if got := quick.Sound()[0].At.Sub(began); got != 300*time.Millisecond {
			t.Errorf("first frame heard after %v, want 300ms", got)
		}
		inStep(t, quick.Sound(), slow.Sound())
	})
}

func TestShortReadsAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker, sound := new(streamtest.Speaker), streamtest.Sound(5000)
		sound.Chunk = 97
		if err := stream.Play(t.Context(), sound, speaker); err != nil {
			t.Fatalf("Play: got %v, want nil", err)
		}
		expect(t, "heard", speaker.Samples(), 0, 5000)
	})
}

func TestASoundOfAnotherRateIsResampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		if err := stream.Play(t.Context(), halfRate{streamtest.Sound(second)}, speaker); err != nil {
			t.Fatalf("Play: got %v, want nil", err)
		}
		if got := len(speaker.Sound()); got < 2*second-200 || got > 2*second+200 {
			t.Errorf("heard %d frames, want about %d", got, 2*second)
		}
	})
}

type halfRate struct{ audio.Source }

func (halfRate) Rate() int { return second / 2 }

func TestAnEmptySoundEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stream.New(streamtest.Sound(0), stream.Config{}, new(streamtest.Speaker))
		if err := s.Run(t.Context()); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		select {
		case <-s.Heard():
			t.Error("Heard is closed, want it open: nothing was heard")
		default:
		}
	})
}

func TestABrokenSourceIsHeardUntilItBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, speaker, sound := time.Now(), new(streamtest.Speaker), streamtest.Sound(second)
		sound.Broken = io.ErrUnexpectedEOF
		s := stream.New(sound, stream.Config{}, speaker)
		if err := s.Run(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Run: got %v, want %v", err, io.ErrUnexpectedEOF)
		}
		if got := since(began); got != 2*time.Second {
			t.Errorf("Run returned after %v, want 2s", got)
		}
		expect(t, "heard", speaker.Samples(), 0, second)
	})
}

func TestElapsedIsWhatWasHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stream.New(streamtest.Sound(3*second), stream.Config{}, new(streamtest.Speaker))
		wait := run(t.Context(), s)
		for _, test := range []struct{ after, want time.Duration }{
			{0, 0}, {time.Second, 0}, {500 * time.Millisecond, 500 * time.Millisecond}, {time.Second, 1500 * time.Millisecond},
		} {
			time.Sleep(test.after)
			if got := s.Elapsed(); got != test.want {
				t.Errorf("Elapsed: got %v, want %v", got, test.want)
			}
		}
		if err := wait(); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		if got := s.Elapsed(); got != 3*time.Second {
			t.Errorf("Elapsed at the end: got %v, want 3s", got)
		}
		if got := s.Stats(); got.Sinks != 1 || got.Packets != 10+376+32 || got.Late+got.Underruns+got.Restarts != 0 {
			t.Errorf("Stats: got %+v, want 418 packets and no trouble", got)
		}
	})
}

func TestAStreamCanBeginInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(3*second).Seekable(), stream.Config{From: 2 * time.Second}, speaker)
		wait := run(t.Context(), s)
		time.Sleep(1500 * time.Millisecond)
		if got := s.Elapsed(); got != 2500*time.Millisecond {
			t.Errorf("Elapsed: got %v, want 2.5s", got)
		}
		if err := wait(); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		expect(t, "heard", speaker.Samples(), 2*second, 3*second)

		s = stream.New(streamtest.Sound(second), stream.Config{From: time.Second}, speaker)
		if err := s.Run(t.Context()); !errors.Is(err, audio.ErrNotSeekable) {
			t.Errorf("Run of what cannot seek: got %v, want %v", err, audio.ErrNotSeekable)
		}
	})
}

func TestAStreamCanEndInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, speaker := time.Now(), new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(10*second), stream.Config{Until: 1500 * time.Millisecond}, speaker)
		if err := s.Run(t.Context()); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		expect(t, "heard", speaker.Samples(), 0, second*3/2)
		if got := since(began); got != 2500*time.Millisecond {
			t.Errorf("Run returned after %v, want 2.5s", got)
		}
	})
}

func TestACancelledStreamEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, speaker := time.Now(), new(streamtest.Speaker)
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		s := stream.New(streamtest.Sound(5*second), stream.Config{}, speaker)
		if err := s.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run: got %v, want %v", err, context.DeadlineExceeded)
		}
		if got := since(began); got != 1500*time.Millisecond {
			t.Errorf("Run returned after %v, want 1.5s", got)
		}
		time.Sleep(time.Second)
		if got := s.Elapsed(); got != 500*time.Millisecond {
			t.Errorf("Elapsed: got %v, want 500ms", got)
		}
		for name, err := range map[string]error{
			"Pause":  s.Pause(t.Context()),
			"Resume": s.Resume(t.Context()),
			"Seek":   s.Seek(t.Context(), 0),
			"Attach": s.Attach(t.Context(), speaker),
			"Detach": s.Detach(t.Context(), speaker),
			"Run":    s.Run(t.Context()),
		} {
			if !errors.Is(err, stream.ErrEnded) {
				t.Errorf("%s: got %v, want %v", name, err, stream.ErrEnded)
			}
		}
		if got := s.Err(); !errors.Is(got, context.DeadlineExceeded) {
			t.Errorf("Err: got %v, want %v", got, context.DeadlineExceeded)
		}
		if got := speaker.Flushes(); len(got) != 0 {
			t.Errorf("flushed at %v, want the sink left alone", got)
		}
	})
}

func TestPlayFallsSilentWhenItIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		if err := stream.Play(ctx, streamtest.Sound(5*second), speaker); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Play: got %v, want %v", err, context.DeadlineExceeded)
		}
		time.Sleep(5 * time.Second)
		expect(t, "heard", speaker.Samples(), 0, second/2+1)
	})
}

func TestCallsToAStreamThatDoesNotRunCanBeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stream.New(streamtest.Sound(second), stream.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Pause(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Pause: got %v, want %v", err, context.DeadlineExceeded)
		}
		if got := s.Err(); got != nil {
			t.Errorf("Err: got %v, want nil", got)
		}
	})
}

func TestTheLastPacketSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := &parting{Speaker: new(streamtest.Speaker)}
		if err := stream.Play(t.Context(), streamtest.Sound(second), speaker); err != nil {
			t.Fatalf("Play: got %v, want nil", err)
		}
		if n := len(speaker.Packets()); !slices.Equal(speaker.at, []int{n - 1}) {
			t.Errorf("packets %v of %d said that they were the last", speaker.at, n)
		}
	})
}

// A parting notes which packets say that they are the last.
type parting struct {
	*streamtest.Speaker
	packets int
	at      []int
}

func (l *parting) WritePacket(p stream.Packet) error {
	if p.Last {
		l.at = append(l.at, l.packets)
	}
	l.packets++
	return l.Speaker.WritePacket(p)
}

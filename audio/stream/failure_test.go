package stream_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio/stream"
	"airplay2mqtt/audio/stream/streamtest"
)

var errBroken = errors.New("the wire is cut")

func TestAFailedSpeakerDoesNotDisturbTheOthers(t *testing.T) {
	for _, test := range []struct {
		name string
		bad  *streamtest.Speaker
	}{
		{"that refuses to start", &streamtest.Speaker{FailStart: errBroken}},
		{"that breaks while it plays", &streamtest.Speaker{FailWrite: errBroken, FailAfter: 30}},
		{"that never starts", &streamtest.Speaker{StartTakes: time.Hour}},
		{"that starts too late", &streamtest.Speaker{StartTakes: 4 * time.Second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, good := time.Now(), new(streamtest.Speaker)
				s := stream.New(streamtest.Sound(4*second), stream.Config{}, test.bad, good)
				if err := s.Run(t.Context()); err != nil {
					t.Errorf("Run: got %v, want nil", err)
				}
				expect(t, "the good one", good.Samples(), 0, 4*second)
				if got := good.Sound()[0].At.Sub(began); got != time.Second {
					t.Errorf("first frame heard after %v, want 1s", got)
				}
				if got := s.Stats(); got.Dropped != 1 || got.Sinks != 1 {
					t.Errorf("Stats: got %+v, want one sink dropped and one left", got)
				}
			})
		})
	}
}

func TestASlowSpeakerJoinsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, quick := &streamtest.Speaker{StartTakes: 2 * time.Second}, new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(6*second), stream.Config{}, slow, quick)
		if err := s.Run(t.Context()); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		expect(t, "the quick one", quick.Samples(), 0, 6*second)
		all, late := quick.Sound(), slow.Sound()
		if len(late) < 2*second {
			t.Fatalf("the slow one heard %d frames, want two seconds of them", len(late))
		}
		inStep(t, all[len(all)-len(late):], late)
	})
}

func TestNothingIsLostWhenTheOnlySpeakerIsSlow(t *testing.T) {
	for _, takes := range []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, 1500 * time.Millisecond, 2900 * time.Millisecond} {
		t.Run(takes.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				speaker := &streamtest.Speaker{StartTakes: takes, Floor: 250 * time.Millisecond}
				s := stream.New(streamtest.Sound(second), stream.Config{Lead: 250 * time.Millisecond}, speaker)
				if err := s.Run(t.Context()); err != nil {
					t.Errorf("Run: got %v, want nil", err)
				}
				expect(t, "heard", speaker.Samples(), 0, second)
			})
		})
	}
}

func TestTheLastSpeakersFailureEndsTheStream(t *testing.T) {
	for _, test := range []struct {
		name    string
		speaker *streamtest.Speaker
		want    error
	}{
		{"at its start", &streamtest.Speaker{FailStart: errBroken}, errBroken},
		{"on the beat", &streamtest.Speaker{FailWrite: errBroken, FailAfter: 100}, errBroken},
		{"by not answering", &streamtest.Speaker{StartTakes: time.Hour}, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := stream.New(streamtest.Sound(10*second), stream.Config{}, test.speaker)
				err := s.Run(t.Context())
				if !errors.Is(err, stream.ErrNoSinks) || !errors.Is(err, test.want) {
					t.Errorf("Run: got %v, want %v for %v", err, stream.ErrNoSinks, test.want)
				}
				if got := since(began); got > 3*time.Second {
					t.Errorf("Run returned after %v, want 3s at most", got)
				}
			})
		})
	}
}

func TestALingeringStreamWaitsForAnotherSpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, speaker, other := time.Now(), new(streamtest.Speaker), new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(6*second), stream.Config{Linger: 5 * time.Second}, speaker)
		wait := run(t.Context(), s)
		time.Sleep(2 * time.Second)
		speaker.Break()
		time.Sleep(time.Second)
		if err := s.Attach(t.Context(), other); err != nil {
			t.Errorf("Attach: got %v, want nil", err)
		}
		if err := wait(); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		if got := since(began); got != 7*time.Second {
			t.Errorf("Run returned after %v, want 7s", got)
		}
		heard := other.Sound()
		if got := heard[len(heard)-1].Sample; got != streamtest.Sample(6*second-1) {
			t.Errorf("the last frame heard is %v, want that of the sound", got)
		}

		began = time.Now()
		s = stream.New(streamtest.Sound(60*second), stream.Config{Linger: 5 * time.Second}, speaker)
		if err := s.Run(t.Context()); !errors.Is(err, stream.ErrNoSinks) {
			t.Errorf("Run: got %v, want %v", err, stream.ErrNoSinks)
		}
		if got := since(began); got != 5*time.Second {
			t.Errorf("Run returned after %v, want 5s", got)
		}
	})
}

func TestASpeakerThatCannotBeSilencedIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf, good := &streamtest.Speaker{FlushTakes: time.Hour}, new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(3*second), stream.Config{}, deaf, good)
		wait := run(t.Context(), s)
		time.Sleep(2 * time.Second)
		began := time.Now()
		if err := s.Pause(t.Context()); err != nil {
			t.Errorf("Pause: got %v, want nil", err)
		}
		if got := since(began); got != 3*time.Second {
			t.Errorf("Pause took %v, want 3s", got)
		}
		if got := good.Flushes()[0].Sub(began); got != 0 {
			t.Errorf("the other one fell silent after %v, want at once", got)
		}
		s.Resume(t.Context())
		if err := wait(); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		expect(t, "the other one", good.Samples(), 0, 3*second)
	})
}

func TestASpeakerThatIgnoresItsContextDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rude, good := &streamtest.Speaker{Rude: make(chan struct{})}, new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(2*second), stream.Config{}, rude, good)
		wait := run(t.Context(), s)
		time.Sleep(1500 * time.Millisecond)
		began := time.Now()
		if err := s.Pause(t.Context()); err != nil {
			t.Errorf("Pause: got %v, want nil", err)
		}
		if got := since(began); got > 3100*time.Millisecond {
			t.Errorf("Pause took %v, want about 3s", got)
		}
		s.Resume(t.Context())
		time.Sleep(time.Minute)
		expect(t, "the good one", good.Samples(), 0, 2*second)
		close(rude.Rude)
		if err := wait(); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
	})
}

func TestAPauseCanBeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := &streamtest.Speaker{FlushTakes: time.Hour}
		s := stream.New(streamtest.Sound(3*second), stream.Config{}, deaf)
		wait := run(t.Context(), s)
		time.Sleep(2 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := s.Pause(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Pause: got %v, want %v", err, context.DeadlineExceeded)
		}
		if err := wait(); !errors.Is(err, stream.ErrNoSinks) {
			t.Errorf("Run: got %v, want %v", err, stream.ErrNoSinks)
		}
	})
}

// A stall is made by a source that blocks, which it must not.
func TestAStallIsCaughtUpWithoutSkipping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		s := stream.New(&stalling{Source: streamtest.Sound(4 * second), at: 2 * second, stall: 1500 * time.Millisecond}, stream.Config{}, speaker)
		if err := s.Run(t.Context()); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		expect(t, "heard", speaker.Samples(), 0, 4*second)
		if got := s.Stats(); got.Restarts != 0 || got.Late == 0 {
			t.Errorf("Stats: got %+v, want late packets and no restart", got)
		}
		if got := len(speaker.Starts()); got != 1 {
			t.Errorf("got %d timelines, want 1", got)
		}
	})
}

func TestALongStallMovesTheTimeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, speaker := time.Now(), new(streamtest.Speaker)
		s := stream.New(&stalling{Source: streamtest.Sound(4 * second), at: 2 * second, stall: time.Minute}, stream.Config{}, speaker)
		if err := s.Run(t.Context()); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		if got := s.Stats().Restarts; got != 1 {
			t.Errorf("got %d restarts, want 1", got)
		}
		heard := speaker.Samples()
		// The packet on which it stalled came a minute too late.
		if lost := 4*second - len(heard); lost > 352 {
			t.Errorf("%d frames were lost, want one packet at most", lost)
		}
		if got := heard[len(heard)-1]; got != streamtest.Sample(4*second-1) {
			t.Errorf("the last frame heard is %v, want that of the sound", got)
		}
		if got := since(began); got > 66*time.Second {
			t.Errorf("Run returned after %v, want 66s at most", got)
		}
	})
}

func TestAPauseAfterAStallLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		s := stream.New(&stalling{Source: streamtest.Sound(4 * second), at: 2 * second, stall: time.Minute}, stream.Config{}, speaker)
		wait := run(t.Context(), s)
		time.Sleep(10 * time.Second)
		if got := s.Elapsed(); got > 2010*time.Millisecond {
			t.Errorf("Elapsed: got %v, want 2s: no more has left", got)
		}
		s.Pause(t.Context())
		if got := s.Elapsed(); got > 2020*time.Millisecond {
			t.Errorf("Elapsed: got %v, want 2s: no more has left", got)
		}
		s.Resume(t.Context())
		if err := wait(); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		if lost := 4*second - len(speaker.Samples()); lost > 352 {
			t.Errorf("%d frames were lost, want one packet at most", lost)
		}
	})
}

type stalling struct {
	*streamtest.Source
	read, at int64
	stall    time.Duration
}

func (s *stalling) Read(p [][2]float32) (int, error) {
	if s.read >= s.at && s.stall > 0 {
		time.Sleep(s.stall)
		s.stall = 0
	}
	n, err := s.Source.Read(p)
	s.read += int64(n)
	return n, err
}

func TestAnUnderrunIsSilenceOnTheSameTimeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, speaker, sound := time.Now(), new(streamtest.Speaker), streamtest.Sound(4*second)
		sound.Hold(2*second + 100)
		s := stream.New(sound, stream.Config{}, speaker)
		wait := run(t.Context(), s)
		time.Sleep(2500 * time.Millisecond)
		if !s.Stats().Starved {
			t.Errorf("Stats: got not starved, want starved")
		}
		time.Sleep(1 * time.Second)
		if got, want := s.Elapsed(), lasts(second*2+100); got != want {
			t.Errorf("Elapsed in the gap: got %v, want %v", got, want)
		}
		sound.Hold(4 * second)
		if err := wait(); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		expect(t, "heard", speaker.Samples(), 0, 4*second)
		if got := len(speaker.Starts()); got != 1 {
			t.Errorf("got %d timelines, want 1", got)
		}
		stats := s.Stats()
		if stats.Underruns != 1 || stats.Starved {
			t.Errorf("Stats: got %+v, want one underrun, which is over", stats)
		}
		if got := since(began); got.Round(time.Millisecond) != (5*time.Second + stats.Inserted).Round(time.Millisecond) {
			t.Errorf("Run returned after %v, want 5s and the inserted %v", got, stats.Inserted)
		}
	})
}

func lasts(frames int64) time.Duration { return time.Duration(frames * int64(time.Second) / second) }

func TestAStarvedStreamWaitsForAGoodReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker, sound := new(streamtest.Speaker), streamtest.Sound(6*second)
		sound.Hold(2 * second)
		src := &reservoir{Source: sound, full: make(chan struct{})}
		s := stream.New(src, stream.Config{}, speaker)
		wait := run(t.Context(), s)
		time.Sleep(2500 * time.Millisecond)
		sound.Hold(2*second + 1000) // a little, which is no reserve
		time.Sleep(time.Second)
		if got := len(speaker.Sound()); got > 2*second {
			t.Errorf("heard %d frames, want %d: the reserve is not there", got, 2*second)
		}
		sound.Hold(6 * second)
		close(src.full)
		if err := wait(); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		expect(t, "heard", speaker.Samples(), 0, 6*second)
		if got := s.Stats().Underruns; got != 1 {
			t.Errorf("got %d underruns, want 1", got)
		}
		if src.asked != second {
			t.Errorf("waited for %d frames, want half of what the source holds", src.asked)
		}
	})
}

type reservoir struct {
	*streamtest.Source
	full  chan struct{}
	asked int
}

func (r *reservoir) Capacity() int { return 2 * second }

func (r *reservoir) Wait(ctx context.Context, frames int) error {
	r.asked = frames
	select {
	case <-r.full:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestAStreamBeginsWhenTheSourceHasSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker, sound := new(streamtest.Speaker), streamtest.Sound(second)
		sound.Hold(0)
		s := stream.New(sound, stream.Config{}, speaker)
		wait := run(t.Context(), s)
		time.Sleep(10 * time.Second)
		began := time.Now()
		sound.Hold(second)
		wait()
		expect(t, "heard", speaker.Samples(), 0, second)
		if got := speaker.Sound()[0].At.Sub(began); got > 1010*time.Millisecond {
			t.Errorf("first frame heard after %v, want 1s and a breath", got)
		}
		if got := s.Stats().Underruns; got != 0 {
			t.Errorf("got %d underruns, want none before the beginning", got)
		}
	})
}

func TestAStarvedStreamCanBePausedAndSought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sound := streamtest.Sound(6 * second)
		sound.Hold(2 * second)
		speaker := new(streamtest.Speaker)
		s := stream.New(seekable{&reservoir{Source: sound, full: make(chan struct{})}}, stream.Config{}, speaker)
		wait := run(t.Context(), s)
		time.Sleep(2500 * time.Millisecond)
		if err := s.Pause(t.Context()); err != nil {
			t.Errorf("Pause: got %v, want nil", err)
		}
		if s.Stats().Starved {
			t.Errorf("Stats: got starved, want not: it is paused")
		}
		if err := s.Seek(t.Context(), time.Second); err != nil {
			t.Errorf("Seek: got %v, want nil", err)
		}
		sound.Hold(6 * second)
		if err := s.Resume(t.Context()); err != nil {
			t.Errorf("Resume: got %v, want nil", err)
		}
		if err := wait(); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		heard := speaker.Samples()
		expect(t, "after the seek", heard[len(heard)-5*second:], second, 6*second)
	})
}

type seekable struct{ *reservoir }

func (s seekable) Len() int64              { return 6 * second }
func (s seekable) SeekFrame(n int64) error { return s.Source.Seekable().SeekFrame(n) }

func TestASourceThatLiesIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stream.New(liar{streamtest.Sound(second)}, stream.Config{}, new(streamtest.Speaker))
		if err := s.Run(t.Context()); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("Run: got %v, want an error", err)
		}
	})
}

type liar struct{ *streamtest.Source }

func (liar) Read(p [][2]float32) (int, error) { return len(p) + 1, nil }

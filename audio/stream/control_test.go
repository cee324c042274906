package stream_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/audio/stream/streamtest"
)

func TestAPauseLosesNothing(t *testing.T) {
	for _, test := range []struct {
		name  string
		after time.Duration // until the pause
		heard int64         // frames
	}{
		{"before the first frame", 700 * time.Millisecond, 0},
		{"at the first frame", time.Second, 1},
		{"in the middle of a packet", 1234567 * time.Microsecond, 10345},
		{"when all has been sent", 2500 * time.Millisecond, second*3/2 + 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				speaker := new(streamtest.Speaker)
				s := stream.New(streamtest.Sound(2*second), stream.Config{}, speaker)
				wait := run(t.Context(), s)
				time.Sleep(test.after)
				if err := s.Pause(t.Context()); err != nil {
					t.Fatalf("Pause: got %v, want nil", err)
				}
				time.Sleep(time.Hour)
				expect(t, "heard before the pause", speaker.Samples(), 0, test.heard)
				began := time.Now()
				if err := s.Resume(t.Context()); err != nil {
					t.Fatalf("Resume: got %v, want nil", err)
				}
				if err := wait(); err != nil {
					t.Errorf("Run: got %v, want nil", err)
				}
				expect(t, "heard", speaker.Samples(), 0, 2*second)
				if got := speaker.Sound()[test.heard].At.Sub(began); got != time.Second {
					t.Errorf("heard again after %v, want 1s", got)
				}
			})
		})
	}
}

func TestAPauseFallsBetweenPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := &streamtest.Speaker{Whole: true}
		s := stream.New(streamtest.Sound(3*second), stream.Config{Whole: true}, speaker)
		wait := run(t.Context(), s)
		for i := range 40 {
			time.Sleep(1100*time.Millisecond + time.Duration(i)*time.Millisecond/3)
			asked := time.Now()
			s.Pause(t.Context())
			if took := time.Since(asked); took > 8*time.Millisecond {
				t.Errorf("paused after %v, want 8ms at most", took)
			}
			time.Sleep(time.Second)
			s.Resume(t.Context())
		}
		wait()
		expect(t, "heard", speaker.Samples(), 0, 3*second)
	})
}

func TestManyPausesLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		for range 4 {
			speaker, late := new(streamtest.Speaker), new(streamtest.Speaker)
			sound := streamtest.Sound(second + random.Int64N(2*second))
			sound.Chunk = 1 + random.IntN(500)
			end := sound.Frames()
			s := stream.New(sound, stream.Config{Lead: time.Duration(250+random.IntN(1000)) * time.Millisecond, LeadIn: random.IntN(12) - 1}, speaker)
			wait := run(t.Context(), s)
			for range 20 {
				sound.Hold(random.Int64N(2 * end))
				time.Sleep(time.Duration(random.Int64N(int64(500 * time.Millisecond))))
				switch random.IntN(4) {
				case 0, 1:
					s.Pause(t.Context())
					time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
					s.Resume(t.Context())
				case 2:
					s.Attach(t.Context(), late)
				case 3:
					s.Detach(t.Context(), late)
				}
			}
			sound.Hold(end)
			if err := wait(); err != nil {
				t.Errorf("Run: got %v, want nil", err)
			}
			expect(t, "heard", speaker.Samples(), 0, end)
			if got, want := s.Elapsed(), lasts(end); got != want {
				t.Errorf("Elapsed: got %v, want %v", got, want)
			}
		}
	})
}

func TestFrameNumbersOnlyGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(2*second), stream.Config{}, speaker)
		wait := run(t.Context(), s)
		for range 3 {
			time.Sleep(1200 * time.Millisecond)
			s.Pause(t.Context())
			s.Pause(t.Context())
			time.Sleep(time.Second)
			s.Resume(t.Context())
			s.Resume(t.Context())
		}
		wait()
		expect(t, "heard", speaker.Samples(), 0, 2*second)
		packets := speaker.Packets()
		for i, p := range packets {
			if want := int64(i-10) * alac.FramesPerPacket; p.Frame != want {
				t.Fatalf("packet %d: got frame %d, want %d", i, p.Frame, want)
			}
		}
		if got := len(speaker.Starts()); got != 4 {
			t.Errorf("got %d timelines, want 4", got)
		}
		if got := len(speaker.Flushes()); got != 3 {
			t.Errorf("got %d flushes, want 3", got)
		}
	})
}

func TestElapsedStandsStillInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stream.New(streamtest.Sound(2*second), stream.Config{}, new(streamtest.Speaker))
		wait := run(t.Context(), s)
		time.Sleep(1500 * time.Millisecond)
		s.Pause(t.Context())
		want := 500*time.Millisecond + 22675 // the frame that was being heard is over
		for range 3 {
			if got := s.Elapsed(); got != want {
				t.Errorf("Elapsed: got %v, want %v", got, want)
			}
			time.Sleep(time.Second)
		}
		s.Resume(t.Context())
		time.Sleep(time.Second)
		if got := s.Elapsed(); got != want {
			t.Errorf("Elapsed after the lead: got %v, want %v", got, want)
		}
		wait()
	})
}

func TestSeekContinuesElsewhere(t *testing.T) {
	for _, test := range []struct {
		name string
		to   time.Duration
		want int64 // the position of the first frame heard
	}{
		{"forth", 3 * time.Second, 3 * second},
		{"back", 0, 0},
		{"before the beginning", -time.Second, 0},
		{"beyond the end", time.Minute, 5 * second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				speaker := new(streamtest.Speaker)
				s := stream.New(streamtest.Sound(5*second).Seekable(), stream.Config{}, speaker)
				wait := run(t.Context(), s)
				time.Sleep(2 * time.Second)
				if err := s.Seek(t.Context(), test.to); err != nil {
					t.Fatalf("Seek: got %v, want nil", err)
				}
				if err := wait(); err != nil {
					t.Errorf("Run: got %v, want nil", err)
				}
				heard := speaker.Samples()
				expect(t, "heard before", heard[:second+1], 0, second+1)
				expect(t, "heard after", heard[second+1:], test.want, 5*second)
			})
		})
	}
}

func TestSeekInAPauseWaitsForResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(5*second).Seekable(), stream.Config{}, speaker)
		wait := run(t.Context(), s)
		time.Sleep(2 * time.Second)
		s.Pause(t.Context())
		if err := s.Seek(t.Context(), 4*time.Second); err != nil {
			t.Fatalf("Seek: got %v, want nil", err)
		}
		time.Sleep(time.Minute)
		expect(t, "heard in the pause", speaker.Samples(), 0, second+1)
		if got := s.Elapsed(); got != 4*time.Second {
			t.Errorf("Elapsed: got %v, want 4s", got)
		}
		s.Resume(t.Context())
		wait()
		expect(t, "heard after", speaker.Samples()[second+1:], 4*second, 5*second)
	})
}

func TestSeekAfterAllWasSentGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(second).Seekable(), stream.Config{}, speaker)
		wait := run(t.Context(), s)
		time.Sleep(1900 * time.Millisecond)
		s.Seek(t.Context(), 500*time.Millisecond)
		wait()
		expect(t, "heard after", speaker.Samples()[second*9/10+1:], second/2, second)
	})
}

func TestWhatCannotSeekPlaysOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(2*second), stream.Config{}, speaker)
		wait := run(t.Context(), s)
		time.Sleep(2 * time.Second)
		if err := s.Seek(t.Context(), 0); !errors.Is(err, audio.ErrNotSeekable) {
			t.Errorf("Seek: got %v, want %v", err, audio.ErrNotSeekable)
		}
		wait()
		expect(t, "heard", speaker.Samples(), 0, 2*second)
		if got := speaker.Flushes(); len(got) != 0 {
			t.Errorf("flushed at %v, want never", got)
		}
	})
}

func TestALateSpeakerJoinsInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := new(streamtest.Speaker), new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(4*44100), stream.Config{}, first)
		wait := run(t.Context(), s)
		time.Sleep(1500 * time.Millisecond)
		if err := s.Attach(t.Context(), second); err != nil {
			t.Fatalf("Attach: got %v, want nil", err)
		}
		if err := s.Attach(t.Context(), second); !errors.Is(err, stream.ErrAttached) {
			t.Errorf("Attach again: got %v, want %v", err, stream.ErrAttached)
		}
		wait()
		expect(t, "first", first.Samples(), 0, 4*44100)
		start, packets := second.Starts()[0].Timeline, second.Packets()
		if packets[0].Frame != start.Frame {
			t.Errorf("the first packet is %d, want that of the timeline, %d", packets[0].Frame, start.Frame)
		}
		all, late := first.Sound(), second.Sound()
		if len(late) == 0 {
			t.Fatalf("the late speaker heard nothing")
		}
		inStep(t, all[len(all)-len(late):], late)
	})
}

func TestALateSpeakerIsGivenTheTimeItNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &streamtest.Speaker{Floor: 2500 * time.Millisecond}
		s := stream.New(streamtest.Sound(6*second), stream.Config{}, new(streamtest.Speaker))
		wait := run(t.Context(), s)
		time.Sleep(1500 * time.Millisecond)
		began := time.Now()
		if err := s.Attach(t.Context(), slow); err != nil {
			t.Fatalf("Attach: got %v, want nil", err)
		}
		wait()
		if got := slow.Sound()[0].At.Sub(began); got < 2500*time.Millisecond || got > 2510*time.Millisecond {
			t.Errorf("first frame heard after %v, want 2.5s and less than a packet", got)
		}
	})
}

func TestADetachedSpeakerFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stays, leaves := new(streamtest.Speaker), new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(3*second), stream.Config{}, stays, leaves)
		wait := run(t.Context(), s)
		time.Sleep(2 * time.Second)
		if err := s.Detach(t.Context(), leaves); err != nil {
			t.Fatalf("Detach: got %v, want nil", err)
		}
		if err := s.Detach(t.Context(), leaves); err != nil {
			t.Errorf("Detach again: got %v, want nil", err)
		}
		wait()
		expect(t, "the one that left", leaves.Samples(), 0, second+1)
		expect(t, "the one that stayed", stays.Samples(), 0, 3*second)
	})
}

func TestTheTimelineRunsOnWithoutSpeakers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, speaker := time.Now(), new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(5*second), stream.Config{}, speaker)
		wait := run(t.Context(), s)
		time.Sleep(2 * time.Second)
		s.Detach(t.Context(), speaker)
		time.Sleep(time.Second)
		s.Attach(t.Context(), speaker)
		if err := wait(); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		if got := since(began); got != 6*time.Second {
			t.Errorf("Run returned after %v, want 6s", got)
		}
		heard := speaker.Sound()
		expect(t, "before", speaker.Samples()[:second+1], 0, second+1)
		last := heard[len(heard)-1]
		if got := last.At.Sub(began); last.Sample != streamtest.Sample(5*second-1) || got > 6*time.Second || got < 6*time.Second-23*time.Microsecond {
			t.Errorf("the last frame is %v after %v, want that of the sound after 6s", last.Sample, got)
		}
	})
}

func TestAStreamWithoutSpeakersWaitsForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(second), stream.Config{})
		wait := run(t.Context(), s)
		time.Sleep(time.Minute)
		began := time.Now()
		s.Attach(t.Context(), speaker)
		wait()
		expect(t, "heard", speaker.Samples(), 0, second)
		if got := speaker.Sound()[0].At.Sub(began); got != time.Second {
			t.Errorf("first frame heard after %v, want 1s", got)
		}
	})
}

func TestAnAnnouncementBorrowsTheSpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		music := stream.New(streamtest.Sound(3*second), stream.Config{}, speaker)
		wait := run(t.Context(), music)
		time.Sleep(2 * time.Second)
		music.Pause(t.Context())
		if err := stream.Play(t.Context(), streamtest.Sound(second/2), speaker); err != nil {
			t.Errorf("Play: got %v, want nil", err)
		}
		music.Resume(t.Context())
		wait()
		want := slices.Concat(streamtest.Samples(0, second+1), streamtest.Samples(0, second/2), streamtest.Samples(second+1, 3*second))
		if got := speaker.Samples(); !slices.Equal(got, want) {
			t.Errorf("heard %d frames, want %d: the music, the announcement, and the rest", len(got), len(want))
		}
	})
}

func TestAMemberOfAPausedStreamMayBeLentOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speaker := new(streamtest.Speaker)
		s := stream.New(streamtest.Sound(2*second), stream.Config{}, speaker)
		ctx, cancel := context.WithCancel(t.Context())
		wait := run(ctx, s)
		time.Sleep(1500 * time.Millisecond)
		s.Pause(t.Context())
		s.Detach(t.Context(), speaker)
		if got := len(speaker.Flushes()); got != 1 {
			t.Errorf("got %d flushes, want the one of the pause", got)
		}
		cancel()
		wait()
	})
}

func TestStatesAreToldWhenTheyAreHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type told struct {
			After time.Duration
			State stream.State
		}
		began, states := time.Now(), []told(nil)
		sound := streamtest.Sound(4 * second)
		sound.Hold(2 * second)
		s := stream.New(sound, stream.Config{Notify: func(state stream.State) {
			states = append(states, told{time.Since(began), state})
		}}, new(streamtest.Speaker))
		wait := run(t.Context(), s)
		<-s.Heard()
		if got := since(began); got != time.Second {
			t.Errorf("Heard is closed after %v, want 1s", got)
		}
		time.Sleep(1500 * time.Millisecond)
		sound.Hold(4 * second)
		time.Sleep(1500 * time.Millisecond)
		s.Pause(t.Context())
		time.Sleep(time.Second)
		s.Resume(t.Context())
		wait()
		for i := range states {
			states[i].After = states[i].After.Round(10 * time.Millisecond)
		}
		// The source has nothing from 2.0 to 2.5 s; packets leave one second
		// before they are heard.
		want := []told{
			{1000 * time.Millisecond, stream.Playing},
			{3000 * time.Millisecond, stream.Starved},
			{3510 * time.Millisecond, stream.Playing},
			{4000 * time.Millisecond, stream.Paused},
			{5000 * time.Millisecond, stream.Starting},
			{6000 * time.Millisecond, stream.Playing},
			{7510 * time.Millisecond, stream.Ended},
		}
		if diff := cmp.Diff(want, states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

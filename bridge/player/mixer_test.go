package player_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/bridge/player"
)

// quarter is -18 dB.
const quarter = 0.125892541

// noise is a clip of so many frames, none of them silent, as samples and as a
// clip.
func noise(frames int64) ([][2]int16, *audio.Clip) {
	random := rand.New(rand.NewPCG(7, 7))
	samples, sound := make([][2]int16, frames), make([]audio.Frame, frames)
	for i := range samples {
		s := [2]int16{int16(random.IntN(8000)) + 1000, -int16(random.IntN(8000)) - 1000}
		samples[i], sound[i] = s, audio.Frame{float32(s[0]) / 32768, float32(s[1]) / 32768}
	}
	return samples, audio.NewClip(sound)
}

// A concert is a stream that plays to a mixer.
type concert struct {
	t       *testing.T
	session *session
	stream  *stream.Stream
	ended   sync.WaitGroup
}

func perform(t *testing.T, m stream.Sink, s *session, src audio.Source, cfg stream.Config) *concert {
	c := &concert{t: t, session: s, stream: stream.New(src, cfg, m)}
	ctx, cancel := context.WithCancel(t.Context())
	c.ended.Go(func() { c.stream.Run(ctx) })
	t.Cleanup(func() { cancel(); c.ended.Wait() })
	<-c.stream.Heard()
	return c
}

// music returns what was heard from the music's first frame on, by its number,
// and the samples that were in no place.
func (c *concert) heard() map[int64][2]int16 {
	c.t.Helper()
	starts := c.session.Starts()
	tl := starts[0].Timeline
	first := tl.Frame + 10*alac.FramesPerPacket // behind the lead-in
	for _, s := range starts[1:] {
		if off := s.Timeline.Time.Sub(tl.At(s.Timeline.Frame)); off.Abs() > time.Nanosecond {
			c.t.Errorf("another line was begun, %v beside the first", off)
		}
	}
	heard := map[int64][2]int16{}
	for _, i := range c.session.Heard() {
		heard[tl.FrameAt(i.At)-first] = i.Sample
	}
	return heard
}

// number is the music's frame that is heard at t.
func (c *concert) number(t time.Time) int64 {
	tl := c.session.Starts()[0].Timeline
	return tl.FrameAt(t) - tl.Frame - 10*alac.FramesPerPacket
}

func TestClipsAreHeardOverTheMusic(t *testing.T) {
	for name, cfg := range map[string]stream.Config{
		"music":        {},
		"far ahead":    {Lead: 4 * time.Second},
		"live sound":   {Lead: 300 * time.Millisecond, Ahead: -1},
		"at the floor": {Lead: 250 * time.Millisecond, Ahead: -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSession()
				s.Floor, s.FlushTakes, s.StartTakes = 250*time.Millisecond, 30*time.Millisecond, time.Millisecond
				m := player.NewMixer(s)
				music := perform(t, m, s, streamtest.Sound(20*second), cfg)
				samples, clip := noise(3*second + 100)
				time.Sleep(4 * time.Second)
				began := time.Now()
				o, err := m.Speak(t.Context(), quarter, 0, clip)
				if err != nil {
					t.Fatal(err)
				}
				<-o.Heard()
				if took := time.Since(began); took > 300*time.Millisecond {
					t.Errorf("heard after %v, want 300ms at most", took)
				}
				first := music.number(time.Now())
				<-o.Done()
				if err := o.Err(); err != nil {
					t.Errorf("got %v, want nil", err)
				}
				last := music.number(time.Now())
				if got := last - first; got != int64(len(samples)) {
					t.Errorf("the clip took %d frames, want %d", got, len(samples))
				}
				time.Sleep(5 * time.Second)
				if m.Taken() {
					t.Errorf("the mixer still has the line")
				}
				music.ended.Wait()
				heard := music.heard()
				// 300 ms after the clip the music is what it was, and it was before.
				silence, cut := music.number(began.Add(s.FlushTakes))+1, first
				for n := range int64(20 * second) {
					want := streamtest.Sample(n)
					got, ok := heard[n]
					switch {
					case n < silence, n >= last+second*3/10:
						if got != want {
							t.Fatalf("music frame %d: got %v, want %v", n, got, want)
						}
					case n < cut:
						if ok && got != [2]int16{} {
							t.Fatalf("music frame %d was heard before the clip: %v", n, got)
						}
					case n >= first+second/5 && n < last:
						c := samples[n-first]
						if !about(got[0], float64(c[0])+quarter*float64(want[0])) || !about(got[1], float64(c[1])+quarter*float64(want[1])) {
							t.Fatalf("frame %d of the clip: got %v, want %v over %v", n-first, got, c, want)
						}
					case n < last: // the bed rises
						if c := samples[n-first]; float64(got[0]-c[0]) > quarter*float64(want[0])+2 {
							t.Fatalf("frame %d of the clip: the bed is louder than it should: %v over %v", n-first, got, want)
						}
					}
				}
			})
		})
	}
}

func about(got int16, want float64) bool { return math.Abs(float64(got)-want) <= 2.5 }

func TestTheBedWaitsForTheVolume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		m := player.NewMixer(s)
		music := perform(t, m, s, streamtest.Sound(10*second), stream.Config{})
		_, clip := noise(second)
		o, err := m.Speak(t.Context(), 0, 80*time.Millisecond, clip)
		if err != nil {
			t.Fatal(err)
		}
		<-o.Done()
		last := music.number(time.Now())
		time.Sleep(time.Second)
		heard := music.heard()
		for n := last; n < last+second/2; n++ {
			loud := heard[n][0] > 2 // dither is not
			if n < last+second*8/100 && loud {
				t.Fatalf("the bed is heard %d frames after the clip: %v", n-last, heard[n])
			}
			if n > last+second*3/10 && heard[n] != streamtest.Sample(n) {
				t.Fatalf("frame %d after the clip: got %v, want %v", n-last, heard[n], streamtest.Sample(n))
			}
		}
	})
}

func TestClipsGoOnWhereTheMusicEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		m := player.NewMixer(s)
		music := perform(t, m, s, streamtest.Sound(second), stream.Config{})
		samples, clip := noise(4 * second)
		o, err := m.Speak(t.Context(), 0, 0, clip)
		if err != nil {
			t.Fatal(err)
		}
		<-o.Heard()
		first := music.number(time.Now())
		<-o.Done()
		time.Sleep(time.Second)
		heard := music.heard()
		for i, want := range samples {
			if got := heard[first+int64(i)]; got != want {
				t.Fatalf("frame %d of the clip: got %v, want %v", i, got, want)
			}
		}
	})
}

func TestNothingClips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loud := make([]audio.Frame, 4*second)
		for i := range loud {
			v := float32(math.Sin(2 * math.Pi * 440 * float64(i) / second))
			loud[i] = audio.Frame{v, v}
		}
		s := newSession()
		m := player.NewMixer(s)
		music := perform(t, m, s, audio.NewClip(loud).Source(), stream.Config{})
		o, err := m.Speak(t.Context(), 0.5, 0, audio.NewClip(loud[:second]))
		if err != nil {
			t.Fatal(err)
		}
		<-o.Heard()
		first := music.number(time.Now())
		<-o.Done()
		last := music.number(time.Now())
		time.Sleep(time.Second)
		heard := music.heard()
		flat := 0
		for n := first; n < last; n++ {
			if v := heard[n][0]; v == 32767 || v == -32768 {
				if flat++; flat > 3 {
					t.Fatalf("frame %d of the clip clips", n-first)
				}
				continue
			}
			flat = 0
		}
	})
}

func TestAPauseEndsWhatIsSpoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		m := player.NewMixer(s)
		music := perform(t, m, s, streamtest.Sound(10*second), stream.Config{})
		_, clip := noise(3 * second)
		o, err := m.Speak(t.Context(), quarter, 0, clip)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := music.stream.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-o.Done():
		default:
			t.Errorf("it goes on in the pause")
		}
		if o.Err() == nil {
			t.Errorf("got no error, want why it was not heard to its end")
		}
		silent := len(s.Sound())
		time.Sleep(time.Second)
		if got := len(s.Sound()); got != silent {
			t.Errorf("%d frames were heard in the pause", got-silent)
		}
		if err := music.stream.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		music.ended.Wait()
		if err := music.stream.Err(); err != nil {
			t.Errorf("the music: got %v, want nil", err)
		}
		sound := s.Samples()
		if got, want := sound[len(sound)-1], streamtest.Sample(10*second-1); got != want {
			t.Errorf("the last frame is %v, want %v", got, want)
		}
	})
}

func TestOneOverlayFollowsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		m := player.NewMixer(s)
		music := perform(t, m, s, streamtest.Sound(10*second), stream.Config{})
		_, clip := noise(3 * second)
		first, err := m.Speak(t.Context(), quarter, 0, clip)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		second, err := m.Speak(t.Context(), quarter, 0, clip)
		if err != nil {
			t.Fatal(err)
		}
		if <-first.Done(); first.Err() == nil {
			t.Errorf("the first: got no error")
		}
		if <-second.Done(); second.Err() != nil {
			t.Errorf("the second: got %v", second.Err())
		}
		music.ended.Wait()
		if err := music.stream.Err(); err != nil {
			t.Errorf("the music: got %v, want nil", err)
		}
		music.heard()
	})
}

func TestASessionThatDiesEndsWhatIsSpoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		m := player.NewMixer(s)
		music := perform(t, m, s, streamtest.Sound(10*second), stream.Config{})
		_, clip := noise(3 * second)
		o, err := m.Speak(t.Context(), quarter, 0, clip)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s.hangUp(errors.New("the wire is cut"))
		if <-o.Done(); o.Err() == nil {
			t.Errorf("got no error")
		}
		music.ended.Wait()
		if err := music.stream.Err(); !errors.Is(err, stream.ErrNoSinks) {
			t.Errorf("the music: got %v, want %v", err, stream.ErrNoSinks)
		}
		m.Close()
	})
}

func TestAMixerIsASink(t *testing.T) {
	streamtest.TestSink(t, func(*testing.T) streamtest.Peer {
		s := newSession()
		m := player.NewMixer(s)
		return streamtest.Peer{Sink: m, Heard: func() [][2]int16 {
			var heard [][2]int16
			for _, i := range s.Heard() {
				heard = append(heard, i.Sample)
			}
			return heard
		}, Cut: func() { s.hangUp(errors.New("the wire is cut")) }, Close: m.Close, Done: m.Done()}
	})
}

func TestTheBeatDoesNotAllocate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := player.NewMixer(&tap{session: newSession(), first: make(chan time.Time, 1)})
		if err := m.Start(t.Context(), stream.Timeline{Rate: second, Time: time.Now()}); err != nil {
			t.Fatal(err)
		}
		p := stream.Packet{Payload: alac.AppendVerbatim(nil, nil)}
		if got := testing.AllocsPerRun(1000, func() {
			m.WritePacket(p)
			p.Frame += alac.FramesPerPacket
		}); got >= 1 {
			t.Errorf("got %v allocations, want none", got)
		}
	})
}

// A stalling source stands still once, as a machine does that has too much to
// do: the whole stream with it.
type stalling struct {
	audio.Source
	left  int
	takes time.Duration
}

func (s *stalling) Read(dst []audio.Frame) (int, error) {
	n, err := s.Source.Read(dst)
	if s.left -= n; s.left <= 0 {
		time.Sleep(s.takes)
		s.takes = 0
	}
	return n, err
}

func TestAChimeOutlivesALineThatBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := belfry(t, nil)
		h.set(func() {
			music := h.sounds["music"]
			music.Source = &stalling{Source: music.Source, left: 5 * second, takes: 2200 * time.Millisecond}
			h.sounds["music"] = music
		})
		h.must(player.Play{File: "music"})
		time.Sleep(5100 * time.Millisecond) // what was sent is heard to its end in a moment
		h.must(ring("bell"))
		time.Sleep(5 * time.Second)
		if n := len(h.session(0).Starts()); n < 3 {
			t.Fatalf("the line began %d times: the test tests nothing", n)
		}
		want := []string{"p1 playback_started ", "a1 announcement_started ", "a1 announcement_finished ended"}
		if diff := cmp.Diff(want, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

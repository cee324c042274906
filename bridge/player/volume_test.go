package player_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/bridge/player"
)

func level(l float64) *float64 { return &l }

func TestTheVolumeIsRightBeforeTheFirstFrame(t *testing.T) {
	for _, test := range []struct {
		name   string
		build  func(h *house)
		play   player.Play
		said   []float64
		volume float64
	}{
		{name: "nobody ever set one, and the receiver does not tell", said: []float64{0.3}, volume: 0.3},
		{name: "the first volume is configured", build: func(h *house) { h.cfg.FirstVolume = 0.5 }, said: []float64{0.5}, volume: 0.5},
		{name: "the receiver tells its own, which is left alone", build: tells(0.7), volume: 0.7},
		{name: "the receiver's own is above what is allowed", build: func(h *house) {
			tells(0.7)(h)
			h.cfg.MaxVolume = 0.6
		}, said: []float64{0.6}, volume: 0.6},
		{name: "it is remembered from before", build: func(h *house) {
			tells(0.7)(h)
			h.cfg.Volume = level(0.4)
		}, said: []float64{0.4}, volume: 0.4},
		{name: "the sound wants one", build: tells(0.7), play: player.Play{Volume: level(0.2)}, said: []float64{0.2}, volume: 0.2},
		{name: "the sound wants too much", build: func(h *house) { h.cfg.MaxVolume = 0.5 }, play: player.Play{Volume: level(3)}, said: []float64{0.5}, volume: 0.5},
		{name: "the sound wants nonsense", play: player.Play{Volume: level(math.NaN())}, said: []float64{0.3}, volume: 0.3},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, test.build)
				h.put("bell", second)
				test.play.File = "bell"
				h.must(test.play)
				s := h.session(0)
				if diff := cmp.Diff(test.said, s.said()); diff != "" {
					t.Errorf("volumes (-want +got):\n%s", diff)
				}
				if got := h.state(); got.Volume != test.volume || !got.VolumeKnown {
					t.Errorf("state: got %v, want %v", got.Volume, test.volume)
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				for _, at := range s.volumeAt {
					if at.After(s.Packets()[0].At) {
						t.Errorf("the volume was set after the first packet")
					}
				}
			})
		})
	}
}

// tells makes the receiver one that knows its volume.
func tells(level float64) func(h *house) {
	return func(h *house) {
		h.receiver = func() (player.Session, error) {
			s := newSession()
			h.dialled = append(h.dialled, s)
			return teller{s, level}, nil
		}
	}
}

func TestTheVolumeIsKeptWhileNothingPlays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.put("bell", second)
		h.must(player.SetVolume{Level: 0.5})
		h.must(player.SetVolume{Level: 0.1, Relative: true})
		h.must(player.Mute{To: player.MuteToggle})
		if got := h.state(); !got.VolumeKnown || got.Volume != 0.6 || !got.Muted {
			t.Errorf("state: got %v, muted %v, want 0.6 and muted", got.Volume, got.Muted)
		}
		h.must(player.Play{File: "bell"})
		h.must(player.SetVolume{Level: 0.7})
		h.must(player.Mute{To: player.MuteOff})
		h.must(player.Mute{To: player.MuteOff})
		h.must(player.Mute{To: player.MuteOn})
		h.must(player.Mute{To: player.MuteToggle})
		if diff := cmp.Diff([]float64{0, 0.7, 0, 0.7}, h.session(0).said()); diff != "" {
			t.Errorf("volumes (-want +got):\n%s", diff)
		}
	})
}

func TestAVolumeIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.cfg.Volume = level(0.4) })
		h.put("bell", second)
		for range 3 {
			h.must(player.Play{File: "bell"})
			time.Sleep(3 * time.Second)
		}
		if diff := cmp.Diff([]float64{0.4}, h.session(0).said()); diff != "" {
			t.Errorf("volumes (-want +got):\n%s", diff)
		}
	})
}

func TestAFadeIsMadeOfSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.cfg.Volume = level(0.2) })
		h.put("music", 60*second)
		h.must(player.Play{File: "music"})
		began := time.Now()
		fading := h.ask(player.SetVolume{Level: 0.8, Fade: time.Second})
		h.must(player.Mute{To: player.MuteOff}) // the loop is free meanwhile
		if got := time.Since(began); got != 0 {
			t.Errorf("Mute was answered after %v, want at once", got)
		}
		if err := <-fading; err != nil {
			t.Errorf("SetVolume: got %v, want nil", err)
		}
		if got := time.Since(began); got != time.Second {
			t.Errorf("faded for %v, want 1s", got)
		}
		said := h.session(0).said()
		if len(said) != 11 || said[10] != 0.8 {
			t.Errorf("volumes: got %v, want ten steps to 0.8", said)
		}
		for i := range said[1:] {
			if said[i+1] <= said[i] {
				t.Errorf("volumes: got %v, want them to grow", said)
			}
		}
		if got := h.state().Volume; got != 0.8 {
			t.Errorf("state: got %v, want 0.8", got)
		}
	})
}

func TestAFadeIsOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.cfg.Volume = level(0.2) })
		h.put("music", 60*second)
		h.must(player.Play{File: "music"})
		fading := h.ask(player.SetVolume{Level: 0.8, Fade: time.Minute})
		time.Sleep(time.Second)
		h.must(player.SetVolume{Level: 0.1})
		if err := <-fading; !errors.Is(err, player.ErrReplaced) {
			t.Errorf("SetVolume: got %v, want %v", err, player.ErrReplaced)
		}
		time.Sleep(time.Minute)
		if got := h.state().Volume; got != 0.1 {
			t.Errorf("state: got %v, want 0.1", got)
		}
	})
}

func TestAReceiverThatDoesNotAnswerHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) {
			h.receiver = func() (player.Session, error) {
				s := newSession()
				s.volumeTakes = time.Hour
				h.dialled = append(h.dialled, s)
				return s, nil
			}
		})
		h.put("bell", second)
		h.must(player.Play{File: "bell"})
		began := time.Now()
		if err := <-h.ask(player.SetVolume{Level: 0.5}); err == nil {
			t.Errorf("SetVolume: got nil, want an error")
		}
		if got := time.Since(began); got != 3*time.Second {
			t.Errorf("SetVolume was answered after %v, want 3s", got)
		}
		if got := h.state().Volume; got != 0.5 {
			t.Errorf("state: got %v, want 0.5, which the next session is told", got)
		}
	})
}

func TestNothingGetsPastTheMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 0.55
		h := build(t, func(h *house) {
			tells(0.9)(h)
			h.cfg.MaxVolume, h.cfg.FirstVolume, h.cfg.Volume = most, 0.9, level(0.9)
			h.cfg.HangUp = 500 * time.Millisecond
		})
		random := rand.New(rand.NewPCG(1, 2))
		h.put("bell", second/10)
		for range 500 {
			some := (random.Float64() - 0.5) * 4
			fade := time.Duration(random.IntN(3)) * 300 * time.Millisecond
			h.ask([]player.Command{
				player.SetVolume{Level: some},
				player.SetVolume{Level: some, Relative: true},
				player.SetVolume{Level: some, Fade: fade},
				player.SetVolume{Level: some, Relative: true, Fade: fade},
				player.Mute{To: player.MuteTo(random.IntN(3))},
				player.Play{File: "bell", Volume: &some},
				player.Play{File: "bell"},
				player.Stop{},
			}[random.IntN(8)])
			time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
		}
		h.stop()
		said := 0
		for _, s := range h.dialled {
			for _, v := range s.said() {
				said++
				if v > most || v < 0 {
					t.Fatalf("the session was told %v, want from 0 to %v", v, most)
				}
			}
		}
		for _, s := range h.told() {
			if s.Volume > most || s.Volume < 0 {
				t.Fatalf("the state told %v, want from 0 to %v", s.Volume, most)
			}
		}
		if said < 100 {
			t.Errorf("only %d volumes were said, which proves little", said)
		}
	})
}

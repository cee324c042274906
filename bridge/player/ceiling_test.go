package player_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/bridge/player"
)

// quiet is a ceiling that holds from one time after began to another.
func quiet(began time.Time, from, to time.Duration, most float64) func(time.Time) (float64, time.Time) {
	return func(at time.Time) (float64, time.Time) {
		switch {
		case at.Before(began.Add(from)):
			return 1, began.Add(from)
		case at.Before(began.Add(to)):
			return most, began.Add(to)
		}
		return 1, time.Time{}
	}
}

func TestWhatIsTooLoudIsTurnedDownAndUpAgain(t *testing.T) {
	for _, test := range []struct {
		name   string
		during player.Command // half a minute into the quiet hours; nil: nothing
		said   []float64
		end    float64
	}{
		{name: "nobody touches it", said: []float64{0.6, 0.2, 0.6}, end: 0.6},
		{name: "it is made softer meanwhile", during: player.SetVolume{Level: 0.1}, said: []float64{0.6, 0.2, 0.1}, end: 0.1},
		{name: "it is made louder meanwhile", during: player.SetVolume{Level: 0.9}, said: []float64{0.6, 0.2}, end: 0.2},
		{name: "its own knob is turned up", during: player.VolumeChanged{Level: 0.8}, said: []float64{0.6, 0.2, 0.2}, end: 0.2},
		{name: "its own knob is turned down", during: player.VolumeChanged{Level: 0.15}, said: []float64{0.6, 0.2}, end: 0.15},
		{name: "it is muted", during: player.Mute{To: player.MuteOn}, said: []float64{0.6, 0.2, 0}, end: 0.6},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, func(h *house) {
					h.cfg.Volume = level(0.6)
					h.cfg.Ceiling = quiet(time.Now(), time.Minute, 2*time.Minute, 0.2)
				})
				h.put("music", 240*second)
				h.must(player.Play{File: "music"})
				time.Sleep(time.Minute)
				if got := h.state(); got.Volume != 0.2 || got.Chosen != 0.6 {
					t.Errorf("in quiet hours: got %v of %v, want 0.2 of 0.6", got.Volume, got.Chosen)
				}
				time.Sleep(30 * time.Second)
				if test.during != nil {
					h.ask(test.during)
				}
				time.Sleep(time.Minute)
				if diff := cmp.Diff(test.said, h.session(0).said()); diff != "" {
					t.Errorf("volumes (-want +got):\n%s", diff)
				}
				if got := h.state(); got.Volume != test.end || got.Status != player.Playing {
					t.Errorf("state: got %v, %v, want playing, %v", got.Status, got.Volume, test.end)
				}
			})
		})
	}
}

func TestAVolumeFromBeforeIsHeldDownAtTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) {
			h.cfg.Volume = level(0.6)
			h.cfg.Ceiling = quiet(time.Now(), 0, time.Minute, 0.2)
		})
		h.put("music", 120*second)
		h.must(player.Play{File: "music"})
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]float64{0.2, 0.6}, h.session(0).said()); diff != "" {
			t.Errorf("volumes (-want +got):\n%s", diff)
		}
	})
}

func TestTheSpeakersOwnKnobIsTakenOverAndNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.cfg.Volume = level(0.4) })
		h.put("music", 600*second)
		h.must(player.Play{File: "music"})
		fading := h.ask(player.SetVolume{Level: 0.9, Fade: time.Hour})
		h.must(player.VolumeChanged{Level: 0.7})
		if err := <-fading; !errors.Is(err, player.ErrReplaced) {
			t.Errorf("the fade: got %v, want %v: who turns the knob is right", err, player.ErrReplaced)
		}
		h.must(player.SetVolume{Level: 0.7}) // it knows
		h.must(player.VolumeChanged{Level: 0})
		if got := h.state(); got.Volume != 0.7 || !got.Muted {
			t.Errorf("state: got %v, muted %v, want 0.7 and muted", got.Volume, got.Muted)
		}
		h.must(player.VolumeChanged{Level: 0.5})
		if got := h.state(); got.Volume != 0.5 || got.Muted {
			t.Errorf("state: got %v, muted %v, want 0.5 and not muted", got.Volume, got.Muted)
		}
		if err := <-h.ask(player.VolumeChanged{Level: math.NaN()}); err == nil {
			t.Errorf("a volume that is not a number was taken over")
		}
		if diff := cmp.Diff([]float64{0.4}, h.session(0).said()); diff != "" {
			t.Errorf("volumes (-want +got):\n%s", diff)
		}
	})
}

// TestNothingGetsPastTheCeiling does at random what changes a volume, at a time
// at which ever less or more is allowed, and then looks at all that a session
// was told, and when.
func TestNothingGetsPastTheCeiling(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { loudly(t, rand.New(rand.NewPCG(seed, 3))) })
		})
	}
}

func loudly(t *testing.T, random *rand.Rand) {
	const most, tide = 0.8, 7 * time.Second
	began := time.Now()
	levels := make([]float64, 200)
	for i := range levels {
		levels[i] = random.Float64()
	}
	ceiling := func(at time.Time) (float64, time.Time) {
		n := at.Sub(began) / tide
		return levels[int(n)%len(levels)], began.Add((n + 1) * tide)
	}
	h := build(t, func(h *house) {
		tells(0.9)(h)
		h.cfg.MaxVolume, h.cfg.FirstVolume, h.cfg.Volume, h.cfg.Ceiling = most, 0.9, level(0.9), ceiling
		h.cfg.HangUp = 500 * time.Millisecond
	})
	h.put("bell", second/10)
	h.put("music", 20*second)
	h.hang("chime", second)
	for range 500 {
		some := (random.Float64() - 0.5) * 4
		fade := time.Duration(random.IntN(20)) * time.Second
		h.ask([]player.Command{
			player.SetVolume{Level: some},
			player.SetVolume{Level: some, Relative: true},
			player.SetVolume{Level: some, Fade: fade},
			player.SetVolume{Level: some, Relative: true, Fade: fade},
			player.VolumeChanged{Level: some},
			player.Mute{To: player.MuteTo(random.IntN(3))},
			player.Play{File: "bell", Volume: &some},
			player.Play{File: "music", Volume: &some},
			player.Play{File: "music"},
			player.Announce{Clips: ring("chime").Clips, Volume: &player.Loudness{Level: some, By: player.Measure(random.IntN(3))}, Unmute: true},
			player.Restore{Level: some}, player.Hush{},
			player.Pause{}, player.Resume{}, player.Stop{}, player.Prepare{},
		}[random.IntN(16)])
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
	}
	h.stop()
	allowed := func(at time.Time) float64 {
		now, _ := ceiling(at)
		return min(now, most)
	}
	said := 0
	for _, s := range h.dialled {
		for i, v := range s.said() {
			said++
			if v > allowed(s.volumeAt[i]) || v < 0 {
				t.Fatalf("a session was told %v when %v was allowed", v, allowed(s.volumeAt[i]))
			}
		}
	}
	if said < 200 {
		t.Errorf("only %d volumes were said, which proves little", said)
	}
	for _, s := range h.told() {
		if s.Volume > most || s.Volume < 0 {
			t.Fatalf("the state told %v, want from 0 to %v", s.Volume, most)
		}
	}
}

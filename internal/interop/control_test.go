//go:build linux

package interop_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// playing starts a sound of ten seconds in the kitchen and returns when it has
// been heard for a moment.
func playing(t *testing.T) (h home, tune interop.Sound, ear *interop.Ear) {
	t.Helper()
	tune = interop.Noise(10, 10*time.Second)
	h = newHome(t, map[string][]byte{"tune.wav": tune.WAV()})
	ear = h.kitchen.Listen()
	h.order(t, "play_file", "tune.wav")
	ear.Hear(t, tune[:44100/2], interop.Exactly)
	return h, tune, ear
}

func TestPauseLosesNothing(t *testing.T) {
	h, tune, ear := playing(t)
	at := h.order(t, "pause", "")
	h.client.Status(t, at, "kitchen", "paused")
	silent := h.kitchen.Silent(t, ear, 500*time.Millisecond).Sub(at)
	if silent > 300*time.Millisecond {
		t.Errorf("sound went on for %v after pause", silent)
	}
	interop.Note(t, "pause: sound goes on for", milliseconds(silent), "300 ms at most")

	before := ear.Runs(tune)
	heard := before[len(before)-1].Sound + before[len(before)-1].Frames
	again := h.kitchen.Listen()
	at = h.order(t, "play", "")
	h.client.Status(t, at, "kitchen", "playing")
	time.Sleep(2 * time.Second)
	after := again.Runs(tune)
	if len(before) != 1 || len(after) != 1 {
		t.Fatalf("before the pause were heard %s; after it %s", interop.Describe(before, tune), interop.Describe(after, tune))
	}
	// The receiver itself is 2 ms behind the instant at which it was told to be
	// silent: what the bridge rightly took for heard then may be cut off.
	const own = 88
	switch twice := heard - after[0].Sound; {
	case twice < -own:
		t.Errorf("%d frames were lost: %d was the last before the pause, %d the first after it", -twice, heard-1, after[0].Sound)
	case twice > 4410:
		t.Errorf("%d frames were heard twice", twice)
	default:
		interop.Note(t, "pause: frames heard twice, or lost if negative", fmt.Sprint(twice), "-88 to 4410")
	}
}

func TestSeekGoesToTheFrame(t *testing.T) {
	h, tune, ear := playing(t)
	at := h.order(t, "seek", "7")
	heard := ear.Hear(t, tune.From(7*time.Second), interop.Exactly)
	state := h.client.State(t, at, "kitchen", moment, func(s interop.State) bool {
		return s.State == "playing" && near(s.Position, 7, 0.2)
	})
	h.client.Status(t, state.At, "kitchen", "idle")
	interop.Note(t, "seek: from command to sound", milliseconds(heard.Line().Sub(at)), "about the lead")
}

func TestStopIsSilenceAtOnce(t *testing.T) {
	h, _, ear := playing(t)
	at := h.order(t, "stop", "")
	h.client.Status(t, at, "kitchen", "idle")
	silent := h.kitchen.Silent(t, ear, 500*time.Millisecond).Sub(at)
	if silent > 300*time.Millisecond {
		t.Errorf("sound went on for %v after stop", silent)
	}
	interop.Note(t, "stop: sound goes on for", milliseconds(silent), "300 ms at most")
	if got, want := events(t, h.client, at, "kitchen"), []string{"playback_finished stopped"}; !slices.Equal(got, want) {
		t.Errorf("events: got %q, want %q", got, want)
	}
}

func TestPlayPauseToggles(t *testing.T) {
	h, _, _ := playing(t)
	h.client.Status(t, h.order(t, "play_pause", ""), "kitchen", "paused")
	h.client.Status(t, h.order(t, "play_pause", ""), "kitchen", "playing")
}

func TestVolumeReachesReceiver(t *testing.T) {
	h, _, _ := playing(t)
	for _, c := range []struct {
		command, payload string
		decibels         string
		volume           float64
		muted            bool
	}{
		{"set_volume", "75", "-7.50", 75, false},
		{"set_volume", "+5", "-6.00", 80, false},
		{"set_volume_level", "0.2", "-24.00", 20, false},
		{"mute", "ON", "-144.00", 20, true},
		{"mute", "TOGGLE", "-24.00", 20, false},
		{"set_volume", "0", "-144.00", 0, false},
		{"set_volume", `{"volume":100}`, "0.00", 100, false},
	} {
		at := h.order(t, c.command, c.payload)
		h.kitchen.Metadata.Wait(t, at, "pvol", func(data string) bool {
			return len(data) > len(c.decibels) && data[:len(c.decibels)+1] == c.decibels+","
		})
		h.client.State(t, at, "kitchen", moment, func(s interop.State) bool {
			return near(s.Volume, c.volume, 0.01) && near(s.VolumeLevel, c.volume/100, 0.0001) && *s.Muted == c.muted
		})
	}
}

func TestPlayedVolumeIsSetBeforeTheSound(t *testing.T) {
	tune := interop.Noise(11, time.Second)
	h := newHome(t, map[string][]byte{"tune.wav": tune.WAV()})
	ear := h.kitchen.Listen()
	at := h.tell(t, "play_file", `{"path":"tune.wav","volume":55}`)
	heard := ear.Hear(t, tune, interop.Exactly)
	set := h.kitchen.Metadata.Wait(t, at, "pvol", func(data string) bool { return data[:7] == "-13.50," })
	if !set.At.Before(heard.Started) {
		t.Errorf("the volume came %v after the first frame", set.At.Sub(heard.Started))
	}
	for _, item := range h.kitchen.Metadata.Since(set.At, "pvol") {
		if got := string(item.Data[:7]); got != "-13.50," {
			t.Errorf("another volume followed: %s", item.Data)
		}
	}
}

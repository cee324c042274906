//go:build linux

package interop_test

import (
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

	for range 3 {
		at = h.order(t, "play", "")
		h.client.Status(t, at, "kitchen", "playing")
		time.Sleep(time.Second)
		h.client.Status(t, h.order(t, "pause", ""), "kitchen", "paused")
		h.kitchen.Silent(t, ear, 500*time.Millisecond)
	}
	runs := ear.Runs(tune)
	if len(runs) != 4 {
		t.Fatalf("between the pauses were heard %s", interop.Describe(runs, tune))
	}
	exact(t, "pause", runs)
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

//go:build linux

package interop_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// TestTextIsSpokenByEspeak announces a text, which the real espeak-ng speaks, and
// wants to hear what espeak-ng says when it is asked without us: first made, then
// out of memory.
func TestTextIsSpokenByEspeak(t *testing.T) {
	const text = "Dinner is ready"
	house := interop.Open(t)
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: broker, Devices: []interop.Device{house.Kitchen.Device()},
		Voice: []string{"espeak-ng", "--stdin", "--stdout", "-v{language}"},
	})
	h := home{house, broker, bridge, bridge.Client, house.Kitchen}
	for _, name := range []string{"made", "kept"} {
		ear := h.kitchen.Listen()
		at := h.order(t, "announce", `{"message":"`+text+`","language":"en"}`)
		h.client.Wait(t, at, "airplay/kitchen/event", 2*moment, func(s string) bool { return strings.Contains(s, "announcement_finished") })
		h.kitchen.Silent(t, ear, 300*time.Millisecond)
		recording := ear.Recorded()
		want, err := interop.ParseWAV(pipe(t, pipe(t, []byte(text+"\n"), "espeak-ng", "--stdin", "--stdout", "-ven"),
			"ffmpeg", "-loglevel", "error", "-i", "-", "-f", "wav", "-bitexact", "-ar", "44100", "-af", "pan=stereo|c0=c0|c1=c0", "-c:a", "pcm_s16le", "-"))
		if err != nil {
			t.Fatal(err)
		}
		if off := unlike(recording, want); off > 1 {
			t.Errorf("%s: %.2f %% of what is heard are something else", name, off)
		}
		if heard, ok := ear.FirstLoud(); ok {
			interop.Note(t, "announce, spoken by espeak-ng, "+name+": message to sound", milliseconds(heard.Sub(at)), "")
		}
	}
}

// unlike is how much of a recording is not the sound, in per cent of its energy:
// not bit for bit, for one was resampled by us and the other by ffmpeg. They are
// laid upon each other where they become loud.
func unlike(recording, sound interop.Sound) float64 {
	begins := func(s interop.Sound) int {
		return slices.IndexFunc(s, func(f interop.Frame) bool { return f[0] > 3000 })
	}
	from, at := begins(sound), begins(recording)
	if from < 0 || at < 0 {
		return 100
	}
	const around = 16
	best := 100.0
	for shift := -around; shift <= around; shift++ {
		var all, off float64
		for i := max(0, from-at-shift); i < len(sound); i++ {
			w, heard := float64(sound[i][0]), 0.0
			if j := i - from + at + shift; j < len(recording) {
				heard = float64(recording[j][0])
			}
			all, off = all+w*w, off+(heard-w)*(heard-w)
		}
		best = min(best, 100*off/all)
	}
	return best
}

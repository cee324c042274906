//go:build linux

package interop_test

import (
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
		// What both are alike in: one was resampled by ffmpeg, the other by us.
		begins := 0
		for begins < len(want) && want[begins][0] < 3000 {
			begins++
		}
		want = want[begins:]
		place, gain := interop.Within(recording, want)
		if gain < 0.98 || gain > 1.02 {
			t.Fatalf("%s: it is heard %.3f times as loud as it is", name, gain)
		}
		var all, off float64
		n := min(len(want), len(recording)-place, 44100)
		for i := range n {
			w, d := float64(want[i][0]), float64(recording[place+i][0])-float64(want[i][0])
			all, off = all+w*w, off+d*d
		}
		if n < 22050 || off > all/100 {
			t.Errorf("%s: of %d frames %.1f %% are something else", name, n, 100*off/all)
		}
		if heard, ok := ear.FirstLoud(); ok {
			interop.Note(t, "announce, spoken by espeak-ng, "+name+": message to sound", milliseconds(heard.Sub(at)), "")
		}
	}
}

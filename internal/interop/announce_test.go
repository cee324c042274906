//go:build linux

package interop_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// ringing is a home with a chime of noise, called bell, and music.
func ringing(t *testing.T, bell, music interop.Sound) home {
	t.Helper()
	house := interop.Open(t)
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: broker, Devices: []interop.Device{house.Kitchen.Device()},
		Files: map[string][]byte{"music.wav": music.WAV()}, Chimes: map[string][]byte{"bell.wav": bell.WAV()},
	})
	return home{house, broker, bridge, bridge.Client, house.Kitchen}
}

func TestChimeIsHeardAtOnce(t *testing.T) {
	house := interop.Open(t)
	house.NeedMDNS(t)
	bell := interop.Noise(70, 700*time.Millisecond)
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: broker, MDNS: true, Devices: []interop.Device{{Name: "Kitchen", KeepWarm: "1s"}},
		Chimes: map[string][]byte{"bell.wav": bell.WAV()}, Measured: true,
	})
	h := home{house, broker, bridge, bridge.Client, house.Kitchen}
	var cold, warm []time.Duration
	for range 5 {
		time.Sleep(1800 * time.Millisecond) // the session is given up
		for _, list := range []*[]time.Duration{&cold, &warm} {
			ear := h.kitchen.Listen()
			at := h.tell(t, "chime", "bell")
			heard := ear.Hear(t, bell, interop.Exactly)
			*list = append(*list, heard.Started.Sub(at))
			h.client.Status(t, at, "kitchen", "idle")
		}
	}
	for _, c := range []struct {
		name  string
		took  []time.Duration
		limit time.Duration
	}{{"cold", cold, 370 * time.Millisecond}, {"warm", warm, 270 * time.Millisecond}} {
		slices.Sort(c.took)
		interop.Note(t, "chime, "+c.name+": message to sound, median of 5", milliseconds(c.took[2]), milliseconds(c.limit)+" at most")
		if c.took[2] > c.limit {
			t.Errorf("%s: got %v, want %v at most", c.name, c.took, c.limit)
		}
	}
}

func TestMusicIsABedForAChime(t *testing.T) {
	music, bell := interop.Noise(71, 7*time.Second), interop.Noise(72, time.Second)
	h := ringing(t, bell, music)
	ear := h.kitchen.Listen()
	h.order(t, "play_file", `{"path":"music.wav","volume":50}`)
	ear.Hear(t, music[:2*44100], interop.Exactly)
	at := h.order(t, "chime", `{"chime":"bell","volume":60}`)
	h.client.Wait(t, at, "airplay/kitchen/event", moment, func(p string) bool { return strings.Contains(p, "announcement_finished") })
	h.client.State(t, at, "kitchen", 20*time.Second, func(s interop.State) bool { return s.State == "idle" })
	h.kitchen.Silent(t, ear, 200*time.Millisecond)
	recording := ear.Recorded()
	runs := interop.Runs(recording, music)
	if len(runs) != 2 {
		t.Fatalf("of the music was heard %s", interop.Describe(runs, music))
	}
	before, after := runs[0], runs[1]
	if end := after.Sound + after.Frames; end != len(music) {
		t.Errorf("the music ends at frame %d, want %d", end, len(music))
	}
	from := before.Recording + before.Frames
	place, gain := interop.Within(recording[from:after.Recording], bell)
	place += from
	if math.Abs(gain-1) > 0.02 {
		t.Errorf("the bell is heard %.3f times as loud as it is", gain)
	}
	// The bed in the middle of the bell is what is there besides the bell.
	const lead, middle = 44100 / 4, 44100 / 2
	offset := after.Sound - after.Recording // what was sent after the bell followed without a gap
	bed := music[place+lead+offset:][:middle]
	rest := make(interop.Sound, middle)
	for i := range rest {
		for c := range rest[i] {
			rest[i][c] = recording[place+lead+i][c] - bell[lead+i][c]
		}
	}
	at0, soft := interop.Within(rest, bed)
	level := 20 * math.Log10(soft)
	// The volume was raised by 3 dB for the bell, and the bed softened by as much.
	if at0 != 0 || math.Abs(level+21) > 0.1 {
		t.Errorf("the bed is at frame %d and %.2f dB, want 0 and -21", at0, level)
	}
	worst := 0.0
	for i, f := range rest {
		for c := range f {
			worst = max(worst, math.Abs(float64(f[c])-soft*float64(bed[i][c])))
		}
	}
	if worst > 4 {
		t.Errorf("bell and bed are off by %.1f steps", worst)
	}
	back := time.Duration(after.Recording-place-len(bell)) * time.Second / 44100
	if back > 300*time.Millisecond {
		t.Errorf("the music is back %v after the bell", back)
	}
	// The music is in the instant in which it would have been.
	line := func(r interop.Run, i int) time.Time {
		return ear.At(r.Recording + i).Add(-time.Duration(r.Sound+i) * time.Second / 44100)
	}
	moved := line(after, after.Frames/2).Sub(line(before, before.Frames/2))
	if moved.Abs() > 15*time.Millisecond {
		t.Errorf("the music moved by %v", moved)
	}
	interop.Note(t, "duck: the bed, 3 dB of it for the volume", fmt.Sprintf("%.2f dB", level), "-21 dB")
	interop.Note(t, "duck: silence before the bell", milliseconds(ear.At(place).Sub(ear.At(from))), "")
	interop.Note(t, "duck: music unchanged after the bell", milliseconds(back), "300 ms at most")
	interop.Note(t, "duck: the music moved by", milliseconds(moved), "")
	for _, level := range []string{"-12.00", "-15.00"} {
		h.kitchen.Metadata.Wait(t, at, "pvol", func(data string) bool { return strings.HasPrefix(data, level+",") })
	}
}

func TestMusicIsInterruptedForAChime(t *testing.T) {
	music, bell := interop.Noise(73, 7*time.Second), interop.Noise(74, time.Second)
	h := ringing(t, bell, music)
	ear := h.kitchen.Listen()
	h.order(t, "play_file", "music.wav")
	ear.Hear(t, music[:2*44100], interop.Exactly)
	var at time.Time
	for range 3 {
		rung := h.kitchen.Listen()
		at = h.order(t, "chime", `{"chime":"bell","policy":"interrupt"}`)
		rung.Hear(t, bell, interop.Exactly)
		h.client.Wait(t, at, "airplay/kitchen/event", moment, func(p string) bool { return strings.Contains(p, "announcement_finished") })
		h.client.Status(t, at, "kitchen", "playing")
		time.Sleep(time.Second) // of music
	}
	h.client.Status(t, at, "kitchen", "idle")
	h.kitchen.Silent(t, ear, 200*time.Millisecond)
	runs := ear.Runs(music)
	if len(runs) != 4 {
		t.Fatalf("of the music was heard %s", interop.Describe(runs, music))
	}
	if end := runs[3].Sound + runs[3].Frames; end != len(music) {
		t.Errorf("the music ends at frame %d, want %d", end, len(music))
	}
	exact(t, "interrupt", runs)
}

// exact wants what was heard after breaks to go on at the very next frame. A
// packet more or less is what else this machine does.
func exact(t *testing.T, what string, runs []interop.Run) {
	t.Helper()
	var twice []int
	for i, r := range runs[1:] {
		twice = append(twice, runs[i].Sound+runs[i].Frames-r.Sound)
	}
	interop.Note(t, what+": frames heard twice, or lost if negative", fmt.Sprint(twice), "0")
	if !slices.Contains(twice, 0) || slices.ContainsFunc(twice, func(n int) bool { return n < -3*packet || n > 3*packet }) {
		t.Errorf("heard twice, or lost if negative: got %v frames, want 0", twice)
	}
}

// TestSpeechOfHomeAssistant plays what tts.speak asks for: an address without
// length and without ranges, of which not even HEAD is answered.
func TestSpeechOfHomeAssistant(t *testing.T) {
	speech := interop.Sweep(2 * time.Second)
	file := encode(t, "mp3", speech)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("Range") != "" && r.Header.Get("Range") != "bytes=0-" {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "audio/mpeg")
		for len(file) > 0 {
			n := min(4096, len(file))
			w.Write(file[:n])
			w.(http.Flusher).Flush()
			file = file[n:]
		}
	}))
	t.Cleanup(server.Close)
	want := decode(t, file)
	music, bell := interop.Noise(75, time.Second), interop.Noise(76, 500*time.Millisecond)
	h := ringing(t, bell, music)
	ear := h.kitchen.Listen()
	at := h.order(t, "play_media", `{"media_content_id":"`+server.URL+`/api/tts_proxy/x.mp3","media_content_type":"music","announce":true}`)
	ear.Hear(t, want, interop.Nearly)
	h.client.Wait(t, at, "airplay/kitchen/event", moment, func(p string) bool { return strings.Contains(p, "announcement_finished") })
	if got, want := events(t, h.client, at, "kitchen"), []string{"announcement_started", "announcement_finished ended"}; !slices.Equal(got, want) {
		t.Errorf("events: got %q, want %q", got, want)
	}
}

func TestVolumeIsBackAfterAKill(t *testing.T) {
	house := interop.Open(t)
	broker := house.Broker(t, interop.BrokerConfig{})
	long := interop.Noise(77, 20*time.Second)
	bridge := house.StartDoomed(t, interop.BridgeConfig{
		Broker: broker, Devices: []interop.Device{house.Kitchen.Device()}, Chimes: map[string][]byte{"long.wav": long.WAV()},
	})
	bridge.Online(t, broker.Client(t), house.Kitchen.Device())
	at := bridge.Client.Publish(t, "airplay/kitchen/set_volume", "30")
	bridge.Client.Result(t, at, "kitchen", "set_volume")
	at = bridge.Client.Publish(t, "airplay/kitchen/announce", `{"chime":"long","volume":80}`)
	if got := bridge.Client.Result(t, at, "kitchen", "announce"); got.Code() != "ok" {
		t.Fatalf("got %s (%v), want ok", got.Code(), got.Error)
	}
	is := func(level string) func(string) bool {
		return func(data string) bool { return strings.HasPrefix(data, level+",") }
	}
	house.Kitchen.Metadata.Wait(t, at, "pvol", is("-6.00"))
	bridge.Kill()

	began := time.Now()
	house.StartAgain(t, bridge)
	back := house.Kitchen.Metadata.Wait(t, began, "pvol", is("-21.00"))
	interop.Note(t, "kill -9 while loud: start to the old volume", milliseconds(back.At.Sub(began)), "10 s at most")
	if took := back.At.Sub(began); took > 10*time.Second {
		t.Errorf("the volume is back after %v", took)
	}
	bridge.Client.State(t, began, "kitchen", moment, func(s interop.State) bool { return near(s.Volume, 30, 0.01) })
}

//go:build linux

package interop_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// envLevel is for how long TestAHouseStaysLevel lives in the house, as 30m.
const envLevel = "INTEROP_LEVEL"

// TestAHouseStaysLevel lives in a house of real receivers: bells, music, pauses,
// announcements, a speaker that is switched off and on, a broker that is killed.
// After each round the program has as many goroutines and files as before, and
// no more memory. It lives for half a minute, or for as long as INTEROP_LEVEL
// says:
//
//	INTEROP_LEVEL=30m go test -race -v -timeout 40m -run Level ./internal/interop
func TestAHouseStaysLevel(t *testing.T) {
	long := 30 * time.Second
	if s := os.Getenv(envLevel); s != "" {
		var err error
		if long, err = time.ParseDuration(s); err != nil {
			t.Fatalf("%s: %v", envLevel, err)
		}
	}
	l := newLife(t)
	began := time.Now()
	var all []vitals
	for len(all) < 3 || time.Since(began) < long {
		all = append(all, l.round(t, len(all)))
		if len(all)%20 == 0 {
			t.Logf("after %v, round %d: %v", time.Since(began).Round(time.Second), len(all), all[len(all)-1])
		}
	}
	first, last := settled(all[1:])
	interop.Note(t, fmt.Sprintf("a house for %v, %d rounds: at first", time.Since(began).Round(time.Second), len(all)), first.String(), "")
	interop.Note(t, "a house: at last", last.String(), "as at first")
	if last.goroutines > first.goroutines+3 || last.files > first.files+3 {
		t.Errorf("got %v at last, want as much as at first: %v", last, first)
	}
	if last.heap > first.heap+first.heap/4+4<<20 || last.memory > first.memory+first.memory/4+16<<20 {
		t.Errorf("got %v at last, want as much memory as at first: %v", last, first)
	}
}

// vitals are how the program is.
type vitals struct {
	goroutines, files int
	heap, memory      int64
}

func (v vitals) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %s live, %s resident", v.goroutines, v.files, megabytes(v.heap), megabytes(v.memory))
}

// settled is the smallest of each in the first and in the last third: what is
// there always. In between something may be going on.
func settled(all []vitals) (first, last vitals) {
	third := max(len(all)/3, 1)
	least := func(some []vitals) vitals {
		v := some[0]
		for _, w := range some {
			v = vitals{min(v.goroutines, w.goroutines), min(v.files, w.files), min(v.heap, w.heap), min(v.memory, w.memory)}
		}
		return v
	}
	return least(all[:third]), least(all[len(all)-third:])
}

// A life is a house that is lived in.
type life struct {
	house  *interop.House
	broker *interop.Broker
	bridge *interop.Bridge
	client *interop.Client
}

func newLife(t *testing.T) *life {
	house := interop.Open(t)
	l := &life{house: house, broker: house.Broker(t, interop.BrokerConfig{})}
	var devices []interop.Device
	for _, r := range []*interop.Receiver{house.Kitchen, house.Bath, house.Loft} {
		d := r.Device()
		d.KeepWarm = "1s"
		devices = append(devices, d)
	}
	music, bell := interop.Noise(90, 20*time.Second), interop.Noise(91, time.Second)
	l.bridge = house.Bridge(t, interop.BridgeConfig{
		Broker: l.broker, Devices: devices,
		Files: map[string][]byte{"music.wav": music.WAV(), "bell.wav": bell.WAV(), "music.flac": encode(t, "flac", music)},
	})
	l.client = l.bridge.Client
	return l
}

// tell gives a device a command and wants one of these answers.
func (l *life) tell(t *testing.T, device, command, payload string, codes ...string) {
	t.Helper()
	at := l.client.Publish(t, "airplay/"+device+"/"+command, payload)
	got := l.client.Result(t, at, device, command)
	if !slices.Contains(append(codes, "ok"), got.Code()) {
		t.Errorf("%s/%s %s: got %s (%v), want ok", device, command, payload, got.Code(), got.Error)
	}
}

// round is a moment of life, after which everybody is idle.
func (l *life) round(t *testing.T, n int) vitals {
	t.Helper()
	at := time.Now()
	l.tell(t, "kitchen", "prepare", "5")
	l.tell(t, "kitchen", "play_file", `{"path":"bell.wav","latency":"chime"}`)
	l.tell(t, "loft", "play_file", "music.wav")
	l.tell(t, "bath", "play_file", `{"path":"music.flac","enqueue":"add"}`)
	l.tell(t, []string{"kitchen", "bath", "loft"}[n%3], "chime", "ding") // in turn: only so many an hour are heard of each
	l.tell(t, "bath", "pause", "")
	switch n % 4 {
	case 1:
		l.broker.Kill()
		l.broker.Start(t)
		l.client.Wait(t, time.Now(), "airplay/bridge/state", moment*2, func(p string) bool { return p == "online" })
	case 3:
		l.house.Loft.Vanish(t)
		l.house.Loft.Return(t)
	}
	l.tell(t, "bath", "play", "", "not_playing")
	l.tell(t, "bath", "set_volume", `{"volume":30,"fade":0.5}`, "replaced")
	l.tell(t, "loft", "seek", "5", "not_playing")
	for _, device := range []string{"kitchen", "bath", "loft"} {
		l.tell(t, device, "stop", "")
		l.client.Status(t, at, device, "idle")
	}
	time.Sleep(2 * time.Second) // sessions are over
	v := l.look(t)
	l.client.Forget()
	for _, r := range []*interop.Receiver{l.house.Kitchen, l.house.Bath, l.house.Loft} {
		r.Forget()
	}
	return v
}

var said = regexp.MustCompile(`vitals.*goroutines=(\d+).*heap=(\d+)`)

// look waits for what the program says next of itself.
func (l *life) look(t *testing.T) (v vitals) {
	t.Helper()
	before := len(said.FindAllString(l.bridge.Output.String(), -1))
	for deadline := time.Now().Add(2 * moment); ; time.Sleep(50 * time.Millisecond) {
		all := said.FindAllStringSubmatch(l.bridge.Output.String(), -1)
		if len(all) > before {
			last := all[len(all)-1]
			v.goroutines, _ = strconv.Atoi(last[1])
			v.heap, _ = strconv.ParseInt(last[2], 10, 64)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the program says nothing of itself:\n%s", l.bridge.Output.Tail(5))
		}
	}
	var err error
	if v.files, err = l.bridge.Files(); err != nil {
		t.Fatal(err)
	}
	if v.memory, err = l.bridge.Memory(); err != nil {
		t.Fatal(err)
	}
	return v
}

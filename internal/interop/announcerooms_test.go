//go:build linux

package interop_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// threeRooms is all rooms of the house with a chime and music.
func threeRooms(t *testing.T, bell, music interop.Sound) (h home, all []*interop.Receiver) {
	t.Helper()
	house := interop.Open(t)
	broker := house.Broker(t, interop.BrokerConfig{})
	all = []*interop.Receiver{house.Kitchen, house.Bath, house.Loft}
	var devices []interop.Device
	for _, r := range all {
		devices = append(devices, r.Device())
	}
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: broker, Devices: devices,
		Files: map[string][]byte{"music.wav": music.WAV()}, Chimes: map[string][]byte{"bell.wav": bell.WAV()},
	})
	return home{house, broker, bridge, bridge.Client, house.Kitchen}, all
}

// done waits until devices have announced.
func (h home) done(t *testing.T, at time.Time, devices ...string) {
	t.Helper()
	for _, d := range devices {
		h.client.Wait(t, at, "airplay/"+d+"/event", 2*moment, func(p string) bool { return strings.Contains(p, "announcement_finished") })
	}
}

func TestRoomsRingAtOneInstant(t *testing.T) {
	bell := interop.Noise(80, time.Second)
	h, all := threeRooms(t, bell, interop.Noise(81, time.Second))
	for _, name := range []string{"cold", "warm"} {
		var ears []*interop.Ear
		for _, r := range all {
			ears = append(ears, r.Listen())
		}
		at := h.client.Publish(t, "airplay/all/chime", "bell")
		if got := h.client.Result(t, at, "all", "chime"); got.Code() != "ok" {
			t.Errorf("got %s (%v), want ok", got.Code(), got.Error)
		}
		h.done(t, at, "kitchen", "bath", "loft")
		time.Sleep(300 * time.Millisecond)
		var lines []time.Time
		for i, ear := range ears {
			// The loft loses packets, and asks for no more of them for 0.3 s when it
			// could not ask once.
			lossy, heard := all[i] == h.Loft, 0
			runs := ear.Runs(bell)
			for _, r := range runs {
				heard += r.Frames
			}
			if len(runs) == 0 || heard != len(bell) && !lossy || heard < len(bell)*3/4 {
				t.Fatalf("%s, room %d: heard %s", name, i, interop.Describe(runs, bell))
			}
			lines = append(lines, lineOf(ear, runs[0]))
		}
		first, apart := lines[0], time.Duration(0)
		for _, line := range lines[1:] {
			apart = max(apart, line.Sub(first).Abs())
		}
		interop.Note(t, "three rooms ring, "+name+": message to sound", milliseconds(first.Sub(at)), "")
		interop.Note(t, "three rooms ring, "+name+": apart", milliseconds(apart), "20 ms at most")
		if apart > 20*time.Millisecond {
			t.Errorf("%s: the rooms are %v apart", name, apart)
		}
	}
}

func TestOneOfThreeRoomsRingsOverTheMusic(t *testing.T) {
	music, bell := interop.Noise(82, 7*time.Second), interop.Noise(83, time.Second)
	h, all := threeRooms(t, bell, music)
	var ears []*interop.Ear
	for _, r := range all {
		ears = append(ears, r.Listen())
	}
	at := h.client.Publish(t, "airplay/all/play_file", "music.wav")
	ears[0].Hear(t, music[:3*44100], interop.Exactly)
	rang := h.order(t, "chime", "bell")
	h.done(t, rang, "kitchen")
	for i, ear := range ears[1:] {
		ear.Hear(t, music, interop.Exactly)
		if n := len(ear.Runs(music)); n != 1 {
			t.Errorf("room %d heard the music in %d pieces", i+1, n)
		}
	}
	h.client.State(t, at, "all", 20*time.Second, func(s interop.State) bool { return s.State == "idle" })
	h.kitchen.Silent(t, ears[0], 200*time.Millisecond)
	recording := ears[0].Recorded()
	runs := interop.Runs(recording, music)
	if len(runs) != 2 || runs[1].Sound+runs[1].Frames != len(music) {
		t.Fatalf("of the music was heard %s", interop.Describe(runs, music))
	}
	before, after := runs[0], runs[1]
	from := before.Recording + before.Frames
	place, gain := interop.Within(recording[from:after.Recording], bell)
	if place += from; math.Abs(gain-1) > 0.02 {
		t.Errorf("the bell is heard %.3f times as loud as it is", gain)
	}
	back := time.Duration(after.Recording-place-len(bell)) * time.Second / 44100
	interop.Note(t, "one of three rooms rings: music unchanged after the bell", milliseconds(back), "300 ms at most")
	if back > 300*time.Millisecond {
		t.Errorf("the music is back %v after the bell", back)
	}
	apart := lineOf(ears[0], after).Sub(lineOf(ears[1], ears[1].Runs(music)[0]))
	interop.Note(t, "one of three rooms rings: out of step after it", milliseconds(apart), "20 ms at most")
	if apart.Abs() > 20*time.Millisecond {
		t.Errorf("the room is %v out of step after the bell", apart)
	}
}

// lineOf is when the first frame of a sound was due, of which a run was heard: the
// median over its packets, which begin with every 352nd frame of the sound.
func lineOf(ear *interop.Ear, run interop.Run) time.Time {
	const packet = 352
	var lines []time.Time
	for i := (packet - run.Sound%packet) % packet; i < run.Frames; i += packet {
		lines = append(lines, ear.At(run.Recording+i).Add(-time.Duration(run.Sound+i)*time.Second/44100))
	}
	slices.SortFunc(lines, time.Time.Compare)
	return lines[len(lines)/2]
}

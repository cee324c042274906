//go:build linux

package interop_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// A receiver that plays through a sound server bends its clock to the card's
// and says by how much it was wrong.
func TestSoundThroughASoundServerIsInTime(t *testing.T) {
	house := interop.Open(t)
	card := house.SoundServer(t)
	porch := house.Receiver(t, interop.ReceiverConfig{Name: "Porch", Card: card})
	tune := interop.Noise(80, 24*time.Second)
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: house.Broker(t, interop.BrokerConfig{}), Devices: []interop.Device{porch.Device()}, Measured: true,
		Files: map[string][]byte{"tune.wav": tune.WAV()},
	})
	at := bridge.Client.Publish(t, "airplay/porch/play_file", "tune.wav")
	bridge.Client.State(t, bridge.Client.Status(t, at, "porch", "playing").At, "porch", tune.Duration()+moment,
		func(s interop.State) bool { return s.State == "idle" })
	said := porch.PlayOuts()
	if len(said) < 2 {
		t.Fatalf("the receiver said nothing of its play-out:\n%s", porch.Log().Tail(20))
	}
	last := said[len(said)-1] // the first one holds the beginning
	interop.Note(t, "sync error through a sound server, as the receiver says",
		fmt.Sprintf("%+.2f ms, %d of %d packets missing, %d late", last.SyncError, last.Missing, last.Packets, last.Late), "")
	if math.Abs(last.SyncError) > 25 || last.Missing > 0 {
		t.Errorf("got %+v", last)
	}
}

// The same receivers, the same sound, one sender after the other.
func TestBesidePulseAudio(t *testing.T) {
	house := interop.Open(t)
	tune := interop.Noise(81, 10*time.Second)
	attic := house.Receiver(t, interop.ReceiverConfig{Name: "Attic", Loss: 0.05})
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker:  house.Broker(t, interop.BrokerConfig{}),
		Devices: []interop.Device{house.Kitchen.Device(), attic.Device()}, Measured: true,
		Files: map[string][]byte{"tune.wav": tune.WAV()},
	})
	server := house.SoundServer(t)
	path := filepath.Join(t.TempDir(), "tune.wav")
	if err := os.WriteFile(path, tune.WAV(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		name    string
		process *interop.Process
		send    func(to *interop.Receiver)
	}{
		{"ours", bridge.Process, func(to *interop.Receiver) {
			slug := to.Device().Slug()
			at := bridge.Client.Publish(t, "airplay/"+slug+"/play_file", "tune.wav")
			playing := bridge.Client.Status(t, at, slug, "playing")
			bridge.Client.State(t, playing.At, slug, tune.Duration()+moment, func(s interop.State) bool { return s.State == "idle" })
		}},
		{"PulseAudio", server.Process, func(to *interop.Receiver) { server.Send(t, to, path) }},
	} {
		plain := heardFrom(t, s.process, house.Kitchen, tune, s.send)
		lossy := heardFrom(t, s.process, attic, tune, s.send)
		interop.Note(t, s.name+": command to sound, heard of 10 s, processor time, memory, gaps at 5 % loss",
			fmt.Sprintf("%.2f s, %.2f s, %.2f s a minute, %s, %d", plain.after.Seconds(), plain.heard.Seconds(), plain.work, megabytes(plain.memory), lossy.gaps), "")
		if s.name == "ours" && plain.heard != tune.Duration() {
			t.Errorf("heard %v of %v", plain.heard, tune.Duration())
		}
	}
}

// A hearing is how a sender did.
type hearing struct {
	after, heard time.Duration
	work         float64 // seconds of processor time for a minute
	memory       int64
	gaps         int
}

func heardFrom(t *testing.T, p *interop.Process, to *interop.Receiver, tune interop.Sound, send func(*interop.Receiver)) (h hearing) {
	t.Helper()
	ear := to.Listen()
	before, err := p.Work()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	send(to)
	to.Silent(t, ear, 500*time.Millisecond)
	after, err := p.Work()
	if err != nil {
		t.Fatal(err)
	}
	h.work = (after - before).Seconds() * time.Minute.Seconds() / tune.Duration().Seconds()
	if h.memory, err = p.Memory(); err != nil {
		t.Fatal(err)
	}
	if first, ok := ear.FirstLoud(); ok {
		h.after = first.Sub(at)
	}
	runs := ear.Runs(tune)
	frames := 0
	for _, r := range runs {
		frames += r.Frames
	}
	h.heard, h.gaps = tune[:frames].Duration(), gapsIn(runs, len(tune))
	return h
}

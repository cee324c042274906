//go:build linux

package interop_test

import (
	"slices"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

func TestPlayedFileIsHeardFrameForFrame(t *testing.T) {
	tune := interop.Noise(1, 2*time.Second)
	h := newHome(t, map[string][]byte{"tune.wav": tune.WAV()})
	ear := h.kitchen.Listen()

	at := time.Now()
	h.broker.Shell(t, "-t", "airplay/kitchen/play_file", "-m", "tune.wav")
	heard := ear.Hear(t, tune, interop.Exactly)

	playing := h.client.Status(t, at, "kitchen", "playing")
	if got := value(playing.Title); got != "tune" && got != "tune.wav" {
		t.Errorf("title: got %s, want the file's name", got)
	}
	if got, want := value(playing.File), "tune.wav"; got != want {
		t.Errorf("file: got %s, want %s", got, want)
	}
	if !near(playing.Duration, 2, 0.001) || !near(playing.Position, 0, 0.1) {
		t.Errorf("got duration %s and position %s, want 2 and 0", value(playing.Duration), value(playing.Position))
	}
	if late := playing.At.Sub(heard.Line()); late < -30*time.Millisecond || late > 150*time.Millisecond {
		t.Errorf("playing was said %v after the first frame was heard", late)
	}
	if got := h.client.Result(t, at, "kitchen", "play_file"); got.Code() != "ok" {
		t.Errorf("result: got %s (%v), want ok", got.Code(), got.Error)
	}
	idle := h.client.Status(t, playing.At, "kitchen", "idle")
	if early := heard.Ended.Sub(idle.At); early > 20*time.Millisecond {
		t.Errorf("idle was said %v before the last frame was heard", early)
	}
	if got, want := h.client.Statuses(at, "kitchen"), []string{"buffering", "playing", "idle"}; !slices.Equal(got, want) {
		t.Errorf("states: got %q, want %q", got, want)
	}
	if got, want := events(t, h.client, at, "kitchen"), []string{"playback_started", "playback_finished ended"}; !slices.Equal(got, want) {
		t.Errorf("events: got %q, want %q", got, want)
	}
	interop.Note(t, "file: latest packet after its time", milliseconds(heard.Jitter()), "")
}

func TestPlayedURLIsHeard(t *testing.T) {
	for format, tol := range map[string]interop.Tolerance{
		"flac": interop.Exactly, "mp3": interop.Nearly, "ogg": interop.Nearly,
	} {
		t.Run(format, func(t *testing.T) {
			file := encode(t, format, interop.Sweep(2*time.Second))
			want := decode(t, file)
			url := serve(t, map[string][]byte{"/tune." + format: file}) + "/tune." + format
			h := newHome(t, nil)
			ear := h.kitchen.Listen()

			at := h.tell(t, "play_url", url)
			ear.Hear(t, want, tol)

			playing := h.client.Status(t, at, "kitchen", "playing")
			if got := value(playing.ContentID); got != url {
				t.Errorf("content id: got %s, want %s", got, url)
			}
			if !near(playing.Duration, 2, 0.06) {
				t.Errorf("duration: got %s, want about 2", value(playing.Duration))
			}
			if got := h.client.Result(t, at, "kitchen", "play_url"); got.Code() != "ok" {
				t.Errorf("result: got %s (%v), want ok", got.Code(), got.Error)
			}
			h.client.Status(t, playing.At, "kitchen", "idle")
		})
	}
}

func TestRadioPlaysUntilItIsStopped(t *testing.T) {
	// Without the tag that says how long it is.
	file := pipe(t, interop.Sweep(2*time.Second).WAV(), "lame", "--silent", "-t", "-b", "192", "-", "-")
	h := newHome(t, nil)
	ear := h.kitchen.Listen()
	at := h.order(t, "play_url", broadcast(t, file)+"/live.mp3")
	ear.Hear(t, decode(t, file)[:44100], interop.Nearly)
	playing := h.client.Status(t, at, "kitchen", "playing")
	if playing.Duration != nil {
		t.Errorf("duration: got %s, want null", value(playing.Duration))
	}
	at = h.order(t, "stop", "")
	h.client.Status(t, at, "kitchen", "idle")
	h.kitchen.Silent(t, ear, 300*time.Millisecond)
}

func TestTitleReachesReceiver(t *testing.T) {
	// A receiver says over mDNS whether it wants to be told of titles.
	h := foundHome(t, interop.Device{Name: "Kitchen"}, map[string][]byte{"tune.wav": interop.Noise(2, time.Second).WAV()})
	at := h.tell(t, "play_file", `{"path":"tune.wav","title":"Doorbell","artist":"Front door","album":"Chimes","transaction":"t1"}`)
	for code, want := range map[string]string{"minm": "Doorbell", "asar": "Front door", "asal": "Chimes"} {
		h.kitchen.Metadata.Wait(t, at, code, func(data string) bool { return data == want })
	}
	result := h.client.Result(t, at, "kitchen", "play_file")
	if got, want := result.Transaction, "t1"; got != want {
		t.Errorf("transaction: got %q, want %q", got, want)
	}
	playing := h.client.Status(t, at, "kitchen", "playing")
	if got, want := value(playing.Title), "Doorbell"; got != want {
		t.Errorf("title: got %s, want %s", got, want)
	}
}

func TestAllRoomsPlay(t *testing.T) {
	house := interop.Open(t)
	tune := interop.Noise(3, time.Second)
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker:  broker,
		Devices: []interop.Device{house.Kitchen.Device(), house.Bath.Device()},
		Files:   map[string][]byte{"tune.wav": tune.WAV()},
	})
	kitchen, bath := house.Kitchen.Listen(), house.Bath.Listen()
	at := bridge.Client.Publish(t, "airplay/all/play_file", "tune.wav")
	apart := kitchen.Hear(t, tune, interop.Exactly).Line().Sub(bath.Hear(t, tune, interop.Exactly).Line())
	if got := bridge.Client.Result(t, at, "all", "play_file"); got.Code() != "ok" {
		t.Errorf("result: got %s (%v), want ok", got.Code(), got.Error)
	}
	interop.Note(t, "all: two rooms apart", milliseconds(apart.Abs()), "")
}

func TestNewSoundReplacesOld(t *testing.T) {
	long, short := interop.Noise(4, 10*time.Second), interop.Noise(5, time.Second)
	h := newHome(t, map[string][]byte{"long.wav": long.WAV(), "short.wav": short.WAV()})
	ear := h.kitchen.Listen()
	at := h.tell(t, "play_file", "long.wav")
	ear.HearBeginning(t, long, interop.Exactly)
	h.tell(t, "play_file", "short.wav")
	ear.Hear(t, short, interop.Exactly)
	h.client.Status(t, h.client.Status(t, at, "kitchen", "playing").At, "kitchen", "idle")
	want := []string{"playback_started", "playback_finished replaced", "playback_started", "playback_finished ended"}
	if got := events(t, h.client, at, "kitchen"); !slices.Equal(got, want) {
		t.Errorf("events: got %q, want %q", got, want)
	}
}

func TestLostPacketsAreSentAgain(t *testing.T) {
	house := interop.Open(t)
	tune := interop.Noise(6, 5*time.Second)
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker:  broker,
		Devices: []interop.Device{house.Loft.Device()},
		Files:   map[string][]byte{"tune.wav": tune.WAV()},
	})
	ear := house.Loft.Listen()
	bridge.Client.Publish(t, "airplay/loft/play_file", "tune.wav")
	ear.Hear(t, tune, interop.Exactly)
	interop.Note(t, "loss of 5 %: frames missing of 5 s", "0", "0")
}

//go:build linux

package interop_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// A wrong is a command that cannot be obeyed.
type wrong struct {
	name, command, payload string
	code                   string
}

// refused gives wrong commands, wants each answered with its code and a
// sentence and the device left idle, and then plays all the same.
func refused(t *testing.T, h home, tune interop.Sound, commands []wrong) {
	for _, c := range commands {
		t.Run(c.name, func(t *testing.T) {
			at := h.tell(t, c.command, c.payload)
			got := h.client.Result(t, at, "kitchen", c.command)
			if got.Code() != c.code {
				t.Fatalf("got %s (%v), want %s", got.Code(), got.Error, c.code)
			}
			if len(got.Error.Message) < 10 {
				t.Errorf("the sentence is %q", got.Error.Message)
			}
			time.Sleep(20 * time.Millisecond)
			if said := h.client.Statuses(at, "kitchen"); len(said) > 0 && said[len(said)-1] != "idle" {
				h.client.Status(t, at, "kitchen", "idle")
			}
		})
	}
	ear := h.kitchen.Listen()
	h.order(t, "play_file", "tune.wav")
	ear.Hear(t, tune, interop.Exactly)
}

func TestBadPathsAreRefused(t *testing.T) {
	tune := interop.Noise(40, time.Second)
	h := newHome(t, map[string][]byte{
		"tune.wav": tune.WAV(), "hollow/note.txt": []byte("no sound here\n"), "text.mp3": []byte("no sound, but a name\n"),
		"empty.wav": {}, "cut.flac": []byte("fLaC\x00\x00\x00\x22"), "zeros.ogg": make([]byte, 100_000),
	})
	media := h.bridge.Media
	secret := filepath.Join(filepath.Dir(media), "secret.wav")
	for _, err := range []error{
		os.WriteFile(secret, tune.WAV(), 0o644),
		os.Symlink(secret, filepath.Join(media, "link.wav")),
		syscall.Mkfifo(filepath.Join(media, "pipe.wav"), 0o644),
		os.Symlink("/dev/zero", filepath.Join(media, "device.wav")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	refused(t, h, tune, []wrong{
		{"absent", "play_file", "nothing.wav", "file_not_found"},
		{"upward", "play_file", "../secret.wav", "forbidden_path"},
		{"upward in the middle", "play_file", "folder/../../secret.wav", "forbidden_path"},
		{"absolute", "play_file", secret, "forbidden_path"},
		{"passwords", "play_file", "/etc/passwd", "forbidden_path"},
		{"link outward", "play_file", "link.wav", "forbidden_path"},
		{"link to a device", "play_file", "device.wav", "forbidden_path"},
		{"pipe", "play_file", "pipe.wav", "forbidden_path"},
		{"folder without a sound", "play_file", "hollow", "unsupported_format"},
		{"text", "play_file", "text.mp3", "unsupported_format"},
		{"empty", "play_file", "empty.wav", "unsupported_format"},
		{"cut", "play_file", "cut.flac", "unsupported_format"},
		{"zeros", "play_file", "zeros.ogg", "unsupported_format"},
	})
}

func TestBadPayloadsAreRefused(t *testing.T) {
	tune := interop.Noise(41, time.Second)
	h := newHome(t, map[string][]byte{"tune.wav": tune.WAV()})
	refused(t, h, tune, []wrong{
		{"cut JSON", "play_file", `{"path":"tune.wav"`, "bad_payload"},
		{"array", "play_file", `{"path":["tune.wav"]}`, "bad_payload"},
		{"unknown key", "play_file", `{"path":"tune.wav","colour":"red"}`, "bad_payload"},
		{"nothing", "play_file", "", "bad_payload"},
		{"deep JSON", "play_file", strings.Repeat(`{"a":`, 10000), "bad_payload"},
		{"long", "play_file", strings.Repeat("x", 1<<20), "bad_payload"},
		{"bytes", "play_file", "\xff\xfe{", "file_not_found"},
		{"zero byte", "play_file", "tune.wav\x00.mp3", "forbidden_path"},
		{"volume of a play", "play_file", `{"path":"tune.wav","volume":101}`, "bad_payload"},
		{"volume over", "set_volume", "101", "bad_payload"},
		{"volume under", "set_volume", `{"volume":-1}`, "bad_payload"},
		{"volume a word", "set_volume", "loud", "bad_payload"},
		{"volume no number", "set_volume", "NaN", "bad_payload"},
		{"level over", "set_volume_level", "1.5", "bad_payload"},
		{"mute a word", "mute", "perhaps", "bad_payload"},
		{"seek a word", "seek", "there", "bad_payload"},
		{"other scheme", "play_url", "file:///etc/passwd", "bad_payload"},
		{"no URL", "play_url", "http://", "fetch_failed"},
	})
}

func TestUnknownDeviceIsAnswered(t *testing.T) {
	h := newHome(t, nil)
	at := h.client.Publish(t, "airplay/cellar/play_file", "tune.wav")
	if got, want := h.client.Result(t, at, "cellar", "play_file").Code(), "unknown_device"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBadURLsAreRefused(t *testing.T) {
	tune := interop.Noise(42, time.Second)
	gone := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/silent.mp3", func(http.ResponseWriter, *http.Request) { <-gone })
	mux.HandleFunc("/page.mp3", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("<!DOCTYPE html><title>no sound</title>"))
	})
	mux.HandleFunc("/endless.mp3", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.Write(bytes.Repeat([]byte("x"), 64<<10))
		}
	})
	mux.HandleFunc("/huge.wav", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "99999999999")
		w.Write(tune.WAV())
	})
	mux.HandleFunc("/round.mp3", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round.mp3", http.StatusFound) })
	mux.HandleFunc("/inward.mp3", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(gone) })
	h := newHome(t, map[string][]byte{"tune.wav": tune.WAV()})
	port, err := interop.ClosedPort()
	if err != nil {
		t.Fatal(err)
	}
	refused(t, h, tune, []wrong{
		{"404", "play_url", server.URL + "/absent.mp3", "fetch_failed"},
		{"nobody listens", "play_url", "http://127.0.0.1:" + port + "/a.mp3", "fetch_failed"},
		{"unknown name", "play_url", "http://no-such-host.invalid/a.mp3", "fetch_failed"},
		{"round and round", "play_url", server.URL + "/round.mp3", "fetch_failed"},
		{"page", "play_url", server.URL + "/page.mp3", "unsupported_format"},
		{"endless", "play_url", server.URL + "/endless.mp3", "unsupported_format"},
		{"huge", "play_url", server.URL + "/huge.wav", "unsupported_format"},
		{"redirect to metadata", "play_url", server.URL + "/inward.mp3", "forbidden_url"},
		{"link-local", "play_url", "http://169.254.1.1/a.mp3", "forbidden_url"},
		{"other loopback", "play_url", "http://127.0.0.2/a.mp3", "forbidden_url"},
		{"this host", "play_url", "http://[::1]/a.mp3", "forbidden_url"},
		{"never answers", "play_url", server.URL + "/silent.mp3", "fetch_failed"},
	})
}

func TestLoopbackURLIsForbiddenUnlessAllowed(t *testing.T) {
	house := interop.Open(t)
	url := serve(t, map[string][]byte{"/tune.wav": interop.Noise(43, time.Second).WAV()}) + "/tune.wav"
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: broker, Devices: []interop.Device{house.Kitchen.Device()}, Deny: true,
	})
	for _, form := range []string{url, strings.Replace(url, "127.0.0.1", "localhost", 1), strings.Replace(url, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		at := bridge.Client.Publish(t, "airplay/kitchen/play_url", form)
		if got, want := bridge.Client.Result(t, at, "kitchen", "play_url").Code(), "forbidden_url"; got != want {
			t.Errorf("%s: got %s, want %s", form, got, want)
		}
	}
}

func TestAbsentReceiverIsOffline(t *testing.T) {
	house := interop.Open(t)
	port, err := interop.ClosedPort()
	if err != nil {
		t.Fatal(err)
	}
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.StartBridge(t, interop.BridgeConfig{
		Broker:  broker,
		Devices: []interop.Device{{Name: "Cellar", Host: "127.0.0.1", Port: atoi(t, port)}},
		Files:   map[string][]byte{"tune.wav": interop.Noise(44, time.Second).WAV()},
	})
	bridge.Online(t, broker.Client(t))
	bridge.Client.Wait(t, time.Time{}, "airplay/cellar/availability", 10*time.Second, func(payload string) bool { return payload == "offline" })
	at := bridge.Client.Publish(t, "airplay/cellar/play_file", "tune.wav")
	if got, want := bridge.Client.Result(t, at, "cellar", "play_file").Code(), "device_offline"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	bridge.Client.Status(t, at, "cellar", "idle")
}

func TestVanishedReceiverLeavesDeviceIdle(t *testing.T) {
	h, _, _ := playing(t)
	at := time.Now()
	h.kitchen.Vanish(t)
	// It may only have been switched off and on.
	idle := h.client.State(t, at, "kitchen", 25*time.Second, func(s interop.State) bool { return s.State == "idle" })
	if idle.LastError == nil || idle.LastError.Code != "device_offline" {
		t.Errorf("last error: got %v, want device_offline", idle.LastError)
	}
	interop.Note(t, "receiver gone: idle after", milliseconds(idle.At.Sub(at)), "20 s at most")
	h.kitchen.Return(t)
	ear := h.kitchen.Listen()
	h.order(t, "play_file", "tune.wav")
	ear.HearBeginning(t, interop.Noise(10, 10*time.Second), interop.Exactly)
}

func TestBusyReceiverIsAnswered(t *testing.T) {
	tune := interop.Noise(45, time.Second)
	h := newHome(t, map[string][]byte{"tune.wav": tune.WAV()})
	other := interop.Noise(46, 30*time.Second)
	ear := h.kitchen.Listen()
	rival := h.Start(t, bytes.NewReader(other.WAV()), "play", "-to", h.kitchen.Address(), "-")
	ear.HearBeginning(t, other, interop.Exactly)

	at := h.tell(t, "play_file", "tune.wav")
	if got, want := h.client.Result(t, at, "kitchen", "play_file").Code(), "busy"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	h.client.Status(t, at, "kitchen", "idle")

	rival.Stop(t)
	ear = h.kitchen.Listen()
	h.order(t, "play_file", "tune.wav")
	ear.Hear(t, tune, interop.Exactly)
}

package bridge_test

import (
	"bytes"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/discovery"
	"airplay2mqtt/internal/legacy"
	"airplay2mqtt/raop/raoptest"

	"github.com/rs/zerolog"
)

// A tv is a house with an Apple TV that wants to be paired.
type tv struct {
	*house
	settings config.Config
	rx       *raoptest.Receiver
	shown    func() string // the PIN on its screen
	device   *legacy.Accessory
}

// withTV tests in a house with an Apple TV.
func withTV(t *testing.T, untold bool, test func(tv tv)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var pin string
		a := legacy.NewAccessory(legacy.AccessoryConfig{Show: func(s string) { mu.Lock(); defer mu.Unlock(); pin = s }})
		s := settings(t)
		s.Devices = nil
		h, rx := build(t, s, raoptest.Config{Name: "Den", Model: "AppleTV5,3", Pairing: a, PairingUntold: untold})
		h.found <- den(rx[0])
		h.until("airplay/den/state", `"pairing"`)
		h.tone("tone.wav", 1)
		test(tv{h, s, rx[0], func() string { mu.Lock(); defer mu.Unlock(); return pin }, a})
	})
}

// den is what discovery finds of a receiver.
func den(rx *raoptest.Receiver) discovery.Event {
	return discovery.Event{Device: announced(rx, "0011324A5B6C", "Den", "10.0.0.20")}
}

// pair begins a pairing and returns when the PIN is shown.
func (v tv) pair(transaction string) {
	v.t.Helper()
	v.say("den/pair", `{"transaction":"`+transaction+`"}`)
	if code := v.result("den", transaction); code != "" {
		v.t.Fatalf("pair: got %s, want ok", code)
	}
	v.until("airplay/den/state/pairing", "pin_pending")
}

func (v tv) typed(pin, transaction string) (code string) {
	v.t.Helper()
	v.say("den/pair_pin", `{"pin":"`+pin+`","transaction":"`+transaction+`"}`)
	return v.result("den", transaction)
}

func (v tv) play(transaction string) (code string) {
	v.t.Helper()
	v.say("den/play_file", `{"path":"tone.wav","transaction":"`+transaction+`"}`)
	return v.result("den", transaction)
}

// wrong is another PIN than pin.
func wrong(pin string) string {
	if pin == "0000" {
		return "1111"
	}
	return "0000"
}

func TestPairedOnceItPlaysAlsoAfterARestart(t *testing.T) {
	withTV(t, false, func(v tv) {
		v.until("airplay/den/state", `"pairing":"required"`)
		if code := v.play("early"); code != "pairing_required" {
			t.Errorf("not paired: got %q, want pairing_required", code)
		}
		v.pair("p1")
		v.until("airplay/den/event", `"pairing_pin_required"`)
		if code := v.typed(v.shown(), "p2"); code != "" {
			t.Fatalf("pair_pin: got %s, want ok", code)
		}
		v.until("airplay/den/event", `"paired"`)
		v.until("airplay/den/state/pairing", "paired")
		if code := v.play("now"); code != "" {
			t.Errorf("paired: got %s, want ok", code)
		}
		v.until("airplay/den/event", "playback_finished")
		if err := v.stop(); err != nil {
			t.Fatal(err)
		}
		v.moveIn(v.settings)
		v.found <- den(v.rx)
		v.until("airplay/den/availability", "online")
		if code := v.play("later"); code != "" {
			t.Errorf("after a restart: got %s, want ok", code)
		}
		v.say("den/pair", `{"action":"remove","transaction":"r"}`)
		if code := v.result("den", "r"); code != "" {
			t.Errorf("remove: got %s, want ok", code)
		}
		v.until("airplay/den/event", `"unpaired"`)
		v.until("airplay/den/state/pairing", "required")
		v.say("den/pair", `{"action":"remove","transaction":"r2"}`)
		if code := v.result("den", "r2"); code != "not_paired" {
			t.Errorf("remove twice: got %q, want not_paired", code)
		}
	})
}

func TestWrongPINsAreRefusedAndThenWaitedFor(t *testing.T) {
	withTV(t, false, func(v tv) {
		for n, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
			for range 3 {
				v.pair(fresh("p"))
				if code := v.typed(wrong(v.shown()), fresh("w")); code != "pin_rejected" {
					t.Errorf("wrong PIN: got %q, want pin_rejected", code)
				}
				v.until("airplay/den/state/pairing", "failed")
			}
			begin := fresh("p")
			v.say("den/pair", `{"transaction":"`+begin+`"}`)
			if code := v.result("den", begin); code != "rate_limited" {
				t.Errorf("after %d wrong PINs: got %q, want rate_limited", 3*n+3, code)
			}
			time.Sleep(wait)
		}
		v.pair("right")
		if code := v.typed(v.shown(), "r"); code != "" {
			t.Errorf("right PIN at last: got %q, want ok", code)
		}
		v.until("airplay/den/state/pairing", "paired")
	})
}

var transactions int

// fresh is a transaction that was not used yet.
func fresh(s string) string {
	transactions++
	return s + strings.Repeat("x", transactions)
}

func TestPINsOutOfPlaceAreAnswered(t *testing.T) {
	withTV(t, false, func(v tv) {
		expect := func(topic, payload, want string) {
			t.Helper()
			id := fresh("t")
			v.say(topic, strings.ReplaceAll(payload, "%", id))
			device, _, _ := strings.Cut(topic, "/")
			if code := v.result(device, id); code != want {
				t.Errorf("%s %s: got %q, want %q", topic, payload, code, want)
			}
		}
		expect("den/pair_pin", `{"pin":"1234","transaction":"%"}`, "no_pairing_in_progress")
		expect("den/pair", `{"action":"cancel","transaction":"%"}`, "no_pairing_in_progress")
		expect("den/pair", `{"action":"strat","transaction":"%"}`, "bad_payload")
		expect("all/pair", `{"transaction":"%"}`, "bad_payload")
		expect("nowhere/pair", `{"transaction":"%"}`, "unknown_device")
		for _, pin := range []string{`"12"`, `"123456789"`, `"12a4"`, `[1,2,3,4]`, `null`} {
			expect("den/pair_pin", `{"pin":`+pin+`,"transaction":"%"}`, "bad_payload")
		}
		v.pair("p")
		expect("den/pair", `{"transaction":"%"}`, "pairing_in_progress")
		expect("den/pair", `{"action":"cancel","transaction":"%"}`, "")
		v.until("airplay/den/state/pairing", "required")
		expect("den/pair_pin", `{"pin":"1234","transaction":"%"}`, "no_pairing_in_progress")
		v.pair("again")
		time.Sleep(5 * time.Minute)
		v.until("airplay/den/event", `"pairing_failed"`)
		expect("den/pair_pin", `{"pin":"1234","transaction":"%"}`, "no_pairing_in_progress")
		expect("den/pair", `{"action":"remove","transaction":"%"}`, "not_paired")
	})
}

func TestADeviceThatDoesNotSaySoIsFoundOutByPlaying(t *testing.T) {
	withTV(t, true, func(v tv) {
		if got := v.latest("airplay/den/state/pairing"); got != "not_required" {
			t.Errorf("at first: got %q, want not_required", got)
		}
		if code := v.play("a"); code != "pairing_required" {
			t.Errorf("got %q, want pairing_required", code)
		}
		v.until("airplay/den/state/pairing", "required")
		v.pair("p")
		if code := v.typed(v.shown(), "q"); code != "" {
			t.Errorf("pair_pin: got %q, want ok", code)
		}
		if code := v.play("b"); code != "" {
			t.Errorf("paired: got %q, want ok", code)
		}
	})
}

func TestADeviceWithAnotherKeyIsNotTrusted(t *testing.T) {
	withTV(t, false, func(v tv) {
		v.pair("p")
		if code := v.typed(v.shown(), "q"); code != "" {
			t.Fatalf("pair_pin: got %q, want ok", code)
		}
		reset := den(v.rx)
		reset.Device.RAOP.TXT["pk"] = hex.EncodeToString(bytes.Repeat([]byte{3}, 32))
		v.found <- reset
		v.until("airplay/den/state/pairing", "failed")
		if code := v.play("a"); code != "pairing_required" {
			t.Errorf("got %q, want pairing_required", code)
		}
		v.until("airplay/den/state", "another key")
	})
}

func TestHomeAssistantIsOfferedPairing(t *testing.T) {
	withTV(t, false, func(v tv) {
		said := v.until("homeassistant/device/airplay_"+"0011324A5B6C"+"/config", "pair_pin")
		for _, want := range []string{`"payload_press":"start"`, `"mode":"password"`, `"value_template":"{{ '' }}"`, `"pairing_failed"`} {
			if !strings.Contains(said, want) {
				t.Errorf("got no %s", want)
			}
		}
	})
}

// What is typed is nowhere afterwards: not in the log, not on a topic, not on
// the disk; and neither is what it leaves, but in its file.
func TestPINsAndKeysAreKeptNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pin, other = "80417953", "29561384" // so long that no number is the same by chance
		a := legacy.NewAccessory(legacy.AccessoryConfig{PIN: pin})
		s := settings(t)
		s.Devices, s.Log.Level = nil, "debug"
		var log lockedBuffer
		h, rx := buildLogging(t, s, zerolog.New(&log), raoptest.Config{Name: "Den", Pairing: a})
		h.found <- den(rx[0])
		h.until("airplay/den/state", `"pairing":"required"`)
		v := tv{h, s, rx[0], nil, a}
		v.pair("p1")
		if code := v.typed(other, "w"); code != "pin_rejected" {
			t.Errorf("got %q, want pin_rejected", code)
		}
		v.pair("p2")
		v.say("den/pair_pin", `{"pim":"`+pin+`"}`)
		v.say("den/pair_pin", `{"pin":"`+pin)
		v.say("den/pair_pin", pin)
		v.until("airplay/den/state/pairing", "paired")
		h.tone("tone.wav", 1)
		if code := v.play("now"); code != "" {
			t.Errorf("got %q, want ok", code)
		}
		time.Sleep(time.Minute)
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		secrets := []string{pin, other, secretOf(t, s)}
		for _, secret := range secrets {
			if strings.Contains(strings.ToUpper(log.String()), strings.ToUpper(secret)) {
				t.Errorf("the log holds %s", secret)
			}
		}
		h.ear.mu.Lock()
		defer h.ear.mu.Unlock()
		for _, m := range h.ear.all {
			v.quiet(m, secrets)
		}
		searchFolder(t, s.Data, secrets[:2])
	})
}

// quiet holds that a message, but for what was typed, tells no secret.
func (v tv) quiet(m mqtt.Message, secrets []string) {
	v.t.Helper()
	for _, secret := range secrets {
		if m.Topic != "airplay/den/pair_pin" && strings.Contains(strings.ToUpper(string(m.Payload)), strings.ToUpper(secret)) {
			v.t.Errorf("%s tells %s", m.Topic, secret)
		}
	}
}

// secretOf is our key, out of the file.
func secretOf(t *testing.T, s config.Config) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Data, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), `"credentials": "`)
	_, rest, _ = strings.Cut(rest, ":")
	if !ok || len(rest) < 64 {
		t.Fatal("no credentials were kept")
	}
	return rest[:64]
}

func searchFolder(t *testing.T, folder string, secrets []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s holds %s", path, secret)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A lockedBuffer is a log that several write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestWhatCannotBeReadIsSaidAndPairingStillWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := legacy.NewAccessory(legacy.AccessoryConfig{PIN: "1234"})
		s := settings(t)
		s.Devices = nil
		if err := os.MkdirAll(s.Data, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.Data, "credentials.json"), []byte("{broken"), 0o600); err != nil {
			t.Fatal(err)
		}
		var log lockedBuffer
		h, rx := buildLogging(t, s, zerolog.New(&log), raoptest.Config{Name: "Den", Pairing: a})
		if !strings.Contains(log.String(), "credentials.json.corrupt") {
			t.Errorf("the log says nothing of it: %s", log.String())
		}
		h.found <- den(rx[0])
		h.until("airplay/den/state", `"pairing":"required"`)
		v := tv{h, s, rx[0], nil, a}
		v.pair("p")
		if code := v.typed("1234", "q"); code != "" {
			t.Errorf("got %q, want ok", code)
		}
		entries, err := os.ReadDir(s.Data)
		if err != nil || !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "credentials.json.corrupt" }) {
			t.Errorf("nothing was kept aside: %v, %v", entries, err)
		}
	})
}

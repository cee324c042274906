package bridge_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/discovery"

	"github.com/rs/zerolog"
)

// A newTV is a house with an Apple TV of today in it, which is paired once
// and then plays by AirPlay 2.
type newTV struct {
	*house
	settings config.Config
	rx       *airplaytest.Receiver
	found    discovery.Event
}

// withNewTV moves in with an Apple TV that shows a PIN.
func withNewTV(t *testing.T, log zerolog.Logger, pin string) newTV {
	t.Helper()
	s := withPage(t)
	s.Devices = nil
	h, _ := buildLogging(t, s, log)
	rx := h.announce("10.0.0.30", airplaytest.AppleTV(pin))
	h.until("airplay/apple_tv/availability", "online")
	return newTV{h, s, rx, discovery.Event{Device: discovery.Device{ID: rx.ID(), Name: rx.Name(), Model: "AppleTV11,1",
		Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.30")}, AirPlay: &discovery.Service{Port: 7000, TXT: rx.TXT()}}}}
}

// ask publishes a command and returns the code of its answer, "" for ok.
func (v newTV) ask(word, rest string) (code string) {
	v.t.Helper()
	id := fresh("t")
	v.say("apple_tv/"+word, `{`+rest+`,"transaction":"`+id+`"}`)
	return v.result("apple_tv", id)
}

// hears plays a sound and holds the receiver to all of it.
func (v newTV) hears(name string, want []int16) {
	v.t.Helper()
	before := len(heardBy(v.rx))
	if code := v.ask("play_file", `"path":"`+name+`"`); code != "" {
		v.t.Fatalf("play_file: got %s, want ok", code)
	}
	v.until("airplay/apple_tv/state", `"state":"idle"`)
	if got := heardBy(v.rx)[before:]; !slices.Equal(got, want) {
		v.t.Errorf("heard %d samples, not the %d that were in the file", len(got), len(want))
	}
}

func TestAnAppleTVIsPairedOnceAndPlaysByAirPlay2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pin, wrong = "80417953", "29561384" // so long that no number is the same by chance
		var log lockedBuffer
		v := withNewTV(t, zerolog.New(&log).Level(zerolog.DebugLevel), pin)
		want := v.tone("tone.wav", 1)
		v.until("airplay/apple_tv/state", `"pairing":"required"`)
		if code := v.ask("play_file", `"path":"tone.wav"`); code != "pairing_required" {
			t.Errorf("not paired: got %q, want pairing_required", code)
		}
		for _, typed := range []struct{ pin, want string }{{wrong, "pin_rejected"}, {pin, ""}} {
			if code := v.ask("pair", `"action":"start"`); code != "" {
				t.Fatalf("pair: got %s, want ok", code)
			}
			v.until("airplay/apple_tv/event", `"pairing_pin_required"`)
			v.until("airplay/apple_tv/state/pairing", "pin_pending")
			if code := v.ask("pair_pin", `"pin":"`+typed.pin+`"`); code != typed.want {
				t.Fatalf("pair_pin: got %q, want %q", code, typed.want)
			}
		}
		v.until("airplay/apple_tv/event", `"paired"`)
		v.until("airplay/apple_tv/state/pairing", "paired")
		v.hears("tone.wav", want)
		if err := v.stop(); err != nil {
			t.Fatal(err)
		}
		v.moveIn(v.settings)
		v.house.found <- v.found
		v.until("airplay/apple_tv/availability", "online")
		v.hears("tone.wav", want)
		if got := v.rx.PINsShown(); got != 2 {
			t.Errorf("the PIN was shown %d times, want 2: once for each that was typed", got)
		}
		_, metrics := v.get("GET", "/metrics", nil)
		if !strings.Contains(metrics, "apple_tv") {
			t.Errorf("the metrics do not speak of the device:\n%s", metrics)
		}
		if err := v.stop(); err != nil {
			t.Fatal(err)
		}
		secrets := append(v.keys(), pin, wrong)
		v.nowhere(log.String()+metrics, secrets)
		searchFolder(t, v.settings.Data, secrets[len(secrets)-2:])
	})
}

// keys are those that the pairing has left, but for the receiver's public one,
// which it announces.
func (v newTV) keys() []string {
	v.t.Helper()
	text, err := os.ReadFile(filepath.Join(v.settings.Data, "credentials.json"))
	if err != nil {
		v.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), `"credentials": "`)
	credentials, _, ok := strings.Cut(rest, `"`)
	fields := strings.Split(credentials, ":")
	if !ok || len(fields) != 4 || len(fields[1]) != 64 {
		v.t.Fatalf("credentials.json does not hold four fields")
	}
	return []string{credentials, fields[1]}
}

// nowhere holds that no secret is in the log, the metrics or on a topic, but for
// the PIN on that where it was typed.
func (v newTV) nowhere(log string, secrets []string) {
	v.t.Helper()
	v.ear.mu.Lock()
	defer v.ear.mu.Unlock()
	said := []string{"log\n" + log}
	for _, m := range v.ear.all {
		if m.Topic != "airplay/apple_tv/pair_pin" {
			said = append(said, m.Topic+"\n"+string(m.Payload))
		}
	}
	for _, text := range said {
		for _, secret := range secrets {
			if strings.Contains(strings.ToUpper(text), strings.ToUpper(secret)) {
				where, _, _ := strings.Cut(text, "\n")
				v.t.Errorf("%s tells %s", where, secret)
			}
		}
	}
}

// A password that is configured is in no log and on no topic, whether it is
// the right one or not.
func TestPasswordsOfDevicesAreToldNowhere(t *testing.T) {
	const right, wrong = "right-horse-staple", "wrong-horse-staple"
	for name, c := range map[string]struct{ given, want string }{
		"right": {right, ""}, "wrong": {wrong, "password_required"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log lockedBuffer
				s := withPage(t)
				rx := airplaytest.SecretPassword(right)
				rx.ID = "02AABBCCDDEE"
				s.Devices = []config.Device{{ID: rx.ID, Password: c.given}}
				h, _ := buildLogging(t, s, zerolog.New(&log).Level(zerolog.DebugLevel))
				h.tone("tone.wav", 1)
				h.announce("10.0.0.30", rx)
				h.until("airplay/secret/availability", "online")
				h.say("secret/play_file", `{"path":"tone.wav","transaction":"t"}`)
				if code := h.result("secret", "t"); code != c.want {
					t.Errorf("got %q, want %q", code, c.want)
				}
				_, metrics := h.get("GET", "/metrics", nil)
				if err := h.stop(); err != nil {
					t.Fatal(err)
				}
				newTV{house: h}.nowhere(log.String()+metrics, []string{right, wrong})
			})
		})
	}
}

package bridge_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/discovery"
	"airplay2mqtt/raop/raoptest"
)

func TestAnotherBridgeWithTheSameTopicsIsNoticedByBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Devices = nil
		h, _ := build(t, s)
		h.until("airplay/bridge/health", `"problems":[]`)
		first := h.stop
		time.Sleep(5 * time.Second)
		other := settings(t)
		other.Devices = nil
		h.moveIn(other) // a second one, on the same broker
		time.Sleep(time.Minute)
		warned := map[string]bool{} // by when the other began
		for _, said := range h.every("airplay/bridge/health") {
			if _, after, ok := strings.Cut(said, "another bridge (version test on "); ok {
				warned[after[strings.Index(after, "since"):strings.Index(after, ")")]] = true
			}
		}
		if len(warned) != 2 {
			t.Errorf("%v, want that each says that there is the other", warned)
		}
		if got := len(h.every("airplay/bridge/info")); got > 12 {
			t.Errorf("they said %d times what they are: a quarrel", got)
		}
		if err := first(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if said := h.latest("airplay/bridge/health"); !strings.Contains(said, `"problems":[]`) {
			t.Errorf("got %s, want that the other is forgotten", said)
		}
	})
}

func TestForeignInfosDoNoHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		for _, payload := range []string{"", "{", "[]", `{"instance":5}`, `{"instance":""}`, strings.Repeat("x", 300<<10),
			`{"instance":"x","host":"` + strings.Repeat("y", 100_000) + `\n\u0000","version":null}`} {
			if err := h.ear.client.Publish(t.Context(), mqtt.Message{Topic: "airplay/bridge/info", Payload: []byte(payload)}); err != nil {
				t.Fatal(err)
			}
		}
		said := h.until("airplay/bridge/health", `"base_topic_shared"`)
		if len(said) > 4096 {
			t.Errorf("the health has %d bytes, want a short sentence", len(said))
		}
	})
}

func TestTwoDevicesWithOneNameAreSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Devices = nil
		h, rx := build(t, s, raoptest.Config{Name: "Hall"}, raoptest.Config{Name: "Hall"})
		h.found <- discovery.Event{Device: announced(rx[0], "0011324A5B6C", "Hall", "10.0.0.20")}
		h.found <- discovery.Event{Device: announced(rx[1], "0011324A5B6D", "Hall", "10.0.0.21")}
		h.until("airplay/hall/availability", "online")
		h.until("airplay/hall_2/availability", "online")
		h.until("airplay/bridge/health", `"same_name","message":"hall and hall_2 are all called`)
		want := h.tone("tone.wav", 1)
		h.say("Hall/play_file", `{"path":"tone.wav","transaction":"t"}`) // the first is meant
		if code := h.result("hall", "t"); code != "" {
			t.Errorf("got %q, want that it plays", code)
		}
		h.until("airplay/hall/state", `"state":"idle"`)
		if got := len(sounds(rx[0])); got != len(want) {
			t.Errorf("heard %d samples, want %d", got, len(want))
		}
		if code, _ := h.ask("device/rename", `{"device":"hall_2","name":"Porch"}`); code != "" {
			t.Errorf("got %q, want another name", code)
		}
		h.until("airplay/bridge/health", `"problems":[]`)
	})
}

func TestInfoHoldsTheSchemaOfTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		var info struct {
			Features []string
			Requests []string
			Instance string
			Schema   struct {
				Properties map[string]struct {
					Properties map[string]struct{ Enum []string }
				}
			} `json:"configuration_schema"`
		}
		if err := json.Unmarshal([]byte(h.until("airplay/bridge/info", "configuration_schema")), &info); err != nil {
			t.Fatal(err)
		}
		if got := info.Schema.Properties["log"].Properties["level"].Enum; len(got) != 4 || len(info.Features) < 3 || len(info.Requests) < 10 || len(info.Instance) < 20 {
			t.Errorf("got %+v", info)
		}
	})
}

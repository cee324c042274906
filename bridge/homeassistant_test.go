package bridge_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/discovery"
	"airplay2mqtt/raop/raoptest"
)

// components are what a device is in Home Assistant.
func (h *house) components(id string) map[string]map[string]any {
	h.t.Helper()
	var p struct{ Components map[string]map[string]any }
	if err := json.Unmarshal([]byte(h.latest("homeassistant/device/airplay_"+id+"/config")), &p); err != nil {
		h.t.Fatal(err)
	}
	return p.Components
}

func TestWhatHomeAssistantOffersDoesWhatItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, twoRooms(t), raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Hall"})
		h.until("airplay/hall/availability", "online")
		h.until("homeassistant/device/airplay_STATIC_KITCHEN/config", `"options":["none","all","hall"]`)
		if h.components("STATIC_KITCHEN")["pairing"] != nil {
			t.Error("pairing is offered where nobody needs it")
		}
		for _, key := range []string{"restart", "rescan", "problems", "connectivity", "version"} {
			if h.components("bridge")[key] == nil {
				t.Errorf("the bridge itself has no %s", key)
			}
		}
		if h.components("ALL")["chime"] == nil || h.components("ALL")["latency"] != nil || h.components("ALL")["group"] != nil {
			t.Errorf("all speakers are %v, want them to ring, and nothing that only a device has", h.components("ALL"))
		}
		// What its templates make of a choice.
		h.say("bridge/request/device/options", `{"device":"kitchen","latency":"chime"}`)
		h.until("airplay/kitchen/options", `"latency":"chime"`)
		h.say("bridge/request/device/options", `{"device":"kitchen","offset":-40}`)
		h.until("airplay/kitchen/options", `"offset":-40`)
		h.say("bridge/request/device/options", `{"device":"kitchen","latency":"400ms"}`)
		h.until("homeassistant/device/airplay_STATIC_KITCHEN/config", `"options":["chime","normal","robust","400ms"]`)
		h.say("kitchen/join", "hall")
		h.until("airplay/kitchen/state", `"group_leader":"hall"`)
		h.say("kitchen/join", "none")
		h.until("airplay/kitchen/state", `"group_leader":null`)
		h.until("airplay/kitchen/result", `"status":"ok"`)
		h.tone("tone.wav", 5)
		h.say("kitchen/play_file", "tone.wav")
		h.say("kitchen/play_file", `{"path":"tone.wav","title":"Second","enqueue":"add"}`)
		h.until("airplay/kitchen/state", `"queue_length":1`)
		h.until("airplay/kitchen/state", `"state":"playing"`)
		h.say("kitchen/next", "PRESS")
		h.until("airplay/kitchen/state", `"media_title":"Second"`)
	})
}

func TestTonesOfASirenAreWhatLiesInTheFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		h.until("homeassistant/device/airplay_STATIC_KITCHEN/config", `"doorbell"`)
		if err := os.MkdirAll(s.Media.Chimes, 0o755); err != nil {
			t.Fatal(err)
		}
		(&house{t: t, media: s.Media.Chimes}).tone("gong.wav", 0.5)
		h.until("homeassistant/device/airplay_STATIC_KITCHEN/config", `"gong"`)
		h.until("airplay/bridge/info", `"gong"`)
		h.say("kitchen/chime", `{"state":"ON","tone":"gong","transaction":"g"}`)
		if code := h.result("kitchen", "g"); code != "" {
			t.Errorf("got %q, want that it is heard", code)
		}
		if err := os.Remove(filepath.Join(s.Media.Chimes, "gong.wav")); err != nil {
			t.Fatal(err)
		}
		h.say("bridge/request/rescan", "")
		time.Sleep(5 * time.Second)
		if said := h.latest("homeassistant/device/airplay_STATIC_KITCHEN/config"); strings.Contains(said, `"gong"`) {
			t.Errorf("a chime that is gone is a tone: %s", said)
		}
	})
}

func TestHomeAssistantHasItsPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const config = "homeassistant/device/airplay_0011324A5B6C/config"
		s := settings(t)
		s.Devices = nil
		h, rx := build(t, s, raoptest.Config{Name: "Hall"})
		time.Sleep(10 * time.Second)
		hall := announced(rx[0], "0011324A5B6C", "Hall", "10.0.0.20")
		for _, name := range []string{"Hall", "Hall 2", "Hall 3", "Hall 4"} {
			hall.Name = name
			h.found <- discovery.Event{Device: hall}
			synctest.Wait()
		}
		h.until(config, `"Hall 4"`)
		said := h.every(config)
		if len(said) != 2 || !strings.Contains(said[0], `"name":"Hall"`) {
			t.Errorf("it was said %d times, want the first and, two seconds later, the last", len(said))
		}
	})
}

func TestWhatAnEarlierRunLeftIsUpdatedOrCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const config = "homeassistant/device/airplay_STATIC_KITCHEN/config"
		s := settings(t)
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		said := h.until(config, `"Kitchen"`)
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		// The earlier run had an entity that there is not any more, and a device.
		old := strings.Replace(said, `"components":{`, `"components":{"lamp":{"platform":"light","unique_id":"x","command_topic":"y"},`, 1)
		for topic, payload := range map[string]string{
			config: old,
			"homeassistant/device/airplay_GONE/config": strings.ReplaceAll(said, "STATIC_KITCHEN", "GONE"),
			"homeassistant/device/other_GONE/config":   strings.ReplaceAll(said, `"airplay/`, `"other/`), // of another bridge
			"homeassistant/device/zigbee/config":       `{"origin":{"name":"zigbee2mqtt"}}`,
			"airplay/gone/state":                       "{}",
			"airplay/gone/options":                     "{}",
		} {
			if err := h.ear.client.Publish(t.Context(), mqtt.Message{Topic: topic, Payload: []byte(payload), Retain: true, QoS: 1}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		before := len(h.every(config))
		h.moveIn(s)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		after := h.every(config)[before:]
		if len(after) != 2 || !strings.Contains(after[0], `"lamp":{"platform":"light"}`) || after[1] != said {
			t.Errorf("got %d payloads, want one that takes the lamp away and then the one without it", len(after))
		}
		for topic, kept := range map[string]bool{
			"homeassistant/device/airplay_GONE/config": false, "airplay/gone/state": false, "airplay/gone/options": false,
			"homeassistant/device/other_GONE/config": true, "homeassistant/device/zigbee/config": true,
		} {
			if got := h.latest(topic) != ""; got != kept {
				t.Errorf("%s: kept is %v, want %v", topic, got, kept)
			}
		}
	})
}

func TestHomeAssistantThatComesUpIsToldEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		topics := []string{
			"homeassistant/device/airplay_STATIC_KITCHEN/config", "homeassistant/device/airplay_bridge/config", "homeassistant/media_player/kitchen/config",
			"airplay/kitchen/state", "airplay/kitchen/availability", "airplay/kitchen/options", "airplay/bridge/state",
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		times := func() (list []int) {
			for _, topic := range topics {
				list = append(list, len(h.every(topic)))
			}
			return list
		}
		before := times()
		say := func(word string, retain bool) {
			if err := h.ear.client.Publish(t.Context(), mqtt.Message{Topic: "homeassistant/status", Payload: []byte(word), Retain: retain}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		say("offline", false)
		say("ONLINE", false)
		time.Sleep(10 * time.Second)
		if got := times(); !slices.Equal(got, before) {
			t.Errorf("said %v, want %v: nobody has come up", got, before)
		}
		say("online", false)
		time.Sleep(900 * time.Millisecond)
		if got := times(); !slices.Equal(got, before) {
			t.Errorf("said %v, want %v: not all bridges at one moment", got, before)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		for i, got := range times() {
			if got != before[i]+1 {
				t.Errorf("%s: said %d times more, want once", topics[i], got-before[i])
			}
		}
	})
}

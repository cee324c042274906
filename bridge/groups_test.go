package bridge_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/raop/raoptest"
)

// twoRooms are the settings of a house with a kitchen and a hall.
func twoRooms(t *testing.T) config.Config {
	s := settings(t)
	s.Devices = append(s.Devices, config.Device{Name: "Hall", Host: "10.0.0.21", Port: 5000, Protocol: "auto"})
	return s
}

// firstHeard is when a receiver let the first frame be heard that was not silence.
func firstHeard(t *testing.T, r *raoptest.Receiver) time.Time {
	t.Helper()
	for _, span := range r.Log().Spans {
		if n := slices.IndexFunc(span.Frames, func(f [2]int16) bool { return f != [2]int16{} }); n >= 0 {
			return span.At.Add(time.Duration(n) * time.Second / 44100)
		}
	}
	t.Errorf("nothing was heard")
	return time.Time{}
}

// later holds a receiver to being later than another by so much.
func later(t *testing.T, than, r *raoptest.Receiver, by time.Duration) {
	t.Helper()
	if got := firstHeard(t, r).Sub(firstHeard(t, than)); (got - by).Abs() > 30*time.Microsecond {
		t.Errorf("one began %v after the other, want %v", got, by)
	}
}

// ask makes a request and returns what is answered.
func (h *house) ask(name, payload string) (code string, data json.RawMessage) {
	h.t.Helper()
	before := len(h.every("airplay/bridge/response/" + name))
	h.say("bridge/request/"+name, payload)
	for range 1000 {
		synctest.Wait()
		if said := h.every("airplay/bridge/response/" + name); len(said) > before {
			var r struct {
				Status string
				Data   json.RawMessage
				Error  struct{ Code, Message string }
			}
			if err := json.Unmarshal([]byte(said[before]), &r); err != nil {
				h.t.Fatal(err)
			}
			if (r.Status == "ok") != (r.Error.Code == "") || r.Error.Code != "" && r.Error.Message == "" {
				h.t.Errorf("%s: odd answer: %s", name, said[before])
			}
			return r.Error.Code, r.Data
		}
		time.Sleep(10 * time.Millisecond) // virtual
	}
	h.t.Fatalf("%s: no answer", name)
	return "", nil
}

func TestAConfiguredGroupIsADeviceAndPlaysInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := twoRooms(t)
		s.Devices[1].Offset = config.Offset(70 * time.Millisecond)
		s.Groups = []config.Group{{Name: "Downstairs", Members: []string{"kitchen", "Hall", "attic"}}}
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Hall"})
		h.until("airplay/downstairs/availability", "online")
		h.until("airplay/bridge/devices", `"members":["kitchen","hall"]`)
		h.until("homeassistant/device/airplay_GROUP_DOWNSTAIRS/config", `"model":"Group"`)
		want := h.tone("tone.wav", 3)
		h.say("downstairs/play_file", `{"path":"tone.wav","volume":40,"transaction":"t"}`)
		if got := h.result("downstairs", "t"); got != "" {
			t.Errorf("got %q, want that it worked", got)
		}
		for _, want := range []string{`"hall":{"command":"play_file","status":"ok"`, `"kitchen":{"command":"play_file","status":"ok"`} {
			if said := h.latest("airplay/downstairs/result"); !strings.Contains(said, want) {
				t.Errorf("%s is not in %s", want, said)
			}
		}
		h.until("airplay/hall/state", `"group_leader":"downstairs"`)
		h.until("airplay/hall/state", `"media_file":"tone.wav"`)
		h.until("airplay/hall/state", `"state":"playing"`)
		h.until("airplay/downstairs/state", `"group_members":["kitchen","hall"]`)
		h.until("airplay/downstairs/state/volume", "40")
		h.until("airplay/downstairs/state", `"state":"idle"`)
		time.Sleep(time.Second) // one is later
		for _, r := range rx {
			if got := sounds(r); !slices.Equal(got, want) {
				t.Errorf("heard %d samples, not the %d that were in the file", len(got), len(want))
			}
		}
		later(t, rx[0], rx[1], 70*time.Millisecond)
		h.until("airplay/hall/state/group_leader", "")
		h.say("kitchen/set_volume", "20")
		h.until("airplay/downstairs/state/volume", "30")
	})
}

func TestAllPlayInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, twoRooms(t), raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Hall"})
		h.until("airplay/kitchen/availability", "online")
		h.until("airplay/hall/availability", "online")
		h.tone("tone.wav", 60)
		h.say("all/play_file", `{"path":"tone.wav","transaction":"t"}`)
		if got := h.result("all", "t"); got != "" {
			t.Errorf("got %q, want that it worked", got)
		}
		h.until("airplay/all/state", `"state":"playing"`)
		h.say("all/stop", `{"transaction":"s"}`)
		if got := h.result("all", "s"); got != "" {
			t.Errorf("stop: got %q, want that it worked", got)
		}
		h.until("airplay/all/state", `"state":"idle"`)
		h.until("airplay/hall/state", `"state":"idle"`)
		later(t, rx[0], rx[1], 0)
		// What each plays on its own is ended by a stop of all as well.
		h.say("kitchen/play_file", "tone.wav")
		h.until("airplay/kitchen/state", `"state":"playing"`)
		h.say("all/stop", "")
		h.until("airplay/kitchen/state", `"state":"idle"`)
	})
}

func TestGroupsAreMadeAtRunTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := twoRooms(t)
		s.Groups = []config.Group{{Name: "House", Members: []string{"kitchen"}}}
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Hall"})
		h.until("airplay/hall/availability", "online")
		for _, test := range []struct{ name, payload, want string }{
			{"group/set", `{"name":"Up","members":["hall","Up"]}`, "bad_payload"},         // itself
			{"group/set", `{"name":"Up","members":["hall","attic"]}`, "unknown_device"},   // nobody
			{"group/set", `{"name":"Up","members":["house"]}`, "bad_payload"},             // a group
			{"group/set", `{"name":"Up","members":["all"]}`, "bad_payload"},               // a group
			{"group/set", `{"name":"Up","members":[]}`, "bad_payload"},                    // nobody
			{"group/set", `{"name":"Up","members":"hall"}`, "bad_payload"},                // no list
			{"group/set", `{"name":"Kitchen","members":["hall"]}`, "bad_payload"},         // a device
			{"group/set", `{"name":"all","members":["hall"]}`, "bad_payload"},             // a word of the topics
			{"group/set", `{"name":"bridge","members":["hall"]}`, "bad_payload"},          // a word of the topics
			{"group/set", `{"name":"!!","members":["hall"]}`, "bad_payload"},              // no name
			{"group/set", `{"name":"House","members":["hall"]}`, "bad_payload"},           // configured
			{"group/set", `{"name":"Up","membres":["hall"]}`, "bad_payload"},              // misspelt
			{"group/set", `{"name":"Up"`, "bad_payload"},                                  // no JSON
			{"group/remove", "Up", "unknown_device"},                                      // none
			{"group/remove", "all", "bad_payload"},                                        // not that
			{"group/remove", "kitchen", "bad_payload"},                                    // a device
			{"group/remove", "house", "bad_payload"},                                      // configured
			{"device/options", `{"device":"hall","offset":"3s"}`, "bad_payload"},          // too much
			{"device/options", `{"device":"hall","offset":-2001}`, "bad_payload"},         // too little
			{"device/options", `{"device":"hall","offset":"soon"}`, "bad_payload"},        // no time
			{"device/options", `{"device":"house","offset":1}`, "bad_payload"},            // a group
			{"device/options", `{"offset":1}`, "bad_payload"},                             // whose?
			{"device/options", `{"device":"attic","offset":1}`, "unknown_device"},         // nobody's
			{"group/set", `{"name":"Up Stairs","members":["hall","KITCHEN","hall"]}`, ""}, // at last
		} {
			if got, _ := h.ask(test.name, test.payload); got != test.want {
				t.Errorf("%s %s: got %q, want %q", test.name, test.payload, got, test.want)
			}
		}
		h.until("airplay/up_stairs/availability", "online")
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		h.moveIn(s) // it is remembered
		h.until("airplay/up_stairs/availability", "online")
		h.tone("tone.wav", 1)
		h.say("up_stairs/play_file", `{"path":"tone.wav","transaction":"t"}`)
		if got := h.result("up_stairs", "t"); got != "" {
			t.Errorf("got %q, want that it worked", got)
		}
		h.until("airplay/up_stairs/state", `"state":"idle"`)
		later(t, rx[0], rx[1], 0)
		if got, data := h.ask("group/set", `{"name":"Up Stairs","members":["hall"]}`); got != "" || !strings.Contains(string(data), `"members":["hall"]`) {
			t.Errorf("got %q and %s, want the hall alone", got, data)
		}
		if got, _ := h.ask("group/remove", "up_stairs"); got != "" {
			t.Errorf("got %q, want that it worked", got)
		}
		synctest.Wait()
		for _, topic := range []string{"airplay/up_stairs/availability", "airplay/up_stairs/state", "homeassistant/device/airplay_GROUP_UP_STAIRS/config"} {
			if got := h.latest(topic); got != "" {
				t.Errorf("%s: got %q, want nothing", topic, got)
			}
		}
		h.say("up_stairs/play_file", `{"path":"tone.wav","transaction":"gone"}`)
		if got := h.result("up_stairs", "gone"); got != "unknown_device" {
			t.Errorf("got %q, want unknown_device", got)
		}
	})
}

func TestJoinIsRememberedUntilUnjoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := twoRooms(t)
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Hall"})
		h.until("airplay/hall/availability", "online")
		for i, test := range []struct{ device, payload, want string }{
			{"hall", "hall", "bad_payload"},
			{"hall", "attic", "unknown_device"},
			{"hall", "", "bad_payload"},
			{"hall", "all", "bad_payload"},
			{"all", "hall", "bad_payload"},
			{"attic", "hall", "unknown_device"},
			{"hall", "kitchen", ""},
			{"kitchen", "hall", "bad_payload"},
		} {
			h.say(test.device+"/join", fmt.Sprintf(`{"leader":%q,"transaction":"%d"}`, test.payload, i))
			if got := h.result(test.device, fmt.Sprint(i)); got != test.want {
				t.Errorf("%s joins %q: got %q, want %q", test.device, test.payload, got, test.want)
			}
			time.Sleep(2 * time.Second) // the registry learns it
		}
		h.until("airplay/hall/state", `"group_leader":"kitchen"`)
		h.until("airplay/kitchen/state", `"group_members":["kitchen","hall"]`)
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		h.moveIn(s)
		h.until("airplay/hall/state", `"group_leader":"kitchen"`)
		h.tone("tone.wav", 2)
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"t"}`)
		if got := h.result("kitchen", "t"); got != "" {
			t.Errorf("got %q, want that it worked", got)
		}
		if said := h.latest("airplay/kitchen/result"); !strings.Contains(said, `"members":{"hall":{`) {
			t.Errorf("the hall is not in %s", said)
		}
		h.until("airplay/kitchen/state", `"state":"idle"`)
		later(t, rx[0], rx[1], 0)
		h.say("hall/unjoin", `{"transaction":"u"}`)
		if got := h.result("hall", "u"); got != "" {
			t.Errorf("unjoin: got %q, want that it worked", got)
		}
		time.Sleep(2 * time.Second)
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		h.moveIn(s)
		h.until("airplay/kitchen/availability", "online")
		time.Sleep(time.Second)
		if said := h.latest("airplay/hall/state"); !strings.Contains(said, `"group_leader":null`) {
			t.Errorf("got %s, want it on its own", said)
		}
	})
}

func TestSeveralTargetsOfOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, twoRooms(t), raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Hall"})
		h.until("airplay/hall/availability", "online")
		want := h.tone("tone.wav", 2)
		for i, test := range []struct{ topic, payload, want string }{
			{"kitchen/play_file", `"path":"tone.wav","targets":["attic"]`, "unknown_device"},
			{"kitchen/play_file", `"path":"tone.wav","targets":"hall"`, "bad_payload"},
			{"all/play_file", `"path":"tone.wav","targets":["hall"]`, "bad_payload"},
			{"kitchen/join", `"leader":"hall","targets":["hall"]`, "bad_payload"},
			{"kitchen/set_volume", `"volume":25,"targets":["kitchen","hall"]`, ""},
			{"kitchen/play_file", `"path":"tone.wav","targets":["kitchen","hall","hall"]`, ""},
		} {
			h.say(test.topic, fmt.Sprintf(`{%s,"transaction":"%d"}`, test.payload, i))
			device, _, _ := strings.Cut(test.topic, "/")
			if got := h.result(device, fmt.Sprint(i)); got != test.want {
				t.Errorf("%s %s: got %q, want %q", test.topic, test.payload, got, test.want)
			}
		}
		h.until("airplay/hall/state/volume", "25")
		h.until("airplay/hall/state", `"group_leader":"kitchen"`)
		h.until("airplay/kitchen/state", `"state":"idle"`)
		later(t, rx[0], rx[1], 0)
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"alone"}`)
		h.result("kitchen", "alone")
		h.until("airplay/kitchen/state", `"state":"idle"`)
		if got := sounds(rx[1]); !slices.Equal(got, want) {
			t.Errorf("the hall heard %d samples, want the %d of once", len(got), len(want))
		}
	})
}

func TestTheOffsetOfADeviceIsChangedWhileItPlays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := twoRooms(t)
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Hall"})
		h.until("airplay/hall/availability", "online")
		h.tone("tone.wav", 5)
		h.say("all/play_file", "tone.wav")
		h.until("airplay/hall/state", `"state":"playing"`)
		if got, data := h.ask("device/options", `{"device":"hall","offset":"120ms"}`); got != "" || !strings.HasPrefix(string(data), `{"device":"hall","offset":120,`) {
			t.Errorf("got %q and %s, want the hall's offset", got, data)
		}
		h.until("airplay/all/state", `"state":"idle"`)
		h.say("all/play_file", "tone.wav") // on the session that is warm
		h.until("airplay/hall/state", `"state":"playing"`)
		h.until("airplay/all/state", `"state":"idle"`)
		last := func(r *raoptest.Receiver) time.Time {
			spans := r.Log().Spans
			span := spans[len(spans)-1]
			for n, f := range slices.Backward(span.Frames) {
				if f != [2]int16{} {
					return span.At.Add(time.Duration(n) * time.Second / 44100)
				}
			}
			return time.Time{}
		}
		time.Sleep(time.Second)
		if got := last(rx[1]).Sub(last(rx[0])); (got - 120*time.Millisecond).Abs() > time.Millisecond {
			t.Errorf("the hall ends %v after the kitchen, want 120ms", got)
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		h.moveIn(s) // it is remembered
		h.until("airplay/hall/availability", "online")
		if got, data := h.ask("device/options", `{"device":"hall"}`); got != "" || !strings.HasPrefix(string(data), `{"device":"hall","offset":120,`) {
			t.Errorf("after a restart: got %q and %s, want the hall's offset", got, data)
		}
	})
}

func TestARetainedRequestIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		m := mqtt.Message{Topic: "airplay/bridge/request/group/set", Payload: []byte(`{"name":"Up","members":["kitchen"]}`), Retain: true, QoS: 1}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		if err := h.ear.client.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		h.moveIn(settings(t))
		h.until("airplay/bridge/response/group/set", "retained_command")
	})
}

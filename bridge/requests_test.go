package bridge_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/discovery"
	"airplay2mqtt/raop/raoptest"
)

// retained are the topics below a device that hold something.
func (h *house) retained(device string) []string {
	synctest.Wait()
	h.ear.mu.Lock()
	defer h.ear.mu.Unlock()
	var list []string
	for topic, said := range h.ear.latest {
		rest, ok := strings.CutPrefix(topic, "airplay/"+device+"/")
		if ok && said != "" && rest != "event" && rest != "result" && bridge.Verbs()[rest].Keys() == nil {
			list = append(list, rest)
		}
	}
	slices.Sort(list)
	return list
}

func TestARenamedDeviceHasOtherTopicsAndIsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := twoRooms(t)
		s.Groups = []config.Group{{Name: "Downstairs", Members: []string{"kitchen", "hall"}}}
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Hall"})
		h.until("airplay/hall/availability", "online")
		h.say("hall/set_volume", "35")
		h.until("airplay/hall/state/volume", "35")
		h.say("kitchen/join", `{"leader":"hall","transaction":"j"}`)
		h.result("kitchen", "j")
		h.until("airplay/kitchen/state/group_leader", "hall")
		h.tone("tone.wav", 20)
		h.say("hall/play_file", "tone.wav") // it is renamed while it plays
		h.until("airplay/hall/state", `"state":"playing"`)
		time.Sleep(2 * time.Second)
		if code, data := h.ask("device/rename", `{"device":"hall","name":"Große Diele"}`); code != "" || !strings.Contains(string(data), `"slug":"grosse_diele"`) {
			t.Fatalf("got %q and %s, want another slug", code, data)
		}
		h.until("airplay/bridge/event", `"event_type":"device_renamed","from":"hall"`)
		h.until("airplay/grosse_diele/availability", "online")
		h.until("airplay/grosse_diele/state/volume", "35")
		h.until("airplay/kitchen/state/group_leader", "grosse_diele")
		h.until("airplay/bridge/devices", `"members":["kitchen","grosse_diele"]`)
		h.until("homeassistant/device/airplay_STATIC_HALL/config", `airplay/grosse_diele/state`)
		time.Sleep(5 * time.Second) // its player has ended
		if left := h.retained("hall"); len(left) > 0 {
			t.Errorf("what it was called still holds %v", left)
		}
		if said := h.latest("homeassistant/media_player/hall/config"); said != "" {
			t.Errorf("the media player of before says %s", said)
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		h.moveIn(s) // it is remembered
		h.until("airplay/grosse_diele/availability", "online")
		h.until("airplay/kitchen/state/group_leader", "grosse_diele")
		want := h.tone("short.wav", 1)
		before := len(rx[1].Heard())
		h.say("grosse_diele/play_file", `{"path":"short.wav","transaction":"t"}`)
		if code := h.result("grosse_diele", "t"); code != "" {
			t.Errorf("got %q, want that it plays", code)
		}
		h.until("airplay/grosse_diele/state", `"state":"idle"`)
		if got := len(rx[1].Heard()) - before; got < len(want)/2 {
			t.Errorf("heard %d frames, want %d", got, len(want)/2)
		}
		if code, _ := h.ask("device/rename", `{"device":"Große Diele","name":"大きい"}`); code != "" { // no Latin letters: the topics stay
			t.Errorf("got %q, want another name", code)
		}
		h.until("airplay/bridge/devices", `"slug":"grosse_diele","name":"大きい"`)
	})
}

func TestARenamedGroupLeavesItsNameToAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := twoRooms(t)
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Hall"})
		h.until("airplay/hall/availability", "online")
		for _, step := range []struct{ name, payload string }{
			{"group/set", `{"name":"Up","members":["hall"]}`},
			{"device/rename", `{"device":"up","name":"Down"}`},
			{"group/set", `{"name":"Up","members":["kitchen"]}`},
		} {
			if code, _ := h.ask(step.name, step.payload); code != "" {
				t.Errorf("%s: got %q, want that it worked", step.payload, code)
			}
		}
		for range 2 {
			h.until("airplay/up/availability", "online")
			said := h.until("airplay/bridge/devices", `"slug":"up"`)
			for _, want := range []string{`"slug":"down","name":"Down"`, `"members":["hall"]`, `"members":["kitchen"]`} {
				if !strings.Contains(said, want) {
					t.Errorf("no %s in %s", want, said)
				}
			}
			if err := h.stop(); err != nil {
				t.Fatal(err)
			}
			h.moveIn(s) // both are remembered
		}
	})
}

func TestRequestsThatCannotBeMeant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := twoRooms(t)
		s.Groups = []config.Group{{Name: "House", Members: []string{"kitchen"}}}
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Hall"})
		h.until("airplay/hall/availability", "online")
		for _, test := range []struct{ name, payload, want string }{
			{"device/rename", `{"device":"hall","name":"Kitchen"}`, "bad_payload"},            // another's
			{"device/rename", `{"device":"hall","name":"House"}`, "bad_payload"},              // a group's
			{"device/rename", `{"device":"hall","name":"bridge"}`, "bad_payload"},             // of the topics
			{"device/rename", `{"device":"hall","name":""}`, "bad_payload"},                   // nothing
			{"device/rename", `{"device":"hall","name":"a\nb"}`, "bad_payload"},               // two lines
			{"device/rename", `{"device":"hall"}`, "bad_payload"},                             // what?
			{"device/rename", `{"name":"Hall"}`, "bad_payload"},                               // whom?
			{"device/rename", `{"device":"attic","name":"Loft"}`, "unknown_device"},           // nobody
			{"device/rename", `{"device":"all","name":"Everything"}`, "bad_payload"},          // not that
			{"device/rename", `{"device":"house","name":"Home"}`, "bad_payload"},              // configured
			{"device/rename", `{"device":"hall","name":"x","to":"y"}`, "bad_payload"},         // what is that?
			{"device/remove", "hall", "bad_payload"},                                          // configured
			{"device/remove", "house", "bad_payload"},                                         // configured
			{"device/remove", "all", "bad_payload"},                                           // not that
			{"device/remove", "attic", "unknown_device"},                                      // nobody
			{"device/remove", "", "bad_payload"},                                              // whom?
			{"device/unpair", "hall", "not_paired"},                                           // never was
			{"device/unpair", "house", "bad_payload"},                                         // a group
			{"device/options", `{"device":"hall","latency":"soon"}`, "bad_payload"},           // no time
			{"device/options", `{"device":"hall","max_volume":0}`, "bad_payload"},             // too little
			{"device/options", `{"device":"hall","max_volume":[1]}`, "bad_payload"},           // no number
			{"device/options", `{"device":"hall","volume":1}`, "bad_payload"},                 // no option
			{"rescan", `{"device":"hall"}`, "bad_payload"},                                    // takes nothing
			{"restart", `{`, "bad_payload"},                                                   // no JSON
			{"device/renam", `{"device":"hall","name":"Hell"}`, "bad_payload"},                // no request
			{"reboot", ``, "bad_payload"},                                                     // no request
			{"device/options", `{"device":"hall","latency":400,"offset":9e9}`, "bad_payload"}, // half of it
		} {
			if got, _ := h.ask(test.name, test.payload); got != test.want {
				t.Errorf("%s %s: got %q, want %q", test.name, test.payload, got, test.want)
			}
		}
		if said := h.latest("airplay/hall/options"); !strings.Contains(said, `"latency":"normal"`) {
			t.Errorf("got %s, want that nothing has changed", said)
		}
		if said := h.latest("airplay/bridge/response/device/renam"); !strings.Contains(said, `did you mean`) {
			t.Errorf("got %s, want what was meant", said)
		}
	})
}

func TestARemovedDeviceIsForgottenAndFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		h, rx := build(t, s, raoptest.Config{Name: "Hall"})
		hall := announced(rx[0], "0011324A5B6C", "Hall", "10.0.0.20")
		h.found <- discovery.Event{Device: hall}
		h.until("airplay/hall/availability", "online")
		h.tone("tone.wav", 20)
		h.say("hall/play_file", "tone.wav")
		h.until("airplay/hall/state", `"state":"playing"`)
		if code, _ := h.ask("device/rename", `{"device":"hall","name":"Entrance"}`); code != "" {
			t.Errorf("got %q, want another name", code)
		}
		h.until("airplay/entrance/availability", "online")
		if code, data := h.ask("device/remove", "entrance"); code != "" || !strings.Contains(string(data), `"there":true`) {
			t.Errorf("got %q and %s, want that it is removed and still there", code, data)
		}
		time.Sleep(5 * time.Second)
		for _, name := range []string{"hall", "entrance"} {
			if left := h.retained(name); len(left) > 0 {
				t.Errorf("%s still holds %v", name, left)
			}
		}
		for _, topic := range []string{"homeassistant/device/airplay_0011324A5B6C/config", "homeassistant/media_player/entrance/config"} {
			if said := h.latest(topic); said != "" {
				t.Errorf("%s still says %s", topic, said)
			}
		}
		if code, _ := h.ask("rescan", ""); code != "" {
			t.Errorf("got %q, want that it is looked", code)
		}
		h.until("airplay/hall/availability", "online") // as if it were new
	})
}

func TestOptionsHoldAtOnceAndAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Devices[0].MaxVolume = 80
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"})
		h.until("airplay/kitchen/options", `"latency":"normal","max_volume":80`)
		h.say("kitchen/set_volume", "60")
		h.until("airplay/kitchen/state/volume", "60")
		h.tone("tone.wav", 10)
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"a"}`)
		h.result("kitchen", "a")
		if code, data := h.ask("device/options", `{"device":"kitchen","latency":"robust","max_volume":40,"offset":"10ms"}`); code != "" ||
			string(data) != `{"device":"kitchen","offset":10,"latency":"robust","max_volume":40}` {
			t.Errorf("got %q and %s", code, data)
		}
		h.until("airplay/kitchen/options", `"latency":"robust"`)
		h.until("airplay/kitchen/state/volume", "40")
		if got := rx[0].Volume(); got != -18 {
			t.Errorf("volume on the wire: got %v dB, want -18, at once", got)
		}
		if code, _ := h.ask("device/options", `{"device":"kitchen","max_volume":95}`); code != "" {
			t.Errorf("got %q, want that it worked", code)
		}
		h.until("airplay/kitchen/options", `"max_volume":80`) // more was not allowed by the configuration
		h.until("airplay/kitchen/state/volume", "60")
		var r struct {
			LatencyMS int64 `json:"latency_ms"`
		}
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"b"}`)
		h.result("kitchen", "b")
		if err := json.Unmarshal([]byte(h.latest("airplay/kitchen/result")), &r); err != nil || r.LatencyMS < 2000 || r.LatencyMS > 2500 {
			t.Errorf("heard after %d ms (%v), want 2000, on a session that is open", r.LatencyMS, err)
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		h.moveIn(s)
		h.until("airplay/kitchen/options", `"offset":10,"latency":"robust","max_volume":80`)
		if code, _ := h.ask("device/options", `{"device":"kitchen","max_volume":"default","latency":"default","offset":"default"}`); code != "" {
			t.Errorf("got %q, want that it worked", code)
		}
		h.until("airplay/kitchen/options", `"offset":0,"latency":"normal","max_volume":80`)
	})
}

func TestARestartIsAnsweredAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const config = "homeassistant/device/airplay_STATIC_KITCHEN/config"
		s := settings(t)
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		h.until(config, `"Kitchen"`)
		if code, _ := h.ask("restart", `{"transaction":"r"}`); code != "" {
			t.Errorf("got %q, want ok", code)
		}
		h.until("airplay/bridge/state", "offline")
		if err := h.stop(); !errors.Is(err, bridge.ErrRestart) {
			t.Errorf("got %v, want ErrRestart", err)
		}
		said := len(h.every(config))
		h.moveIn(s)
		time.Sleep(10 * time.Second)
		if got := len(h.every(config)); got != said {
			t.Errorf("Home Assistant was told %d times what it knows", got-said)
		}
		if code, _ := h.ask("discovery/republish", ""); code != "" {
			t.Errorf("got %q, want ok", code)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := len(h.every(config)); got != said+1 {
			t.Errorf("the kitchen was announced %d times more, want once", got-said)
		}
	})
}

func TestHealthCountsWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		h.until("airplay/bridge/health", `"problems":[]`)
		h.tone("tone.wav", 1)
		h.say("kitchen/play_file", "tone.wav")
		h.until("airplay/kitchen/state", `"state":"playing"`)
		h.until("airplay/kitchen/state", `"state":"idle"`)
		h.say("kitchen/play_file", "none.wav")
		h.until("airplay/kitchen/state", `"code":"file_not_found"`)
		time.Sleep(time.Minute)
		synctest.Wait()
		var got bridge.Health
		if err := json.Unmarshal([]byte(h.latest("airplay/bridge/health")), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Devices) != 1 {
			t.Fatalf("got %d devices, want the kitchen", len(got.Devices))
		}
		d := got.Devices[0]
		if d.Device != "kitchen" || !d.Available || d.Dials != 1 || d.DialErrors != 0 || d.Packets < 125 || d.LastError == nil || d.LastError.Code != "file_not_found" {
			t.Errorf("got %+v", d)
		}
		if got.Commands != 2 || d.Streams != 1 || d.Prompt == nil || *d.Prompt > 1000 {
			t.Errorf("got %+v, want two commands, one of them heard", got)
		}
		if got.Uptime < 60 || got.Memory == 0 || got.Goroutines == 0 || got.Reconnects != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestDiagnosticsHoldEverythingButSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Devices[0].Password, s.MQTT.Username, s.MQTT.Password = "geheim-1", "geheim-2", "geheim-3"
		s.Credentials.Key = "geheim-4"
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen", Password: "geheim-1"})
		h.tone("tone.wav", 1)
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"t"}`)
		h.result("kitchen", "t")
		code, data := h.ask("diagnostics", "")
		for _, want := range []string{`"go":"go`, `"health":{`, `"configuration":{`, `"options":{`, `"learned":{`, `"slug":"kitchen"`, `"media_file":"tone.wav"`} {
			if !strings.Contains(string(data), want) {
				t.Errorf("%q: no %s in %s", code, want, data)
			}
		}
		h.ear.mu.Lock()
		defer h.ear.mu.Unlock()
		for _, m := range h.ear.all {
			if strings.Contains(string(m.Payload), "geheim") {
				t.Errorf("%s says a secret: %s", m.Topic, m.Payload)
			}
		}
	})
}

func TestAFolderThatCannotBeWrittenIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Data = filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(s.Data, nil, 0o600); err != nil { // a file in its place, also for root
			t.Fatal(err)
		}
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		h.until("airplay/bridge/health", `"code":"data_not_writable"`)
		h.tone("tone.wav", 1)
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"t"}`)
		if code := h.result("kitchen", "t"); code != "" {
			t.Errorf("got %q, want that it plays all the same", code)
		}
		if err := os.Remove(s.Data); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(s.Data, 0o700); err != nil {
			t.Fatal(err)
		}
		h.until("airplay/bridge/health", `"problems":[]`) // it is tried again
		if _, err := os.Stat(filepath.Join(s.Data, "devices.json")); err != nil {
			t.Errorf("got %v, want what is remembered", err)
		}
	})
}

func TestACorruptStateFileIsKeptAsideAndSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		if err := os.MkdirAll(s.Data, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"devices.json", "raised.json", "credentials.json"} {
			if err := os.WriteFile(filepath.Join(s.Data, name), []byte("{half of it"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		said := h.until("airplay/bridge/health", `"code":"state_corrupt"`)
		for _, name := range []string{"devices.json", "raised.json", "credentials.json"} {
			aside := filepath.Join(s.Data, name+".corrupt")
			if kept, err := os.ReadFile(aside); string(kept) != "{half of it" {
				t.Errorf("%s: got %q, %v, want what was there", aside, kept, err)
			}
			if !strings.Contains(said, aside) {
				t.Errorf("%s is not in %s", aside, said)
			}
		}
		h.until("airplay/kitchen/availability", "online")
	})
}

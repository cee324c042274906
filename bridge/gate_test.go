package bridge_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/raop/raoptest"
)

// limited is a house with Kitchen and Porch.
func limited(t *testing.T, limits config.Limits) *house {
	s := settings(t)
	s.Devices = append(s.Devices, config.Device{Name: "Porch", Host: "10.0.0.21", Port: 5000, Protocol: "auto"})
	s.Limits = limits
	h, _ := build(t, s, raoptest.Config{}, raoptest.Config{})
	return h
}

// tally counts the answers of a device by their codes.
func (h *house) tally(device string) map[string]int {
	h.t.Helper()
	n := map[string]int{}
	for _, text := range h.every("airplay/" + device + "/result") {
		var r struct {
			Status string
			Error  struct{ Code string }
		}
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			h.t.Fatal(err)
		}
		if r.Status != "accepted" {
			n[r.Error.Code]++
		}
	}
	return n
}

func TestAFloodForOneDeviceDoesNotReachAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limited(t, config.Limits{PerDevice: 20, Overall: 100, Commands: []string{}})
		for range 10 { // ten seconds of a hundred commands a second
			for n := range 100 {
				h.say("kitchen/set_volume", fmt.Sprint(n%50))
			}
			mine := fmt.Sprintf("t%v", time.Now().UnixNano())
			h.say("porch/set_volume", `{"volume":30,"transaction":"`+mine+`"}`)
			if code := h.result("porch", mine); code != "" {
				t.Errorf("porch: got %s, want ok", code)
			}
			time.Sleep(time.Second)
		}
		got := h.tally("kitchen")
		if n := got[""]; n < 200 || n > 260 {
			t.Errorf("kitchen obeyed %d of 1000 commands in 10 s, want 20 a second and 40 at once: %v", n, got)
		}
		if n := got["rate_limited"]; n < 100 || n > 300 {
			t.Errorf("kitchen answered %d refusals, want some, and not all: %v", n, got)
		}
		time.Sleep(3 * time.Second)
		h.say("kitchen/set_volume", `{"volume":30,"transaction":"after"}`)
		if code := h.result("kitchen", "after"); code != "" {
			t.Errorf("after the flood: got %s, want ok", code)
		}
	})
}

func TestAllDevicesTogetherHaveALimitToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limited(t, config.Limits{PerDevice: 20, Overall: 25, Commands: []string{}})
		for range 40 {
			h.say("kitchen/mute", "OFF")
			h.say("porch/mute", "OFF")
		}
		time.Sleep(time.Second)
		refused := h.tally("kitchen")["rate_limited"] + h.tally("porch")["rate_limited"]
		if refused < 15 || refused > 30 {
			t.Errorf("got %d of 80 refused, want 20 or so: 50 at once are obeyed, and the first five of each", refused)
		}
	})
}

func TestTheBridgeIsForReadingOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limited(t, config.Limits{PerDevice: 20, Overall: 100, ReadOnly: true, Commands: []string{}})
		h.say("kitchen/chime", `{"chime":"ding","transaction":"c"}`)
		if code := h.result("kitchen", "c"); code != "forbidden_command" {
			t.Errorf("chime: got %q, want forbidden_command", code)
		}
		h.say("bridge/request/group/set", `{"name":"Down","members":["kitchen"],"transaction":"g"}`)
		h.until("airplay/bridge/response/group/set", "forbidden_command")
		if got := h.latest("airplay/bridge/response/group/set"); !strings.Contains(got, `"transaction":"g"`) {
			t.Errorf("got %s, want the transaction in it", got)
		}
		if h.latest("airplay/kitchen/state") == "" {
			t.Error("no state is told")
		}
	})
}

func TestOnlyAllowedCommandsAreObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limited(t, config.Limits{PerDevice: 20, Overall: 100, Commands: []string{"set_volume", "bridge/request/group/set"}})
		for command, c := range map[string]struct{ payload, want string }{
			"set_volume": {`{"transaction":"set_volume","volume":5}`, ""},
			"stop":       {`{"transaction":"stop"}`, "forbidden_command"},
			"play_url":   {`{"transaction":"play_url","url":"http://10.0.0.9/x"}`, "forbidden_command"},
		} {
			h.say("kitchen/"+command, c.payload)
			if code := h.result("kitchen", command); code != c.want {
				t.Errorf("%s: got %q, want %q", command, code, c.want)
			}
		}
		h.say("bridge/request/group/set", `{"name":"Down","members":["kitchen"]}`)
		h.until("airplay/bridge/response/group/set", `"ok"`)
		h.say("bridge/request/group/remove", `Down`)
		h.until("airplay/bridge/response/group/remove", "forbidden_command")
	})
}

func TestCommandsThatThereAreNotCannotBeAllowed(t *testing.T) {
	err := bridge.CheckCommands(config.Limits{Commands: []string{"chime", "bridge/request/group/set", "set_volme"}})
	if err == nil || err.Error() != `limits.commands[2]: there is no command "set_volme", did you mean "set_volume"?` {
		t.Errorf("got %v", err)
	}
}

func TestSoundsInMessagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Media.MaxPayload = 100 << 10
		h, _ := build(t, s, raoptest.Config{})
		sound := string(make([]byte, 100<<10))
		for range 12 {
			h.say("kitchen/play_data", sound)
		}
		time.Sleep(time.Second)
		got := h.tally("kitchen")["rate_limited"]
		if got < 7 {
			t.Errorf("got %d refused, want all but four of the largest at once", got)
		}
		time.Sleep(10 * time.Second)
		h.say("kitchen/play_data", sound)
		time.Sleep(time.Second)
		if h.tally("kitchen")["rate_limited"] != got {
			t.Error("one is refused also later")
		}
	})
}

func TestManyRetainedCommandsAreAllCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		h, _ := build(t, s, raoptest.Config{})
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		for n := range 300 {
			m := mqtt.Message{Topic: fmt.Sprintf("airplay/room%d/play", n), Payload: []byte("x"), Retain: true}
			if err := h.ear.client.Publish(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second) // the broker keeps them now
		h.moveIn(s)
		time.Sleep(5 * time.Second)
		for n := range 300 {
			topic := fmt.Sprintf("airplay/room%d/play", n)
			if got := h.latest(topic); got != "" {
				t.Fatalf("%s: got %q, want it cleared", topic, got)
			}
		}
	})
}

func TestTransactionsAndWordsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limited(t, config.Default().Limits)
		h.say("kitchen/stop", `{"transaction":"`+strings.Repeat("x", 2000)+`"}`)
		h.until("airplay/kitchen/result", "transaction must be at most")
		long := strings.Repeat("x", 300)
		h.say(long+"/stop", "")
		time.Sleep(time.Second)
		if got := h.every("airplay/" + long + "/result"); len(got) != 0 {
			t.Errorf("got %d answers to a word that no device can have", len(got))
		}
	})
}

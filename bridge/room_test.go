package bridge_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/discovery"
	"airplay2mqtt/raop/raoptest"
)

func (h *house) countDevices() int {
	h.t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(h.latest("airplay/bridge/devices")), &list); err != nil {
		h.t.Fatal(err)
	}
	return len(list)
}

func TestDevicesThatAreMadeUpAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.HomeAssistant.DiscoveryPrefix = "off"
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"})
		made := func(n int) discovery.Device {
			return announced(rx[0], fmt.Sprintf("00113200%04X", n), fmt.Sprintf("Fake %d", n), "10.0.0.20")
		}
		for n := range 310 {
			h.found <- discovery.Event{Device: made(n)}
			if n < 20 {
				h.found <- discovery.Event{Device: made(n), Gone: true}
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		if n := h.countDevices(); n != 300 {
			t.Errorf("got %d devices, want 300", n)
		}
		if got := h.latest("airplay/fake_0/availability"); got != "" {
			t.Errorf("the one that was seen least lately: got %q, want it cleared", got)
		}
		h.until("airplay/fake_309/availability", "online")
		for n := range 30 {
			h.found <- discovery.Event{Device: made(400 + n)}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		if n := h.countDevices(); n != 300 {
			t.Errorf("got %d devices, want 300 still: those that are there stay", n)
		}
	})
}

func TestGroupsThatAreMadeUpAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.HomeAssistant.DiscoveryPrefix = "off"
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		for n := range 105 {
			h.say("bridge/request/group/set", fmt.Sprintf(`{"name":"G%d","members":["kitchen"]}`, n))
			time.Sleep(100 * time.Millisecond)
		}
		h.until("airplay/bridge/response/group/set", "there are 100 groups already")
		if n := h.countDevices(); n != 101 {
			t.Errorf("got %d devices, want 100 groups and the kitchen", n)
		}
		h.say("bridge/request/group/remove", "G7")
		h.say("bridge/request/group/set", `{"name":"Downstairs","members":["kitchen"]}`)
		h.until("airplay/bridge/response/group/set", `"ok"`)
	})
}

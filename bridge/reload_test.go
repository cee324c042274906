package bridge_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/internal/chime"
	"airplay2mqtt/raop/raoptest"
)

// reload has the bridge take over other settings.
func (h *house) reload(s config.Config) (later []string) {
	h.t.Helper()
	later, err := h.bridge.Reload(h.t.Context(), s)
	if err != nil {
		h.t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	return later
}

func TestReloadTakesOverWhatItCanWhileItPlays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Devices[0].ID = "001132000001"
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Porch"})
		want := h.tone("tone.wav", 30)
		h.say("kitchen/play_file", `{"path":"tone.wav","volume":80,"transaction":"t"}`)
		h.until("airplay/kitchen/state", `"state":"playing"`)
		h.until("airplay/kitchen/state/volume", "80")

		now := s
		now.Devices = []config.Device{
			{ID: "001132000001", Name: "Cuisine", Host: "10.0.0.20", Port: 5000, Protocol: "auto", MaxVolume: 40},
			{Name: "Porch", Host: "10.0.0.21", Port: 5000, Protocol: "auto"},
		}
		now.Groups = []config.Group{{Name: "Down", Members: []string{"kitchen", "porch"}}}
		now.Limits.Commands = []string{"set_volume", "stop"}
		now.Log.Level = "warn"
		if later := h.reload(now); len(later) != 0 {
			t.Errorf("got %v, want nothing that waits for a restart", later)
		}
		h.until("airplay/kitchen/state/volume", "40")
		h.until("airplay/porch/availability", "online")
		h.until("airplay/down/availability", "online")
		h.until("airplay/bridge/devices", `"name":"Cuisine"`)
		h.until("airplay/bridge/info", `"log":{"level":"warn"`)
		h.say("kitchen/mute", `{"mute":"ON","transaction":"m"}`)
		if code := h.result("kitchen", "m"); code != "forbidden_command" {
			t.Errorf("mute: got %q, want forbidden_command", code)
		}
		h.until("airplay/kitchen/state", `"state":"idle"`)
		log := rx[0].Log()
		if got := len(rx[0].Heard()); got < len(want)/2 || len(log.Spans) != 1 || log.Gaps != 0 {
			t.Errorf("heard %d of %d frames in %d pieces: what plays was disturbed", got, len(want)/2, len(log.Spans))
		}
		if log.Sessions != 1 || log.Flushes != 0 {
			t.Errorf("got %d sessions and %d times FLUSH, want 1 and none", log.Sessions, log.Flushes)
		}
	})
}

func TestReloadTakesAwayWhatIsConfiguredNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Devices = append(s.Devices, config.Device{Name: "Porch", Host: "10.0.0.21", Port: 5000, Protocol: "auto"})
		s.Groups = []config.Group{{Name: "Down", Members: []string{"kitchen", "porch"}}}
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"}, raoptest.Config{Name: "Porch"})
		h.until("airplay/down/availability", "online")
		now := s
		now.Devices, now.Groups = s.Devices[:1], nil
		h.reload(now)
		for _, topic := range []string{"airplay/porch/availability", "airplay/down/availability"} {
			if got := h.latest(topic); got != "" {
				t.Errorf("%s: got %q, want it cleared", topic, got)
			}
		}
		if got := h.latest("airplay/kitchen/availability"); got != "online" {
			t.Errorf("kitchen: got %q, want online", got)
		}
		h.reload(s)
		h.until("airplay/down/availability", "online")
		h.until("airplay/porch/availability", "online")
	})
}

func TestReloadBringsQuietHoursAndChimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		h.tone("tone.wav", 20)
		h.say("kitchen/play_file", `{"path":"tone.wav","volume":60}`)
		h.until("airplay/kitchen/state/volume", "60")
		if err := os.MkdirAll(s.Media.Chimes, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.Media.Chimes, "gong.wav"), wavOf(chime.Doorbell()), 0o600); err != nil {
			t.Fatal(err)
		}
		now := s
		now.QuietHours = config.QuietHours{From: config.Clock{Set: true}, To: config.Clock{Set: true}, MaxVolume: 15, Announcements: "refuse"}
		h.reload(now)
		h.until("airplay/kitchen/state/volume", "15")
		h.until("airplay/bridge/info", `"gong"`)
		h.say("kitchen/chime", `{"chime":"gong","transaction":"c"}`)
		if code := h.result("kitchen", "c"); code != "quiet_hours" {
			t.Errorf("chime: got %q, want quiet_hours", code)
		}
		h.reload(s)
		h.until("airplay/kitchen/state/volume", "60")
	})
}

func TestReloadNamesWhatWaitsForARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		now := s
		now.MQTT.BaseTopic, now.Media.MaxPayload, now.Announcements.Policy = "other", 1<<20, "wait"
		if got, want := h.reload(now), []string{"mqtt.base_topic", "announcements.policy", "media.max_payload"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		now = s
		now.Limits.Commands = []string{"chme"}
		if _, err := h.bridge.Reload(t.Context(), now); err == nil || !strings.Contains(err.Error(), `did you mean "chime"?`) {
			t.Errorf("got %v, want that there is no such command", err)
		}
	})
}

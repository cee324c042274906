package bridge_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/raop/raoptest"
)

// A speaker is a house in which music plays on a receiver with buttons.
type speaker struct {
	*house
	rx     *raoptest.Receiver
	server string
}

// withMusic lets music play for long enough that all is believed.
func withMusic(t *testing.T, s config.Config, test func(s speaker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"})
		server := <-h.call
		h.tone("tone.wav", 60)
		h.say("kitchen/play_file", `{"path":"tone.wav","volume":40,"transaction":"music"}`)
		if code := h.result("kitchen", "music"); code != "" {
			t.Fatalf("play: got %s, want ok", code)
		}
		time.Sleep(11 * time.Second)
		test(speaker{h, rx[0], server})
	})
}

func (s speaker) press(command string) {
	s.t.Helper()
	code, err := s.rx.Press(s.t.Context(), s.server, command)
	if err != nil || code != http.StatusNoContent {
		s.t.Errorf("%s: got %d, %v, want 204", command, code, err)
	}
	time.Sleep(time.Second)
	synctest.Wait()
}

func TestButtonsDoWhatTheySay(t *testing.T) {
	for _, test := range []struct {
		command, event string
		topic, want    string
	}{
		{"pause", `{"event_type":"remote","button":"pause"}`, "state/state", "paused"},
		{"playpause", `{"event_type":"remote","button":"play_pause"}`, "state/state", "paused"},
		{"stop", `{"event_type":"remote","button":"stop"}`, "state/state", "idle"},
		{"nextitem", `{"event_type":"remote","button":"next"}`, "state/state", "idle"},
		{"previtem", `{"event_type":"remote","button":"previous"}`, "state/media_position", "0"},
		{"beginff", `{"event_type":"remote","button":"fast_forward"}`, "state/state", "playing"},
		{"volumeup", `{"event_type":"remote","button":"volume_up"}`, "state/volume", "45"},
		{"volumedown", `{"event_type":"remote","button":"volume_down"}`, "state/volume", "35"},
		{"mutetoggle", `{"event_type":"remote","button":"mute_toggle"}`, "state/is_volume_muted", "true"},
		{"shuffle_songs", `{"event_type":"remote","button":"shuffle"}`, "state/state", "playing"},
		{"setproperty?dmcp.device-volume=-15", `{"event_type":"remote","button":"volume","volume":50}`, "state/volume", "50"},
	} {
		t.Run(test.command, func(t *testing.T) {
			withMusic(t, settings(t), func(s speaker) {
				told := len(s.rx.Log().Volumes)
				s.press(test.command)
				if got := s.every("airplay/kitchen/event"); !slices.Contains(got, test.event) {
					t.Errorf("events: got %v, want %s among them", got, test.event)
				}
				s.until("airplay/kitchen/"+test.topic, test.want)
				if got := len(s.rx.Log().Volumes); test.want == "50" && got != told {
					t.Error("its own volume was sent back to it")
				}
			})
		})
	}
}

func TestButtonsAreOnlyReportedIfWanted(t *testing.T) {
	s := settings(t)
	s.Devices[0].Buttons = "report"
	withMusic(t, s, func(s speaker) {
		s.press("pause")
		s.until("airplay/kitchen/event", `"button":"pause"`)
		s.press("volumeup")
		s.until("airplay/kitchen/event", `"button":"volume_up"`)
		if got := s.latest("airplay/kitchen/state/state"); got != "playing" {
			t.Errorf("state: got %s, want playing", got)
		}
		if got := s.latest("airplay/kitchen/state/volume"); got != "40" {
			t.Errorf("volume: got %s, want 40", got)
		}
		s.press("setproperty?dmcp.device-volume=-15") // which has happened
		s.until("airplay/kitchen/state/volume", "50")
	})
}

func TestItsOwnKnobDoesNotGetPastTheCeiling(t *testing.T) {
	s := settings(t)
	s.Devices[0].MaxVolume = 50
	withMusic(t, s, func(s speaker) {
		s.press("setproperty?dmcp.device-volume=-3")
		s.until("airplay/kitchen/state/volume", "50")
		if got := s.rx.Volume(); got < -15.001 || got > -14.999 {
			t.Errorf("volume on the wire: got %v dB, want -15, which is the most that is allowed", got)
		}
	})
}

func TestAnotherInputIsNotFoughtFor(t *testing.T) {
	withMusic(t, settings(t), func(s speaker) {
		s.press("setproperty?dmcp.device-prevent-playback=1")
		s.until("airplay/kitchen/state/state", "idle")
		told := s.every("airplay/kitchen/event") // the button and the end, in any order
		if all := strings.Join(told, " "); len(told) != 3 || !strings.Contains(all, `"busy":true`) || !strings.Contains(all, `"taken_over"`) {
			t.Errorf("got the events %s, want three: started, remote, finished", all)
		}
		s.until("airplay/kitchen/state", `"activity":"external"`)
		s.until("airplay/kitchen/state", `"busy":true`)
		s.press("setproperty?dmcp.device-prevent-playback=0")
		s.until("airplay/kitchen/event", `"busy":false`)
		s.until("airplay/kitchen/state", `"busy":false`)
		time.Sleep(time.Hour)
		if got := s.rx.Log().Sessions; got != 1 || s.rx.Busy() {
			t.Errorf("got %d sessions, busy %v, want the first one only", got, s.rx.Busy())
		}
	})
}

package bridge_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/discovery"
	"airplay2mqtt/raop/raoptest"
)

func TestWhoElsePlaysIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Devices = nil
		h, rx := build(t, s, raoptest.Config{Name: "Hall"})
		h.tone("tone.wav", 2)
		hall := announced(rx[0], "0011324A5B6C", "Hall", "10.0.0.20")
		announce := func(flags string) {
			hall.AirPlay = &discovery.Service{Port: 7000, TXT: map[string]string{"flags": flags, "deviceid": "00:11:32:4A:5B:6C"}}
			h.found <- discovery.Event{Device: hall}
			synctest.Wait()
		}
		announce("0x20004")
		h.until("airplay/hall/state", `"activity":"external"`)
		h.until("airplay/hall/state", `"busy":true`)
		announce("0x4")
		h.until("airplay/hall/state", `"busy":false`)

		h.say("hall/play_file", "tone.wav")
		h.until("airplay/hall/state", `"state":"playing"`)
		announce("0x20004") // because we play
		h.until("airplay/hall/state", `"state":"idle"`)
		time.Sleep(11 * time.Second) // we hang up
		announce("0x4")
		time.Sleep(time.Minute)
		for _, said := range h.every("airplay/hall/state")[4:] {
			if strings.Contains(said, `"busy":true`) {
				t.Errorf("it is busy because of ourselves: %s", said)
			}
		}
		announce("0x20004")
		h.until("airplay/hall/state", `"busy":true`)
	})
}

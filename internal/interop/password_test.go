//go:build linux

package interop_test

import (
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// bath starts a bridge that knows the bath by some password, and has it play.
func bath(t *testing.T, password string) (result interop.Result, ear *interop.Ear, tune interop.Sound) {
	t.Helper()
	house := interop.Open(t)
	tune = interop.Noise(20, time.Second)
	broker := house.Broker(t, interop.BrokerConfig{})
	device := house.Bath.Device()
	device.Password = password
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: broker, Devices: []interop.Device{device}, Files: map[string][]byte{"tune.wav": tune.WAV()},
	})
	ear = house.Bath.Listen()
	at := bridge.Client.Publish(t, "airplay/bath/play_file", "tune.wav")
	result = bridge.Client.Result(t, at, "bath", "play_file")
	if result.Code() != "ok" {
		bridge.Client.Status(t, at, "bath", "idle")
	}
	return result, ear, tune
}

func TestRightPasswordPlays(t *testing.T) {
	result, ear, tune := bath(t, "geheim")
	if got, want := result.Code(), "ok"; got != want {
		t.Fatalf("got %s (%v), want %s", got, result.Error, want)
	}
	ear.Hear(t, tune, interop.Exactly)
}

func TestWrongPasswordIsAnswered(t *testing.T) {
	for name, password := range map[string]string{"wrong": "geraten", "none": ""} {
		t.Run(name, func(t *testing.T) {
			result, _, _ := bath(t, password)
			if got, want := result.Code(), "password_required"; got != want {
				t.Errorf("got %s (%v), want %s", got, result.Error, want)
			}
		})
	}
}

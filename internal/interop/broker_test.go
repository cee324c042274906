//go:build linux

package interop_test

import (
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

func TestBrokerRestartIsNotHeard(t *testing.T) {
	tune := interop.Noise(30, 13*time.Second)
	h := newHome(t, map[string][]byte{"tune.wav": tune.WAV()})
	ear := h.kitchen.Listen()
	h.order(t, "play_file", "tune.wav")
	ear.Hear(t, tune[:3*44100], interop.Exactly)
	before := steady(interop.Topics(h.broker.Retained(t)))

	h.broker.Kill()
	time.Sleep(2 * time.Second)
	h.broker.Start(t)
	back := time.Now()
	h.client.Status(t, back, "kitchen", "playing")
	h.client.Wait(t, back, "airplay/bridge/state", 5*time.Second, func(payload string) bool { return payload == "online" })
	interop.Note(t, "broker restart: online again after", milliseconds(time.Since(back)), "5 s at most")
	time.Sleep(time.Until(back.Add(5 * time.Second)))

	kept := h.broker.Retained(t)
	if after := steady(interop.Topics(kept)); !slices.Equal(after, before) {
		t.Errorf("retained topics: got\n  %s\nwant those from before\n  %s", strings.Join(after, "\n  "), strings.Join(before, "\n  "))
	}
	for topic, want := range map[string]string{
		"airplay/bridge/state":         "online",
		"airplay/kitchen/availability": "online",
		"airplay/kitchen/state/state":  "playing",
	} {
		if got := kept[topic]; got != want {
			t.Errorf("%s: got %q, want %q", topic, got, want)
		}
	}
	var s interop.State
	if err := json.Unmarshal([]byte(kept["airplay/kitchen/state"]), &s); err != nil || s.State != "playing" || value(s.File) != "tune.wav" {
		t.Errorf("state: got %s (%v), want playing tune.wav", kept["airplay/kitchen/state"], err)
	}

	heard := ear.Hear(t, tune, interop.Exactly)
	interop.Note(t, "broker restart: frames missing of 13 s, latest packet", "0, "+milliseconds(heard.Jitter()), "0")
	h.client.Status(t, back, "kitchen", "idle")
}

// steady leaves out the topics that come with time.
func steady(topics []string) []string {
	return slices.DeleteFunc(topics, func(topic string) bool { return topic == "airplay/bridge/health" })
}

func TestBrokerMayComeLater(t *testing.T) {
	house := interop.Open(t)
	broker := house.Broker(t, interop.BrokerConfig{})
	broker.Kill()
	bridge := house.StartBridge(t, interop.BridgeConfig{Broker: broker, Devices: []interop.Device{house.Kitchen.Device()}})
	time.Sleep(time.Second)
	broker.Start(t)
	bridge.Online(t, broker.Client(t), house.Kitchen.Device())
}

func TestBrokerWithPasswordAndTLS(t *testing.T) {
	house := interop.Open(t)
	tune := interop.Noise(31, time.Second)
	broker := house.Broker(t, interop.BrokerConfig{Username: "bridge", Password: "s3cret #1", TLS: true})
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: broker, Devices: []interop.Device{house.Kitchen.Device()}, Files: map[string][]byte{"tune.wav": tune.WAV()},
	})
	ear := house.Kitchen.Listen()
	bridge.Client.Publish(t, "airplay/kitchen/play_file", "tune.wav")
	ear.Hear(t, tune, interop.Exactly)
	if strings.Contains(bridge.Output.String(), broker.Config.Password) {
		t.Error("the log holds the broker's password")
	}
	for topic, payload := range broker.Retained(t) {
		if strings.Contains(payload, broker.Config.Password) {
			t.Errorf("%s holds the broker's password", topic)
		}
	}
}

func TestBridgeBringsItsOwnBroker(t *testing.T) {
	house := interop.Open(t)
	tune := interop.Noise(32, time.Second)
	bridge := house.StartBridge(t, interop.BridgeConfig{
		Devices: []interop.Device{house.Kitchen.Device()}, Files: map[string][]byte{"tune.wav": tune.WAV()},
	})
	bridge.Output.Wait(t, "Embedded broker: mqtt://", 10*time.Second)
	_, address, _ := strings.Cut(bridge.Output.String(), "Embedded broker: ")
	bridge.Online(t, interop.ClientAt(t, strings.Fields(address)[0]), house.Kitchen.Device())
	ear := house.Kitchen.Listen()
	bridge.Client.Publish(t, "airplay/kitchen/play_file", "tune.wav")
	ear.Hear(t, tune, interop.Exactly)
}

func TestRetainedCommandMakesNoSound(t *testing.T) {
	house := interop.Open(t)
	broker := house.Broker(t, interop.BrokerConfig{})
	client := broker.Client(t)
	at := client.PublishRetained(t, "airplay/kitchen/play_file", "tune.wav")
	ear := house.Kitchen.Listen()
	house.Bridge(t, interop.BridgeConfig{
		Broker: broker, Devices: []interop.Device{house.Kitchen.Device()},
		Files: map[string][]byte{"tune.wav": interop.Noise(33, time.Second).WAV()},
	})
	if got, want := client.Result(t, at, "kitchen", "play_file").Code(), "retained_command"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	client.Wait(t, at, "airplay/kitchen/play_file", 5*time.Second, func(payload string) bool { return payload == "" })
	if _, kept := broker.Retained(t)["airplay/kitchen/play_file"]; kept {
		t.Error("the command is still retained")
	}
	time.Sleep(1500 * time.Millisecond)
	if at, ok := ear.LastLoud(); ok {
		t.Errorf("something was heard at %v", at)
	}
}

func TestBridgeSaysGoodbye(t *testing.T) {
	h, _, ear := playing(t)
	at := time.Now()
	if got := h.bridge.Stop(t); got != 0 {
		t.Errorf("exit code: got %d, want 0", got)
	}
	took := time.Since(at)
	interop.Note(t, "SIGTERM while playing: ended after", milliseconds(took), "3 s at most")
	if took > 3*time.Second {
		t.Errorf("took %v to end, want at most 3s", took)
	}
	h.kitchen.Silent(t, ear, 300*time.Millisecond)
	kept := h.broker.Retained(t)
	for _, topic := range []string{"airplay/bridge/state", "airplay/kitchen/availability"} {
		if got, want := kept[topic], "offline"; got != want {
			t.Errorf("%s: got %q, want %q", topic, got, want)
		}
	}
	if got, want := kept["airplay/kitchen/state/state"], "idle"; got != want {
		t.Errorf("state: got %q, want %q", got, want)
	}
}

func TestBrokerTellsThatBridgeDied(t *testing.T) {
	house := interop.Open(t)
	broker := house.Broker(t, interop.BrokerConfig{})
	client := broker.Client(t)
	bridge := house.StartDoomed(t, interop.BridgeConfig{Broker: broker})
	bridge.Online(t, client)
	if err := bridge.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	client.Wait(t, time.Time{}, "airplay/bridge/state", 5*time.Second, func(payload string) bool { return payload == "offline" })
}

func TestHomeAssistantIsTold(t *testing.T) {
	h := newHome(t, nil)
	var kinds []string
	for deadline := time.Now().Add(2 * moment); time.Now().Before(deadline); { // it is told at its pace
		kinds = nil
		for topic, payload := range h.broker.Retained(t) {
			if !strings.HasPrefix(topic, "homeassistant/") {
				continue
			}
			if !json.Valid([]byte(payload)) {
				t.Errorf("%s is no JSON: %s", topic, payload)
			}
			kinds = append(kinds, strings.Split(topic, "/")[1])
		}
		if slices.Contains(kinds, "device") && slices.Contains(kinds, "media_player") {
			return
		}
	}
	slices.Sort(kinds)
	t.Errorf("got %q, want device and media_player", slices.Compact(kinds))
}

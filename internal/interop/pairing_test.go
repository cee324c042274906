//go:build linux

package interop_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// A pairing is a bridge that knows a television, and the television.
type pairedHouse struct {
	house  *interop.House
	broker *interop.Broker
	tv     *interop.Television
	bridge *interop.Bridge
	client *interop.Client
	pins   int // that the television has shown
}

func openPairing(t *testing.T) *pairedHouse {
	t.Helper()
	house := interop.Open(t)
	tv := house.Television(t)
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.Bridge(t, interop.BridgeConfig{Broker: broker,
		Devices: []interop.Device{{Name: tv.Name, Host: tv.Host, Port: tv.Port}}})
	return &pairedHouse{house: house, broker: broker, tv: tv, bridge: bridge, client: bridge.Client}
}

// pair has the television show a PIN, and returns it.
func (h *pairedHouse) pair(t *testing.T) string {
	t.Helper()
	at := h.client.Publish(t, "airplay/telly/pair", "")
	if got := h.client.Result(t, at, "telly", "pair"); got.Code() != "ok" {
		t.Fatalf("pair: got %s (%v), want ok\n%s", got.Code(), got.Error, h.tv.Log().Tail(20))
	}
	h.pins++
	return h.tv.PIN(t, h.pins)
}

func (h *pairedHouse) typed(t *testing.T, pin string) interop.Result {
	t.Helper()
	at := h.client.Publish(t, "airplay/telly/pair_pin", pin)
	return h.client.Result(t, at, "telly", "pair_pin")
}

func TestTelevisionIsPairedOnce(t *testing.T) {
	h := openPairing(t)
	wrong := "1234"
	if h.pair(t) == wrong {
		wrong = "4321"
	}
	if got := h.typed(t, wrong); got.Code() != "pin_rejected" {
		t.Errorf("wrong PIN: got %s (%v), want pin_rejected", got.Code(), got.Error)
	}
	at := time.Now()
	if got := h.typed(t, h.pair(t)); got.Code() != "ok" {
		t.Fatalf("right PIN: got %s (%v), want ok\n%s", got.Code(), got.Error, h.tv.Log().Tail(30))
	}
	h.client.Wait(t, at, "airplay/telly/state/pairing", 5*time.Second, func(s string) bool { return s == "paired" })
	h.notKept(t)
	h.playsAgain(t)
}

// playsAgain restarts the bridge, and has it show the television that it is
// paired: without a PIN. UxPlay knows no ANNOUNCE, so nothing is heard.
func (h *pairedHouse) playsAgain(t *testing.T) {
	t.Helper()
	before := h.tv.Log().String()
	h.bridge.Stop(t)
	at := time.Now()
	h.house.StartAgain(t, h.bridge)
	h.client.Wait(t, at, "airplay/telly/state/pairing", 10*time.Second, func(s string) bool { return s == "paired" })
	h.client.Wait(t, at, "airplay/bridge/state", 10*time.Second, func(s string) bool { return s == "online" })
	at = h.client.Publish(t, "airplay/telly/prepare", "30")
	got := h.client.Result(t, at, "telly", "prepare")
	if got.Error == nil || !strings.Contains(got.Error.Message, "announce") {
		t.Errorf("after a restart: got %s (%v), want to be sent away at ANNOUNCE, which comes after the proof", got.Code(), got.Error)
	}
	if said := strings.TrimPrefix(h.tv.Log().String(), before); strings.Contains(said, "PIN =") {
		t.Error("another PIN was shown")
	}
}

// notKept looks for the PINs where they must not be.
func (h *pairedHouse) notKept(t *testing.T) {
	t.Helper()
	pin := h.tv.PIN(t, h.pins)
	if strings.Contains(h.bridge.Output.String(), `"`+pin+`"`) {
		t.Error("the PIN stands in the log")
	}
	folder := filepath.Join(filepath.Dir(h.bridge.Config), "data")
	text, err := os.ReadFile(filepath.Join(folder, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), `"`+pin+`"`) {
		t.Error("the PIN was kept")
	}
	if info, err := os.Stat(filepath.Join(folder, "credentials.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
	}
}

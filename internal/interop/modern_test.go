//go:build linux

package interop_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
	"airplay2mqtt/internal/rtsp"
)

func TestDiscoverListsModernReceivers(t *testing.T) {
	house := interop.Open(t)
	wing, tv := house.Wing(t), house.Television(t)
	interfaces := append(wing.Interfaces(), tv.Interface)
	t.Setenv("AIRPLAY2MQTT_DISCOVERY_INTERFACES", strings.Join(interfaces, ","))
	hosts := map[string]string{tv.Name: tv.Host}
	for _, r := range []*interop.Receiver{wing.Salon, wing.Studio, wing.Library, wing.Attic} {
		hosts[r.Config.Name] = r.Host
	}
	found := map[string]device{}
	for begun := time.Now(); len(found) < len(hosts) && time.Since(begun) < 30*time.Second; { // UxPlay takes its time
		p := house.Start(t, nil, "discover", "-json")
		if code := p.Wait(t, 20*time.Second); code != 0 {
			t.Fatalf("ended with code %d:\n%s", code, p.Output.Tail(20))
		}
		for _, d := range devices(t, p.Output.String()) {
			found[d.Name] = d
		}
	}
	for name, host := range hosts {
		d, ok := found[name]
		switch {
		case !ok:
			t.Errorf("%s was not found, but %v:\n%s", name, found, tv.Log().Tail(12))
		case d.Address != host:
			t.Errorf("%s: got address %s, want %s", name, d.Address, host)
		case name != tv.Name && !slices.Contains(d.Protocols, "airplay2"):
			t.Errorf("%s: got protocols %q, want airplay2 among them", name, d.Protocols)
		}
	}
}

// A device is what `bridge discover -json` says of one.
type device struct {
	Name, Address string
	Protocols     []string
}

func devices(t *testing.T, text string) (all []device) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return all
}

func TestModernReceiverPlaysAsAClassicOne(t *testing.T) {
	house := interop.Open(t)
	salon := house.Wing(t).Salon
	tune := interop.Noise(301, 2*time.Second)
	path := t.TempDir() + "/tune.wav"
	if err := os.WriteFile(path, tune.WAV(), 0o644); err != nil {
		t.Fatal(err)
	}
	ear := salon.Listen()
	p := house.Start(t, nil, "play", "-to", salon.Address(), path)
	ear.Hear(t, tune, interop.Exactly)
	if code := p.Wait(t, 20*time.Second); code != 0 {
		t.Fatalf("ended with code %d:\n%s", code, p.Output.Tail(20))
	}
}

func TestTelevisionAnswers(t *testing.T) {
	tv := interop.Open(t).Television(t)
	conn, err := net.Dial("tcp", tv.Address())
	if err != nil {
		t.Fatal(err)
	}
	client := rtsp.NewClient(conn, rtsp.Config{Patience: 5 * time.Second})
	defer client.Close()
	answer, err := client.Do(context.Background(), rtsp.Request{Method: "GET", URI: "/info"})
	if err != nil || answer.Code != 200 || len(answer.Body) == 0 {
		t.Errorf("got %d with %d bytes (%v), want 200 and what it is", answer.Code, len(answer.Body), err)
	}
}

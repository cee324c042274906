//go:build linux

package interop_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

// flows is the folder of what users import.
const flows = "../../docs/node-red/"

// TestNodeREDFlows imports each flow of the documents into a real Node-RED, as a
// user does, and fires it.
func TestNodeREDFlows(t *testing.T) {
	house := interop.Open(t)
	broker := house.Broker(t, interop.BrokerConfig{})
	bell, song := interop.Noise(90, time.Second), interop.Noise(91, time.Second)
	nowhere, err := interop.ClosedPort()
	if err != nil {
		t.Fatal(err)
	}
	var port int
	fmt.Sscan(nowhere, &port)
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: broker, Devices: []interop.Device{house.Kitchen.Device(), house.Study.Device()},
		Files: map[string][]byte{"song.wav": song.WAV()}, Chimes: map[string][]byte{"doorbell.wav": bell.WAV()},
		Away: []interop.Device{{Name: "Attic", Host: "127.0.0.1", Port: port}},
	})
	red := house.NodeRED(t, broker)
	f := flowTest{home{house, broker, bridge, bridge.Client, house.Kitchen}, red}
	t.Cleanup(func() { content(t, red) })
	t.Run("doorbell", func(t *testing.T) { f.doorbell(t, bell) })
	t.Run("radio", f.radio)
	t.Run("when it fails", func(t *testing.T) { f.fails(t, song) })
}

// content fails if a flow has something to complain about.
func content(t *testing.T, red *interop.NodeRED) {
	t.Helper()
	for line := range strings.Lines(red.Output.String()) {
		if strings.Contains(line, "[error]") || strings.Contains(line, "[warn] [") || strings.Contains(line, "missing types") {
			t.Errorf("Node-RED says: %s", line)
		}
	}
}

type flowTest struct {
	home
	red *interop.NodeRED
}

// doorbell rings by the inject node, and then by a message, as the button does.
func (f flowTest) doorbell(t *testing.T, bell interop.Sound) {
	f.red.Import(t, f.client, flows+"doorbell.json", map[string]string{"MORE": `["study"]`})
	for _, press := range []func(){
		func() { f.red.Press(t, "Try it") },
		func() { f.client.Publish(t, "doorbell/front", "single") },
	} {
		at, ears := time.Now(), []*interop.Ear{f.Kitchen.Listen(), f.Study.Listen()}
		press()
		for _, ear := range ears {
			ear.Hear(t, bell, interop.Exactly)
		}
		if got := f.client.Result(t, at, "kitchen", "chime"); got.Code() != "ok" {
			t.Errorf("chime: got %s (%v), want ok", got.Code(), got.Error)
		}
		f.client.Status(t, at, "kitchen", "idle")
		f.client.Status(t, at, "study", "idle")
	}
}

func (f flowTest) radio(t *testing.T) {
	program := encode(t, "mp3", interop.Sweep(2*time.Second))
	f.red.Import(t, f.client, flows+"radio.json", map[string]string{"STATION": broadcast(t, program) + "/live", "TITLE": "Test FM"})
	at, ear := time.Now(), f.kitchen.Listen()
	f.red.Press(t, "On")
	ear.HearBeginning(t, decode(t, program), interop.Nearly)
	f.client.State(t, at, "kitchen", moment, func(s interop.State) bool { return s.State == "playing" && near(s.Volume, 30, 0.01) })
	f.red.Press(t, "Louder")
	f.client.State(t, at, "kitchen", moment, func(s interop.State) bool { return near(s.Volume, 35, 0.01) })
	f.red.Press(t, "Softer")
	f.client.Wait(t, at, "airplay/kitchen/result", moment, func(s string) bool { return strings.Contains(s, `"set_volume"`) })
	off := time.Now()
	f.red.Press(t, "Off")
	f.client.Status(t, off, "kitchen", "idle")
	f.kitchen.Silent(t, ear, 500*time.Millisecond)
}

// fails asks for a song where nobody is: it is heard elsewhere, and told.
func (f flowTest) fails(t *testing.T, song interop.Sound) {
	f.red.Import(t, f.client, flows+"when-it-fails.json", nil)
	at := time.Now()
	f.red.Press(t, "Try it: a speaker that is not there")
	f.client.Wait(t, at, "notify/airplay", moment, func(s string) bool { return s == "nowhere: nobody is there" })
	f.client.Wait(t, at, "airplay/study/chime", moment, func(s string) bool { return s == "ding" })
	f.client.Result(t, at, "study", "chime")
	f.client.Status(t, at, "study", "idle")

	time.Sleep(1100 * time.Millisecond) // one a second is played elsewhere
	ear := f.Study.Listen()
	at = time.Now()
	f.client.Publish(t, "airplay/attic/play_file", "song.wav")
	f.client.Wait(t, at, "airplay/attic/event", 2*moment, func(s string) bool { return strings.Contains(s, "playback_failed") })
	ear.Hear(t, song, interop.Exactly)
	f.client.Wait(t, at, "notify/airplay", moment, func(s string) bool { return strings.HasPrefix(s, "attic: ") })
}

// TestNodeREDPairing pairs a television on the page that the flow makes.
func TestNodeREDPairing(t *testing.T) {
	h := openPairing(t)
	red := h.house.NodeRED(t, h.broker)
	red.Import(t, h.client, flows+"pairing.json", nil)
	page := red.URL + "/airplay/pair"
	look := func(words string) string {
		t.Helper()
		var said string
		for deadline := time.Now().Add(2 * moment); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if said = get(t, page); strings.Contains(said, words) {
				return said
			}
		}
		t.Fatalf("the page does not say %q, but:\n%s", words, said)
		return ""
	}
	click := func(form url.Values) {
		t.Helper()
		answer, err := http.PostForm(page, form) // and is sent back to the page
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK || answer.Request.URL.Path != "/airplay/pair" || answer.Request.Method != http.MethodGet {
			t.Fatalf("%v: got %s at %s", form, answer.Status, answer.Request.URL)
		}
	}
	look("Show a PIN on another one")
	click(url.Values{"device": {"../bridge/request"}, "action": {"start"}}) // which no command is made of
	click(url.Values{"device": {"telly"}, "action": {"start"}})
	pin := h.tv.PIN(t, 1)
	look(`name="pin"`)
	click(url.Values{"device": {"telly"}, "pin": {" " + pin}})
	look("Forget")
	h.client.Wait(t, time.Time{}, "airplay/telly/state/pairing", moment, func(s string) bool { return s == "paired" })
	if strings.Contains(red.Output.String(), pin) {
		t.Error("the PIN stands in the log of Node-RED")
	}
	content(t, red)
}

func get(t *testing.T, address string) string {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

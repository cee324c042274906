//go:build linux

package interop_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/chime"
	"airplay2mqtt/internal/interop"
)

// A listing is a device as `bridge discover -json` has it.
type listing struct {
	ID, Slug, Name, Address string
	Port                    int
}

func discover(t *testing.T, house *interop.House, dir string, args ...string) []listing {
	t.Helper()
	code, out, errs := house.RunIn(t, dir, nil, append([]string{"discover", "-json"}, args...)...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	var list []listing
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return list
}

func TestDiscoverListsReceivers(t *testing.T) {
	house := interop.Open(t)
	house.NeedMDNS(t)
	list := discover(t, house, t.TempDir(), "-interfaces", "lo")
	for _, r := range []*interop.Receiver{house.Kitchen, house.Bath, house.Loft, house.Study} {
		i := slices.IndexFunc(list, func(l listing) bool { return l.Name == r.Config.Name })
		if i < 0 {
			t.Errorf("%s is not in %v", r.Config.Name, list)
			continue
		}
		if got := list[i]; got.Address != "127.0.0.1" || got.Port != r.Port || got.Slug != strings.ToLower(got.Name) || got.ID == "" {
			t.Errorf("got %+v, want %s at %s", got, r.Config.Name, r.Address())
		}
	}
	if len(list) != 4 {
		t.Errorf("got %d devices, want 4: %v", len(list), list)
	}
}

func TestDiscoverListsConfiguredDevicesWithoutMDNS(t *testing.T) {
	house := interop.Open(t)
	dir := t.TempDir()
	config := fmt.Sprintf("discovery: {mdns: false}\ndevices:\n  - {name: Kitchen, host: 127.0.0.1, port: %d}\n  - {name: Attic Room, host: 192.0.2.7, port: 5000}\n", house.Kitchen.Port)
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range discover(t, house, dir) {
		got = append(got, fmt.Sprintf("%s %s:%d", l.Slug, l.Address, l.Port))
	}
	slices.Sort(got)
	want := []string{"attic_room 192.0.2.7:5000", "kitchen " + house.Kitchen.Address()}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDiscoveredReceiverPlays(t *testing.T) {
	house := interop.Open(t)
	house.NeedMDNS(t)
	tune := interop.Noise(50, time.Second)
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: broker, MDNS: true,
		// Nothing but its password: where it is, discovery knows.
		Devices: []interop.Device{{Name: "Bath", Password: "geheim"}},
		Files:   map[string][]byte{"tune.wav": tune.WAV()},
	})
	c := bridge.Client
	c.Wait(t, time.Time{}, "airplay/kitchen/availability", 10*time.Second, func(p string) bool { return p == "online" })
	kitchen, bath := house.Kitchen.Listen(), house.Bath.Listen()
	c.Publish(t, "airplay/kitchen/play_file", "tune.wav")
	c.Publish(t, "airplay/bath/play_file", "tune.wav")
	kitchen.Hear(t, tune, interop.Exactly)
	bath.Hear(t, tune, interop.Exactly)

	at := time.Now()
	house.Loft.Vanish(t)
	c.Wait(t, at, "airplay/loft/availability", 15*time.Second, func(p string) bool { return p == "offline" })
	interop.Note(t, "discovery: gone receiver is offline after", milliseconds(time.Since(at)), "15 s at most")
	house.Loft.Return(t)
	at = time.Now()
	c.Wait(t, at, "airplay/loft/availability", 15*time.Second, func(p string) bool { return p == "online" })
	interop.Note(t, "discovery: new receiver is online after", milliseconds(time.Since(at)), "15 s at most")
}

func TestStandardInputIsPlayed(t *testing.T) {
	house := interop.Open(t)
	file := encode(t, "mp3", interop.Sweep(2*time.Second))
	ear := house.Kitchen.Listen()
	at := time.Now()
	code, _, errs := house.Run(t, bytes.NewReader(file), "play", "-to", house.Kitchen.Address(), "-volume", "40", "-")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	ear.Hear(t, decode(t, file), interop.Nearly)
	house.Kitchen.Metadata.Wait(t, at, "pvol", func(data string) bool { return strings.HasPrefix(data, "-18.00,") })
}

func TestSpeakersPlayInStep(t *testing.T) {
	house := interop.Open(t)
	tune := interop.Noise(51, 3*time.Second)
	path := filepath.Join(t.TempDir(), "tune.wav")
	if err := os.WriteFile(path, tune.WAV(), 0o644); err != nil {
		t.Fatal(err)
	}
	kitchen, bath := house.Kitchen.Listen(), house.Bath.Listen()
	code, _, errs := house.Run(t, nil, "play", "-to", house.Kitchen.Address(), "-to", house.Bath.Address(), "-password", "geheim", path)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	apart := kitchen.Hear(t, tune, interop.Exactly).Line().Sub(bath.Hear(t, tune, interop.Exactly).Line()).Abs()
	if apart > 10*time.Millisecond {
		t.Errorf("the rooms are %v apart", apart)
	}
	interop.Note(t, "in step: two rooms apart", milliseconds(apart), "10 ms at most")
}

func TestPlayTellsWhatIsWrong(t *testing.T) {
	house := interop.Open(t)
	port, err := interop.ClosedPort()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no receiver":    {[]string{"-to", "127.0.0.1:" + port, "-"}, 1, "refused"},
		"no file":        {[]string{"-to", house.Kitchen.Address(), "nothing.mp3"}, 1, "nothing.mp3"},
		"no sound":       {[]string{"-to", house.Kitchen.Address(), "-"}, 1, "standard input"},
		"no speaker":     {[]string{"-"}, 2, "-to"},
		"wrong password": {[]string{"-to", house.Bath.Address(), "-password", "geraten", "-"}, 1, "password"},
	} {
		t.Run(name, func(t *testing.T) {
			input := bytes.NewReader(interop.Noise(52, time.Second).WAV())
			if name == "no sound" {
				input = bytes.NewReader([]byte("words"))
			}
			code, _, errs := house.Run(t, input, append([]string{"play"}, c.args...)...)
			if code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("got code %d and %q, want %d and %q", code, errs, c.code, c.says)
			}
		})
	}
}

func TestDemoWritesItsChime(t *testing.T) {
	house := interop.Open(t)
	dir := t.TempDir()
	code, out, errs := house.RunIn(t, dir, nil, "demo", "-o", "heard.wav")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	wav, err := os.ReadFile(filepath.Join(dir, "heard.wav"))
	if err != nil {
		t.Fatal(err)
	}
	sound, err := interop.ParseWAV(wav)
	if err != nil {
		t.Fatal(err)
	}
	var bell interop.Sound
	for pcm := chime.Doorbell(); len(pcm) >= 2; pcm = pcm[2:] {
		bell = append(bell, interop.Frame{pcm[0], pcm[1]})
	}
	at := interop.Find(sound, bell, interop.Exactly)
	if at < 0 {
		t.Fatalf("the bell is not in the %d frames of the WAV", len(sound))
	}
	if got, want := interop.Compare(sound[at:], bell, interop.Exactly), len(bell); got != want {
		t.Errorf("the WAV holds %d frames of the bell, want %d", got, want)
	}
	if !strings.Contains(out, "mosquitto_pub") {
		t.Errorf("no mosquitto_pub line is shown:\n%s", out)
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

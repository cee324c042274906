//go:build linux

package interop_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// hostileTime is how long the hostile client is there: HOSTILE=10m for the whole
// of it.
func hostileTime(t *testing.T) time.Duration {
	text := os.Getenv("HOSTILE")
	if text == "" {
		return 10 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("HOSTILE: %v", err)
	}
	return d
}

// A vandal makes topics and payloads: anything at all, what looks like a command
// and is none, and what is one.
type vandal struct{ *rand.Rand }

func (v vandal) one(of ...string) string { return of[v.IntN(len(of))] }

// noise is bytes that mean nothing.
func (v vandal) noise(most int) string {
	b := make([]byte, v.IntN(most+1))
	for i := range b {
		b[i] = byte(v.Uint32())
	}
	return string(b)
}

// word is a part of a topic.
func (v vandal) word() string {
	clean := strings.NewReplacer("+", "p", "#", "h", "/", "s", "\x00", "0")
	switch v.IntN(6) {
	case 0:
		return clean.Replace(strings.ToValidUTF8(v.noise(20), "é"))
	case 1:
		return strings.Repeat(v.one("x", "ü", "../"), 1+v.IntN(3000))
	case 2:
		return fmt.Sprintf("g%d", v.IntN(300)) // a group, if it is there
	}
	return v.one("kitchen", "all", "bridge", "attic", "state", "KITCHEN", "", "$SYS")
}

func (v vandal) topic() string {
	verb := v.one("play_url", "play_file", "play_data", "play_media", "play", "pause", "stop", "next", "seek", "set_volume", "mute",
		"chime", "announce", "join", "unjoin", "prepare", "pair", "pair_pin", "probe", "set_repeat", "clear_queue", "nonsense")
	switch v.IntN(10) {
	case 0, 1, 2:
		return "airplay/kitchen/" + verb
	case 3, 4:
		return "airplay/" + v.word() + "/" + verb
	case 5:
		// But restart, which is a command to end.
		return "airplay/bridge/request/" + v.one("group/set", "group/remove", "device/options", "device/rename", "device/remove", "rescan",
			"discovery/republish", "diagnostics", "log/level", "ping", v.word())
	case 6:
		return "airplay/" + v.word() + "/" + v.one("state", "availability", "result", "event", v.word())
	case 7:
		return "homeassistant/" + v.one("status", "device/airplay_"+v.word()+"/config")
	}
	parts := make([]string, 1+v.IntN(6))
	for i := range parts {
		parts[i] = v.word()
	}
	return strings.Join(parts, "/")
}

func (v vandal) payload() string {
	switch v.IntN(14) {
	case 0:
		return v.noise(3000)
	case 1:
		return `{"` + v.noise(40) + `":` + v.noise(40)
	case 2:
		return strings.Repeat(v.one("[", `{"a":`, "x", "9"), 1+v.IntN(20000))
	case 3:
		return fmt.Sprintf(`{"name":"G%d","members":["kitchen"]}`, v.IntN(300))
	case 4:
		return fmt.Sprintf(`{"transaction":%q,"targets":["kitchen","all"],"volume":%d}`, v.noise(30), v.IntN(300)-100)
	case 5:
		return v.one(`{"url":"http://127.0.0.1:1/x?token=1"}`, `{"path":"../../etc/shadow"}`, "http://10.255.255.1/x.mp3", "pcm:/dev/zero", "file:///etc/passwd")
	case 6:
		return fmt.Sprintf(`{"device":"kitchen","offset":%d,"latency":"%d"}`, v.IntN(5000)-2500, v.IntN(20000))
	case 7:
		return v.one("doorbell", `{"tone":"ding","duration":3}`, `{"clips":["ding","ding","ding"],"priority":99,"critical":true}`)
	case 8:
		return v.one("+5", "-5", "1e309", "NaN", "-0", "100", "ON", "TOGGLE", "debug", "start", "1234")
	}
	return v.one("", "tone.wav", "kitchen", `{"max_age":-1}`, `{"ts":"yesterday","max_age":5}`, "null", "true", "{}")
}

// rage publishes a thousand messages a second until end, and tells how many.
func (v vandal) rage(t *testing.T, broker *interop.Broker, end <-chan struct{}) (sent int) {
	c := paho.NewClient(paho.NewClientOptions().AddBroker(broker.URL()).SetClientID("vandal").SetAutoReconnect(true))
	if token := c.Connect(); !token.WaitTimeout(moment) || token.Error() != nil {
		t.Errorf("the vandal cannot connect: %v", token.Error())
		return 0
	}
	defer c.Disconnect(0)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for since := time.Now(); ; {
		select {
		case <-end:
			return sent
		case <-tick.C:
		}
		for due := int(time.Since(since).Milliseconds()); sent < due; sent++ {
			topic, payload := v.topic(), v.payload()
			if sent%5000 == 4999 {
				payload = strings.Repeat("x", 9<<20) // more than is read
			}
			if topic != "" && len(topic) < 60000 && !strings.HasPrefix(topic, "airplay/porch") {
				c.Publish(topic, 0, v.IntN(20) == 0, payload)
			}
		}
	}
}

// Somebody publishes a thousand messages a second of whatever comes to mind. The
// bridge lives, its memory is bounded, and who means well is answered.
func TestAHostileClientDoesNotDisturbOthers(t *testing.T) {
	long := hostileTime(t)
	house := interop.Open(t)
	kitchen, porch := newWire(t, "Kitchen").device, newWire(t, "Porch").device
	broker := house.Broker(t, interop.BrokerConfig{})
	bridge := house.StartBridge(t, interop.BridgeConfig{
		Broker: broker, Devices: []interop.Device{kitchen, porch}, Measured: true,
		Files: map[string][]byte{"tone.wav": interop.Noise(3, 2*time.Second).WAV()},
	})
	answers := make(chan string, 1000)
	well := paho.NewClient(paho.NewClientOptions().AddBroker(broker.URL()).SetOnConnectHandler(func(c paho.Client) {
		c.Subscribe("airplay/porch/result", 1, func(_ paho.Client, m paho.Message) { answers <- string(m.Payload()) })
	}))
	if token := well.Connect(); !token.WaitTimeout(moment) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer well.Disconnect(0)

	// ask gives a command and tells how long its answer took.
	asked := 0
	ask := func() time.Duration {
		asked++
		mine, at := fmt.Sprintf("well-%d", asked), time.Now()
		well.Publish("airplay/porch/set_volume", 1, false, fmt.Sprintf(`{"volume":%d,"transaction":%q}`, 20+asked%20, mine))
		for limit := time.After(3 * time.Second); ; {
			select {
			case text := <-answers:
				var r struct {
					Status, Transaction string
					Error               struct{ Code string }
				}
				if json.Unmarshal([]byte(text), &r) != nil || r.Transaction != mine {
					continue
				}
				if r.Status != "ok" {
					t.Errorf("%s: got %s %s, want ok", mine, r.Status, r.Error.Code)
				}
				return time.Since(at)
			case <-limit:
				t.Errorf("%s: no answer in three seconds", mine)
				return time.Since(at)
			}
		}
	}
	for until := time.Now().Add(moment); ; {
		if broker.Retained(t)["airplay/bridge/state"] == "online" {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the bridge does not come online")
		}
	}

	end, sent := make(chan struct{}), make(chan int, 1)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	go func() { sent <- vandal{rand.New(rand.NewPCG(seed, 1))}.rage(t, broker, end) }()
	var took []time.Duration
	var memory []int64
	for since := time.Now(); time.Since(since) < long; time.Sleep(250 * time.Millisecond) {
		took = append(took, ask())
		memory = append(memory, resident(t, bridge))
	}
	close(end)
	n := <-sent
	slices.Sort(took)
	worst, most := took[len(took)-1], slices.Max(memory)
	half := slices.Max(memory[:len(memory)/2])
	interop.Note(t, fmt.Sprintf("hostile client, %d messages in %v: answers to others", n, long),
		fmt.Sprintf("%s median, %s slowest of %d", milliseconds(took[len(took)/2]), milliseconds(worst), len(took)), "1 s at most")
	interop.Note(t, "resident memory meanwhile", fmt.Sprintf("%s, %s in the first half", megabytes(most), megabytes(half)), "160 MiB at most")
	if worst > time.Second {
		t.Errorf("the slowest answer took %v, want 1s at most", worst)
	}
	if most > 160<<20 {
		t.Errorf("got %s, want 160 MiB at most", megabytes(most))
	}
	if n < int(long.Seconds()*900) {
		t.Errorf("got %d messages in %v, want 1000 a second: the vandal was too slow", n, long)
	}
}

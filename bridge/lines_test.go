package bridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/discovery"
	"airplay2mqtt/internal/legacy"
	"airplay2mqtt/internal/memnet"
	"airplay2mqtt/raop/raoptest"
)

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	topicOf    = regexp.MustCompile(` -[te] '?([^ ']+)'?`)
	topicRow   = regexp.MustCompile("(?m)^\\| `((?:airplay|homeassistant)/[^`]+)` \\|")
)

// lines are all commands for the broker that the page shows.
func lines(page string) (all []string) {
	for _, block := range shellBlock.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "mosquitto_") {
				all = append(all, line)
			}
		}
	}
	return all
}

// names tells whether a line names a topic, itself or by a filter that is more
// than everything.
func names(line, topic string) bool {
	for _, m := range topicOf.FindAllStringSubmatch(line, -1) {
		filter := strings.NewReplacer("+", "[^/]+", "/den/", "/kitchen/").Replace(m[1])
		if m[1] != "airplay/#" && regexp.MustCompile("^"+filter+"$").MatchString(topic) {
			return true
		}
	}
	return false
}

func TestEveryTopicHasALineToType(t *testing.T) {
	page := topicsPage(t)
	some := strings.NewReplacer("<key>", "volume", "<request>", "diagnostics", "<id>", "0011324A5B6C")
	rows := topicRow.FindAllStringSubmatch(page, -1)
	if len(rows) < 45 {
		t.Errorf("found only %d topics", len(rows))
	}
rows:
	for _, row := range rows {
		for _, line := range lines(page) {
			if names(line, some.Replace(row[1])) {
				continue rows
			}
		}
		t.Errorf("docs/topics.md shows no line for %s", row[1])
	}
}

// A terminal is a house in which somebody types, with the real tools and in real
// time.
type terminal struct {
	*house
	folder string
	port   int
}

// needClients skips a test where the tools are not installed.
func needClients(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"mosquitto_pub", "mosquitto_sub", "mosquitto_rr"} {
		if _, err := exec.LookPath(tool); err != nil {
			const why = "the clients of mosquitto are not installed (apt-get install mosquitto-clients)"
			if os.Getenv("CI") != "" {
				t.Fatal(why)
			}
			t.Skip(why)
		}
	}
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	needClients(t)
	broker, err := mqtt.StartBroker(mqtt.BrokerConfig{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	s := twoRooms(t)
	h := &house{t: t, lan: memnet.New(), media: s.Media.Folders[0], found: make(chan discovery.Event, 1)}
	h.broker.Store(broker)
	if err := os.MkdirAll(h.media, 0o755); err != nil {
		t.Fatal(err)
	}
	h.tone("bell.flac", 30) // the beginning of a file says what it is
	h.ear = h.listen()
	for i, c := range []raoptest.Config{
		{Name: "Kitchen"}, {Name: "Hall"},
		{Name: "Den", Model: "AppleTV5,3", Pairing: legacy.NewAccessory(legacy.AccessoryConfig{PIN: "1234"})},
	} {
		c.Network, c.Address = h.lan.Host(fmt.Sprintf("10.0.0.%d", 20+i)), ":5000"
		r, err := raoptest.New(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		if c.Name == "Den" {
			h.found <- discovery.Event{Device: announced(r, "0011324A5B6C", "Den", "10.0.0.22")}
		}
	}
	us := h.lan.Host("10.0.0.2")
	cfg := bridge.Config{
		Settings: s, Version: "test", Browse: h.browse,
		DialBroker:  func(context.Context) (net.Conn, error) { return broker.Pipe(), nil },
		DialContext: us.DialContext, ListenPacket: us.ListenPacket, Listen: us.Listen,
		Announce: func(ctx context.Context, _ discovery.Instance) error { <-ctx.Done(); return ctx.Err() },
	}
	ctx, cancel := context.WithCancel(t.Context())
	var house sync.WaitGroup
	house.Go(func() {
		for err := error(bridge.ErrRestart); errors.Is(err, bridge.ErrRestart); {
			b, broken := bridge.New(cfg)
			if broken != nil {
				t.Error(broken)
				return
			}
			if err = b.Run(ctx); err != nil && !errors.Is(err, bridge.ErrRestart) {
				t.Error(err)
			}
		}
	})
	t.Cleanup(func() { cancel(); house.Wait() })
	c := &terminal{h, h.media, broker.Addr().(*net.TCPAddr).Port}
	for _, topic := range []string{"airplay/kitchen/availability", "airplay/hall/availability", "airplay/den/availability", "airplay/bridge/state"} {
		c.eventually(topic, func() bool { return h.latest(topic) == "online" })
	}
	return c
}

func (c *terminal) eventually(what string, is func() bool) {
	c.t.Helper()
	for range 3000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatalf("%s: nothing within half a minute", what)
}

// typed runs a line as a shell does, and returns what it prints.
func (c *terminal) typed(line string, arguments string) (string, error) {
	script := ""
	for _, tool := range []string{"pub", "sub", "rr"} {
		script += fmt.Sprintf("mosquitto_%s() { command mosquitto_%[1]s -h 127.0.0.1 -p %d %s \"$@\"; }\n", tool, c.port, arguments)
	}
	cmd := exec.Command("sh", "-c", script+line)
	cmd.Dir = c.folder
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// answers is where a line is answered, to what command, and whether that is only
// when it is done; empty: it is not.
func answers(line string) (topic, command string, done bool) {
	device, verb, _ := strings.Cut(strings.TrimPrefix(topicOf.FindStringSubmatch(line)[1], "airplay/"), "/")
	switch {
	case device == "bridge":
		return "airplay/bridge/" + strings.Replace(verb, "request", "response", 1), "", true
	case strings.HasPrefix(device, "homeassistant"):
		return "", "", false
	}
	return "airplay/" + device + "/result", verb, strings.HasPrefix(verb, "pair")
}

// answered waits for an answer beyond those that there were.
func (c *terminal) answered(topic, command string, before int, done bool) (status, code string) {
	c.t.Helper()
	c.eventually(topic, func() bool {
		for _, said := range c.every(topic)[before:] {
			var r struct {
				Command, Status string
				Error           struct{ Code string }
			}
			if json.Unmarshal([]byte(said), &r) == nil && r.Command == command && (!done || r.Status != "accepted") {
				status, code = r.Status, r.Error.Code
				return true
			}
		}
		return false
	})
	return status, code
}

// Where nobody has a voice, or there is no such server, that is the answer.
var outside = regexp.MustCompile(`http://|Dinner|Das Essen`)

func TestTheLinesOfTheTopicsPageWork(t *testing.T) {
	c := openTerminal(t)
	var watching sync.WaitGroup
	all := lines(topicsPage(t))
	for _, line := range all {
		if strings.HasPrefix(line, "mosquitto_sub") && !strings.Contains(line, "artwork") {
			watching.Go(func() { // one message is enough, and it may take a while
				if said, _ := c.typed(line, "-C 1 -W 60"); said == "" || strings.HasPrefix(said, "Error") {
					t.Errorf("%s: heard nothing: %s", line, said)
				}
			})
		}
	}
	time.Sleep(500 * time.Millisecond) // they listen
	for _, line := range all {
		if strings.HasPrefix(line, "mosquitto_sub") {
			continue
		}
		topic, command, done := answers(line)
		before := len(c.every(topic))
		if said, err := c.typed(line, ""); err != nil {
			t.Errorf("%s: %v: %s", line, err, said)
			continue
		}
		if topic == "" {
			continue
		}
		if status, code := c.answered(topic, command, before, done); status == "error" && !outside.MatchString(line) {
			t.Errorf("%s: %s", line, code)
		}
	}
	watching.Wait()
	c.eventually("the bridge after its restart", func() bool { return c.latest("airplay/bridge/state") == "online" })
}

package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"airplay2mqtt/bridge/mqtt"
	main "airplay2mqtt/cmd/bridge"
)

// A screen is what a program writes, also while somebody reads it.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestARestartReadsTheConfigurationAnew(t *testing.T) {
	broker, err := mqtt.StartBroker(mqtt.BrokerConfig{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yaml")
	write := func(rest string) {
		t.Helper()
		text := fmt.Sprintf("mqtt: {server: \"mqtt://%s\"}\ndiscovery: {mdns: false}\ndata: %s\nmedia: {chimes: %s, folders: []}\n%s\n",
			broker.Addr(), filepath.Join(dir, "data"), filepath.Join(dir, "chimes"), rest)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	var mu sync.Mutex
	latest, began := map[string]string{}, map[string]bool{}
	ear, err := mqtt.New(mqtt.Config{Server: "mqtt://" + broker.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	ear.Handle("airplay/#", func(m mqtt.Message) {
		mu.Lock()
		defer mu.Unlock()
		latest[m.Topic] = string(m.Payload)
		if _, after, ok := strings.Cut(string(m.Payload), `"instance":"`); ok && m.Topic == "airplay/bridge/info" {
			began[after[:26]] = true
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _ = ear.Run(ctx) })
	var out, errs screen
	code := make(chan int, 1)
	all.Go(func() { code <- main.Main(ctx, strings.NewReader(""), &out, &errs, nil, "run", "-config", path) })
	defer all.Wait()
	defer cancel()

	until := func(what string, is func() bool) {
		t.Helper()
		for range 3000 {
			mu.Lock()
			ok := is()
			mu.Unlock()
			if ok {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%s: not within half a minute; it says %s", what, errs.String())
	}
	up := func(bridges int) func() bool {
		return func() bool { return len(began) == bridges && latest["airplay/bridge/state"] == "online" }
	}
	restart := func() {
		t.Helper()
		if err := ear.Publish(ctx, mqtt.Message{Topic: "airplay/bridge/request/restart", QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	until("the first bridge", up(1))
	write("groups: [{name: Upstairs, members: [attic]}]")
	restart()
	until("the second bridge", up(2))
	until("its group", func() bool { return strings.Contains(latest["airplay/bridge/devices"], `"upstairs"`) })
	write("gruops: []")
	restart()
	until("the third bridge", up(3))
	until("its group", func() bool { return strings.Contains(latest["airplay/bridge/devices"], `"upstairs"`) })
	if said := errs.String(); !strings.Contains(said, `unknown key "gruops", did you mean "groups"?`) {
		t.Errorf("the mistake is not told: %s", said)
	}
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("exit: got %d, want 0: %s", got, errs.String())
	}
}

package bridge_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/audio/wav"
	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/raop/raoptest"
)

// BenchmarkChimeToFirstPacket measures the time from the message to the first
// packet of sound at the receiver, over the network of this machine, with a
// session that was kept:
//
//	go test ./bridge -run xxx -bench FirstPacket -benchtime 100x
func BenchmarkChimeToFirstPacket(b *testing.B) {
	packets := make(chan time.Time, 4096)
	rx, err := raoptest.New(raoptest.Config{Name: "Kitchen", Drop: func(int) bool {
		packets <- time.Now()
		return false
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer rx.Close()
	s := config.Default()
	dir := b.TempDir()
	s.Data, s.Media.Folders, s.Media.Chimes = filepath.Join(dir, "data"), []string{dir}, dir
	s.Announcements.PerHour, s.MQTT.Server, s.Discovery.MDNS = 100000, "mqtt://in-process", false
	s.Devices = []config.Device{{Name: "Kitchen", Host: "127.0.0.1", Port: rx.Port(), Protocol: "auto", Latency: config.Chime}}
	if err := tick(filepath.Join(dir, "tick.wav")); err != nil {
		b.Fatal(err)
	}
	say := move(b, s)
	say("tick") // opens the session
	time.Sleep(2 * time.Second)
	var took []time.Duration
	for b.Loop() {
		for len(packets) > 0 {
			<-packets
		}
		began := time.Now()
		say("tick")
		took = append(took, (<-packets).Sub(began))
		time.Sleep(1200 * time.Millisecond)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
}

// tick writes a sound of a tenth of a second.
func tick(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := wav.NewWriter(f, 44100)
	if err != nil {
		return err
	}
	pcm := make([]int16, 2*4410)
	for i := range pcm {
		pcm[i] = int16(i * 7919)
	}
	if err := w.Write(pcm); err != nil {
		return err
	}
	return w.Close()
}

// move starts a bridge with a broker and returns what publishes chimes, once
// that will be heard.
func move(b *testing.B, s config.Config) (say func(name string)) {
	broker, err := mqtt.StartBroker(mqtt.BrokerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	dial := func(context.Context) (net.Conn, error) { return broker.Pipe(), nil }
	house, err := bridge.New(bridge.Config{Settings: s, DialBroker: dial})
	if err != nil {
		b.Fatal(err)
	}
	client, err := mqtt.New(mqtt.Config{Dial: dial})
	if err != nil {
		b.Fatal(err)
	}
	online := make(chan struct{}, 1)
	client.Handle("airplay/bridge/state", func(m mqtt.Message) {
		if strings.Contains(string(m.Payload), "online") {
			online <- struct{}{}
		}
	})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 2)
	go func() { ended <- house.Run(ctx) }()
	go func() { ended <- client.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		<-ended
		<-ended
		broker.Close()
	})
	<-online
	return func(name string) {
		if err := client.Publish(ctx, mqtt.Message{Topic: "airplay/kitchen/chime", Payload: []byte(name)}); err != nil {
			b.Error(err)
		}
	}
}

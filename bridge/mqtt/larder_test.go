package mqtt_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/mqtt"
)

func TestWhatABrokerKeepsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := startBroker(t, mqtt.BrokerConfig{})
		client, err := mqtt.New(mqtt.Config{Dial: func(context.Context) (net.Conn, error) { return broker.Pipe(), nil }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- client.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		time.Sleep(time.Second)
		// kept counts what a newcomer is told.
		kept := func() int64 {
			var n atomic.Int64
			looking, done := context.WithTimeout(ctx, 5*time.Second)
			defer done()
			_ = client.Watch(looking, "fill/+", func(m mqtt.Message) {
				if m.Retain {
					n.Add(1)
				}
			})
			return n.Load()
		}
		fill := func(topic string, size int) {
			t.Helper()
			if err := client.Publish(ctx, mqtt.Message{Topic: "fill/" + topic, Payload: make([]byte, size), Retain: true, QoS: 1}); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 70 {
			fill(fmt.Sprint(n), 1<<20)
		}
		if n := kept(); n != 63 {
			t.Errorf("got %d of 1 MiB kept, want 63: 64 MiB with their topics", n)
		}
		fill("0", 0) // what is cleared makes room
		fill("69", 1<<20)
		fill("69", 1<<20) // and what is kept already is replaced
		if n := kept(); n != 63 {
			t.Errorf("got %d kept, want 63", n)
		}
	})
}

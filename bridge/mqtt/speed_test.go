package mqtt_test

import (
	"context"
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"airplay2mqtt/bridge/mqtt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnIdleConnectionIsSmall(t *testing.T) {
	b := startBroker(t, mqtt.BrokerConfig{Address: "127.0.0.1:0"})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 10
	for range n {
		c, _ := run(t, mqtt.Config{Server: b.Addr().String()}, nil)
		connected(t, c)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)) / n
	t.Logf("%d kB for a client and its place in the broker", each>>10)
	if each > 512<<10 {
		t.Errorf("%d kB, want less than 512", each>>10)
	}
}

func BenchmarkPost(b *testing.B)    { bench(b, (*mqtt.Client).Post) }
func BenchmarkPublish(b *testing.B) { bench(b, (*mqtt.Client).Publish) }

// bench sends over TCP to the embedded broker, QoS 1.
func bench(b *testing.B, send func(*mqtt.Client, context.Context, mqtt.Message) error) {
	broker, err := mqtt.StartBroker(mqtt.BrokerConfig{Address: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	defer broker.Close()
	up := make(chan struct{})
	c, err := mqtt.New(mqtt.Config{Server: broker.Addr().String(), OnConnect: func(context.Context) { close(up) }})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	<-up
	m := text("home/kitchen/state/volume", "40")
	b.ReportAllocs()
	for b.Loop() {
		if err := send(c, b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	<-ended
}

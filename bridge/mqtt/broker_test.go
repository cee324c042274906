package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/mqtt"
)

func startBroker(t *testing.T, cfg mqtt.BrokerConfig) *mqtt.Broker {
	t.Helper()
	b, err := mqtt.StartBroker(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 { // twice does no harm
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return b
}

// eventually waits on what happens on real sockets.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	limit := time.After(10 * time.Second)
	beat := time.NewTicker(2 * time.Millisecond)
	defer beat.Stop()
	for !is() {
		select {
		case <-beat.C:
		case <-limit:
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

func connected(t *testing.T, c *mqtt.Client) {
	t.Helper()
	eventually(t, "a connection", c.Connected)
}

func TestBrokerTakesTheNextPortThatIsFree(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	at := taken.Addr().String()
	if b, err := mqtt.StartBroker(mqtt.BrokerConfig{Address: at}); err == nil {
		b.Close()
		t.Errorf("a taken port was taken again")
	}
	b := startBroker(t, mqtt.BrokerConfig{Address: at, Search: 50})
	first, got := taken.Addr().(*net.TCPAddr).Port, b.Addr().(*net.TCPAddr).Port
	if got <= first || got > first+50 {
		t.Errorf("port %d, want one of the 50 after %d", got, first)
	}
	c, _ := run(t, mqtt.Config{Server: b.Addr().String()}, nil)
	connected(t, c)
	publish(t, c, text("a", "b"))
}

func TestBrokerWithoutAPasswordServesThisMachineOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "nas:0"} {
		b, err := mqtt.StartBroker(mqtt.BrokerConfig{Address: address})
		if err == nil {
			b.Close()
			t.Errorf("%s was served", address)
		} else if !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"127.0.0.1:x", "127.0.0.1", "127.0.0.1:70000"} {
		if b, err := mqtt.StartBroker(mqtt.BrokerConfig{Address: address}); err == nil {
			b.Close()
			t.Errorf("%s was served", address)
		}
	}
	startBroker(t, mqtt.BrokerConfig{Address: "0.0.0.0:0", Username: "a", Password: "b"})
}

func TestBrokerKeepsWhatIsRetainedForMoreThanADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		c, stop := run(t, mqtt.Config{Dial: h.dial}, nil)
		synctest.Wait()
		publish(t, c, kept("found/a", "1"))
		stop()
		time.Sleep(24*time.Hour + time.Minute)
		if got, want := listenTo(t, h, "found/#").said(), "found/ar=1"; got != want {
			t.Errorf("retained %q, want %q", got, want)
		}
	})
}

func TestBrokerHangsUpOnWhoSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := mqtt.StartBroker(mqtt.BrokerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		began := time.Now()
		if _, err := b.Pipe().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("Read: %v, want EOF", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("took %v, want 10s", took)
		}
	})
}

func TestBrokerClosesThoughSomebodySaysNothing(t *testing.T) {
	b := startBroker(t, mqtt.BrokerConfig{Address: "127.0.0.1:0"})
	conn, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Pipe().Read(make([]byte, 1)); err == nil {
		t.Error("a closed broker answers")
	}
}

func TestBrokerHasRoomForManyAndNotForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := mqtt.StartBroker(mqtt.BrokerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		for range 256 {
			b.Pipe()
		}
		synctest.Wait()
		if _, err := b.Pipe().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the 257th: %v, want EOF", err)
		}
	})
}

func TestBrokerIsQuietAndKeepsSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log diary
		h := newHouse(t, mqtt.BrokerConfig{Username: "house", Password: "hunter2", Logger: log.logger().Level(0)})
		c, _ := run(t, mqtt.Config{Dial: h.dial, Username: "house", Password: "hunter2"}, nil)
		run(t, mqtt.Config{Dial: h.dial, Username: "house", Password: "hunter3"}, nil)
		time.Sleep(time.Minute)
		publish(t, c, text("a", "hunter4"))
		conn, _ := h.dial(t.Context())
		fmt.Fprint(conn, "\x10\x05hunter5")
		time.Sleep(time.Minute)
		h.off()
		if strings.Contains(log.text(), "hunter") {
			t.Errorf("a secret is in the log: %s", log.text())
		}
		for _, level := range []string{"info", "warn", "error"} {
			if got := log.entries(t, level); len(got) > 0 {
				t.Errorf("said %+v", got)
			}
		}
	})
}

func TestPipeHoldsWhatIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := mqtt.Pipe()
		if n, err := near.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
		near.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := near.Write([]byte("x")); n != 0 || !isTimeout(err) {
			t.Errorf("wrote %d, %v; want a deadline", n, err)
		}
		near.Close()
		if b, err := io.ReadAll(far); len(b) != 1<<20 || err != nil {
			t.Errorf("read %d, %v", len(b), err)
		}
		if _, err := far.Write([]byte("x")); err == nil {
			t.Error("wrote to who has hung up")
		}
		far.Close()
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read after Close: %v", err)
		}
	})
}

func TestPipeDeadlinesWakeReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := mqtt.Pipe()
		defer far.Close()
		near.SetReadDeadline(time.Now().Add(time.Hour))
		go func() {
			time.Sleep(time.Second)
			near.SetDeadline(time.Now().Add(time.Second))
		}()
		began := time.Now()
		if _, err := near.Read(make([]byte, 1)); !isTimeout(err) {
			t.Errorf("Read: %v", err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %v, want 2s", took)
		}
		near.SetDeadline(time.Time{})
		go far.Write([]byte("x"))
		if n, err := near.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("Read: %d, %v", n, err)
		}
		near.Close()
	})
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// The library changes and searches what is retained without a lock, which the
// race detector sees unless we have them take turns.
func TestRetainedMessagesComeAndGoWhileTheyAreLookedFor(t *testing.T) {
	b := startBroker(t, mqtt.BrokerConfig{})
	pipe := func(context.Context) (net.Conn, error) { return b.Pipe(), nil }
	writer, _ := run(t, mqtt.Config{Dial: pipe, Will: &mqtt.Message{Topic: "a/will", Payload: []byte("x"), Retain: true}}, nil)
	reader, _ := run(t, mqtt.Config{Dial: pipe}, nil)
	connected(t, writer)
	connected(t, reader)
	var parts sync.WaitGroup
	defer parts.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	parts.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			payload := []byte("there")
			if i%2 == 1 {
				payload = nil
			}
			_ = writer.Publish(ctx, mqtt.Message{Topic: fmt.Sprintf("a/%d", i/2%3), Payload: payload, Retain: true})
		}
	})
	for range 200 {
		looking, enough := context.WithTimeout(ctx, time.Millisecond)
		if err := reader.Watch(looking, "a/+", func(mqtt.Message) {}); err != nil {
			t.Fatal(err)
		}
		enough()
	}
}

package mqtt_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/mqtt"
)

func TestWatchHearsWhatIsKeptAndThenNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		c, _ := run(t, mqtt.Config{Dial: h.dial}, nil)
		synctest.Wait()
		publish(t, c, kept("found/a", "1"))
		publish(t, c, kept("found/b", "2"))
		var held ear
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		go func() {
			time.Sleep(time.Second)
			c.Publish(context.Background(), kept("found/b", "3"))
		}()
		if err := c.Watch(ctx, "found/+", held.handle); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("watched for %v, want 3s", took)
		}
		publish(t, c, kept("found/a", "4"))
		synctest.Wait()
		got := held.said()
		if got != "found/ar=1 found/br=2 found/b=3" && got != "found/br=2 found/ar=1 found/b=3" {
			t.Errorf("heard %q", got)
		}
	})
}

func TestWatchEndsWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		c, _ := run(t, mqtt.Config{Dial: h.dial}, nil)
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { ended <- c.Watch(t.Context(), "a", func(mqtt.Message) {}) }()
		time.Sleep(time.Second)
		h.cut()
		if err := <-ended; err != mqtt.ErrNotConnected {
			t.Errorf("Watch: %v, want ErrNotConnected", err)
		}
	})
}

func TestRetainedCommandsAreMarkedAndClearedWithoutAnEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		other, _ := run(t, mqtt.Config{Dial: h.dial}, nil)
		synctest.Wait()
		publish(t, other, kept("do/play", "x"))
		synctest.Wait() // the broker says that it has it before it has handed it on
		commands := &ear{}
		c, _ := run(t, mqtt.Config{Dial: h.dial}, func(c *mqtt.Client) { c.Handle("do/+", commands.handle) })
		synctest.Wait()
		if got, want := commands.said(), "do/playr=x"; got != want {
			t.Fatalf("heard %q, want %q", got, want)
		}
		if err := c.Clear(t.Context(), "do/play"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := commands.said(); got != "" {
			t.Errorf("heard the echo %q", got)
		}
		publish(t, other, text("do/play", ""))
		synctest.Wait()
		if got, want := commands.said(), "do/play="; got != want {
			t.Errorf("heard %q, want %q: an empty command is a command", got, want)
		}
		if got := listenTo(t, h, "do/#").said(); got != "" {
			t.Errorf("still kept: %q", got)
		}
	})
}

func TestAnEchoThatNeverCameDoesNotSwallowACommandLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		commands := &ear{}
		var c *mqtt.Client
		run(t, mqtt.Config{Dial: h.dial, OnConnect: func(ctx context.Context) {
			c.Clear(ctx, "do/play") // before we listen, so there is no echo
		}}, func(made *mqtt.Client) {
			c = made
			c.Handle("do/+", commands.handle)
		})
		time.Sleep(5 * time.Second)
		publish(t, c, text("do/play", ""))
		synctest.Wait()
		if got, want := commands.said(), "do/play="; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

func TestWhatIsTooLargeIsToldButNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		commands := &ear{}
		run(t, mqtt.Config{Dial: h.dial, MaxPayload: 1000}, func(c *mqtt.Client) { c.Handle("do/+", commands.handle) })
		other, _ := run(t, mqtt.Config{Dial: h.dial}, nil)
		synctest.Wait()
		for _, size := range []int{999, 1000, 1001, 3 << 20, 5} {
			for qos := range byte(2) {
				publish(t, other, mqtt.Message{Topic: "do/data", Payload: bytes.Repeat([]byte{'x'}, size), QoS: qos})
				synctest.Wait()
				if len(commands.heard) != 1 {
					t.Fatalf("size %d: heard %d messages, want 1", size, len(commands.heard))
				}
				m := commands.heard[0]
				commands.heard = nil
				wantLen, wantOver := size, 0
				if size > 1000 {
					wantLen, wantOver = 0, size
				}
				if len(m.Payload) != wantLen || m.Oversize != wantOver || m.Topic != "do/data" || m.QoS != qos {
					t.Errorf("size %d: got %d bytes, oversize %d, topic %q, QoS %d", size, len(m.Payload), m.Oversize, m.Topic, m.QoS)
				}
			}
		}
	})
}

func TestHandlersHearWhatTheirFilterMatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		var one, any ear
		c, _ := run(t, mqtt.Config{Dial: h.dial}, func(c *mqtt.Client) {
			c.Handle("home/+/play", one.handle)
			c.Handle("other/#", any.handle)
		})
		synctest.Wait()
		for _, topic := range []string{"home/kitchen/play", "home/kitchen/stop", "other", "other/a/b", "third"} {
			publish(t, c, text(topic, "x"))
		}
		synctest.Wait()
		if got, want := one.said(), "home/kitchen/play=x"; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
		if got, want := any.said(), "other=x other/a/b=x"; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

// A broker that sends what it keeps numbers those messages as we number our
// subscriptions, and ours takes one for the other.
func TestWatchesAreNotRefusedByChance(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t, mqtt.BrokerConfig{})
			other, _ := run(t, mqtt.Config{Dial: h.dial}, nil)
			c, _ := run(t, mqtt.Config{Dial: h.dial}, nil)
			synctest.Wait()
			for i := range 200 {
				m := kept(fmt.Sprintf("room%d/state%d", i%8, i), "x")
				m.QoS = 1
				publish(t, other, m)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			var watching sync.WaitGroup
			var heard ear
			for i := range 8 {
				watching.Go(func() {
					if err := c.Watch(ctx, fmt.Sprintf("room%d/+", i), heard.handle); err != nil {
						t.Error(err)
					}
				})
			}
			watching.Wait()
			topics := map[string]bool{} // who subscribes once more hears what is kept once more
			for _, m := range heard.heard {
				topics[m.Topic] = true
			}
			if got := len(topics); got != 200 {
				t.Errorf("heard %d messages that are kept, want 200", got)
			}
		})
	}
}

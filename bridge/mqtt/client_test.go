package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/mqtt"
)

func TestCommandsAreHeardOnceEverythingHasBeenSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		commands, news := &ear{}, listenTo(t, h, "home/#")
		var c *mqtt.Client
		run(t, mqtt.Config{Dial: h.dial, OnConnect: func(ctx context.Context) {
			c.Publish(ctx, kept("home/state", "true"))
			select {
			case <-time.After(3 * time.Second):
			case <-ctx.Done():
			}
		}}, func(made *mqtt.Client) {
			c = made
			c.Handle("do/+", commands.handle)
		})

		time.Sleep(2 * time.Second)
		other, _ := run(t, mqtt.Config{Dial: h.dial}, nil)
		synctest.Wait()
		publish(t, other, text("do/early", "1"))
		time.Sleep(2 * time.Second)
		publish(t, other, text("do/late", "2"))
		synctest.Wait()
		if got, want := news.said(), "home/state=true"; got != want {
			t.Errorf("said %q, want %q", got, want)
		}
		if got, want := commands.said(), "do/late=2"; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

func TestListenSubscribesBeforeOnConnectReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		commands := &ear{}
		var c *mqtt.Client
		run(t, mqtt.Config{Dial: h.dial, OnConnect: func(ctx context.Context) {
			for range 2 { // the second does nothing
				if err := c.Listen(ctx); err != nil {
					t.Errorf("Listen: %v", err)
				}
			}
			<-ctx.Done()
		}}, func(made *mqtt.Client) {
			c = made
			c.Handle("do/#", commands.handle)
		})
		synctest.Wait()
		publish(t, c, text("do/it", "now"))
		synctest.Wait()
		if got, want := commands.said(), "do/it=now"; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

func TestThousandMessagesArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		news := listenTo(t, h, "count")
		c, _ := run(t, mqtt.Config{Dial: h.dial}, nil)
		synctest.Wait()
		var want []string
		for i := range 1000 {
			m := text("count", fmt.Sprint(i))
			m.QoS = byte(i % 2)
			send := c.Post
			if i%100 == 99 {
				send = c.Publish
			}
			if err := send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("count=%d", i))
		}
		synctest.Wait()
		if got := news.said(); got != strings.Join(want, " ") {
			t.Errorf("the order is lost: %q", got)
		}
	})
}

func TestNothingIsQueuedWithoutAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		h.off()
		c, stop := run(t, mqtt.Config{Dial: h.dial}, nil)
		synctest.Wait()
		began := time.Now()
		for name, err := range map[string]error{
			"Publish": c.Publish(t.Context(), text("a", "old")),
			"Post":    c.Post(t.Context(), text("a", "old")),
			"Clear":   c.Clear(t.Context(), "a"),
			"Listen":  c.Listen(t.Context()),
			"Watch":   c.Watch(t.Context(), "a", func(mqtt.Message) {}),
		} {
			if !errors.Is(err, mqtt.ErrNotConnected) {
				t.Errorf("%s: %v, want ErrNotConnected", name, err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("that took %v", took)
		}
		h.on()
		news := listenTo(t, h, "#")
		time.Sleep(10 * time.Second)
		if !c.Connected() {
			t.Error("not connected again")
		}
		if got := news.said(); got != "" {
			t.Errorf("said late: %q", got)
		}
		stop()
		if err := c.Publish(t.Context(), text("a", "after")); !errors.Is(err, mqtt.ErrNotConnected) {
			t.Errorf("Publish after Run: %v, want ErrNotConnected", err)
		}
	})
}

func TestEverythingIsSaidAgainAfterTheBrokerCameBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		commands := &ear{}
		var calls atomic.Int64
		var c *mqtt.Client
		run(t, mqtt.Config{Dial: h.dial, OnConnect: func(ctx context.Context) {
			c.Publish(ctx, kept("home/state", fmt.Sprint(calls.Add(1))))
		}}, func(made *mqtt.Client) {
			c = made
			c.Handle("do/+", commands.handle)
		})
		time.Sleep(time.Minute)
		for round := range 3 {
			h.off()
			time.Sleep(2 * time.Second)
			if c.Connected() {
				t.Fatal("connected to a broker that is off")
			}
			h.on()
			time.Sleep(5 * time.Second)
			if got, want := c.Reconnects(), round+1; got != want || !c.Connected() {
				t.Fatalf("reconnects %d, want %d; connected %v", got, want, c.Connected())
			}
			var held ear
			watch, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := c.Watch(watch, "home/#", held.handle); err != nil {
				t.Fatal(err)
			}
			cancel()
			if got, want := held.said(), fmt.Sprintf("home/stater=%d", round+2); got != want {
				t.Errorf("retained %q, want %q", got, want)
			}
			publish(t, c, text("do/it", "again"))
			synctest.Wait()
			if got, want := commands.said(), "do/it=again"; got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestOnConnectIsNeverCalledTwiceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		var now, most atomic.Int64
		c, _ := run(t, mqtt.Config{Dial: h.dial, OnConnect: func(ctx context.Context) {
			most.Store(max(most.Load(), now.Add(1)))
			<-ctx.Done()
			time.Sleep(time.Second)
			now.Add(-1)
		}}, nil)
		for range 5 {
			time.Sleep(10 * time.Second)
			h.cut()
		}
		time.Sleep(10 * time.Second)
		if most.Load() != 1 || c.Reconnects() != 5 {
			t.Errorf("%d at a time, want 1; %d reconnects, want 5", most.Load(), c.Reconnects())
		}
	})
}

func TestWillIsSaidWhenTheConnectionBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		news := listenTo(t, h, "home/state")
		will := kept("home/state", "offline")
		var c *mqtt.Client
		run(t, mqtt.Config{Dial: h.dial, Will: &will, OnConnect: func(ctx context.Context) {
			c.Publish(ctx, kept("home/state", "online"))
		}}, func(made *mqtt.Client) { c = made })
		time.Sleep(time.Minute)
		h.cut()
		time.Sleep(5 * time.Second)
		if got, want := news.said(), "home/state=online home/state=offline home/state=online"; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

func TestGoodbyeIsSaidAfterWhatIsInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		news := listenTo(t, h, "home/#")
		will := kept("home/state", "dead")
		c, stop := run(t, mqtt.Config{Dial: h.dial, Will: &will, Goodbye: []mqtt.Message{kept("home/state", "offline")}}, nil)
		synctest.Wait()
		var want strings.Builder
		for i := range 50 {
			if err := c.Post(t.Context(), text("home/n", fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&want, "home/n=%d ", i)
		}
		began := time.Now()
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("going took %v", took)
		}
		time.Sleep(time.Minute)
		if got, want := news.said(), want.String()+"home/state=offline"; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

func TestGoingIsNotHeldUpByABrokerThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		stuck := &tap{}
		c, err := mqtt.New(mqtt.Config{Dial: stuck.over(h.dial), Goodbye: []mqtt.Message{kept("home/state", "offline")}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		synctest.Wait()
		stuck.shut()
		began := time.Now()
		cancel()
		if err := <-ended; err == nil {
			t.Error("Run returned nil, though nobody heard the goodbye")
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("going took %v", took)
		}
		stuck.open()
	})
}

func TestPublishIsBoundedByItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		stuck := &tap{}
		c, _ := run(t, mqtt.Config{Dial: stuck.over(h.dial)}, nil)
		synctest.Wait()
		stuck.shut()
		for _, qos := range []byte{0, 1} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			err := c.Publish(ctx, mqtt.Message{Topic: "a", Payload: make([]byte, 2<<20), QoS: qos})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("QoS %d: %v, want a deadline", qos, err)
			}
			if took := time.Since(began); took != time.Second {
				t.Errorf("QoS %d: took %v, want 1s", qos, took)
			}
			cancel()
		}
		stuck.open()
		time.Sleep(time.Minute)
		publish(t, c, text("a", "b"))
	})
}

func TestABrokerThatFallsSilentIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		stuck := &tap{}
		c, _ := run(t, mqtt.Config{Dial: stuck.over(h.dial)}, nil)
		time.Sleep(time.Minute)
		stuck.shut()
		time.Sleep(41 * time.Second)
		if c.Connected() {
			t.Error("still connected to a broker that has been silent for 41 s")
		}
		stuck.open()
		time.Sleep(10 * time.Second)
		if !c.Connected() {
			t.Error("not connected again")
		}
	})
}

func TestTenQuietMinutesKeepTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		news := listenTo(t, h, "#")
		c, _ := run(t, mqtt.Config{Dial: h.dial}, nil)
		time.Sleep(10 * time.Minute)
		if !c.Connected() || c.Reconnects() != 0 {
			t.Errorf("connected %v, reconnects %d", c.Connected(), c.Reconnects())
		}
		publish(t, c, text("still", "here"))
		synctest.Wait()
		if got, want := news.said(), "still=here"; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

func TestBadMessagesAndFiltersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, mqtt.BrokerConfig{})
		c, _ := run(t, mqtt.Config{Dial: h.dial}, func(c *mqtt.Client) { c.Handle("mine/+", func(mqtt.Message) {}) })
		synctest.Wait()
		for _, topic := range []string{"", "a/+", "#", "a/#", "a\x00", "\xff", strings.Repeat("a", 65536)} {
			if err := c.Publish(t.Context(), text(topic, "")); err == nil {
				t.Errorf("%.10q was published", topic)
			}
		}
		if err := c.Publish(t.Context(), mqtt.Message{Topic: "a", QoS: 2}); err == nil {
			t.Error("QoS 2 was published")
		}
		for _, filter := range []string{"", "a+", "#/a", "a/b#", "mine/+"} {
			if err := c.Watch(t.Context(), filter, func(mqtt.Message) {}); err == nil {
				t.Errorf("%q was watched", filter)
			}
		}
		if !c.Connected() || c.Reconnects() != 0 {
			t.Error("the connection suffered")
		}
		if err := c.Run(t.Context()); err == nil {
			t.Error("Run ran twice")
		}
	})
}

// A tap stands in a connection; while it is shut nothing passes, as when a
// cable is pulled.
type tap struct {
	mu     sync.Mutex
	closed chan struct{} // nil: open
}

func (p *tap) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = make(chan struct{})
}

func (p *tap) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.closed)
	p.closed = nil
}

func (p *tap) state() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (p *tap) over(dial func(context.Context) (net.Conn, error)) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		if p.state() != nil {
			return nil, errOff
		}
		far, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		near, inner := mqtt.Pipe()
		go p.carry(inner, far)
		go p.carry(far, inner)
		return near, nil
	}
}

func (p *tap) carry(to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if closed := p.state(); closed != nil {
			<-closed
		}
		if err != nil {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

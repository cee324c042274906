package mqtt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"airplay2mqtt/bridge/mqtt"
)

// A house is a broker in memory that can be switched off and on, and cut from
// its clients.
type house struct {
	t      *testing.T
	mu     sync.Mutex
	cfg    mqtt.BrokerConfig
	broker *mqtt.Broker // nil: off
	lines  []net.Conn   // of clients that dialled
}

var errOff = errors.New("no route to the house")

func newHouse(t *testing.T, cfg mqtt.BrokerConfig) *house {
	h := &house{t: t, cfg: cfg}
	h.on()
	t.Cleanup(h.off)
	return h
}

func (h *house) on() {
	b, err := mqtt.StartBroker(h.cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	h.broker = b
	h.mu.Unlock()
}

func (h *house) off() {
	h.mu.Lock()
	b := h.broker
	h.broker = nil
	h.mu.Unlock()
	if b == nil {
		return
	}
	if err := b.Close(); err != nil {
		h.t.Error(err)
	}
}

func (h *house) dial(context.Context) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broker == nil {
		return nil, errOff
	}
	conn := h.broker.Pipe()
	h.lines = append(h.lines, conn)
	return conn, nil
}

// cut breaks the connection that was made last.
func (h *house) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines[len(h.lines)-1].Close()
}

// run starts a client, after prepare has seen it, and ends it with the test. The
// function that it returns ends it before.
func run(t *testing.T, cfg mqtt.Config, prepare func(*mqtt.Client)) (*mqtt.Client, func() error) {
	t.Helper()
	c, err := mqtt.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stop := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return c, stop
}

// ear collects what it is handed.
type ear struct {
	mu    sync.Mutex
	heard []mqtt.Message
}

func (e *ear) handle(m mqtt.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, m)
}

// said is what was heard since it was last asked, as "topic=payload", with an r
// in front of the = where it was retained.
func (e *ear) said() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []string
	for _, m := range e.heard {
		mark := "="
		if m.Retain {
			mark = "r="
		}
		all = append(all, m.Topic+mark+string(m.Payload))
	}
	e.heard = nil
	return strings.Join(all, " ")
}

// listenTo runs a client that hears filter.
func listenTo(t *testing.T, h *house, filter string) *ear {
	t.Helper()
	e := &ear{}
	run(t, mqtt.Config{Dial: h.dial, ClientID: "ear"}, func(c *mqtt.Client) { c.Handle(filter, e.handle) })
	synctest.Wait()
	return e
}

// diary is a logger's output, line by line.
type diary struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.buf.Write(p)
}

func (d *diary) logger() zerolog.Logger { return zerolog.New(d) }

func (d *diary) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.buf.String()
}

type entry struct {
	Level, Message, Hint, Error string
	Tries                       int
}

// entries are the lines of one level.
func (d *diary) entries(t *testing.T, level string) (all []entry) {
	t.Helper()
	for line := range strings.Lines(d.text()) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if e.Level == level {
			all = append(all, e)
		}
	}
	return all
}

func text(topic, payload string) mqtt.Message {
	return mqtt.Message{Topic: topic, Payload: []byte(payload), QoS: 1}
}

func kept(topic, payload string) mqtt.Message {
	return mqtt.Message{Topic: topic, Payload: []byte(payload), QoS: 1, Retain: true}
}

func publish(t *testing.T, c *mqtt.Client, m mqtt.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.Publish(ctx, m); err != nil {
		t.Fatalf("publish %s: %v", m.Topic, err)
	}
}

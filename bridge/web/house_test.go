package web_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/web"
	"airplay2mqtt/internal/memnet"

	"github.com/gorilla/websocket"
)

const token = "a token nobody guesses"

// A house is a broker, a page, and browsers on a network in memory.
type house struct {
	t       *testing.T
	lan     *memnet.Net
	broker  *mqtt.Broker
	server  *web.Server
	uploads string
	http    *http.Client
	stop    func() error
	client  *mqtt.Client
	mu      sync.Mutex
	said    []mqtt.Message // on all topics
}

// build makes a house in a bubble; set changes what is usual.
func build(t *testing.T, set func(*web.Config)) *house {
	t.Helper()
	h := &house{t: t, lan: memnet.New(), uploads: filepath.Join(t.TempDir(), "uploads")}
	var err error
	if h.broker, err = mqtt.StartBroker(mqtt.BrokerConfig{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.broker.Close() })
	dial := func(context.Context) (net.Conn, error) { return h.broker.Pipe(), nil }
	cfg := web.Config{
		Address: "127.0.0.1:8330", Base: "airplay", Commands: []string{"chime", "set_volume"}, Requests: []string{"group/set"},
		Broker: mqtt.Config{Dial: dial}, Uploads: h.uploads, MaxUpload: 1000, Version: "test",
		Listen: func(network, _ string) (net.Listener, error) { return h.lan.Host("10.0.0.2").Listen(network, ":8330") },
	}
	if set != nil {
		set(&cfg)
	}
	if h.server, err = web.New(cfg); err != nil {
		t.Fatal(err)
	}
	h.http = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: h.dial}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.server.Run(ctx) }()
	h.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = h.stop() })
	h.listen(dial)
	return h
}

// listen has somebody hear all topics.
func (h *house) listen(dial func(context.Context) (net.Conn, error)) {
	var err error
	if h.client, err = mqtt.New(mqtt.Config{Dial: dial}); err != nil {
		h.t.Fatal(err)
	}
	h.client.Handle("#", func(m mqtt.Message) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.said = append(h.said, m)
	})
	ctx, cancel := context.WithCancel(h.t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { _ = h.client.Run(ctx) })
	h.t.Cleanup(func() { cancel(); ended.Wait() })
	time.Sleep(time.Second) // virtual: both have connected
	synctest.Wait()
}

func (h *house) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return h.lan.Host("10.0.0.9").DialContext(ctx, network, "10.0.0.2:8330")
}

// publish says something as the bridge would.
func (h *house) publish(topic, payload string) {
	h.t.Helper()
	m := mqtt.Message{Topic: topic, Payload: []byte(payload), Retain: true, QoS: 1}
	if err := h.client.Publish(h.t.Context(), m); err != nil {
		h.t.Fatal(err)
	}
	synctest.Wait()
}

// heard is what was said on a topic last.
func (h *house) heard(topic string) (payload string, times int) {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.said {
		if m.Topic == topic {
			payload = string(m.Payload)
			times++
		}
	}
	return payload, times
}

// ask makes a request and returns the status and the body of the answer.
func (h *house) ask(method, path string, body io.Reader, header ...string) (*http.Response, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, "http://127.0.0.1:8330"+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := h.http.Do(r)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer, string(text)
}

// A browser is a page that is open.
type browser struct {
	t    *testing.T
	conn *websocket.Conn
}

func (h *house) browse(header ...string) *browser {
	h.t.Helper()
	fields := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		fields.Set(header[i], header[i+1])
	}
	d := websocket.Dialer{NetDialContext: h.dial}
	conn, answer, err := d.DialContext(h.t.Context(), "ws://127.0.0.1:8330/socket", fields)
	if err != nil {
		h.t.Fatalf("socket: %v (%v)", err, answer)
	}
	h.t.Cleanup(func() { conn.Close() })
	return &browser{h.t, conn}
}

func (b *browser) say(text string) {
	b.t.Helper()
	if err := b.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		b.t.Fatal(err)
	}
}

// next returns what the page is told next.
func (b *browser) next() string {
	b.t.Helper()
	_, text, err := b.conn.ReadMessage()
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// until reads until something holds a text.
func (b *browser) until(text string) string {
	b.t.Helper()
	for range 1000 {
		if said := b.next(); strings.Contains(said, text) {
			return said
		}
	}
	b.t.Fatalf("nothing was told with %q", text)
	return ""
}

// problem is the sentence of an answer that is an error.
func problem(body string) string {
	var e struct{ Error string }
	_ = json.Unmarshal([]byte(body), &e)
	return e.Error
}

//go:build linux

package interop

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// A Message is what came from the broker, and when.
type Message struct {
	Topic    string
	Payload  string
	Retained bool // the broker had kept it
	At       time.Time
}

// A Client hears everything on a broker, and connects again by itself.
type Client struct {
	conn paho.Client

	mu       sync.Mutex
	messages []Message
}

// Client connects to the broker until the test ends.
func (b *Broker) Client(t testing.TB) *Client {
	t.Helper()
	opts := paho.NewClientOptions().AddBroker(b.URL()).
		SetUsername(b.Config.Username).SetPassword(b.Config.Password).
		SetConnectTimeout(patience).SetMaxReconnectInterval(200 * time.Millisecond)
	if b.Config.TLS {
		opts.SetTLSConfig(trust(t, b.CAFile))
	}
	return connect(t, opts)
}

// connect makes a client of any broker.
func connect(t testing.TB, opts *paho.ClientOptions) *Client {
	t.Helper()
	c := &Client{}
	opts.SetOnConnectHandler(func(conn paho.Client) { conn.Subscribe("#", 1, c.hear) })
	c.conn = paho.NewClient(opts)
	if err := wait(c.conn.Connect()); err != nil {
		t.Fatalf("connect to the broker: %v", err)
	}
	if err := wait(c.conn.Subscribe("#", 1, c.hear)); err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	t.Cleanup(func() { c.conn.Disconnect(0) })
	return c
}

// ClientAt connects to a broker that is not ours, such as the one inside a
// bridge.
func ClientAt(t testing.TB, url string) *Client {
	t.Helper()
	return connect(t, paho.NewClientOptions().AddBroker(url).SetConnectTimeout(patience))
}

func (c *Client) hear(_ paho.Client, m paho.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = append(c.messages, Message{
		Topic: m.Topic(), Payload: string(m.Payload()), Retained: m.Retained(), At: time.Now(),
	})
}

// Forget forgets what was heard.
func (c *Client) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = nil
}

// Publish sends a message and returns when it was handed over.
func (c *Client) Publish(t testing.TB, topic, payload string) time.Time {
	t.Helper()
	return c.publish(t, topic, payload, false)
}

// PublishRetained sends a message that the broker keeps.
func (c *Client) PublishRetained(t testing.TB, topic, payload string) time.Time {
	t.Helper()
	return c.publish(t, topic, payload, true)
}

func (c *Client) publish(t testing.TB, topic, payload string, retain bool) time.Time {
	t.Helper()
	at := time.Now()
	if err := wait(c.conn.Publish(topic, 1, retain, payload)); err != nil {
		t.Fatalf("publish %s: %v", topic, err)
	}
	return at
}

// Since returns the messages of a topic after an instant.
func (c *Client) Since(at time.Time, topic string) []Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []Message
	for _, m := range c.messages {
		if m.Topic == topic && !m.At.Before(at) {
			found = append(found, m)
		}
	}
	return found
}

// Wait returns the first message of a topic after an instant that is right,
// and fails the test if there is none within limit.
func (c *Client) Wait(t testing.TB, at time.Time, topic string, limit time.Duration, right func(payload string) bool) Message {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		late := time.Now().After(deadline)
		for _, m := range c.Since(at, topic) {
			if right(m.Payload) {
				return m
			}
		}
		if late {
			t.Fatalf("%s: not as wanted within %v, but:\n%s", topic, limit, c.transcript(at, topic))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// State waits until a device's state is right, and returns it.
func (c *Client) State(t testing.TB, at time.Time, device string, limit time.Duration, right func(State) bool) State {
	t.Helper()
	var s State
	m := c.Wait(t, at, "airplay/"+device+"/state", limit, func(payload string) bool {
		s = State{}
		return json.Unmarshal([]byte(payload), &s) == nil && right(s)
	})
	s.At = m.At
	return s
}

// Status waits until a device is idle, buffering, playing or paused.
func (c *Client) Status(t testing.TB, at time.Time, device, status string) State {
	t.Helper()
	return c.State(t, at, device, patience, func(s State) bool { return s.State == status })
}

// Statuses is what a device has been since an instant, in order, each change
// once.
func (c *Client) Statuses(at time.Time, device string) []string {
	var all []string
	for _, m := range c.Since(at, "airplay/"+device+"/state") {
		var s State
		if json.Unmarshal([]byte(m.Payload), &s) == nil {
			all = append(all, s.State)
		}
	}
	return slices.Compact(all)
}

// Result waits for the answer to a command: ok or error.
func (c *Client) Result(t testing.TB, at time.Time, device, command string) Result {
	t.Helper()
	var r Result
	m := c.Wait(t, at, "airplay/"+device+"/result", 2*patience, func(payload string) bool {
		r = Result{}
		return json.Unmarshal([]byte(payload), &r) == nil && r.Command == command && r.Status != "accepted"
	})
	r.At = m.At
	return r
}

// Retained returns what the broker keeps, by topic, as a new client hears it.
func (b *Broker) Retained(t testing.TB) map[string]string {
	t.Helper()
	c := b.Client(t)
	kept := map[string]string{}
	for quiet := 0; quiet < 10; quiet++ {
		time.Sleep(20 * time.Millisecond)
		before := len(kept)
		c.mu.Lock()
		for _, m := range c.messages {
			if m.Retained {
				kept[m.Topic] = m.Payload
			}
		}
		c.mu.Unlock()
		if len(kept) > before {
			quiet = 0
		}
	}
	return kept
}

// Topics are the keys of what Retained returns, sorted.
func Topics(kept map[string]string) []string { return slices.Sorted(maps.Keys(kept)) }

// transcript is what was said since an instant: on the topic, or if that was
// nothing, everywhere.
func (c *Client) transcript(at time.Time, topic string) string {
	var b strings.Builder
	for _, m := range c.Since(at, topic) {
		fmt.Fprintf(&b, "  %s\n", m.Payload)
	}
	if b.Len() > 0 {
		return b.String()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.messages[max(0, len(c.messages)-30):] {
		fmt.Fprintf(&b, "  %s %.200s\n", m.Topic, m.Payload)
	}
	return b.String()
}

func wait(token paho.Token) error {
	if !token.WaitTimeout(patience) {
		return fmt.Errorf("no answer within %v", patience)
	}
	return token.Error()
}

func trust(t testing.TB, file string) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots}
}

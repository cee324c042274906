package mqtt

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// ErrNotConnected is returned while there is no connection to the broker, and
// by whoever waits for an answer when the connection ends.
var ErrNotConnected = errors.New("mqtt: not connected to the broker")

// Config says where the broker is and what to tell it.
type Config struct {
	// Server is scheme://host:port with mqtt, tcp (port 1883), mqtts, ssl, tls
	// (8883), ws (80) or wss (443); a bare host or host:port is mqtt. A path is
	// for WebSockets; without one it is /mqtt. Needed, unless Dial is set.
	Server string
	// Username and Password may also stand in Server; these go first.
	Username, Password string
	// ClientID must be no other client's. Default: a random one.
	ClientID string
	// TLS is used where the scheme says so. Default: the system's authorities.
	TLS *tls.Config
	// Will is published by the broker when we vanish without a word.
	Will *Message
	// Goodbye is published before a connection is closed on purpose: the
	// broker does not send the will then.
	Goodbye []Message
	// OnConnect is called each time a connection stands, in a goroutine of its
	// own, before the filters of Handle are subscribed. Here everything is said
	// again. Its ctx ends with that connection; it must return soon after, and
	// is not called for the next connection before it has.
	OnConnect func(ctx context.Context)
	// KeepAlive is how often a silent connection is tested. A broker that has
	// vanished is noticed after that and another 10 s. Default: 20 s.
	KeepAlive time.Duration
	// MaxPayload is the largest payload that is kept; see Message.Oversize.
	// Default: 16 MiB.
	MaxPayload int
	// Dial makes the connection below TLS and WebSocket. Default: TCP.
	Dial func(ctx context.Context) (net.Conn, error)
	// Logger is told of connections come and gone. Default: silent.
	Logger zerolog.Logger
}

// A Client keeps a connection to a broker. Its methods may be called from any
// goroutine.
type Client struct {
	cfg    Config
	server server
	log    zerolog.Logger
	routes []route // not changed once Run has begun

	running atomic.Bool
	now     atomic.Pointer[link] // nil while there is none
	links   atomic.Int64         // how many there have been
}

// A route is where messages on topics that match a filter go.
type route struct {
	filter string
	handle func(Message)
}

// New checks cfg. It connects to nothing; Run does.
func New(cfg Config) (*Client, error) {
	c := &Client{cfg: cfg, log: cfg.Logger}
	if cfg.Server != "" || cfg.Dial == nil {
		s, err := parseServer(cfg.Server)
		if err != nil {
			return nil, fmt.Errorf("mqtt: %w", err)
		}
		c.server = s
	}
	for _, m := range c.last() {
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("mqtt: will or goodbye: %w", err)
		}
	}
	c.fill()
	if c.cfg.Username == "" && c.cfg.Password != "" {
		return nil, errors.New("mqtt: a password needs a user name")
	}
	return c, nil
}

// last is all that is said at the end.
func (c *Client) last() []Message {
	if c.cfg.Will == nil {
		return c.cfg.Goodbye
	}
	return append([]Message{*c.cfg.Will}, c.cfg.Goodbye...)
}

func (c *Client) fill() {
	if c.cfg.Username == "" && c.cfg.Password == "" {
		c.cfg.Username, c.cfg.Password = c.server.username, c.server.password
	}
	if c.cfg.ClientID == "" {
		var b [8]byte
		rand.Read(b[:])
		c.cfg.ClientID = "mqtt-" + hex.EncodeToString(b[:])
	}
	if c.cfg.KeepAlive == 0 {
		c.cfg.KeepAlive = 20 * time.Second
	}
	if c.cfg.MaxPayload == 0 {
		c.cfg.MaxPayload = 16 << 20
	}
}

// Handle hands messages on topics that match filter to handle, in the order of
// their coming. Handle must be called before Run; it panics afterwards, and on
// a filter that CheckFilter refuses.
//
// handle runs on the connection's own goroutine: while it runs nothing is heard,
// not even that the connection has ended. It must not block, and must not wait
// for Publish. A send into a channel that drops when it is full, or Post in a
// goroutine of its own, is right.
//
// Filters should not overlap: brokers differ in how often they send a message
// that two of them match, and every handler whose filter matches is called.
func (c *Client) Handle(filter string, handle func(Message)) {
	if err := CheckFilter(filter); err != nil {
		panic("mqtt: Handle: " + err.Error())
	}
	if c.running.Load() {
		panic("mqtt: Handle after Run")
	}
	c.routes = append(c.routes, route{filter, handle})
}

// Connected reports whether there is a connection now.
func (c *Client) Connected() bool { return c.now.Load() != nil }

// Reconnects is how often a connection was made again after the first.
func (c *Client) Reconnects() int { return max(0, int(c.links.Load())-1) }

// Address is the broker's host and port, for people to read.
func (c *Client) Address() string {
	if c.server.host == "" {
		return "in-process"
	}
	return c.server.address()
}

// Run connects, and connects again, until ctx ends. It returns when the goodbye
// has been said and all goroutines have ended: nil, or an error where the broker
// did not acknowledge the goodbye in time. It is called once.
func (c *Client) Run(ctx context.Context) error {
	if c.running.Swap(true) {
		return errors.New("mqtt: Run was called before")
	}
	trouble := outage{log: c.log.With().Str("address", c.Address()).Str("client", c.cfg.ClientID).Logger()}
	for {
		l, err := c.connect(ctx)
		var pause time.Duration
		switch {
		case err == nil:
			trouble.ended()
			fault, err := c.serve(ctx, l)
			if ctx.Err() != nil {
				return err
			}
			pause = trouble.lost(fault, time.Since(l.since))
		case ctx.Err() != nil:
			return nil
		default:
			pause = trouble.failed(err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

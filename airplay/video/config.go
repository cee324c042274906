package video

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"net"
	"time"

	"airplay2mqtt/airplay"

	"github.com/rs/zerolog"
)

// Config says how to talk to a receiver. Its zero value works.
type Config struct {
	// Name is who is playing, for receivers that show it. Empty:
	// "airplay2mqtt".
	Name string
	// Password is for receivers that ask for one.
	Password string
	// Credentials are what a pairing by PIN has left. Zero: not paired.
	Credentials airplay.Credentials
	// Ways are tried in their order, until the receiver takes one. Empty: Plain.
	Ways []Way
	// Info is what the receiver announces, which decides how time is kept.
	Info airplay.Info
	// Poll is how often the receiver is asked how far it is. Zero: 1 s.
	Poll time.Duration
	// Patience is how long the receiver may take from being told to play until
	// it plays. Zero: 30 s.
	Patience time.Duration
	// Fetch gets playlists that the receiver asks for, because their addresses
	// mean something to senders only. It returns what a server would answer.
	// Nil: they are answered with 404.
	Fetch func(ctx context.Context, url string) (status int, mime string, body []byte)

	// DialContext connects. Nil: a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// ListenPacket opens the UDP port on which a receiver asks for the time. Nil:
	// net.ListenPacket.
	ListenPacket func(network, address string) (net.PacketConn, error)
	// Rand makes keys, and names of sessions. Nil: crypto/rand.Reader.
	Rand io.Reader
	// Logger gets debug lines. Zero: silent.
	Logger zerolog.Logger
}

// withDefaults returns a copy with everything filled in.
func (c *Config) withDefaults() Config {
	var cfg Config
	if c != nil {
		cfg = *c
	}
	cfg.Name = cmp.Or(cfg.Name, "airplay2mqtt")
	cfg.Poll = cmp.Or(cfg.Poll, time.Second)
	cfg.Patience = cmp.Or(cfg.Patience, 30*time.Second)
	if cfg.Fetch == nil {
		cfg.Fetch = func(context.Context, string) (int, string, []byte) { return 404, "", nil }
	}
	if cfg.DialContext == nil {
		cfg.DialContext = (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 10 * time.Second}).DialContext
	}
	if cfg.ListenPacket == nil {
		cfg.ListenPacket = net.ListenPacket
	}
	if len(cfg.Ways) == 0 {
		cfg.Ways = []Way{Plain}
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	return cfg
}

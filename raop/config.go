package raop

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"net"
	"time"

	"airplay2mqtt/dacp"

	"github.com/rs/zerolog"
)

// Plain, as Config.Announce, tells the receiver as much latency as there is.
const Plain time.Duration = -1

// Config says how to talk to a receiver. Its zero value works.
type Config struct {
	// Name is who is playing, for receivers that show it. Empty: not said.
	Name string
	// UserAgent is what receivers are told of our kind. Some decide by it.
	// Empty: "iTunes/12.12 (airplay2mqtt/1.0)".
	UserAgent string
	// Password is for receivers that ask for one.
	Password string
	// Credentials are what a pairing by PIN in the older way has left, for
	// receivers that want it: IDENTIFIER:SEED. Empty: not paired.
	Credentials string
	// ReceiverKey is the receiver's key since that pairing, which it has to
	// show. Nil: not known, and not checked.
	ReceiverKey []byte
	// Volume, from 0 to 1, is set before the first sound. Nil: the receiver's
	// own is left alone.
	Volume *float64
	// Auth is the way of authentication to begin with, for receivers of which
	// it is known. Empty: Info.Auth decides.
	Auth Auth

	// Announce is the latency that the receiver is told, on top of its own
	// 250 ms. It does not decide when sound is heard, only for how long lost
	// packets are asked for again. Zero: 2 s, or what the receiver wants if
	// that is more. Plain: the time from Start to the first frame, for
	// receivers that take the number at its word.
	Announce time.Duration
	// Single never sends a packet twice unasked, for who measures how many get
	// lost.
	Single bool
	// Offset makes the receiver later than others, or earlier if negative, by
	// up to 2 s. See Session.SetOffset.
	Offset time.Duration
	// Floor is what MinLead returns, for receivers of which it is known.
	// Zero: by what the receiver says and a table of kinds.
	Floor time.Duration

	// AudioLatency is what the receiver said before that it needs, for the case
	// that it does not say it this time. Zero or less: nothing is known.
	AudioLatency time.Duration

	// DACPID is 16 upper-case hexadecimal digits, the first not 0, by which
	// the receiver finds our remote-control server. Empty: random.
	DACPID string
	// ActiveRemote is how the receiver signs its commands to that server.
	// Zero: random.
	ActiveRemote uint32

	// RemoteServer is where the receiver's buttons reach us; it brings its own
	// DACPID. Nil: nowhere.
	RemoteServer *dacp.Server
	// Remote is called when they say something that is news: after the
	// receiver was answered, from one goroutine for all sessions, so it must
	// not block. It may be called once more after the session has ended. Nil:
	// nobody is told.
	Remote func(dacp.Remote)

	// FirstPort and LastPort bound our UDP ports, for firewalls. Each session
	// needs two. Zero: any.
	FirstPort, LastPort uint16

	// DialContext connects, "tcp" and "udp". Nil: a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// ListenPacket opens our UDP ports. Nil: net.ListenPacket.
	ListenPacket func(network, address string) (net.PacketConn, error)
	// AirportKey encrypts the session key for receivers that want RSA. Nil:
	// the key that they all share.
	AirportKey *rsa.PublicKey
	// Rand makes numbers nobody should guess. Nil: crypto/rand.Reader.
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
	cfg.UserAgent = cmp.Or(cfg.UserAgent, "iTunes/12.12 (airplay2mqtt/1.0)")
	cfg.Offset = min(max(cfg.Offset, -maxOffset), maxOffset)
	if cfg.DialContext == nil {
		cfg.DialContext = usual.DialContext
	}
	if cfg.ListenPacket == nil {
		cfg.ListenPacket = net.ListenPacket
	}
	if cfg.AirportKey == nil {
		cfg.AirportKey = airportKey()
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	return cfg
}

// usual gives a receiver three seconds to answer, and notices within half a
// minute that one is gone.
var usual = &net.Dialer{
	Timeout:         3 * time.Second,
	KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3},
}

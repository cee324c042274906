package airplay

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"net"
	"time"

	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/dacp"

	"github.com/rs/zerolog"
)

// Timing is how a receiver and we agree on the time.
type Timing string

// The ways. AutoTiming is PTP where the receiver announces it and our ports
// can be had, and NTP where that does not work.
const (
	AutoTiming Timing = ""
	PTP        Timing = "ptp"
	NTP        Timing = "ntp"
)

// Kind is how sound goes to a receiver.
type Kind string

// The kinds. Realtime sound goes by UDP, and what is lost is sent again.
// Buffered sound goes by TCP ahead of time, and needs PTP. AutoKind is
// realtime, but for receivers that starve with it.
const (
	AutoKind Kind = ""
	Realtime Kind = "realtime"
	Buffered Kind = "buffered"
)

// Config says how to talk to a receiver. Its zero value works for receivers
// that keep time by NTP.
type Config struct {
	// Name is who is playing, for receivers that show it. Empty:
	// "airplay2mqtt".
	Name string
	// UserAgent is what receivers are told of our kind; current ones answer
	// 403 to none. Empty: "AirPlay/670.6.2".
	UserAgent string
	// Password is for receivers that ask for one.
	Password string
	// Credentials are what a pairing by PIN has left. Zero: not paired.
	Credentials Credentials
	// Volume, from 0 to 1, is set before the first sound. Nil: the receiver's
	// own is left alone.
	Volume *float64
	// Timing is how to agree on the time. Empty: see AutoTiming.
	Timing Timing
	// First is the way that is tried first where more than one is left: what
	// Facts.First said the last time. Empty: the best.
	First Timing
	// Kind is how sound goes. Empty: see AutoKind.
	Kind Kind
	// Clock keeps the time by PTP, one for all sessions of a process. Nil:
	// there is only NTP.
	Clock *ptp.Engine

	// Offset makes the receiver later than others, or earlier if negative, by
	// up to 2 s. See Session.SetOffset.
	Offset time.Duration
	// Floor is what MinLead returns once the receiver knows the time, for
	// receivers of which it is known. Zero: by a table of kinds.
	Floor time.Duration

	// DeviceID is our own hardware address, as receivers are told it. Empty:
	// random.
	DeviceID string
	// RemoteServer is where the buttons of receivers reach us that have no other
	// way, as shairport-sync. Nil: nowhere.
	RemoteServer *dacp.Server
	// Remote is called when the receiver's buttons say something, by that server
	// or on the session's own connection. It must not block, and may be called
	// once more after the session has ended. Nil: nobody is told.
	Remote func(dacp.Remote)

	// FirstPort and LastPort bound our UDP ports, for firewalls. Each session
	// needs one, and one more with NTP. Zero: any.
	FirstPort, LastPort uint16

	// DialContext connects, "tcp" and "udp". Nil: a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// ListenPacket opens our UDP ports. Nil: net.ListenPacket.
	ListenPacket func(network, address string) (net.PacketConn, error)
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
	cfg.Name = cmp.Or(cfg.Name, "airplay2mqtt")
	cfg.UserAgent = cmp.Or(cfg.UserAgent, "AirPlay/670.6.2")
	cfg.Offset = min(max(cfg.Offset, -maxOffset), maxOffset)
	if cfg.DialContext == nil {
		cfg.DialContext = usual.DialContext
	}
	if cfg.ListenPacket == nil {
		cfg.ListenPacket = net.ListenPacket
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

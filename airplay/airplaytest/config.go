package airplaytest

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"strings"
	"time"

	"airplay2mqtt/internal/fake"
)

// A Network is where a receiver listens; a *memnet.Host is one.
type Network interface {
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
}

// Config says what kind of receiver it is. The zero value is a speaker that
// takes everybody and keeps time by PTP or NTP, on a free port of 127.0.0.1.
type Config struct {
	Name         string // default "airplaytest"
	ID           string // 12 hexadecimal digits; default: made from the name
	Model        string // default "airplay2mqtt2,1"
	Manufacturer string
	Version      string // of AirPlay; default "366.0"
	Features     uint64 // default: those of shairport-sync
	Flags        uint64 // default 4
	// TXT overrides keys of the record; an empty value removes one.
	TXT map[string]string
	// Network is where it is. Nil: this machine.
	Network Network
	// Address is host and port to listen on. Default "127.0.0.1:0" on this
	// machine, ":0" on another Network.
	Address string

	// Secret is what transient pairing wants to know. Default "3939".
	Secret string
	// NotTransient refuses transient pairing with 470: Apple TV.
	NotTransient bool
	// PIN is shown to who asks for it; pairing with it is remembered.
	PIN string
	// Password is the secret of a whole pair-setup, without a PIN shown.
	Password string
	// Digest is a password that SETUP asks for by 401.
	Digest string
	// Closed refuses every pairing with 470: a HomePod for its home only.
	Closed bool
	// NeedsUserAgent answers 403 to pairing without one.
	NeedsUserAgent bool
	// NeedsClientName shows no PIN to who does not say his name: tvOS 27.
	NeedsClientName bool

	NoPTP, NoNTP bool // it does not keep time in that way
	NeverAsks    bool // it follows by PTP and does not ask: nqptp
	OwnClock     bool // it leads by PTP and follows nobody
	// ClockTakes is how long after its first question it knows the time.
	// Default 200 ms.
	ClockTakes time.Duration
	// AsksAfter is how long after SETPEERS it asks for the first time.
	AsksAfter time.Duration

	RecordFirst   bool          // silent unless RECORD came before the stream was set up
	MetadataFirst bool          // silent until it was told what is playing
	StrictAnchor  bool          // 400 to an anchor until it knows the time
	Noisy         bool          // a flush, or running dry, makes a noise: Log.Noises
	Deaf          bool          // the 200s of a receiver that plays nothing
	Buffer        time.Duration // more than this ahead is thrown away; default 2 s

	// Films says how it shows films. Nil: it shows none.
	Films *Films

	// Drop loses the nth audio packet that comes, from 0. It is called in order.
	Drop func(n int) bool
	// WrongProof cannot prove that it knows the secret: somebody in between.
	WrongProof bool
	// Raw are bytes by "METHOD" or "METHOD /uri" that are written instead of an
	// answer, unencrypted: hostile receivers.
	Raw map[string]string
	// Answers are statuses by "METHOD" or "METHOD /uri", instead of what it
	// would do.
	Answers map[string]int
	// Delays are how long it thinks about a method. Negative: for ever.
	Delays map[string]time.Duration
}

// sharedFeatures are those of shairport-sync: sound, metadata, unified media
// control, buffered sound, PTP, pairing without a PIN.
const sharedFeatures = 0x18340_405FCA00

func (c Config) withDefaults() Config {
	c.Name = cmp.Or(c.Name, "airplaytest")
	c.Model = cmp.Or(c.Model, "airplay2mqtt2,1")
	c.Version = cmp.Or(c.Version, "366.0")
	c.Features = cmp.Or(c.Features, sharedFeatures)
	c.Flags = cmp.Or(c.Flags, 4)
	sum := sha256.Sum256([]byte(c.Name))
	c.ID = cmp.Or(c.ID, fmt.Sprintf("02%X", sum[:5])) // a locally administered address
	c.Secret = cmp.Or(c.Secret, "3939")
	c.ClockTakes = cmp.Or(c.ClockTakes, 200*time.Millisecond)
	c.Buffer = cmp.Or(c.Buffer, 2*time.Second)
	if c.Address == "" && c.Network == nil {
		c.Address = "127.0.0.1:0"
	}
	c.Address = cmp.Or(c.Address, ":0")
	if c.Network == nil {
		c.Network = fake.Machine{}
	}
	return c
}

// txt returns the record of _airplay._tcp.
func (c Config) txt(key []byte) map[string]string {
	var mac []string
	for i := 0; i+2 <= len(c.ID); i += 2 {
		mac = append(mac, c.ID[i:i+2])
	}
	t := map[string]string{
		"deviceid": strings.Join(mac, ":"), "model": c.Model, "srcvers": c.Version, "manufacturer": c.Manufacturer,
		"features": fmt.Sprintf("0x%X,0x%X", uint32(c.Features), c.Features>>32), "flags": fmt.Sprintf("0x%x", c.Flags),
		"pk": fmt.Sprintf("%x", key), "pi": "b08f5a79-db29-4384-b456-a4784d9e6055", "protovers": "1.1",
	}
	maps.Copy(t, c.TXT)
	maps.DeleteFunc(t, func(_, v string) bool { return v == "" })
	return t
}

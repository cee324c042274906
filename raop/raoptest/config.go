package raoptest

import (
	"cmp"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"time"

	"airplay2mqtt/internal/fake"
	"airplay2mqtt/internal/legacy"
)

// A Network is where a receiver listens; a *memnet.Host is one.
type Network interface {
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
}

// Config says what kind of receiver it is. The zero value is an obedient one
// on a free port of 127.0.0.1.
type Config struct {
	Name  string // default "raoptest"
	ID    string // 12 hexadecimal digits; default: made from the name
	Model string // default "airplay2mqtt1,1"
	// TXT overrides keys of the record; an empty value removes one.
	TXT map[string]string
	// Network is where it is. Nil: this machine.
	Network Network
	// Address is host and port to listen on. Default "127.0.0.1:0" on this
	// machine, ":0" on another Network.
	Address string
	// OnFrames is given frames at the moment at which they are heard, in their
	// order. It must not block and must not keep the slice.
	OnFrames func(at time.Time, frames [][2]int16)
	// Keep is how much of what was heard is kept for Heard. Zero: 2 minutes.
	// Negative: nothing.
	Keep time.Duration

	// Password, if any, is asked for by digest. Challenge is the whole value
	// of WWW-Authenticate, to be odd with. UpperDigest wants the digits of an
	// AirPort Express of the first generation.
	Password, Challenge string
	UpperDigest         bool

	Busy           bool // 453 on ANNOUNCE: shairport-sync 3 and 4
	ResetsOnAccept bool // busy as shairport-sync 5 is
	Interruptible  bool // the second sender gets it, the first is hung up on: Apple TV

	AsksTimeAtSetup     bool // and answers 520 if nobody tells: HomePod
	NeverAsksTime       bool // as behind a firewall
	RecordWaitsForTime  bool // AirPort Express of the first generation
	IgnoresFirstReplies int  // timing replies that get lost on the way

	// Pairing makes it play only for whom it is paired with, in the way of
	// tvOS 10.2: 470 on ANNOUNCE for all others. Nil: it takes everybody.
	Pairing *legacy.Accessory
	// PairingUntold keeps it from announcing that: UxPlay.
	PairingUntold bool

	NeedsAuthSetup bool // 403 on ANNOUNCE before it: Sonos
	AuthSetupFails bool // 500 and hangs up: Marantz NR1506
	RefusesKeys    bool // 406: AirPort Express with firmware 7.8
	// Key is the private half of the key with which senders encrypt. NeedsKey
	// plays nothing else. Nil: encrypted sound is refused with 456.
	Key      *rsa.PrivateKey
	NeedsKey bool

	SessionID       string // default "1"; AirConnect: "DEADBEEF;timeout=60"
	NoContentLength bool   // shairport-sync 3 and 4
	WrongCSeq       bool   // Reflector, Airfoil
	Drips           bool   // sends every byte on its own
	LowerCase       bool   // names of headers
	ZeroTimingPort  bool   // Apple TV 4
	Jack            bool   // answers SETUP in the words of all but shairport-sync: AirPort Express
	AudioLatency    int    // frames; 0: 11025, negative: not told

	RefusesEarlyVolume bool          // before RECORD: Sonos
	OverwritesVolume   bool          // 5 ms after RECORD, by -24 dB: shairport-sync
	Mutes              int           // packets after RECORD and FLUSH; shairport-sync 3 and 4: 9
	Buffer             time.Duration // of its sound card: it asks for no packet later than that

	// Drop loses the nth audio packet that comes, from 0. It is called in order.
	Drop func(n int) bool
	// Answers are statuses by "METHOD" or "METHOD /uri", instead of what it
	// would do.
	Answers map[string]int
	// Delays are how long it thinks about a method. Negative: for ever.
	Delays map[string]time.Duration
	// Breaks are how it fails to answer a method.
	Breaks map[string]Break
	// HangsUpAfter ends the session by itself, that long after RECORD.
	HangsUpAfter time.Duration
	// SilenceLimit hangs up on who sends no sound for that long: shairport-sync
	// 3.3, two minutes.
	SilenceLimit time.Duration
	// QuietLimit hangs up on who asks nothing for that long: HomePod mini, 30 s.
	QuietLimit time.Duration
}

// A Break is a way to fail to answer. Never to answer is Config.Delays.
type Break int

const (
	// HangsUp closes the connection instead: what Marantz NR1506 does at
	// /auth-setup, and every receiver that is switched off.
	HangsUp Break = iota + 1
	// Garbage answers something that is no RTSP: what listens at a port that
	// is wrong, or AirPlay 2 receivers that want encryption.
	Garbage
	// Half answers the beginning, and nothing more: a receiver whose radio
	// has died, or that was paused in the middle of it.
	Half
	// HalfHangsUp answers the beginning and closes the connection: a receiver
	// that has crashed over the request.
	HalfHangsUp
)

func (c Config) withDefaults() Config {
	c.Name = cmp.Or(c.Name, "raoptest")
	c.Model = cmp.Or(c.Model, "airplay2mqtt1,1")
	sum := sha256.Sum256([]byte(c.Name))
	c.ID = cmp.Or(c.ID, fmt.Sprintf("02%X", sum[:5])) // a locally administered address
	c.Keep = cmp.Or(c.Keep, 2*time.Minute)
	c.SessionID = cmp.Or(c.SessionID, "1")
	c.AudioLatency = cmp.Or(c.AudioLatency, 11025)
	if c.Address == "" && c.Network == nil {
		c.Address = "127.0.0.1:0"
	}
	c.Address = cmp.Or(c.Address, ":0")
	if c.Network == nil {
		c.Network = fake.Machine{}
	}
	if c.Challenge == "" {
		c.Challenge = `Digest realm="raop", nonce="jpQdjBveIvw"`
	}
	return c
}

// txt returns the record of _raop._tcp.
func (c Config) txt() map[string]string {
	t := map[string]string{
		"txtvers": "1", "vn": "65537", "tp": "UDP", "ch": "2", "ss": "16", "sr": "44100",
		"cn": "0,1", "et": "0", "md": "0,1,2", "da": "true", "sv": "false", "sm": "false",
		"pw": "false", "sf": "0x4", "am": c.Model, "vs": "105.1", "fv": "1.0",
	}
	if c.Password != "" {
		t["pw"], t["sf"] = "true", "0x84"
	}
	switch {
	case c.NeedsKey:
		t["et"], t["ek"] = "1", "1"
	case c.Key != nil:
		t["et"], t["ek"] = "0,1", "1"
	case c.NeedsAuthSetup:
		t["et"], t["vs"], t["ft"] = "0,4", "366.0", "0x445F8A00,0x1C340"
	}
	if c.Pairing != nil {
		t["pk"], t["ft"] = hex.EncodeToString(c.Pairing.Key()), "0x5A7FFFF7,0xE"
		if !c.PairingUntold {
			t["sf"] = "0x204"
		}
	}
	if c.UpperDigest {
		delete(t, "da")
	}
	maps.Copy(t, c.TXT)
	maps.DeleteFunc(t, func(_, v string) bool { return v == "" })
	return t
}

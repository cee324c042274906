package hap

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/internal/rtsp"
)

// AccessoryConfig says what kind of receiver an Accessory is. The zero value
// takes transient pairing with NoPIN, and a PIN that nobody sees.
type AccessoryConfig struct {
	ID   string    // default "00:00:00:00:00:01"
	Seed []byte    // of its Ed25519 key; default: random
	Rand io.Reader // nil: crypto/rand

	// PIN is what it shows, or its password. Empty: a new one each time.
	PIN string
	// Show is given the PIN when the screen shows it.
	Show func(pin string)
	// Secret is what transient pairing wants. Default NoPIN. RefusesTransient
	// answers 470 to it, as an Apple TV does.
	Secret           string
	RefusesTransient bool

	NeedsUserAgent  bool // 403 without one: AirTunes 980
	NeedsClientName bool // shows no PIN without one: tvOS 27
	WrongProof      bool // an imposter
	WrongSignature  bool // another one
	// Errors are TLV errors by the answer that they come in, such as
	// "pair-setup M2": 3.
	Errors map[string]byte
	// BackOff is told with error 3.
	BackOff time.Duration
}

// An Accessory is a receiver's half of all pairings: for fakes, which are
// receivers in tests and demonstrations. Its methods may be called by any
// goroutine.
type Accessory struct {
	cfg AccessoryConfig
	key ed25519.PrivateKey

	mu    sync.Mutex
	pin   string
	known map[string][]byte // keys of paired senders, by their names
}

// NewAccessory makes one that is paired with nobody.
func NewAccessory(cfg AccessoryConfig) *Accessory {
	if cfg.ID == "" {
		cfg.ID = "00:00:00:00:00:01"
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Secret == "" {
		cfg.Secret = NoPIN
	}
	if cfg.Seed == nil {
		cfg.Seed = make([]byte, ed25519.SeedSize)
		rand.Read(cfg.Seed)
	}
	return &Accessory{cfg: cfg, key: ed25519.NewKeyFromSeed(cfg.Seed), pin: cfg.PIN, known: map[string][]byte{}}
}

// Key is its lasting public key, which it announces as "pk".
func (a *Accessory) Key() []byte { return a.key.Public().(ed25519.PublicKey) }

// Paired lists who is paired with it.
func (a *Accessory) Paired() map[string][]byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.known)
}

// Forget forgets all who are paired with it, as a factory reset does.
func (a *Accessory) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.known)
}

func (a *Accessory) learn(id string, key []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[id] = bytes.Clone(key)
}

func (a *Accessory) keyOf(id string) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[id]
}

// showPIN puts a PIN on the screen.
func (a *Accessory) showPIN() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cfg.PIN == "" {
		a.pin = digits(a.cfg.Rand)
	}
	if a.cfg.Show != nil {
		a.cfg.Show(a.pin)
	}
}

// digits draws a PIN.
func digits(random io.Reader) string {
	var b [4]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "0000"
	}
	for i := range b {
		b[i] = '0' + b[i]%10
	}
	return string(b[:])
}

func (a *Accessory) shown() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pin
}

// Connect begins a connection.
func (a *Accessory) Connect() *Peer { return &Peer{a: a} }

// A Peer is a connection to an Accessory. It belongs to the goroutine that
// serves the connection.
type Peer struct {
	a        *Accessory
	setup    *setupState
	verify   *verifyState
	keys     Keys
	finished bool
}

// Answer answers a request that is about pairing; ok is false for others.
func (p *Peer) Answer(req rtsp.Request) (resp rtsp.Response, ok bool) {
	if req.Method != "POST" {
		return rtsp.Response{}, false
	}
	switch req.URI {
	case pinPath, setupPath, verifyPath:
	default:
		return rtsp.Response{}, false
	}
	if p.a.cfg.NeedsUserAgent && !strings.HasPrefix(req.Header.Get("User-Agent"), "AirPlay/") {
		return rtsp.Response{Code: 403, Reason: "Forbidden"}, true
	}
	switch req.URI {
	case pinPath:
		if !p.a.cfg.NeedsClientName || req.Header.Get("X-Apple-Client-Name") != "" {
			p.a.showPIN()
		}
		return rtsp.Response{Code: 200, Reason: "OK"}, true
	case setupPath:
		return p.answerSetup(req), true
	}
	return p.answerVerify(req), true
}

// Finished returns the keys with which the connection is encrypted after the
// last answer, once, when a pairing has succeeded.
func (p *Peer) Finished() (keys Keys, ok bool) {
	ok, p.finished = p.finished, false
	return p.keys, ok
}

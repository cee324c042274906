package legacy

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha1"
	"fmt"
	"io"
	"sync"

	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
	"airplay2mqtt/internal/srp"
)

// AccessoryConfig says what kind of receiver an Accessory is. The zero value
// works.
type AccessoryConfig struct {
	Seed []byte    // of its Ed25519 key; default: random
	Rand io.Reader // nil: crypto/rand
	// PIN is what it shows. Empty: a new one each time.
	PIN string
	// Show is given the PIN when the screen shows it.
	Show           func(pin string)
	WrongProof     bool // an imposter
	WrongSignature bool // another one
	EmptyAnswers   bool // 200 without a body: UxPlay over HTTP/1.1
	LongProofs     bool // takes only proofs of 64 bytes: UxPlay 1.73.7
}

// An Accessory is a receiver's half: for fakes, which are receivers in tests
// and demonstrations. Its methods may be called by any goroutine.
type Accessory struct {
	cfg AccessoryConfig
	key ed25519.PrivateKey

	mu    sync.Mutex
	pin   string
	known map[string]bool // public keys of paired senders
}

// NewAccessory makes one that is paired with nobody.
func NewAccessory(cfg AccessoryConfig) *Accessory {
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Seed == nil {
		cfg.Seed = make([]byte, ed25519.SeedSize)
		rand.Read(cfg.Seed)
	}
	return &Accessory{cfg: cfg, key: ed25519.NewKeyFromSeed(cfg.Seed), pin: cfg.PIN, known: map[string]bool{}}
}

// Key is its lasting public key.
func (a *Accessory) Key() []byte { return a.key.Public().(ed25519.PublicKey) }

// Learn makes a sender known by its public key, as a setup does.
func (a *Accessory) Learn(key []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[string(key)] = true
}

// Forget forgets all who are paired with it.
func (a *Accessory) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.known)
}

func (a *Accessory) knows(key []byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[string(key)]
}

func (a *Accessory) showPIN() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cfg.PIN == "" {
		b := make([]byte, 2)
		rand.Read(b)
		a.pin = fmt.Sprintf("%04d", (int(b[0])<<8|int(b[1]))%10000)
	}
	if a.cfg.Show != nil {
		a.cfg.Show(a.pin)
	}
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
	a      *Accessory
	server *srp.Server
	secret []byte // after a right proof
	verify *verification
	proven bool
}

type verification struct{ ours, theirs, key, secret []byte }

// Verified tells whether the sender has shown on this connection that it is
// paired.
func (p *Peer) Verified() bool { return p.proven }

// Answer answers a request that is about pairing; ok is false for others.
func (p *Peer) Answer(req rtsp.Request) (resp rtsp.Response, ok bool) {
	switch {
	case req.Method != "POST":
		return rtsp.Response{}, false
	case req.URI == pinPath:
		p.a.showPIN()
		return body("", nil), true
	case req.URI == setupPath:
		return p.answerSetup(req.Body), true
	case req.URI == verifyPath && p.a.cfg.EmptyAnswers:
		return body("", nil), true
	case req.URI == verifyPath:
		return p.answerVerify(req.Body), true
	}
	return rtsp.Response{}, false
}

func body(kind string, b []byte) rtsp.Response {
	resp := rtsp.Response{Code: 200, Reason: "OK", Body: b}
	if kind != "" {
		resp.Header.Add("Content-Type", kind)
	}
	return resp
}

func list(d plist.Dict) rtsp.Response {
	b, err := plist.Marshal(d)
	if err != nil {
		return rtsp.Response{Code: 500, Reason: err.Error()}
	}
	return body(binaryPlist, b)
}

func refusal() rtsp.Response {
	return rtsp.Response{Code: 470, Reason: "Client Authentication Failure"}
}

func (p *Peer) answerSetup(in []byte) rtsp.Response {
	d, err := plist.UnmarshalDict(in)
	switch {
	case err != nil:
		return rtsp.Response{Code: 400, Reason: "Bad Request"}
	case d.Text("method") == "pin":
		salt := make([]byte, 16)
		if _, err := io.ReadFull(p.a.cfg.Rand, salt); err != nil {
			return refusal()
		}
		if p.server, err = srp.Legacy.NewServer(d.Text("user"), p.a.shown(), salt, p.a.cfg.Rand); err != nil {
			return refusal()
		}
		return list(plist.Dict{"pk": p.server.Public, "salt": salt})
	case d.Bytes("proof") != nil && p.server != nil:
		return p.checkProof(d)
	case d.Bytes("epk") != nil && p.secret != nil:
		return p.swap(d)
	}
	return refusal()
}

const longProof = 64

func (p *Peer) checkProof(d plist.Dict) rtsp.Response {
	theirs := d.Bytes("proof")
	if p.a.cfg.LongProofs {
		if len(theirs) != longProof {
			resp := refusal()
			resp.Header.Add("Server", uxPlay)
			return resp
		}
		theirs = theirs[:sha1.Size]
	}
	proof, err := p.server.Answer(d.Bytes("pk"), theirs)
	if err != nil {
		p.server = nil
		return refusal()
	}
	p.secret = p.server.Key
	if p.a.cfg.WrongProof {
		proof[0]++
	}
	return list(plist.Dict{"proof": proof})
}

func (p *Peer) swap(d plist.Dict) rtsp.Response {
	aead, nonce := setupCipher(p.secret, 1)
	key, err := aead.Open(nil, nonce, append(d.Bytes("epk"), d.Bytes("authTag")...), nil)
	if err != nil {
		return refusal()
	}
	p.a.Learn(key)
	aead, nonce = setupCipher(p.secret, 2)
	sealed := aead.Seal(nil, nonce, p.a.Key(), nil)
	return list(plist.Dict{"epk": sealed[:keySize], "authTag": sealed[keySize:]})
}

func (p *Peer) answerVerify(in []byte) rtsp.Response {
	switch {
	case len(in) == headerSize+2*keySize && in[0] == 1:
		return p.verify1(in[headerSize:])
	case len(in) == headerSize+ed25519.SignatureSize && in[0] == 0 && p.verify != nil:
		return p.verify2(bytes.Clone(in[headerSize:]))
	}
	return refusal()
}

func (p *Peer) verify1(in []byte) rtsp.Response {
	v := &verification{theirs: bytes.Clone(in[:keySize]), key: bytes.Clone(in[keySize:])}
	seed := make([]byte, keySize)
	if _, err := io.ReadFull(p.a.cfg.Rand, seed); err != nil || !p.a.knows(v.key) {
		return refusal()
	}
	private, err := ecdh.X25519().NewPrivateKey(seed)
	if err != nil {
		return refusal()
	}
	if v.secret, err = agree(private, v.theirs); err != nil {
		return refusal()
	}
	v.ours = private.PublicKey().Bytes()
	signature := ed25519.Sign(p.a.key, append(bytes.Clone(v.ours), v.theirs...))
	if p.a.cfg.WrongSignature {
		signature[0]++
	}
	verifyStream(v.secret).XORKeyStream(signature, signature)
	p.verify = v
	return body("application/octet-stream", append(bytes.Clone(v.ours), signature...))
}

func (p *Peer) verify2(signature []byte) rtsp.Response {
	v := p.verify
	stream := verifyStream(v.secret)
	skipped := make([]byte, ed25519.SignatureSize)
	stream.XORKeyStream(skipped, skipped)
	stream.XORKeyStream(signature, signature)
	if !ed25519.Verify(v.key, append(bytes.Clone(v.theirs), v.ours...), signature) {
		return refusal()
	}
	p.proven = true
	return body("", nil)
}

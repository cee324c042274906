// Package hap pairs with receivers of AirPlay 2 as HomeKit does, and encrypts
// what is said to them afterwards.
//
//	c := hap.Controller{Post: post, Name: "Living room bridge"}
//	keys, err := c.Transient(ctx, hap.NoPIN)  // anew for each connection
//
//	credentials, err := c.Setup(ctx, askForPIN) // once
//	keys, err = c.Verify(ctx, credentials)      // on each connection
//
//	conn.Encrypt(keys.Control())
//
// How the bytes go to the receiver is the Post's business, so that a pairing
// can be done over RTSP and over HTTP. What is known of the protocol stands in
// docs/protocols/airplay2.md, pairing.
package hap

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"fmt"
	"io"
	"strconv"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/rtsp"
	"airplay2mqtt/internal/tlv8"
)

// The tags of TLV8 items.
const (
	tagMethod     = 0x00
	tagIdentifier = 0x01
	tagSalt       = 0x02
	tagPublicKey  = 0x03
	tagProof      = 0x04
	tagEncrypted  = 0x05
	tagState      = 0x06
	tagError      = 0x07
	tagRetryDelay = 0x08
	tagSignature  = 0x0a
	tagName       = 0x11
	tagFlags      = 0x13
)

const flagTransient = 0x10

// The values of X-Apple-HKP.
const (
	hkpPaired    = 3
	hkpTransient = 4
)

// NoPIN is the secret of those who want none.
const NoPIN = "3939"

// A Controller pairs. It is used for one connection.
type Controller struct {
	// Post asks the receiver.
	Post pairing.Post
	// Name is what the receiver may show of us. Empty: it is not told.
	Name string
	// Rand is where keys come from. Nil: crypto/rand.
	Rand io.Reader
}

func (c Controller) random() io.Reader {
	if c.Rand == nil {
		return rand.Reader
	}
	return c.Rand
}

// draw returns n random bytes.
func (c Controller) draw(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(c.random(), b); err != nil {
		return nil, fmt.Errorf("random numbers: %w", err)
	}
	return b, nil
}

// header is that of pairing requests of a kind.
func (c Controller) header(hkp int) rtsp.Header {
	h := rtsp.Header{
		{Name: "Content-Type", Value: "application/octet-stream"},
		{Name: "X-Apple-HKP", Value: strconv.Itoa(hkp)},
	}
	if c.Name != "" {
		// tvOS 27 shows no PIN without it (postlund/pyatv#2866).
		h.Add("X-Apple-Client-Name", c.Name)
	}
	return h
}

// An exchange is one pairing: the messages of a path in their order.
type exchange struct {
	c    Controller
	path string // "/pair-setup"
	hkp  int
	sent byte // number of the message that was sent last
}

// step names a message in errors: "pair-setup M2".
func (x *exchange) step(state byte) string { return fmt.Sprintf("%s M%d", x.path[1:], state) }

// ask sends the next message and returns the one that answers it.
func (x *exchange) ask(ctx context.Context, items ...tlv8.Item) (tlv8.Items, error) {
	state := x.sent + 1
	x.sent += 2
	message := append(tlv8.Items{{Tag: tagState, Value: []byte{state}}}, items...)
	resp, err := x.c.Post(ctx, x.path, x.c.header(x.hkp), message.AppendTo(nil))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", x.step(state), err)
	}
	step := x.step(state + 1)
	if err := pairing.Check(step, resp); err != nil {
		return nil, err
	}
	if len(resp.Body) == 0 {
		return nil, &pairing.Error{Step: step, Reason: pairing.NotSpoken, Code: resp.Code, Detail: "an empty answer"}
	}
	answer, err := tlv8.Unmarshal(resp.Body)
	if err != nil {
		return nil, pairing.Nonsense(step, "%v", err)
	}
	if answer.Has(tagError) {
		return nil, x.refusal(step, answer)
	}
	if n, ok := answer.Number(tagState); ok && n != uint64(state+1) {
		return nil, pairing.Nonsense(step, "it is at M%d", n)
	}
	return answer, nil
}

// errorCodes are the values of tagError.
var errorCodes = map[uint64]pairing.Reason{
	2: pairing.WrongSecret, 3: pairing.BackOff, 4: pairing.MaxPeers,
	5: pairing.MaxTries, 6: pairing.Unavailable, 7: pairing.Busy,
}

// maxWait bounds what a receiver may ask us to wait.
const maxWait = 24 * time.Hour

// refusal makes an error of what a receiver says in a 200.
func (x *exchange) refusal(step string, answer tlv8.Items) error {
	n, _ := answer.Number(tagError)
	e := &pairing.Error{Step: step, Reason: errorCodes[n], Code: 200}
	if e.Reason == pairing.WrongSecret && x.path == verifyPath {
		e.Reason = pairing.Forgotten
	}
	if delay, ok := answer.Number(tagRetryDelay); ok {
		e.Wait = time.Duration(min(delay, uint64(maxWait/time.Second))) * time.Second
	}
	return e
}

// derive makes a key of a secret.
func derive(secret []byte, salt, info string) []byte {
	key, err := hkdf.Key(sha512.New, secret, []byte(salt), info, chacha20poly1305.KeySize)
	if err != nil {
		panic("hap: " + err.Error()) // the length is ours and right
	}
	return key
}

// seal and open encrypt the one message that a key and a nonce are for.
func seal(key []byte, nonce string, items tlv8.Items) []byte {
	return aead(key).Seal(nil, messageNonce(nonce), items.AppendTo(nil), nil)
}

func open(step string, key []byte, nonce string, sealed []byte) (tlv8.Items, error) {
	plain, err := aead(key).Open(nil, messageNonce(nonce), sealed, nil)
	if err != nil {
		return nil, &pairing.Error{Step: step, Reason: pairing.Imposter, Code: 200, Detail: "what it encrypted cannot be read"}
	}
	items, err := tlv8.Unmarshal(plain)
	if err != nil {
		return nil, pairing.Nonsense(step, "%v", err)
	}
	return items, nil
}

func messageNonce(name string) []byte { return append(make([]byte, 4), name...) }

// signed tells whether a signature is over the parts, one behind the other.
func signed(key, signature []byte, parts ...[]byte) bool {
	return len(key) == ed25519.PublicKeySize && len(signature) == ed25519.SignatureSize &&
		ed25519.Verify(key, bytes.Join(parts, nil), signature)
}

// agree makes the secret that both know of a private and a public key.
func agree(private *ecdh.PrivateKey, public []byte) ([]byte, error) {
	key, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	return private.ECDH(key)
}

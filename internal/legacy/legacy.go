// Package legacy pairs with receivers in the way of tvOS 10.2, the "device
// authentication" of AirPlay 1: a PIN once, a proof on every connection, and
// nothing is encrypted.
//
//	c := legacy.Controller{Post: post}
//	credentials, err := c.Setup(ctx, askForPIN) // once
//	err = c.Verify(ctx, credentials)            // on each connection
//
// What is known of the protocol stands in docs/protocols/airplay2.md, legacy
// pairing.
package legacy

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha512"
	"fmt"
	"io"

	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

const (
	pinPath    = "/pair-pin-start"
	setupPath  = "/pair-setup-pin"
	verifyPath = "/pair-verify"
)

// A Controller pairs. It is used for one connection.
type Controller struct {
	// Post asks the receiver. UxPlay answers only under RTSP/1.0.
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

func (c Controller) draw(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(c.random(), b); err != nil {
		return nil, fmt.Errorf("random numbers: %w", err)
	}
	return b, nil
}

// ask posts a body and takes nothing but 200 for an answer.
func (c Controller) ask(ctx context.Context, step, path, kind string, body []byte) ([]byte, error) {
	header := rtsp.Header{{Name: "Content-Type", Value: kind}}
	if c.Name != "" && path == pinPath {
		header.Add("X-Apple-Client-Name", c.Name)
	}
	resp, err := c.Post(ctx, path, header, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", step, err)
	}
	return resp.Body, pairing.Check(step, resp)
}

const binaryPlist = "application/x-apple-binary-plist"

// askList posts a property list and returns the one that answers it.
func (c Controller) askList(ctx context.Context, step string, list plist.Dict) (plist.Dict, error) {
	body, err := plist.Marshal(list)
	if err != nil {
		return nil, err
	}
	answer, err := c.ask(ctx, step, setupPath, binaryPlist, body)
	if err != nil {
		return nil, err
	}
	if len(answer) == 0 {
		return nil, &pairing.Error{Step: step, Reason: pairing.NotSpoken, Code: 200, Detail: "an empty answer"}
	}
	d, err := plist.UnmarshalDict(answer)
	if err != nil {
		return nil, pairing.Nonsense(step, "%v", err)
	}
	return d, nil
}

// digest is the first half of SHA-512 over a label and a secret.
func digest(label string, secret []byte) []byte {
	h := sha512.New()
	io.WriteString(h, label)
	h.Write(secret)
	return h.Sum(nil)[:aes.BlockSize]
}

// setupCipher is with what the nth message of a setup is encrypted, from 1: the
// last byte of the nonce counts up.
func setupCipher(secret []byte, n byte) (aead cipher.AEAD, nonce []byte) {
	nonce = digest("Pair-Setup-AES-IV", secret)
	nonce[len(nonce)-1] += n
	aead, err := cipher.NewGCMWithNonceSize(block(digest("Pair-Setup-AES-Key", secret)), len(nonce))
	if err != nil {
		panic("legacy: " + err.Error()) // lengths are ours and right
	}
	return aead, nonce
}

// verifyStream encrypts both signatures of a verification, one behind the other.
func verifyStream(secret []byte) cipher.Stream {
	return cipher.NewCTR(block(digest("Pair-Verify-AES-Key", secret)), digest("Pair-Verify-AES-IV", secret))
}

func block(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic("legacy: " + err.Error()) // lengths are ours and right
	}
	return b
}

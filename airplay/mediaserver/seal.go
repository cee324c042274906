package mediaserver

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
)

// A seal makes names of addresses, of which nobody else can make any, and which
// tell nothing. One address always has the same name, since players know a
// piece of film by that.
type seal struct {
	aead cipher.AEAD
	key  []byte // from which nonces are made
}

// newSeal makes one with random keys; nil: from crypto/rand.
func newSeal(random io.Reader) (*seal, error) {
	keys := make([]byte, 64)
	if _, err := io.ReadFull(orRandom(random), keys); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(keys[:32])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &seal{aead: aead, key: keys[32:]}, err
}

// name seals an address. The nonce is made from it, so that no two addresses
// share one.
func (s *seal) name(address, ending string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(address))
	nonce := mac.Sum(nil)[:s.aead.NonceSize()]
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, []byte(address), nil)) + ending
}

// open is the address of a name without its ending.
func (s *seal) open(name string) (address string, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(name)
	if err != nil || len(b) < s.aead.NonceSize() {
		return "", false
	}
	n := s.aead.NonceSize()
	plain, err := s.aead.Open(nil, b[:n], b[n:], nil)
	return string(plain), err == nil
}

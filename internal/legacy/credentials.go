package legacy

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// idSize is how many bytes the name by which a receiver knows us stands for.
const idSize = 8

// Credentials are what a receiver and we know of each other after Setup.
type Credentials struct {
	ID   string // ours, 16 hexadecimal digits in upper case
	Seed []byte // of our Ed25519 key, 32 bytes
	// ReceiverKey is the receiver's Ed25519 key. Nil: not known, as with
	// credentials that other programs made; it is not checked then.
	ReceiverKey []byte
}

// ErrCredentials is wrapped by errors for what are no credentials.
var ErrCredentials = errors.New("no credentials")

func (c Credentials) check() error {
	if id, err := hex.DecodeString(c.ID); err != nil || len(id) != idSize || len(c.Seed) != ed25519.SeedSize ||
		c.ReceiverKey != nil && len(c.ReceiverKey) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: an identifier of 16 digits and a key of 64 are wanted", ErrCredentials)
	}
	return nil
}

// String writes them as pyatv does, IDENTIFIER:SEED. The receiver's key has no
// place in it.
func (c Credentials) String() string { return fmt.Sprintf("%s:%X", c.ID, c.Seed) }

// ParseCredentials reads what String writes. The error does not repeat it.
func ParseCredentials(s string) (Credentials, error) {
	id, digits, _ := strings.Cut(strings.TrimSpace(s), ":")
	seed, err := hex.DecodeString(digits)
	if err != nil {
		return Credentials{}, fmt.Errorf("%w: the second field is not hexadecimal", ErrCredentials)
	}
	c := Credentials{ID: strings.ToUpper(id), Seed: seed}
	return c, c.check()
}

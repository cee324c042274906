package hap

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Credentials are what a receiver and we know of each other after Setup.
type Credentials struct {
	ReceiverKey []byte // Ed25519, 32 bytes
	Seed        []byte // of our Ed25519 key, 32 bytes
	ReceiverID  string
	ID          string // ours
}

// ErrCredentials is wrapped by errors for what are no credentials.
var ErrCredentials = errors.New("no credentials")

// maxID is how long an identifier may be; UUIDs have 36 bytes.
const maxID = 255

func (c Credentials) check() error {
	if len(c.ReceiverKey) != ed25519.PublicKeySize || len(c.Seed) != ed25519.SeedSize ||
		c.ID == "" || c.ReceiverID == "" || len(c.ID) > maxID || len(c.ReceiverID) > maxID {
		return fmt.Errorf("%w: four fields are wanted, two keys of 64 digits and two names", ErrCredentials)
	}
	return nil
}

// String writes them as pyatv does: the receiver's key, our seed, the
// receiver's name and ours, in hexadecimal digits with colons between.
func (c Credentials) String() string {
	return fmt.Sprintf("%x:%x:%x:%x", c.ReceiverKey, c.Seed, c.ReceiverID, c.ID)
}

// ParseCredentials reads what String writes. The error does not repeat it.
func ParseCredentials(s string) (Credentials, error) {
	fields := strings.Split(strings.TrimSpace(s), ":")
	if len(fields) != 4 {
		return Credentials{}, fmt.Errorf("%w: four fields are wanted, and there are %d", ErrCredentials, len(fields))
	}
	var b [4][]byte
	for i, f := range fields {
		var err error
		if b[i], err = hex.DecodeString(f); err != nil {
			return Credentials{}, fmt.Errorf("%w: field %d is not hexadecimal", ErrCredentials, i+1)
		}
	}
	c := Credentials{ReceiverKey: b[0], Seed: b[1], ReceiverID: string(b[2]), ID: string(b[3])}
	if err := c.check(); err != nil {
		return Credentials{}, err
	}
	return c, nil
}

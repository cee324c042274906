package airplay

import (
	"errors"
	"fmt"
	"strings"

	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/legacy"
)

// Credentials are what a receiver and we know of each other after a pairing
// by PIN. The zero value is none. They are secret: who has them can play.
type Credentials struct {
	// ID is our name. After a pairing in the older way it has 16 hexadecimal
	// digits.
	ID string
	// Seed is that of our Ed25519 key, 32 bytes.
	Seed []byte
	// ReceiverID is the receiver's name. Empty: paired in the older way.
	ReceiverID string
	// ReceiverKey is its Ed25519 key, 32 bytes. After a pairing in the older
	// way it may be nil: not known, and not checked then.
	ReceiverKey []byte
}

// ErrCredentials is wrapped by errors for what are no credentials.
var ErrCredentials = errors.New("no credentials: two fields (IDENTIFIER:SEED) or four, in hexadecimal digits, are wanted")

// None tells whether there are none.
func (c Credentials) None() bool { return c.ID == "" }

// Legacy tells whether they are of a pairing in the older way, for AirPlay 1.
func (c Credentials) Legacy() bool { return c.ID != "" && c.ReceiverID == "" }

// Text writes them as pyatv does, so that they can be taken along: four fields
// in hexadecimal digits, which are the receiver's key, our seed, its name and
// ours; or IDENTIFIER:SEED for the older way, in which the receiver's key has
// no place.
func (c Credentials) Text() string {
	switch {
	case c.None():
		return ""
	case c.Legacy():
		return legacy.Credentials{ID: c.ID, Seed: c.Seed}.String()
	}
	return hap.Credentials{ReceiverKey: c.ReceiverKey, Seed: c.Seed, ReceiverID: c.ReceiverID, ID: c.ID}.String()
}

// String hides them, so that no log holds them by accident.
func (c Credentials) String() string {
	switch {
	case c.None():
		return "none"
	case c.Legacy():
		return "legacy credentials"
	}
	return "credentials"
}

// GoString is String.
func (c Credentials) GoString() string { return c.String() }

// ParseCredentials reads what Text writes, and pyatv. The error does not
// repeat it.
func ParseCredentials(s string) (Credentials, error) {
	if strings.Count(s, ":") == 1 {
		l, err := legacy.ParseCredentials(s)
		if err != nil {
			return Credentials{}, fmt.Errorf("%w (%w)", ErrCredentials, err)
		}
		return Credentials{ID: l.ID, Seed: l.Seed}, nil
	}
	h, err := hap.ParseCredentials(s)
	if err != nil {
		return Credentials{}, fmt.Errorf("%w (%w)", ErrCredentials, err)
	}
	return Credentials{ID: h.ID, Seed: h.Seed, ReceiverID: h.ReceiverID, ReceiverKey: h.ReceiverKey}, nil
}

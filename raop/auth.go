package raop

import (
	"slices"
	"strings"

	"airplay2mqtt/internal/features"
)

// Auth is the way by which a receiver is told that it may trust us.
type Auth string

// The ways. AuthSetup is a request in front of everything else, whose answer
// nobody checks; after it the sound goes unencrypted, as with AuthNone.
const (
	AuthNone  Auth = "none"
	AuthSetup Auth = "auth-setup"
	AuthRSA   Auth = "rsa"
)

// Auth returns the way to begin with, and why. If the receiver refuses it,
// Dial tries the others where that makes sense. See docs/protocols/raop.md,
// which authentication.
func (i Info) Auth() (way Auth, reason string) {
	et := i.Encryption
	model := strings.ToLower(i.Model)
	maker := strings.ToLower(i.Manufacturer)
	switch {
	case et.Has(EncryptionMFi) && strings.HasPrefix(model, "airport"):
		return AuthSetup, "an AirPort Express with MFi refuses ANNOUNCE without /auth-setup"
	case et.Has(EncryptionMFi) && (strings.Contains(maker, "sonos") || strings.Contains(maker, "ikea")):
		return AuthSetup, "Sonos and IKEA refuse ANNOUNCE without /auth-setup"
	case et.Has(EncryptionMFi) && i.version() > 0 && i.version() < 200:
		return AuthNone, "an older amplifier, which /auth-setup can silence"
	case features.Set(i.Features).Has(features.MFi):
		return AuthSetup, "its features say MFi authentication"
	case et.Has(EncryptionRSA) && i.Model == "":
		return AuthRSA, "an AirPort Express of the first generation"
	case et.Has(EncryptionRSA) && strings.HasPrefix(model, "airport4"):
		return AuthRSA, "an AirPort Express of the second generation"
	case et.Has(EncryptionRSA) && !et.Has(EncryptionNone):
		return AuthRSA, "it takes encrypted sound only"
	case et == 0:
		return AuthNone, "it does not say what it wants"
	}
	return AuthNone, "it takes unencrypted sound"
}

// another returns the way to try when ANNOUNCE was refused with that status,
// if there is one that was not tried yet.
func (i Info) another(code int, tried []Auth) (Auth, bool) {
	last := tried[len(tried)-1]
	var order []Auth
	switch {
	case code < 400 || code >= 500 || code == 401 || code == 453 || code == 470:
		return "", false
	case last == AuthRSA:
		order = []Auth{AuthNone, AuthSetup}
	case code == 403 && last == AuthNone:
		order = []Auth{AuthSetup, AuthRSA}
	case last == AuthNone:
		order = []Auth{AuthRSA, AuthSetup}
	default:
		order = []Auth{AuthNone, AuthRSA}
	}
	for _, way := range order {
		if i.allows(way) && !slices.Contains(tried, way) {
			return way, true
		}
	}
	return "", false
}

// allows tells whether a way is worth trying after another was refused: keys
// are never sent to who says that it does not want them.
func (i Info) allows(way Auth) bool {
	return way != AuthRSA || i.Encryption == 0 || i.Encryption.Has(EncryptionRSA)
}

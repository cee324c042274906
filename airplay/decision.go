package airplay

import "bytes"

// Protocol is one of the two that AirPlay is.
type Protocol string

// The protocols. AutoProtocol leaves the choice to Decide.
const (
	AutoProtocol Protocol = ""
	AirPlay1     Protocol = "airplay1"
	AirPlay2     Protocol = "airplay2"
)

// What a sender with stored credentials does, besides the ways of Pairing.
const (
	VerifiedPairing Pairing = "verify"        // it shows that it is paired, and all is encrypted
	LegacyVerified  Pairing = "legacy_verify" // it shows that it is paired, in the older way
)

// Known is what a sender has of a receiver besides what that says of itself.
type Known struct {
	// Credentials are those of an earlier pairing. Zero: none.
	Credentials Credentials
	// Key is the key that the receiver announced when it was paired. Nil: not
	// known.
	Key []byte
	// Password is that of the configuration. Empty: none.
	Password string
	// Protocol is what the configuration demands. Empty: neither.
	Protocol Protocol
}

// A Decision is how a sender is going to prove itself.
type Decision struct {
	Protocol Protocol
	Pairing  Pairing
	// Missing tells that it cannot be done yet: somebody has to type a PIN, or
	// to configure a password, or nothing helps.
	Missing bool
	// KeyChanged tells that the receiver announces another key than when it
	// was paired: it was reset, or is another device. Its credentials are not
	// used.
	KeyChanged bool
	// Why says it all in a sentence for people.
	Why string
}

// Decide chooses by which protocol and in which way to prove ourselves to a
// receiver. It follows docs/protocols/airplay2.md, decision table; a receiver
// may still answer otherwise (see Refused).
func Decide(i Info, k Known) Decision {
	d := Decision{Protocol: k.Protocol}
	if d.Protocol == AutoProtocol {
		d.Protocol = AirPlay1
		if ok, _ := i.AirPlay2(); ok {
			d.Protocol = AirPlay2
		}
	}
	d.KeyChanged = !k.Credentials.None() && k.Key != nil && i.PublicKey != nil && !bytes.Equal(k.Key, i.PublicKey)
	switch {
	case d.KeyChanged:
		d.Pairing, _ = i.Pairing()
		d.Missing = true
		d.Why = "it announces another key than when it was paired: it was reset, or is another device; pair again if that is right"
		return d
	case k.Credentials.Legacy() && d.Protocol == AirPlay1:
		d.Pairing, d.Why = LegacyVerified, "it was paired in the older way"
		return d
	case !k.Credentials.None() && !k.Credentials.Legacy() && d.Protocol == AirPlay2:
		d.Pairing, d.Why = VerifiedPairing, "it was paired"
		return d
	}
	d.Pairing, d.Why = i.pairingBy(d.Protocol)
	d.Missing = d.Pairing == Unsupported || d.Pairing.NeedsUser() || d.Pairing.NeedsPassword() && k.Password == ""
	return d
}

// Refused decides anew after the receiver refused a decision because it wants
// a PIN (470, or an error within pairing): what looked open is not. It is
// false where that is no news.
func (d Decision) Refused() (Decision, bool) {
	next := d
	next.Missing = true
	switch d.Pairing {
	case TransientPairing, PasswordPairing:
		next.Pairing, next.Why = PINPairing, "it refused everybody's pairing: it wants the PIN that it shows"
	case VerifiedPairing:
		next.Pairing, next.Why = PINPairing, "it does not know the pairing any more: pair again with the PIN that it shows"
	case NoPairing, AuthSetup, Digest:
		if d.Protocol == AirPlay2 {
			next.Pairing, next.Why = PINPairing, "it refused: it wants the PIN that it shows"
			break
		}
		next.Pairing, next.Why = LegacyPairing, "it refused: it wants to be paired with the PIN that it shows, in the older way"
	case LegacyVerified:
		next.Pairing, next.Why = LegacyPairing, "it does not know the pairing any more: pair again with the PIN that it shows"
	default:
		return d, false
	}
	return next, true
}

package airplay

import (
	"regexp"

	"airplay2mqtt/internal/features"
)

// Pairing is how a receiver wants a sender to prove itself.
type Pairing string

// How receivers want senders to prove themselves.
const (
	NoPairing        Pairing = "none"         // it takes anybody
	TransientPairing Pairing = "transient"    // without a PIN, anew for each connection
	PINPairing       Pairing = "pin"          // once, with the PIN that it shows
	PINEachTime      Pairing = "pin_always"   // at each session, with the PIN that it shows
	LegacyPairing    Pairing = "legacy_pin"   // once, in the older way of Apple TV 3 and 4
	PasswordPairing  Pairing = "password"     // AirPlay 2, with its password
	Digest           Pairing = "digest"       // AirPlay 1, with its password
	AuthSetup        Pairing = "auth_setup"   // AirPlay 1, asked for its certificate, which is not looked at
	ExperimentalPIN  Pairing = "pin_untested" // a Mac: a PIN may work, once
	Unsupported      Pairing = "unsupported"  // it takes only those whom an Apple account or home names
)

// NeedsUser tells whether somebody has to read a PIN and type it.
func (p Pairing) NeedsUser() bool {
	switch p {
	case PINPairing, PINEachTime, LegacyPairing, ExperimentalPIN:
		return true
	}
	return false
}

// NeedsPassword tells whether a password has to be known.
func (p Pairing) NeedsPassword() bool { return p == PasswordPairing || p == Digest }

var mac = regexp.MustCompile(`^Mac\d+,\d+$`)

// Pairing tells how the receiver wants a sender without stored credentials to
// prove itself, and why that is thought, in a sentence for people. It follows
// docs/protocols/airplay2.md, decision table; a receiver may still answer
// otherwise.
func (i Info) Pairing() (kind Pairing, why string) {
	if ok, _ := i.AirPlay2(); ok {
		return i.pairingBy(AirPlay2)
	}
	return i.pairingBy(AirPlay1)
}

// CanPair tells whether it is worth offering to pair with the receiver by
// PIN, also where it does not ask for it.
func (i Info) CanPair() bool {
	kind, _ := i.Pairing()
	return kind.NeedsUser() || i.PublicKey != nil && features.Set(i.Features).Has(features.LegacyPairing) && kind != Unsupported
}

func (i Info) pairingBy(p Protocol) (kind Pairing, why string) {
	switch {
	case mac.MatchString(i.Model):
		return ExperimentalPIN, "it is a Mac: pairing with the PIN that it shows may work, but not always a second time"
	case i.Access == HomeMembers:
		return Unsupported, "it takes only members of its Apple home; " +
			"in the Home app, set Allow Speaker & TV Access to Everyone or Anyone on the Same Network"
	case i.Access == CurrentUser:
		return Unsupported, "it takes only the person whose Apple account it has; " +
			"in its AirPlay settings, allow Everyone or Anyone on the Same Network"
	}
	if p == AirPlay2 {
		return i.pairing2()
	}
	return i.pairing1()
}

// pairing2 decides for AirPlay 2.
func (i Info) pairing2() (Pairing, string) {
	flags := features.Flags(i.Flags)
	switch {
	case i.wantsPIN(features.PairOnce):
		return PINPairing, "it wants to be paired once, with the PIN that it shows"
	case i.wantsPIN(features.PINRequired):
		return PINEachTime, "it shows a new PIN for each session"
	case i.Password:
		return PasswordPairing, "it wants its password"
	case flags.Has(features.PairOnce) || flags.Has(features.PINRequired):
		return PasswordPairing, "it speaks of a PIN, but has no key to be paired with: it means its password"
	}
	f := features.Set(i.Features)
	if f.Has(features.TransientPairing) || f.Has(features.SystemPairing) || f.Has(features.HomeKitPairing) {
		return TransientPairing, "it takes everybody, paired anew for each connection"
	}
	return NoPairing, "it takes everybody"
}

// pairing1 decides for AirPlay 1.
func (i Info) pairing1() (Pairing, string) {
	flags := features.Flags(i.Flags)
	pin := flags.Has(features.PairOnce) || flags.Has(features.PINRequired)
	switch {
	case i.wantsPIN(features.PairOnce) || i.wantsPIN(features.PINRequired):
		return LegacyPairing, "it wants to be paired once, with the PIN that it shows, in the older way"
	case i.Password:
		return Digest, "it wants its password"
	case pin:
		return Digest, "it speaks of a PIN, but has no key to be paired with: it means its password"
	case i.AuthSetup:
		return AuthSetup, "it wants to be asked for its certificate before it takes sound"
	case features.Set(i.Features).Has(features.LegacyPairing) && i.PublicKey != nil:
		return NoPairing, "it takes everybody; if it refuses, it wants to be paired with the PIN that it shows"
	}
	return NoPairing, "it takes everybody"
}

// wantsPIN tells whether a flag that speaks of a PIN is to be believed. An
// AirPort Express with a password for its speakers sets them and has no key:
// it means the password (docs/protocols/raop.md, TXT keys).
func (i Info) wantsPIN(flag features.Flags) bool {
	return i.PublicKey != nil && features.Flags(i.Flags).Has(flag)
}

// Package features names the bits in which AirPlay devices say what they can
// do and how they are: "features" or "ft", and "flags" or "sf", in TXT records.
//
// Names and meanings: docs/protocols/raop.md, feature bits and status flags.
package features

import (
	"strconv"
	"strings"
)

// A Set is the feature bits of a device; zero is "said nothing".
type Set uint64

// The feature bits that a sender decides on.
const (
	Video            Set = 1 << 0
	HLS              Set = 1 << 4
	Audio            Set = 1 << 9
	Artwork          Set = 1 << 15
	Progress         Set = 1 << 16
	Text             Set = 1 << 17
	RSA              Set = 1 << 23
	MFi              Set = 1 << 26
	LegacyPairing    Set = 1 << 27
	UnifiedMedia     Set = 1 << 38
	BufferedAudio    Set = 1 << 40
	PTP              Set = 1 << 41
	SystemPairing    Set = 1 << 43
	HomeKitPairing   Set = 1 << 46
	TransientPairing Set = 1 << 48
	VideoV2          Set = 1 << 49
	NowPlaying       Set = 1 << 50
)

// Has tells whether all bits of want are set.
func (s Set) Has(want Set) bool { return s&want == want }

// Flags are the status bits of a device.
type Flags uint64

// The status bits that a sender decides on.
const (
	PINRequired      Flags = 1 << 3
	PasswordRequired Flags = 1 << 7
	PairOnce         Flags = 1 << 9
	PairLeader       Flags = 1 << 13
	BuddyUnreachable Flags = 1 << 14
	SessionActive    Flags = 1 << 17
)

// Has tells whether all bits of want are set.
func (f Flags) Has(want Flags) bool { return f&want == want }

// Parse reads "0xLOW", "0xLOW,0xHIGH" and the same with blanks and in either
// case. What is malformed counts as no bits: a record from the network must
// not keep a device from being shown.
func Parse(s string) Set {
	low, high, _ := strings.Cut(s, ",")
	return Set(parse(low, 32) | parse(high, 32)<<32)
}

// ParseFlags reads "0x4". What is malformed counts as no bits.
func ParseFlags(s string) Flags { return Flags(parse(s, 64)) }

func parse(s string, bits int) uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 0, bits)
	if err != nil {
		return 0
	}
	return n
}

package raop

import (
	"slices"
	"strconv"
	"strings"

	"airplay2mqtt/internal/features"
)

// A List is the small numbers that a TXT key lists, as "et=0,1" does. Zero:
// the receiver did not say.
type List uint32

// Has tells whether n is listed.
func (l List) Has(n int) bool { return n >= 0 && n < 32 && l&(1<<n) != 0 }

// ListOf returns the list of those numbers; those outside 0 to 31 are left out.
func ListOf(numbers ...int) List {
	var l List
	for _, n := range numbers {
		if n >= 0 && n < 32 {
			l |= 1 << n
		}
	}
	return l
}

// What the numbers in an Info's lists mean.
const (
	CodecPCM  = 0
	CodecALAC = 1

	EncryptionNone = 0
	EncryptionRSA  = 1
	EncryptionMFi  = 4

	MetadataText     = 0
	MetadataArtwork  = 1
	MetadataProgress = 2
)

// Info is what a receiver says of itself. Its zero value is a receiver that
// said nothing.
type Info struct {
	Model        string // "AirPort10,115", "ShairportSync"; first-generation AirPort Express has none
	Manufacturer string // as in the _airplay record
	Version      string // of AirTunes, "366.0"

	Codecs, Encryption, Metadata List

	Password     bool // it asks for a password
	RFC2617      bool // its digests are in lower case
	PublicKey    bool // it can be paired with
	NoUDP        bool // it speaks the first AirTunes only
	OwnersOnly   bool // it serves members of an Apple home, or one person, only
	Features     uint64
	Flags        uint64
	FeaturesSaid bool // Features holds what it said, even if that was 0
}

// ParseInfo reads the TXT record of _raop._tcp. The keys of the receiver's
// _airplay._tcp record may be added to it; they say more about who made it.
// Case of keys does not matter. What is malformed counts as not said.
func ParseInfo(txt map[string]string) Info {
	t := lower(txt)
	feats := features.Parse(first(t, "features", "ft"))
	flags := features.ParseFlags(first(t, "flags", "sf"))
	return Info{
		Model:        first(t, "model", "am"),
		Manufacturer: first(t, "manufacturer"),
		Version:      first(t, "vs", "srcvers"),
		Codecs:       parseList(t["cn"]),
		Encryption:   parseList(t["et"]),
		Metadata:     parseList(t["md"]),
		Password:     isTrue(t["pw"]) || flags.Has(features.PasswordRequired),
		RFC2617:      isTrue(t["da"]),
		PublicKey:    t["pk"] != "",
		NoUDP:        t["tp"] != "" && !strings.Contains(strings.ToUpper(t["tp"]), "UDP"),
		OwnersOnly:   t["acl"] == "1" || t["act"] == "2",
		Features:     uint64(feats),
		Flags:        uint64(flags),
		FeaturesSaid: first(t, "features", "ft") != "",
	}
}

// lower returns the record with keys in lower case and values cut to what a
// record can hold. Of keys that differ in case only, the last in order counts.
func lower(txt map[string]string) map[string]string {
	keys := make([]string, 0, len(txt))
	for k := range txt {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	t := make(map[string]string, len(txt))
	for _, k := range keys {
		v := txt[k]
		t[strings.ToLower(k)] = strings.TrimSpace(strings.ToValidUTF8(v[:min(len(v), 255)], ""))
	}
	return t
}

// first returns the first of those values that is there.
func first(t map[string]string, keys ...string) string {
	for _, k := range keys {
		if t[k] != "" {
			return t[k]
		}
	}
	return ""
}

func isTrue(s string) bool { return s == "1" || strings.EqualFold(s, "true") }

func parseList(s string) List {
	var numbers []int
	for word := range strings.SplitSeq(s, ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(word)); err == nil {
			numbers = append(numbers, n)
		}
	}
	return ListOf(numbers...)
}

// version returns the first number of the AirTunes version, 0 if it did not say.
func (i Info) version() int {
	digits, _, _ := strings.Cut(i.Version, ".")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

// wantsPairing tells whether a refusal means that the receiver wants to be
// paired. Without a key nothing can be paired: an AirPort Express with a
// password sets the PIN bits too (docs/protocols/raop.md, discovery).
func (i Info) wantsPairing() bool {
	flags := features.Flags(i.Flags)
	return i.PublicKey && (flags.Has(features.PairOnce) || flags.Has(features.PINRequired))
}

// Unplayable says in a sentence why a receiver cannot be played on by this
// protocol, although it announces it. It is "" for all others. A receiver
// that is unplayable here may well do AirPlay 2.
func (i Info) Unplayable() string {
	feats := features.Set(i.Features)
	switch {
	case i.NoUDP:
		return "it speaks only the first AirTunes protocol, over TCP"
	case i.FeaturesSaid && feats != 0 && !feats.Has(features.Audio):
		return "it does not take sound"
	case i.OwnersOnly:
		return "it serves only people of its Apple home; allow everyone on the same network in its AirPlay settings"
	}
	for _, b := range brokenRAOP {
		if b.matches(i) {
			return b.reason
		}
	}
	return ""
}

package airplay

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"airplay2mqtt/internal/features"
)

// Info is what a receiver says of itself in its TXT records. Its zero value is
// a receiver that said nothing.
type Info struct {
	ID           string // the hardware address, twelve upper-case digits
	Model        string // "AudioAccessory5,1", "AppleTV6,2"
	Manufacturer string // "" with Apple's own
	Version      string // of AirPlay, "980.77.2"
	OS           string // "27.0"
	Firmware     string // of those that are not Apple's
	Serial       string

	Features uint64 // docs/protocols/raop.md, feature bits
	Flags    uint64 // docs/protocols/raop.md, status flags

	// PublicKey is the receiver's Ed25519 key; nil if it told none. Without
	// one it cannot be paired with by PIN.
	PublicKey []byte
	// PairingID is the UUID under which it is paired.
	PairingID string
	// Password tells that it wants a password.
	Password bool
	// Access tells who may play on it.
	Access Access
	// AuthSetup tells that it wants to be asked for its MFi certificate
	// before it takes sound by AirPlay 1 ("et" lists 4).
	AuthSetup bool

	Group Group
}

// InUse tells whether somebody plays on the receiver, we or another.
func (i Info) InUse() bool { return features.Flags(i.Flags).Has(features.SessionActive) }

// Access is who may play on a receiver.
type Access int

// Who may play on a receiver.
const (
	Everyone    Access = iota // everyone on the network, perhaps with a PIN or a password
	HomeMembers               // those who share its Apple home (acl=1)
	CurrentUser               // the one whose Apple account it has (act=2)
)

// A Group is with which others a receiver plays at the moment. It is a state
// and identifies nothing, but for Pair.
type Group struct {
	ID        string // of the group it is in, if only with itself
	Leader    bool   // it leads that group
	HasLeader bool   // the group has a leader that can be discovered
	Parent    string // of the group that its group is in
	Name      string // what the group or pair calls itself
	Pair      string // what the halves of a stereo pair have in common
	// PairLeader tells that it leads its stereo pair.
	PairLeader bool
}

// ParseInfo reads the TXT record of _airplay._tcp. The keys of the receiver's
// _raop._tcp record may be added to it: where both say the same in different
// words, that of _airplay._tcp counts, and a password is wanted if either
// says so. Case of keys does not matter. What is malformed counts as not said.
func ParseInfo(txt map[string]string) Info {
	t := lower(txt)
	flags := features.ParseFlags(cmp.Or(t["flags"], t["sf"]))
	either := flags | features.ParseFlags(t["sf"])
	group, _, _ := strings.Cut(t["gid"], "+") // halves of a pair add their own
	return Info{
		ID:           hardware(t["deviceid"]),
		Model:        cmp.Or(t["model"], t["am"]),
		Manufacturer: t["manufacturer"],
		Version:      cmp.Or(t["srcvers"], t["vs"]),
		OS:           cmp.Or(t["osvers"], t["ov"]),
		Firmware:     t["fv"],
		Serial:       t["serialnumber"],
		Features:     uint64(features.Parse(cmp.Or(t["features"], t["ft"]))),
		Flags:        uint64(flags),
		PublicKey:    key(t["pk"]),
		PairingID:    cmp.Or(t["pi"], t["psi"]),
		Password:     isTrue(t["pw"]) || either.Has(features.PasswordRequired),
		Access:       access(t),
		AuthSetup:    slices.Contains(strings.Split(strings.ReplaceAll(t["et"], " ", ""), ","), "4"),
		Group: Group{
			ID:         group,
			Leader:     isTrue(t["igl"]),
			HasLeader:  isTrue(t["gcgl"]),
			Parent:     t["pgid"],
			Name:       t["gpn"],
			Pair:       t["tsid"],
			PairLeader: flags.Has(features.PairLeader),
		},
	}
}

// AirPlay2 tells whether the receiver speaks AirPlay 2, and how it is known.
func (i Info) AirPlay2() (ok bool, why string) {
	switch f := features.Set(i.Features); {
	case f == 0:
		return false, "it says nothing of what it can do"
	case f.Has(features.UnifiedMedia) && f.Has(features.TransientPairing):
		return true, "it announces unified media control and pairing without a PIN (bits 38 and 48)"
	case f.Has(features.UnifiedMedia):
		return true, "it announces unified media control (bit 38)"
	case f.Has(features.TransientPairing):
		return true, "it announces pairing without a PIN (bit 48)"
	}
	// Marantz and Libratone devices announce _airplay._tcp and do AirPlay 1
	// (docs/protocols/raop.md, AirPlay 1 or 2).
	return false, "it announces neither unified media control nor pairing without a PIN (bits 38 and 48): AirPlay 1"
}

// Video tells whether it is worth trying to play video on the receiver.
func (i Info) Video() (ok bool, why string) {
	switch f := features.Set(i.Features); {
	case f.Has(features.Video):
		return true, "it announces video (bit 0)"
	case f.Has(features.VideoV2):
		return true, "it announces video in the newer form only (bit 49)"
	case i.homePod():
		return false, "HomePods play sound only"
	}
	return false, "it announces no video (bits 0 and 49)"
}

// Sound tells whether the receiver takes sound.
func (i Info) Sound() (ok bool, why string) {
	switch f := features.Set(i.Features); {
	case f == 0:
		return true, "it does not say, which first-generation devices never do"
	case f.Has(features.Audio):
		return true, "it announces sound (bit 9)"
	}
	return false, "it announces no sound (bit 9)"
}

// HomePod27 tells whether the receiver is a HomePod with software 27 or newer,
// which accepts AirPlay 1 and stays silent, and keeps time by PTP only.
func (i Info) HomePod27() (yes bool, why string) {
	switch {
	case !i.homePod():
		return false, "it is no HomePod"
	case number(i.Version) >= 980:
		return true, "a HomePod whose AirPlay version is " + i.Version + ": silent over AirPlay 1, it wants AirPlay 2 with PTP"
	case number(i.OS) >= 27:
		return true, "a HomePod with software " + i.OS + ": silent over AirPlay 1, it wants AirPlay 2 with PTP"
	}
	return false, "a HomePod with software older than 27"
}

// KeepsOwnTime tells whether the receiver is one that a sender must follow
// instead of leading: a HomePod with software 27 that is neither grouped nor
// half of a pair (docs/protocols/airplay2.md, device notes).
func (i Info) KeepsOwnTime() bool {
	yes, _ := i.HomePod27()
	return yes && i.Group.Leader && i.Group.Parent == "" && i.Group.Pair == ""
}

func (i Info) homePod() bool { return strings.HasPrefix(i.Model, "AudioAccessory") }

// access reads who may play; acl is the older and broader of the two keys.
func access(t map[string]string) Access {
	switch {
	case t["acl"] == "1":
		return HomeMembers
	case t["act"] == "2":
		return CurrentUser
	}
	return Everyone
}

// lower makes keys lower-case and cuts blanks off values. Of keys that differ
// in case only, the first in order counts.
func lower(txt map[string]string) map[string]string {
	keys := make([]string, 0, len(txt))
	for k := range txt {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	t := make(map[string]string, len(txt))
	for _, k := range keys {
		if l := strings.ToLower(k); t[l] == "" {
			t[l] = strings.TrimSpace(strings.ToValidUTF8(txt[k], ""))
		}
	}
	return t
}

func isTrue(s string) bool { return s == "1" || strings.EqualFold(s, "true") }

func key(s string) []byte {
	if b, err := hex.DecodeString(s); err == nil && len(b) == 32 {
		return b
	}
	return nil
}

func hardware(s string) string {
	id := strings.ToUpper(strings.ReplaceAll(s, ":", ""))
	if b, err := hex.DecodeString(id); err != nil || len(b) != 6 {
		return ""
	}
	return id
}

// number is the first number of a version such as 980.77.2, 0 if there is none.
func number(version string) int {
	digits, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

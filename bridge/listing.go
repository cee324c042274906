package bridge

import (
	"cmp"
	"net"
	"strconv"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/vault"
	"airplay2mqtt/discovery"
)

// A Listing is what can be said of a device without talking to it: a row of
// <base>/bridge/devices and of `bridge discover`.
type Listing struct {
	ID           string     `json:"id"`
	Slug         string     `json:"slug"`
	Name         string     `json:"name"`
	Manufacturer string     `json:"manufacturer"`
	Model        string     `json:"model"`
	Firmware     string     `json:"firmware"`
	Address      string     `json:"address"`
	Port         int        `json:"port"`
	Protocols    []string   `json:"protocols"` // raop, airplay2
	Features     []string   `json:"features"`  // what it can do, and password
	Pairing      string     `json:"pairing"`
	Proof        string     `json:"proof"`        // how it is shown who we are, a word of airplay.Pairing
	ProofReason  string     `json:"proof_reason"` // why in that way
	Availability string     `json:"availability"`
	Playable     bool       `json:"playable"`
	Reason       string     `json:"reason,omitempty"` // why it is not playable
	LastSeen     *time.Time `json:"last_seen"`
	Members      []string   `json:"members,omitempty"` // of a group
}

// List describes a device from what discovery and the configuration say of it,
// and what an earlier pairing has left. Its slug is what it would get in a
// bridge that knows no other.
func List(found discovery.Device, override config.Device, v *vault.Vault) Listing {
	t := targetOf(found, override)
	decision, has := t.decide(v)
	l := Listing{
		ID:           cmp.Or(found.ID, staticID(found.Name)),
		Slug:         slugOf(found.Name),
		Name:         found.Name,
		Manufacturer: t.airplay.Manufacturer,
		Model:        found.Model,
		Firmware:     cmp.Or(t.airplay.Firmware, t.airplay.OS, t.airplay.Version),
		Protocols:    []string{},
		Features:     t.features(),
		Pairing:      wordOf(decision),
		Proof:        string(decision.Pairing),
		ProofReason:  decision.Why,
		Availability: "online",
		Playable:     t.refusal == nil,
	}
	switch {
	case decision.KeyChanged:
		l.Pairing = pairingFailed
	case has:
		l.Pairing = pairingPaired
	}
	if len(t.addresses) > 0 {
		host, port, _ := net.SplitHostPort(t.addresses[0])
		l.Address = host
		l.Port, _ = strconv.Atoi(port)
	} else if len(found.Addrs) > 0 && found.AirPlay != nil {
		l.Address, l.Port = found.Addrs[0].String(), int(found.AirPlay.Port)
	}
	if t.speaksRAOP {
		l.Protocols = append(l.Protocols, "raop")
	}
	if second, _ := t.airplay.AirPlay2(); second {
		l.Protocols = append(l.Protocols, "airplay2")
	}
	if t.refusal != nil {
		l.Reason = t.refusal.Error()
	}
	return l
}

// listing is List with what the bridge knows besides.
func (d *device) listing() Listing {
	if d.isGroup() {
		return d.groupListing()
	}
	l := List(d.record.Device, d.override(), d.vault)
	l.Slug, l.Name, l.Pairing = d.slug(), d.name(), d.pairingWord()
	if !d.online {
		l.Availability = "offline"
	}
	if !d.record.LastSeen.IsZero() {
		at := d.record.LastSeen.UTC().Truncate(time.Millisecond)
		l.LastSeen = &at
	}
	return l
}

// features are words for what a device can do.
func (t *target) features() []string {
	words := []string{}
	video, _ := t.airplay.Video()
	for _, f := range []struct {
		has  bool
		word string
	}{
		{t.speaksRAOP || len(t.second.addresses) > 0, "audio"},
		{video, "video"},
		{t.raop.Password, "password"},
	} {
		if f.has {
			words = append(words, f.word)
		}
	}
	return words
}

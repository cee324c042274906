package hass

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Filters are what to subscribe to for reading the discovery messages that the
// broker keeps.
func Filters(prefix string) []string {
	prefix = fallback(prefix, "homeassistant")
	return []string{prefix + "/device/+/config", prefix + "/media_player/+/config"}
}

// Ours reports whether a discovery message that the broker keeps was said by a
// bridge with this base topic: then it is stale unless the bridge says it again.
// Messages of others, and of a bridge with another base topic, are not ours.
func Ours(m Message, base string) bool {
	var p struct {
		Origin       origin          `json:"origin"`
		Availability json.RawMessage `json:"availability"`
		Components   struct {
			Connectivity component `json:"connectivity"`
		} `json:"components"`
	}
	if json.Unmarshal(m.Payload, &p) != nil || p.Origin.Name != program {
		return false
	}
	base = fallback(base, "airplay") + "/"
	if p.Components.Connectivity.State == base+"bridge/state" { // the bridge
		return true
	}
	var all []availability
	if json.Unmarshal(p.Availability, &all) == nil { // a device
		return slices.Contains(all, availability{Topic: base + "bridge/state"})
	}
	var one availability
	if json.Unmarshal(p.Availability, &one) != nil {
		return false
	}
	slug, rest, _ := strings.Cut(strings.TrimPrefix(one.Topic, base), "/") // a media player
	return strings.HasPrefix(one.Topic, base) && slug != "" && rest == "availability"
}

// Update are the messages that change what Home Assistant has, told by the
// payload retained on m's topic, into m: none if it is the same. A component that
// is gone must be said once more, as its bare platform, before it is left out.
// Between two messages two seconds must pass: while Home Assistant works on the
// first, it drops part of the second.
func Update(retained []byte, m Message) []Message {
	if bytes.Equal(retained, m.Payload) {
		return nil
	}
	var was, is struct {
		Components map[string]struct {
			Platform string `json:"platform"`
			UniqueID string `json:"unique_id"` // none: it is gone already
		} `json:"components"`
	}
	if json.Unmarshal(retained, &was) != nil || json.Unmarshal(m.Payload, &is) != nil {
		return []Message{m}
	}
	gone := map[string]json.RawMessage{}
	for key, c := range was.Components {
		if now, ok := is.Components[key]; (!ok || now.Platform != c.Platform) && c.Platform != "" && c.UniqueID != "" {
			gone[key] = encode(map[string]string{"platform": c.Platform})
		}
	}
	if len(gone) == 0 {
		return []Message{m}
	}
	return []Message{{Topic: m.Topic, Payload: with(m.Payload, gone), Retain: true}, m}
}

// with is a payload with some components put in the place of others.
func with(payload []byte, components map[string]json.RawMessage) []byte {
	var root, all map[string]json.RawMessage
	if json.Unmarshal(payload, &root) != nil || json.Unmarshal(root["components"], &all) != nil {
		return payload
	}
	for key, c := range components {
		all[key] = c
	}
	root["components"] = encode(all)
	return encode(root)
}

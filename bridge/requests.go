package bridge

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
)

// A request is what is asked of the bridge itself:
// <base>/bridge/request/<name>.
type request struct {
	main string // the key that a bare payload stands for
	keys []string
	obey func(b *Bridge, f fields) (data any, err error)
}

// requests are all of them. docs/topics.md lists the same.
var requests = map[string]request{
	"group/set":      {keys: []string{"name", "members"}, obey: (*Bridge).setGroup},
	"group/remove":   {main: "name", obey: (*Bridge).removeGroup},
	"device/options": {keys: []string{"device", "offset"}, obey: (*Bridge).setOptions},
}

// A response answers a request, on <base>/bridge/response/<name>.
type response struct {
	Status      string          `json:"status"` // ok, error
	Data        any             `json:"data,omitempty"`
	Error       *problem        `json:"error,omitempty"`
	Transaction json.RawMessage `json:"transaction,omitempty"`
}

// hearRequest takes a request from the broker, on the client's goroutine.
func (b *Bridge) hearRequest(m mqtt.Message) {
	select {
	case b.calls <- func() { b.answerRequest(m) }:
	default:
		b.respond(m.Topic, response{Status: "error", Error: &problem{
			"rate_limited", "too many requests wait already; this one was dropped",
		}})
	}
}

// answerRequest does what a request asks for.
func (b *Bridge) answerRequest(m mqtt.Message) {
	name := strings.TrimPrefix(m.Topic, b.cfg.MQTT.BaseTopic+"/bridge/request/")
	r := response{Status: "ok"}
	f, err := fields(nil), b.gate.admitRequest(name, time.Now())
	if err != nil && !b.gate.tellsRefusal(time.Now()) {
		return
	}
	switch request := requests[name]; {
	case err != nil: // it is not let in
		f, _ = readFields(verb{main: request.main, keys: request.keys}, m.Payload)
		r.Transaction = f["transaction"]
	case m.Retain:
		b.clearRetained(m.Topic)
		err = &refusal{"retained_command", "requests are never obeyed when they were retained; publish without the retain flag"}
	case m.Oversize > 0:
		err = bad("the payload has %d bytes, which is more than is read", m.Oversize)
	default:
		f, err = readFields(verb{main: request.main, keys: request.keys}, m.Payload)
		r.Transaction = f["transaction"]
		if err == nil {
			r.Data, err = request.obey(b, f)
		}
	}
	if err != nil {
		p := explain(err)
		r = response{Status: "error", Error: &problem{p.Code, p.Message}, Transaction: r.Transaction}
	}
	b.respond(m.Topic, r)
}

func (b *Bridge) respond(topic string, r response) {
	topic = strings.Replace(topic, "/bridge/request/", "/bridge/response/", 1)
	b.tell.say(mqtt.Message{Topic: topic, Payload: encode(r), QoS: 1})
}

// setGroup makes a group, or changes who its members are.
func (b *Bridge) setGroup(f fields) (any, error) {
	name, err := f.text("name")
	if err != nil {
		return nil, err
	}
	words, err := f.texts("members")
	slug := slugOf(name)
	known := b.named(name)
	switch {
	case err != nil:
		return nil, err
	case slug == "" || len(name) > 63:
		return nil, bad("name must be a text of 1 to 63 bytes, with letters or digits")
	case reserved[slug]:
		return nil, bad("a group cannot be called %q: topics of the bridge are", name)
	case len(words) == 0 || len(words) > mostMembers:
		return nil, bad("members must be 1 to %d slugs, names or ids of devices", mostMembers)
	case known != nil && !known.isGroup():
		return nil, bad("%q is a device; a group needs another name", name)
	case known != nil && known.record.Group.Static:
		return nil, bad("the group %q stands in the configuration; change it there", name)
	}
	if id, taken := b.registry.bySlug(slug); known == nil && taken && b.registry.devices[id].Group == nil {
		return nil, bad("a device has been called %q; a group needs another name", slug)
	}
	members, err := b.membersOf(slug, words)
	if err != nil {
		return nil, err
	}
	if known == nil {
		rec := b.registry.get(groupID(name), name)
		rec.Group = new(groupRecord)
		rec.Group.Members = members
		known = b.add(rec, false)
		b.tellHappened("device_discovered", known)
	}
	known.record.Group.Members, b.registry.dirty = members, true
	b.regroup()
	b.tellDevices()
	return known.groupListing(), nil
}

// mostMembers is how many members a group may have, and a message targets.
const mostMembers = 100

// membersOf makes ids of the members that are to be in a group, once each: a
// name may change.
func (b *Bridge) membersOf(slug string, words []string) ([]string, error) {
	var ids []string
	for _, word := range words {
		if slugOf(word) == slug && word != "" {
			return nil, bad("a group cannot be a member of itself")
		}
		d, err := b.device(word)
		switch {
		case err != nil:
			return nil, err
		case d.isGroup():
			return nil, bad("%s is a group; the members of a group are devices", d.slug())
		case !slices.Contains(ids, d.id()):
			ids = append(ids, d.id())
		}
	}
	return ids, nil
}

// removeGroup dissolves a group that was made at run time.
func (b *Bridge) removeGroup(f fields) (any, error) {
	name, err := f.text("name")
	if err != nil {
		return nil, err
	}
	d := b.named(name)
	switch {
	case d == nil:
		_, err := b.device(name)
		if err == nil {
			err = bad("the group of all cannot be removed")
		}
		return nil, err
	case !d.isGroup():
		return nil, bad("%s is a device and no group", d.slug())
	case d.record.Group.Static:
		return nil, bad("the group %q stands in the configuration; take it out there", d.name())
	}
	b.remove(d)
	delete(b.registry.devices, d.id())
	b.tellDevices()
	return nil, nil
}

// setOptions changes what a device does from now on.
func (b *Bridge) setOptions(f fields) (any, error) {
	word, err := f.text("device")
	if err != nil {
		return nil, err
	}
	if word == "" {
		return nil, bad("device is missing: the slug, name or id of a device")
	}
	d, err := b.device(word)
	switch {
	case err != nil:
		return nil, err
	case d.isGroup():
		return nil, bad("%s is a group; only devices have options", d.slug())
	}
	if raw, ok := f["offset"]; ok {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		offset, err := config.ParseOffset(strings.TrimSpace(text))
		if err != nil {
			return nil, bad("offset must be from -2s to 2s, such as 40ms or -40 (milliseconds), not %s", short(raw))
		}
		ms := round(float64(offset)/1e6, 3)
		d.record.Offset, b.registry.dirty = &ms, true
		d.shift()
	}
	return map[string]any{"device": d.slug(), "offset": round(float64(d.delay())/1e6, 3)}, nil
}

// texts reads a field that is a list of texts; absent it is empty.
func (f fields) texts(key string) ([]string, error) {
	raw, ok := f[key]
	if !ok {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, bad("%s must be a list of texts, not %s", key, short(raw))
	}
	return list, nil
}

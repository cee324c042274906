package bridge

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/internal/nearest"
)

// A request is what is asked of the bridge itself:
// <base>/bridge/request/<name>.
type request struct {
	main string // the key that a bare payload stands for
	keys []string
	obey func(b *Bridge, f fields) (data any, err error)
	// informs is set where bridge/info says something else afterwards.
	informs bool
}

// requests are all of them. docs/topics.md lists the same, held by a test.
var requests = map[string]request{
	"group/set":           {keys: []string{"name", "members"}, obey: (*Bridge).setGroup},
	"group/remove":        {main: "name", obey: (*Bridge).removeGroup},
	"device/rename":       {keys: []string{"device", "name"}, obey: (*Bridge).rename},
	"device/remove":       {main: "device", obey: (*Bridge).forget},
	"device/unpair":       {main: "device", obey: (*Bridge).requestUnpair},
	"device/options":      {main: "device", keys: optionKeys, obey: (*Bridge).setOptions},
	"rescan":              {obey: (*Bridge).rescan},
	"discovery/republish": {obey: (*Bridge).republish},
	"diagnostics":         {obey: (*Bridge).diagnose},
	"restart":             {obey: (*Bridge).restart},
	"log/level":           {main: "level", keys: []string{"device"}, obey: (*Bridge).setLevel, informs: true},
	"ping":                {obey: (*Bridge).ping},
}

func requestNames() []string { return slices.Sorted(maps.Keys(requests)) }

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
	switch request, known := requests[name]; {
	case err != nil: // it is not let in
		f, _ = readFields(verb{main: request.main, keys: request.keys}, m.Payload)
		r.Transaction = f["transaction"]
	case m.Retain:
		b.clearRetained(m.Topic)
		err = &refusal{"retained_command", "requests are never obeyed when they were retained; publish without the retain flag"}
	case !known:
		err = bad("there is no request %q%s; there are %s", oneLine(name), nearest.Hint(name, requestNames()), strings.Join(requestNames(), ", "))
	case m.Oversize > 0:
		err = bad("the payload has %d bytes, which is more than is read", m.Oversize)
	default:
		f, err = readFields(verb{main: request.main, keys: request.keys}, m.Payload)
		r.Transaction = f["transaction"]
		if err == nil {
			r.Data, err = request.obey(b, f)
		}
		if err == nil && request.informs {
			b.tellInfo()
		}
	}
	if err != nil {
		p := explain(err)
		r = response{Status: "error", Error: &problem{p.Code, p.Message}, Transaction: r.Transaction}
	}
	b.respond(m.Topic, r)
}

func (b *Bridge) respond(topic string, r response) {
	base := b.cfg.MQTT.BaseTopic
	name := strings.TrimPrefix(topic, base+"/bridge/request/")
	b.tell.say(mqtt.Message{Topic: base + "/bridge/response/" + name, Payload: encode(r), QoS: 1})
}

// whom reads whom a request is about.
func (b *Bridge) whom(f fields) (*device, error) {
	word, err := f.text("device")
	if err != nil {
		return nil, err
	}
	if word == "" {
		return nil, bad("device is missing: the slug, name or id of a device")
	}
	return b.device(word)
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

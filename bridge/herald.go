package bridge

import (
	"time"

	"airplay2mqtt/bridge/hass"
	"airplay2mqtt/bridge/mqtt"
)

// A herald tells Home Assistant of devices. It wants more care than others: while
// it works on a payload it drops part of the next one, and an entity that is gone
// must be said to be gone (hass.Update). So what it knows from an earlier run is
// found out first, and each topic has its pause. A herald belongs to the
// switchboard.
type herald struct {
	tell  *teller
	ready bool                    // it is known what an earlier run has left
	want  map[string]hass.Message // by topic: what is to be known in the end
	known map[string][]byte       // by topic: what it was told last
	next  map[string]time.Time    // by topic: not before this
}

// heraldPause is how long Home Assistant gets for a payload.
const heraldPause = 2 * time.Second

func newHerald(tell *teller) *herald {
	return &herald{tell: tell, want: map[string]hass.Message{}, known: map[string][]byte{}, next: map[string]time.Time{}}
}

// announce has messages told as soon as they may.
func (h *herald) announce(messages []hass.Message) {
	for _, m := range messages {
		h.want[m.Topic] = m
	}
	h.step(time.Now())
}

// begin says what an earlier run has left on topics that are wanted.
func (h *herald) begin(left map[string][]byte) {
	if h.ready {
		return
	}
	h.ready = true
	for topic, payload := range left {
		h.known[topic] = payload
	}
	h.step(time.Now())
}

// wants tells whether there is to be something on a topic.
func (h *herald) wants(topic string) bool {
	m, waits := h.want[topic]
	return waits && len(m.Payload) > 0 || len(h.known[topic]) > 0 && !waits
}

// step tells what may be told by now.
func (h *herald) step(now time.Time) {
	if !h.ready {
		return
	}
	for topic, m := range h.want {
		if now.Before(h.next[topic]) && len(m.Payload) > 0 {
			continue
		}
		updates := []hass.Message{m}
		if len(m.Payload) > 0 {
			updates = hass.Update(h.known[topic], m)
		}
		if len(updates) < 2 {
			delete(h.want, topic)
		}
		if len(updates) == 0 {
			h.tell.assume(message(m))
			continue
		}
		h.say(updates[0], now)
	}
}

func (h *herald) say(m hass.Message, now time.Time) {
	h.tell.retain(message(m))
	h.known[m.Topic], h.next[m.Topic] = m.Payload, now.Add(heraldPause)
	if len(m.Payload) == 0 {
		delete(h.known, m.Topic)
	}
	for topic, until := range h.next { // what is long over need not be kept
		if now.After(until) {
			delete(h.next, topic)
		}
	}
}

func message(m hass.Message) mqtt.Message {
	return mqtt.Message{Topic: m.Topic, Payload: m.Payload, QoS: 1, Retain: true}
}

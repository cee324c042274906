package bridge

import (
	"math/rand/v2"
	"time"

	"airplay2mqtt/bridge/hass"
	"airplay2mqtt/bridge/mqtt"
)

// homeAssistant tells whether devices are announced to Home Assistant.
func (b *Bridge) homeAssistant() bool { return b.cfg.HomeAssistant.DiscoveryPrefix != "off" }

// tellHome announces a device to Home Assistant, or what has changed about it.
func (b *Bridge) tellHome(d *device) {
	if b.homeAssistant() {
		b.retainAll(b.home(d).Messages())
	}
}

// home is a device as Home Assistant is to see it.
func (b *Bridge) home(d *device) hass.Device {
	l := d.listing()
	if d.isGroup() {
		l.Manufacturer, l.Model = "airplay2mqtt", "Group"
	}
	return hass.Device{
		ID:              d.id(),
		Slug:            d.slug(),
		Name:            d.name(),
		Manufacturer:    l.Manufacturer,
		Model:           l.Model,
		Firmware:        l.Firmware,
		BaseTopic:       b.cfg.MQTT.BaseTopic,
		DiscoveryPrefix: b.cfg.HomeAssistant.DiscoveryPrefix,
		Version:         b.about.Version,
		Chimes:          b.chimes.names(),
		Voice:           b.voice != nil,
		Pairing:         d.canPair(),
		MediaPlayer:     b.cfg.HomeAssistant.MediaPlayer == "bkbilly",
	}
}

// tellHomeOfUs announces the bridge itself.
func (b *Bridge) tellHomeOfUs() {
	if !b.homeAssistant() {
		return
	}
	b.retainAll(hass.Bridge{
		BaseTopic:       b.cfg.MQTT.BaseTopic,
		DiscoveryPrefix: b.cfg.HomeAssistant.DiscoveryPrefix,
		Version:         b.about.Version,
	}.Messages())
}

func (b *Bridge) retainAll(messages []hass.Message) {
	for _, m := range messages {
		b.tell.retain(mqtt.Message{Topic: m.Topic, Payload: m.Payload, QoS: 1})
	}
}

// hearHomeAssistant is called when Home Assistant says how it is. One that has
// just come up wants to be told everything once more, but not by everybody in
// the same moment.
func (b *Bridge) hearHomeAssistant(m mqtt.Message) {
	if string(m.Payload) != "online" || m.Retain {
		return
	}
	wait := time.Second + rand.N(4*time.Second)
	select {
	case b.calls <- func() { b.repeatAt = time.Now().Add(wait) }:
	default: // the switchboard is behind; Home Assistant keeps what is retained anyway
	}
}

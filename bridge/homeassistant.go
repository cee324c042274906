package bridge

import (
	"math/rand/v2"
	"slices"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/hass"
	"airplay2mqtt/bridge/mqtt"
)

// homeAssistant tells whether devices are announced to Home Assistant.
func (b *Bridge) homeAssistant() bool { return b.cfg.HomeAssistant.DiscoveryPrefix != "off" }

// tellHome announces a device to Home Assistant, or what has changed about it.
func (b *Bridge) tellHome(d *device) {
	if b.homeAssistant() {
		b.herald.announce(b.home(d).Messages())
	}
}

// tellHomes announces all devices, because what concerns each of them has changed.
func (b *Bridge) tellHomes() {
	for _, d := range b.devices {
		b.tellHome(d)
	}
	b.tellHome(b.all)
}

// home is a device as Home Assistant is to see it.
func (b *Bridge) home(d *device) hass.Device {
	l := d.listing()
	if d.isGroup() {
		l.Manufacturer, l.Model = "airplay2mqtt", "Group"
	}
	h := hass.Device{
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
		Queue:           true,
		MediaPlayer:     b.cfg.HomeAssistant.MediaPlayer == "bkbilly",
	}
	if d == b.all {
		h.Name = "All speakers"
	}
	if !d.isGroup() {
		h.Latencies, h.Leaders = d.latencies(), b.leadersFor(d)
	}
	return h
}

// latencies are the words for how soon a device is heard, its own among them.
func (d *device) latencies() []string {
	words := []string{config.Chime.String(), config.Normal.String(), config.Robust.String()}
	if now := d.options().Latency; !slices.Contains(words, now) {
		words = append(words, now)
	}
	return words
}

// leadersFor are all whose sound a device may be heard to play.
func (b *Bridge) leadersFor(d *device) []string {
	slugs := []string{everybody}
	for _, other := range b.devices {
		if other != d {
			slugs = append(slugs, other.slug())
		}
	}
	slices.Sort(slugs)
	return slugs
}

// tellHomeOfUs announces the bridge itself.
func (b *Bridge) tellHomeOfUs() {
	if !b.homeAssistant() {
		return
	}
	b.herald.announce(hass.Bridge{
		BaseTopic:       b.cfg.MQTT.BaseTopic,
		DiscoveryPrefix: b.cfg.HomeAssistant.DiscoveryPrefix,
		Version:         b.about.Version,
		Requests:        requestNames(),
	}.Messages())
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

package bridge

import (
	"strings"

	"airplay2mqtt/bridge/hass"
	"airplay2mqtt/bridge/player"
)

// rename gives a device another name, and topics by it. What it plays ends.
func (b *Bridge) rename(f fields) (any, error) {
	d, err := b.whom(f)
	if err != nil {
		return nil, err
	}
	name, err := f.text("name")
	if err != nil {
		return nil, err
	}
	name = strings.TrimSpace(name)
	slug, err := b.slugFor(d, name)
	if err != nil {
		return nil, err
	}
	from, fans := d.slug(), b.fans(d)
	if d.isGroup() { // it has no name of its own that it goes by besides
		d.record.Device.Name = name
	}
	if slug == from {
		d.record.Name, b.registry.dirty = name, true
		b.tellHome(d)
	} else {
		was := b.home(d)
		b.takeOff(d)
		d.record.Name, d.record.Slug = name, slug
		d = b.add(d.record, d.online)
		b.follow(d, fans)
		if b.homeAssistant() { // the other payload has the same topic as before
			b.herald.announce([]hass.Message{{Topic: was.PlayerTopic(), Retain: true}})
		}
	}
	d.log.Info().Str("was", from).Str("name", name).Msg("device renamed")
	b.tellEvent(map[string]string{
		"event_type": "device_renamed", "id": d.id(), "slug": d.slug(), "name": d.name(), "from": from,
	})
	b.tellDevices()
	return d.listing(), nil
}

// slugFor is what a device is called on topics if its name is to be that one. A
// name without Latin letters or digits leaves it as it is.
func (b *Bridge) slugFor(d *device, name string) (string, error) {
	slug := slugOf(name)
	switch id, taken := b.registry.bySlug(slug); {
	case d == b.all:
		return "", bad("the group of all cannot be renamed")
	case d.isGroup() && d.record.Group.Static:
		return "", bad("the group %q stands in the configuration; rename it there", d.name())
	case name == "" || len(name) > 63 || name != oneLine(name):
		return "", bad("name must be a text of 1 to 63 bytes, on one line")
	case reserved[slug], slug == nobody:
		return "", bad("a device cannot be called %q: the topics have that word already", name)
	case taken && id != d.id():
		return "", bad("another device has been called %q; rename or remove that one first", slug)
	case slug == "":
		slug = d.slug()
	}
	return slug, nil
}

// fans are those who have joined a device.
func (b *Bridge) fans(d *device) []*device {
	var fans []*device
	for _, m := range b.devices {
		if m.record.Joined == d.id() {
			fans = append(fans, m)
		}
	}
	return fans
}

// follow has devices join another, in place of whom they have joined.
func (b *Bridge) follow(d *device, fans []*device) {
	for _, m := range fans {
		for _, c := range []player.Command{player.Unjoin{}, player.Join{Leader: d.player}} {
			if err := m.player.Send(c, nil); err != nil {
				m.log.Warn().Err(err).Msg("it could not join its group again")
			}
		}
	}
}

// forget removes a device: what is remembered of it is gone. One that is in the
// network still is found again by a rescan, as if it were new.
func (b *Bridge) forget(f fields) (any, error) {
	d, err := b.whom(f)
	switch {
	case err != nil:
		return nil, err
	case d == b.all:
		return nil, bad("the group of all cannot be removed")
	case d.record.Static, d.isGroup() && d.record.Group.Static:
		return nil, bad("%s stands in the configuration; take it out there", d.slug())
	}
	_, there := b.there[d.id()]
	b.remove(d)
	delete(b.registry.devices, d.id())
	b.tellDevices()
	return struct {
		ID     string `json:"id"`
		Device string `json:"device"`
		There  bool   `json:"there"` // it is announced in the network still
	}{d.id(), d.slug(), there}, nil
}

// requestUnpair is what `remove` on the topic pair does.
func (b *Bridge) requestUnpair(f fields) (any, error) {
	d, err := b.whom(f)
	switch {
	case err != nil:
		return nil, err
	case d.isGroup():
		return nil, bad("%s is a group, which is not paired; its members are", d.slug())
	}
	return d.listing(), b.unpair(d)
}

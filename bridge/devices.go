package bridge

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/discovery"
)

// addStatic makes the device of a configured host.
func (b *Bridge) addStatic(c config.Device) {
	rec := b.registry.get(cmp.Or(config.NormalID(c.ID), staticID(c.Name)), c.Name)
	rec.Static = true
	rec.Device.Name = c.Name
	d := b.add(rec, false)
	b.probe(d)
}

// staticID is the id of a configured device whose hardware address is not known.
func staticID(name string) string { return "STATIC_" + strings.ToUpper(slugOf(name)) }

// add makes a device and starts its player. What the broker is told of it is
// true from here on.
func (b *Bridge) add(rec *record, online bool) *device {
	d := b.newDevice(rec, b.overrideOf(rec))
	d.online = online
	b.devices[d.id()] = d
	b.live(d)
	b.tellOptions(d)
	b.tellHome(d)
	b.regroup()
	return d
}

// live starts a device's player.
func (b *Bridge) live(d *device) {
	d.face.available(d.online)
	living, end := context.WithCancel(b.living)
	d.end = end
	b.players.Go(func() error { defer end(); return d.player.Run(living) })
}

// overrideOf is what the configuration says of a device, by its id or name.
func (b *Bridge) overrideOf(rec *record) config.Device {
	for _, c := range b.cfg.Devices {
		if rec.Group != nil {
			break
		}
		if c.ID != "" && config.NormalID(c.ID) == rec.Device.ID || c.ID == "" && strings.EqualFold(c.Name, rec.Device.Name) {
			return c
		}
	}
	return config.Device{}
}

// discovered takes over what discovery reports.
func (b *Bridge) discovered(e discovery.Event) {
	if b.living.Err() != nil {
		return
	}
	if delete(b.there, e.Device.ID); !e.Gone {
		b.there[e.Device.ID] = e.Device
	}
	d := b.known(e.Device)
	switch {
	case d == nil && e.Gone:
		return
	case d == nil && b.registry.devices[e.Device.ID] == nil && !b.room():
		b.log.Warn().Str("name", oneLine(e.Device.Name)).Int("devices", mostDevices).Msg("a device is not taken: there are too many")
		return
	case d == nil:
		rec := b.registry.get(e.Device.ID, e.Device.Name)
		rec.Device, rec.LastSeen, rec.Leader = e.Device, time.Now(), ""
		b.registry.dirty = true
		d = b.add(rec, true)
		d.tellInUse()
		b.log.Info().Str("device", d.slug()).Str("name", d.name()).Msg("device found")
		b.tellHappened("device_discovered", d)
	case e.Gone && e.Device.Leader != "":
		d.record.Leader = e.Device.Leader
		b.remove(d)
	case e.Gone:
		b.setOnline(d, d.record.Static && d.online)
	default:
		d.learn(e.Device)
		d.face.setPairing(d.pairingWord())
		d.record.LastSeen = time.Now()
		b.registry.dirty = true
		b.setOnline(d, true)
		b.tellHome(d)
	}
	b.tellDevices()
}

// remove takes a device off the broker and ends its player. What is remembered
// of it stays, so that it has its name if it comes back.
func (b *Bridge) remove(d *device) {
	b.sendHome(d)
	if b.takeOff(d); b.homeAssistant() {
		b.herald.announce(b.home(d).Removal())
	}
	b.regroup()
	d.log.Info().Str("leader", d.record.Leader).Msg("device is not shown any more")
	b.tellHappened("device_removed", d)
}

// takeOff ends a device's player, and clears its topics.
func (b *Bridge) takeOff(d *device) {
	d.desk.giveUp()
	d.end()
	delete(b.devices, d.id())
	b.gate.forget(d)
	b.registry.dirty = true
	d.face.leave()
	b.tell.clear(b.cfg.MQTT.BaseTopic + "/" + d.slug() + "/")
}

// has tells whether a device is one of ours still: what its player does while it
// ends is news to nobody.
func (b *Bridge) has(d *device) bool { return b.devices[d.id()] == d || d == b.all }

// known finds the device that discovery means: by its id, or, for one that the
// configuration names without an id, by name.
func (b *Bridge) known(found discovery.Device) *device {
	if d, ok := b.devices[found.ID]; ok {
		return d
	}
	for _, d := range b.devices {
		if d.record.Static && d.override().ID == "" && strings.EqualFold(d.override().Name, found.Name) {
			return d
		}
	}
	return nil
}

// setOnline tells whether a device can be reached, if that is news.
func (b *Bridge) setOnline(d *device, online bool) {
	if d.online == online {
		return
	}
	d.online = online
	d.face.available(online)
	b.regroup()
	if online {
		d.log.Info().Msg("device is back")
		b.tellHappened("device_discovered", d)
	} else {
		d.log.Info().Msg("device is gone")
		b.tellHappened("device_lost", d)
	}
}

// wasReached learns from a dial. A device that is announced stays online: it
// may be busy for a moment, and discovery tells when it is gone.
func (b *Bridge) wasReached(d *device, ok bool) {
	if !b.has(d) {
		return
	}
	if ok {
		d.record.LastSeen = time.Now()
	}
	if ok || d.record.Static {
		b.setOnline(d, ok)
		b.tellDevices()
	}
}

// lookAgain is how often a configured device that is away is looked for.
const lookAgain = 30 * time.Second

// probe looks whether a configured device is there, in a goroutine that ends
// with the players.
func (b *Bridge) probe(d *device) {
	d.probing = true
	ctx := b.living
	b.players.Go(func() error {
		ok := d.probe(ctx)
		b.post(func() {
			d.probing, d.nextLook = false, time.Now().Add(lookAgain)
			if ctx.Err() == nil { // the bridge lives
				b.wasReached(d, ok)
			}
		})
		return nil
	})
}

func (b *Bridge) tellDevices() {
	list := make([]Listing, 0, len(b.devices))
	for _, d := range b.devices {
		list = append(list, d.listing())
	}
	slices.SortFunc(list, func(a, b Listing) int { return cmp.Compare(a.Slug, b.Slug) })
	b.tell.retain(mqtt.Message{Topic: b.cfg.MQTT.BaseTopic + "/bridge/devices", Payload: encode(list), QoS: 1})
	slugs := make([]string, len(list))
	for i, l := range list {
		slugs[i] = l.Slug
	}
	if !slices.Equal(slugs, b.said) {
		b.said = slugs
		b.tellHomes() // whose groups can be joined
	}
}

// tellHappened tells an event of the bridge itself.
func (b *Bridge) tellHappened(what string, d *device) {
	b.tellEvent(map[string]string{"event_type": what, "id": d.id(), "slug": d.slug(), "name": d.name()})
}

func (b *Bridge) tellEvent(said map[string]string) {
	b.tell.say(mqtt.Message{Topic: b.cfg.MQTT.BaseTopic + "/bridge/event", Payload: encode(said), QoS: 1})
}

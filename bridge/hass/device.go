package hass

import (
	"strings"
)

// A Message is to be published, retained if Retain says so.
type Message struct {
	Topic   string
	Payload []byte // empty: removes what is retained
	Retain  bool
}

// A Device is a speaker, or a group of them, as Home Assistant is to see it.
type Device struct {
	// ID never changes: unique ids are made of it.
	ID string
	// Slug stands in the device's topics, and in the entity ids that are
	// suggested.
	Slug string
	// Name is for people. Default: Slug.
	Name                          string
	Manufacturer, Model, Firmware string
	// BaseTopic is what all topics of the bridge begin with. Default: airplay.
	BaseTopic string
	// DiscoveryPrefix is what Home Assistant listens to. Default: homeassistant.
	DiscoveryPrefix string
	// Version is the bridge's.
	Version string
	// Chimes are the tones of a siren. Default: no siren.
	Chimes []string
	// Voice says that text can be spoken.
	Voice bool
	// Pairing says that the device can be paired.
	Pairing bool
	// Queue says that there is a next and a previous.
	Queue bool
	// Latencies are the words between which a device can be made to answer
	// sooner or play safer, the present one among them. Default: that, and how
	// much later than others it plays, cannot be changed.
	Latencies []string
	// Leaders are the slugs of those whose group it can join. Default: nobody's.
	Leaders []string
	// MediaPlayer adds the payload for the integration mqtt_media_player.
	MediaPlayer bool
}

// Events are the types of <device>/event. Home Assistant ignores others.
var events = []string{
	"playback_started", "playback_finished", "playback_failed",
	"announcement_started", "announcement_finished",
	"pairing_pin_required", "pairing_failed", "paired", "unpaired", "remote",
}

// states are the values of "state" in the state document.
var states = []string{"idle", "buffering", "playing", "paused"}

// Messages are all that make the device appear.
func (d Device) Messages() []Message {
	all := []Message{{Topic: d.Topic(), Payload: d.payload(), Retain: true}}
	if d.MediaPlayer {
		all = append(all, Message{Topic: d.PlayerTopic(), Payload: d.player(), Retain: true})
	}
	return all
}

// Removal are the messages that make the device vanish.
func (d Device) Removal() []Message {
	return []Message{{Topic: d.Topic(), Retain: true}, {Topic: d.PlayerTopic(), Retain: true}}
}

// Topic is where the device's payload goes.
func (d Device) Topic() string { return discovery(d.DiscoveryPrefix, "device", d.identifier()) }

// PlayerTopic is where the media player's payload goes.
func (d Device) PlayerTopic() string { return discovery(d.DiscoveryPrefix, "media_player", d.Slug) }

// discovery is a topic that Home Assistant reads; object must be letters,
// digits, _ and - only.
func discovery(prefix, component, object string) string {
	return fallback(prefix, "homeassistant") + "/" + component + "/" + plain(object) + "/config"
}

func (d Device) identifier() string { return identifier(d.BaseTopic, d.ID) }

// identifier tells one bridge's devices from another's.
func identifier(base, id string) string { return plain(fallback(base, "airplay") + "_" + id) }

// plain replaces what an object id of Home Assistant must not hold.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, s)
}

func fallback(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// topic is one of the device's own.
func (d Device) topic(rest string) string {
	return fallback(d.BaseTopic, "airplay") + "/" + d.Slug + "/" + rest
}

func (d Device) payload() []byte {
	return encode(payload{
		Device: device{
			Identifiers:  []string{d.identifier()},
			Name:         fallback(d.Name, d.Slug),
			Manufacturer: d.Manufacturer,
			Model:        d.Model,
			Firmware:     d.Firmware,
			Via:          identifier(d.BaseTopic, "bridge"),
		},
		Origin:           ours(d.Version),
		Availability:     []availability{bridgeState(d.BaseTopic), {Topic: d.topic("availability")}},
		AvailabilityMode: "all",
		QoS:              1,
		Components:       d.components(),
	})
}

func (d Device) components() map[string]component {
	all := map[string]component{
		"player":    d.main(),
		"play_url":  d.text("play_url", "Play URL", "mdi:web", "media_content_id"),
		"play_file": d.text("play_file", "Play file", "mdi:file-music", "media_file"),
		"volume":    d.volume(),
		"mute":      d.mute(),
		"play":      d.button("play", "Play", "mdi:play"),
		"pause":     d.button("pause", "Pause", "mdi:pause"),
		"stop":      d.button("stop", "Stop", "mdi:stop"),
		"artwork":   d.artwork(),
		"event":     d.event(),
	}
	if len(d.Chimes) > 0 {
		all["chime"] = d.chime()
	}
	if d.Queue {
		all["next"] = d.button("next", "Next", "mdi:skip-next")
		all["previous"] = d.button("previous", "Previous", "mdi:skip-previous")
	}
	if len(d.Latencies) > 0 {
		all["latency"] = d.latency()
		all["offset"] = d.offset()
	}
	if len(d.Leaders) > 0 {
		all["group"] = d.group()
	}
	if d.Voice {
		all["announce"] = d.announce()
	}
	if d.Pairing {
		all["pairing"] = d.pairing()
		all["pair"] = d.pair()
		all["pair_pin"] = d.pin()
	}
	return all
}

// entity begins a component: what all of them have.
func (d Device) entity(platform, key, label, icon string) component {
	c := component{
		Platform: platform,
		UniqueID: d.identifier() + "_" + key,
		Entity:   platform + "." + d.Slug + "_" + key,
		Name:     name(label),
		Icon:     icon,
	}
	if label == "" { // the device itself
		c.Entity = platform + "." + d.Slug
	}
	return c
}

func (d Device) main() component {
	c := d.entity("sensor", "player", "", "mdi:speaker")
	c.Class = "enum"
	c.Options = states
	c.State = d.topic("state")
	c.Value = "{{ value_json.state }}"
	c.Attributes = d.topic("state")
	return c
}

// text shows what is played and takes what is to be played. Longer addresses
// than Home Assistant can hold are cut for showing.
func (d Device) text(key, label, icon, shows string) component {
	c := d.entity("text", key, label, icon)
	c.Command = d.topic(key)
	c.State = d.topic("state")
	c.Value = "{{ (value_json." + shows + " or '')[:255] }}"
	c.Max = 255
	return c
}

func (d Device) volume() component {
	c := d.entity("number", "volume", "Volume", "mdi:volume-high")
	c.Command = d.topic("set_volume")
	c.State = d.topic("state")
	c.Value = "{{ value_json.volume }}"
	c.Min, c.Max, c.Step = new(int), 100, 1
	c.Mode, c.Unit = "slider", "%"
	return c
}

func (d Device) mute() component {
	c := d.entity("switch", "mute", "Mute", "mdi:volume-off")
	c.Command = d.topic("mute")
	c.State = d.topic("state")
	c.Value = "{{ 'ON' if value_json.is_volume_muted else 'OFF' }}"
	return c
}

func (d Device) button(key, label, icon string) component {
	c := d.entity("button", key, label, icon)
	c.Command = d.topic(key)
	return c
}

func (d Device) artwork() component {
	c := d.entity("image", "artwork", "Artwork", "mdi:image")
	c.Image = d.topic("artwork")
	c.ContentType = "image/jpeg"
	return c
}

func (d Device) event() component {
	c := d.entity("event", "event", "Event", "mdi:bell-outline")
	c.State = d.topic("event")
	c.EventTypes = events
	return c
}

// chime sends {"state":"ON","tone":…,"volume_level":…,"duration":…}, and
// {"state":"OFF"} to end it.
func (d Device) chime() component {
	c := d.entity("siren", "chime", "Chime", "mdi:bell-ring")
	c.Command = d.topic("chime")
	c.State = d.topic("state")
	c.SirenValue = "{{ 'ON' if value_json.activity == 'chime' and value_json.state != 'idle' else 'OFF' }}"
	c.Tones = d.Chimes
	return c
}

// none is the option of a device that plays on its own.
const none = "none"

// group is whose sound it plays: it joins whoever is chosen.
func (d Device) group() component {
	c := d.entity("select", "group", "Plays with", "mdi:speaker-multiple")
	c.Command = d.topic("join")
	c.State = d.topic("state")
	c.Value = "{{ value_json.group_leader or '" + none + "' }}"
	c.Options = append([]string{none}, d.Leaders...)
	return c
}

// latency is how soon after a command it is heard.
func (d Device) latency() component {
	c := d.entity("select", "latency", "Latency", "mdi:timer-outline")
	c.Options = d.Latencies
	return d.option(c, "latency")
}

// offset is how much later than others of a group it plays.
func (d Device) offset() component {
	c := d.entity("number", "offset", "Offset", "mdi:tune-vertical")
	least := -2000
	c.Min, c.Max, c.Step = &least, 2000, 1
	c.Mode, c.Unit = "box", "ms"
	return d.option(c, "offset")
}

// option has an entity change one of the device's options.
func (d Device) option(c component, key string) component {
	c.Category = "config"
	c.Command = fallback(d.BaseTopic, "airplay") + "/bridge/request/device/options"
	c.CommandTemplate = "{{ {'device': '" + d.Slug + "', '" + key + "': value} | to_json }}"
	c.State = d.topic("options")
	c.Value = "{{ value_json." + key + " }}"
	return c
}

func (d Device) announce() component {
	c := d.entity("notify", "announce", "Announce", "mdi:bullhorn")
	c.Command = d.topic("announce")
	// Not bare: a text may begin like JSON.
	c.CommandTemplate = "{{ {'message': value} | to_json }}"
	return c
}

func (d Device) pairing() component {
	c := d.entity("binary_sensor", "pairing", "Pairing needed", "mdi:lock-alert")
	c.Class = "problem"
	c.Category = "diagnostic"
	c.State = d.topic("state")
	c.Value = "{{ 'ON' if value_json.pairing in ['required', 'pin_pending', 'failed'] else 'OFF' }}"
	return c
}

func (d Device) pair() component {
	c := d.button("pair", "Start pairing", "mdi:link-lock")
	c.Category = "config"
	c.Press = "start"
	return c
}

func (d Device) pin() component {
	c := d.entity("text", "pair_pin", "Pairing PIN", "mdi:form-textbox-password")
	c.Category = "config"
	c.Command = d.topic("pair_pin")
	// Without a state, what was typed would stay and be recorded.
	c.State = d.topic("state")
	c.Value = "{{ '' }}"
	c.Mode = "password"
	c.Max = 16
	return c
}

package hass

// A Bridge is the bridge itself as a device in Home Assistant. The devices that
// it serves refer to it.
type Bridge struct {
	// BaseTopic is what all topics of the bridge begin with. Default: airplay.
	BaseTopic string
	// DiscoveryPrefix is what Home Assistant listens to. Default: homeassistant.
	DiscoveryPrefix string
	// Version is what <base>/bridge/info tells under "version".
	Version string
	// Rescan adds a button that makes the bridge look for devices.
	Rescan bool
}

// Messages are all that make the bridge appear.
func (b Bridge) Messages() []Message {
	return []Message{{Topic: b.Topic(), Payload: b.payload(), Retain: true}}
}

// Removal are the messages that make the bridge vanish.
func (b Bridge) Removal() []Message { return []Message{{Topic: b.Topic(), Retain: true}} }

// Topic is where the bridge's payload goes.
func (b Bridge) Topic() string { return discovery(b.DiscoveryPrefix, "device", b.identifier()) }

func (b Bridge) identifier() string { return identifier(b.BaseTopic, "bridge") }

func (b Bridge) topic(rest string) string {
	return fallback(b.BaseTopic, "airplay") + "/bridge/" + rest
}

func (b Bridge) payload() []byte {
	all := map[string]component{"connectivity": b.connectivity(), "version": b.version()}
	if b.Rescan {
		all["rescan"] = b.rescan()
	}
	return encode(payload{
		Device:     device{Identifiers: []string{b.identifier()}, Name: "AirPlay bridge", Manufacturer: program, Firmware: b.Version},
		Origin:     ours(b.Version),
		QoS:        1,
		Components: all,
	})
}

func (b Bridge) entity(platform, key, label, icon string) component {
	return component{
		Platform: platform,
		UniqueID: b.identifier() + "_" + key,
		Entity:   platform + "." + lower(b.identifier()) + "_" + key,
		Name:     name(label),
		Icon:     icon,
		Category: "diagnostic",
	}
}

// connectivity has no availability: a bridge that is gone is "disconnected".
func (b Bridge) connectivity() component {
	c := b.entity("binary_sensor", "connectivity", "Connection", "")
	c.Class = "connectivity"
	c.State = b.topic("state")
	c.On, c.Off = "online", "offline"
	return c
}

func (b Bridge) version() component {
	c := b.entity("sensor", "version", "Version", "mdi:tag")
	c.State = b.topic("info")
	c.Value = "{{ value_json.version }}"
	c.Availability = []availability{bridgeState(b.BaseTopic)}
	return c
}

func (b Bridge) rescan() component {
	c := b.entity("button", "rescan", "Look for devices", "mdi:magnify")
	c.Category = "config"
	c.Command = b.topic("request/rescan")
	c.Availability = []availability{bridgeState(b.BaseTopic)}
	return c
}

// lower is for entity ids, which know no capitals and no dash.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case c == '-':
			b[i] = '_'
		}
	}
	return string(b)
}

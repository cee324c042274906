package hass

import "slices"

// A Bridge is the bridge itself as a device in Home Assistant. The devices that
// it serves refer to it.
type Bridge struct {
	// BaseTopic is what all topics of the bridge begin with. Default: airplay.
	BaseTopic string
	// DiscoveryPrefix is what Home Assistant listens to. Default: homeassistant.
	DiscoveryPrefix string
	// Version is what <base>/bridge/info tells under "version".
	Version string
	// Requests are those that the bridge obeys, such as rescan. Default: none,
	// and then there are no buttons.
	Requests []string
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
	all := map[string]component{"connectivity": b.connectivity(), "version": b.version(), "problems": b.problems()}
	for _, c := range []struct{ request, key, label, icon, class string }{
		{"rescan", "rescan", "Look for devices", "mdi:magnify", ""},
		{"restart", "restart", "Restart", "", "restart"},
	} {
		if slices.Contains(b.Requests, c.request) {
			all[c.key] = b.button(c.request, c.key, c.label, c.icon, c.class)
		}
	}
	if slices.Contains(b.Requests, "log/level") {
		all["log_level"] = b.logLevel()
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

// problems are what somebody should look after.
func (b Bridge) problems() component {
	c := b.entity("binary_sensor", "problems", "Problems", "")
	c.Class = "problem"
	c.State = b.topic("health")
	c.Value = "{{ 'ON' if value_json.problems else 'OFF' }}"
	c.Attributes = b.topic("health")
	c.Availability = []availability{bridgeState(b.BaseTopic)}
	return c
}

func (b Bridge) button(request, key, label, icon, class string) component {
	c := b.entity("button", key, label, icon)
	c.Category = "config"
	c.Class = class
	c.Command = b.topic("request/" + request)
	c.Press = "{}"
	c.Availability = []availability{bridgeState(b.BaseTopic)}
	return c
}

// logLevel is how much is written to the log.
func (b Bridge) logLevel() component {
	c := b.entity("select", "log_level", "Log level", "mdi:text-box-search")
	c.Category = "config"
	c.State = b.topic("info")
	c.Value = "{{ value_json.log.level }}"
	c.Command = b.topic("request/log/level")
	c.Options = []string{"debug", "info", "warn", "error"}
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

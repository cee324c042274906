package hass

import (
	"bytes"
	"encoding/json"
)

// program is the origin of all payloads: by it we know our own.
const program = "airplay2mqtt"

// The keys of a device payload, as in Home Assistant's documentation of MQTT
// discovery. Its root, device and origin refuse any other key.
type payload struct {
	Device           device               `json:"device"`
	Origin           origin               `json:"origin"`
	Availability     []availability       `json:"availability,omitempty"`
	AvailabilityMode string               `json:"availability_mode,omitempty"`
	QoS              int                  `json:"qos"`
	Components       map[string]component `json:"components"`
}

type device struct {
	Identifiers  []string `json:"identifiers"`
	Name         string   `json:"name,omitempty"`
	Manufacturer string   `json:"manufacturer,omitempty"`
	Model        string   `json:"model,omitempty"`
	Firmware     string   `json:"sw_version,omitempty"`
	Via          string   `json:"via_device,omitempty"`
}

type origin struct {
	Name    string `json:"name"`
	Version string `json:"sw_version,omitempty"`
}

func ours(version string) origin { return origin{Name: program, Version: version} }

// availability is "online" or "offline" on a topic.
type availability struct {
	Topic string `json:"topic"`
}

func bridgeState(base string) availability {
	return availability{Topic: fallback(base, "airplay") + "/bridge/state"}
}

// A component is one entity. Home Assistant drops the keys that a platform does
// not know.
type component struct {
	Platform     string         `json:"platform"`
	UniqueID     string         `json:"unique_id"`
	Entity       string         `json:"default_entity_id"`
	Name         name           `json:"name"`
	Icon         string         `json:"icon,omitempty"`
	Class        string         `json:"device_class,omitempty"`
	Category     string         `json:"entity_category,omitempty"`
	Availability []availability `json:"availability,omitempty"`

	State      string   `json:"state_topic,omitempty"`
	Value      string   `json:"value_template,omitempty"`
	Attributes string   `json:"json_attributes_topic,omitempty"`
	Options    []string `json:"options,omitempty"`
	EventTypes []string `json:"event_types,omitempty"`
	On         string   `json:"payload_on,omitempty"`
	Off        string   `json:"payload_off,omitempty"`

	Command         string `json:"command_topic,omitempty"`
	CommandTemplate string `json:"command_template,omitempty"`
	Press           string `json:"payload_press,omitempty"`

	Min  *int   `json:"min,omitempty"`
	Max  int    `json:"max,omitempty"`
	Step int    `json:"step,omitempty"`
	Mode string `json:"mode,omitempty"`
	Unit string `json:"unit_of_measurement,omitempty"`

	Image       string `json:"image_topic,omitempty"`
	ContentType string `json:"content_type,omitempty"`

	SirenValue string   `json:"state_value_template,omitempty"`
	Tones      []string `json:"available_tones,omitempty"`
}

// A name is null where the entity is the device itself.
type name string

func (n name) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	return encode(string(n)), nil
}

func (n *name) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, (*string)(n)) }

// encode writes JSON without <, > and & made unreadable. Our types hold nothing
// that cannot be written.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("hass: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

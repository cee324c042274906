package hass_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What Home Assistant accepts, read in its source (2026.9): the schemas of device
// discovery, and those of the platforms that are used here.

type object = map[string]any

var (
	rootKeys = []string{"device", "origin", "components", "availability", "availability_mode", "availability_topic",
		"availability_template", "payload_available", "payload_not_available", "state_topic", "command_topic", "qos", "encoding"}
	deviceKeys = []string{"identifiers", "connections", "manufacturer", "model", "model_id", "name", "hw_version",
		"serial_number", "sw_version", "via_device", "suggested_area", "configuration_url"}
	originKeys = []string{"name", "sw_version", "support_url"}
	platforms  = []string{"alarm_control_panel", "binary_sensor", "button", "camera", "climate", "cover", "device_automation",
		"device_tracker", "event", "fan", "humidifier", "image", "lawn_mower", "light", "lock", "notify", "number", "scene",
		"select", "sensor", "siren", "switch", "tag", "text", "update", "vacuum", "valve", "water_heater"}
	needs = map[string][]string{
		"binary_sensor": {"state_topic"}, "button": {"command_topic"}, "event": {"state_topic", "event_types"},
		"image": {"image_topic"}, "notify": {"command_topic"}, "number": {"command_topic"}, "sensor": {"state_topic"},
		"select": {"command_topic", "options"}, "siren": {"command_topic"}, "switch": {"command_topic"}, "text": {"command_topic"},
	}
	classes = map[string][]string{
		"button": {"identify", "restart", "update"}, "sensor": {"enum"}, "binary_sensor": {"problem", "connectivity"},
	}
	topicShape    = regexp.MustCompile(`^[a-zA-Z0-9_]+/device/[a-zA-Z0-9_-]+/config$`)
	entityIDShape = regexp.MustCompile(`^([a-z_]+)\.[a-z0-9]+(_[a-z0-9]+)*$`)
)

// refused says why Home Assistant would not take a device payload; empty if it
// would.
func refused(topic string, payload []byte) []string {
	var r rules
	var p object
	if err := json.Unmarshal(payload, &p); err != nil {
		return []string{err.Error()}
	}
	if !topicShape.MatchString(topic) {
		r.say("topic %s", topic)
	}
	r.only("root", p, rootKeys)
	r.need("root", p, "device", "origin", "components")
	r.device(child(p, "device"))
	r.only("origin", child(p, "origin"), originKeys)
	r.need("origin", child(p, "origin"), "name")
	r.availability("root", p)
	if len(child(p, "components")) == 0 {
		r.say("no components")
	}
	seen := map[string]bool{}
	for key := range child(p, "components") {
		r.component(key, child(child(p, "components"), key), seen)
	}
	slices.Sort(r.found)
	return r.found
}

func child(p object, key string) object {
	c, _ := p[key].(object)
	return c
}

type rules struct{ found []string }

func (r *rules) say(format string, args ...any) {
	r.found = append(r.found, fmt.Sprintf(format, args...))
}

func (r *rules) only(where string, p object, keys []string) {
	for key := range p {
		if !slices.Contains(keys, key) {
			r.say("%s: unknown key %s", where, key)
		}
	}
}

func (r *rules) need(where string, p object, keys ...string) {
	for _, key := range keys {
		if p[key] == nil || p[key] == "" {
			r.say("%s: no %s", where, key)
		}
	}
}

func (r *rules) device(d object) {
	r.only("device", d, deviceKeys)
	ids, _ := d["identifiers"].([]any)
	links, _ := d["connections"].([]any)
	if len(ids)+len(links) == 0 {
		r.say("device: nothing identifies it")
	}
}

func (r *rules) availability(where string, p object) {
	list, isList := p["availability"].([]any)
	if p["availability"] == nil {
		return
	}
	if !isList {
		r.say("%s: availability is no list", where)
	}
	if mode := p["availability_mode"]; mode != nil && mode != "all" && mode != "any" && mode != "latest" {
		r.say("%s: availability_mode %v", where, mode)
	}
	if len(list) > 1 && p["availability_mode"] != "all" {
		r.say("%s: several availabilities need the mode all", where)
	}
	for _, a := range list {
		a, _ := a.(object)
		r.need(where+" availability", a, "topic")
		r.only(where+" availability", a, []string{"topic", "payload_available", "payload_not_available", "value_template"})
	}
}

func (r *rules) component(key string, c object, seen map[string]bool) {
	platform, _ := c["platform"].(string)
	if !slices.Contains(platforms, platform) {
		r.say("%s: platform %q is not one of MQTT's", key, platform)
		return
	}
	if len(c) == 1 {
		return // a bare platform: it is being removed
	}
	r.need(key, c, "unique_id")
	r.need(key, c, needs[platform]...)
	id := fmt.Sprint(c["unique_id"])
	if seen[id] {
		r.say("%s: unique_id %s is another's, too", key, id)
	}
	seen[id] = true
	if _, ok := c["object_id"]; ok {
		r.say("%s: object_id is gone, default_entity_id is it", key)
	}
	if _, ok := c["name"]; !ok {
		r.say("%s: no name", key)
	}
	entity := fmt.Sprint(c["default_entity_id"])
	if m := entityIDShape.FindStringSubmatch(entity); m == nil || m[1] != platform {
		r.say("%s: default_entity_id %s", key, entity)
	}
	if icon, ok := c["icon"].(string); ok && !strings.HasPrefix(icon, "mdi:") {
		r.say("%s: icon %s", key, icon)
	}
	r.category(key, platform, c)
	r.availability(key, c)
	r.topics(key, c)
	r.platform(key, platform, c)
}

func (r *rules) category(key, platform string, c object) {
	category, ok := c["entity_category"]
	if ok && category != "diagnostic" && category != "config" {
		r.say("%s: entity_category %v", key, category)
	}
	if category == "config" && (platform == "sensor" || platform == "binary_sensor") {
		r.say("%s: a %s cannot be config", key, platform)
	}
}

func (r *rules) topics(key string, c object) {
	for k, v := range c {
		if s, _ := v.(string); strings.HasSuffix(k, "_topic") && (s == "" || strings.ContainsAny(s, "+#")) {
			r.say("%s: %s is %q", key, k, s)
		}
		if s, _ := v.(string); strings.HasSuffix(k, "_template") && strings.Count(s, "{{") != strings.Count(s, "}}") {
			r.say("%s: %s is %q", key, k, s)
		}
	}
}

func (r *rules) platform(key, platform string, c object) {
	if class, ok := c["device_class"].(string); ok && !slices.Contains(classes[platform], class) {
		r.say("%s: device_class %s", key, class)
	}
	switch platform {
	case "sensor":
		options, _ := c["options"].([]any)
		if (c["device_class"] == "enum") != (len(options) > 0) {
			r.say("%s: class enum and options need each other", key)
		}
	case "text":
		r.text(key, c)
	case "number":
		low, _ := c["min"].(float64)
		high, _ := c["max"].(float64)
		if low >= high {
			r.say("%s: min %v, max %v", key, low, high)
		}
		if mode := c["mode"]; mode != nil && mode != "slider" && mode != "box" && mode != "auto" {
			r.say("%s: mode %v", key, mode)
		}
	case "select":
		r.options(key, c)
	case "siren":
		if tones, ok := c["available_tones"].([]any); ok && len(tones) == 0 {
			r.say("%s: no tones", key)
		}
	case "event":
		if types, _ := c["event_types"].([]any); len(types) == 0 {
			r.say("%s: no event types", key)
		}
	}
}

func (r *rules) options(key string, c object) {
	options, _ := c["options"].([]any)
	if len(options) == 0 {
		r.say("%s: no options", key)
	}
	for i, option := range options {
		if slices.Index(options, option) < i {
			r.say("%s: option %v twice", key, option)
		}
	}
}

func (r *rules) text(key string, c object) {
	if high, ok := c["max"].(float64); ok && high > 255 {
		r.say("%s: max %v is more than 255", key, high)
	}
	mode := c["mode"]
	if mode != nil && mode != "text" && mode != "password" {
		r.say("%s: mode %v", key, mode)
	}
	if mode == "password" && (c["state_topic"] == nil || c["value_template"] != "{{ '' }}") {
		r.say("%s: what is typed stays", key)
	}
}

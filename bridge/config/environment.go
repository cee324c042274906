package config

import (
	"errors"
	"reflect"
	"sort"
	"strings"

	"airplay2mqtt/internal/nearest"

	"gopkg.in/yaml.v3"
)

// Prefix begins the name of every variable that is read from the environment:
// AIRPLAY2MQTT_MQTT_SERVER is mqtt.server. Lists are separated by commas;
// AIRPLAY2MQTT_DEVICES is YAML.
const Prefix = "AIRPLAY2MQTT_"

// Variables lists the names of the variables that are read.
func Variables() []string {
	var names []string
	cfg := Default()
	each(reflect.ValueOf(&cfg).Elem(), "", func(key string, _ reflect.Value) {
		names = append(names, variable(key))
	})
	return names
}

func variable(key string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func (r *reading) environment(environ []string) {
	given := map[string]string{}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(name, Prefix) && value != "" {
			given[name] = value
		}
	}
	r.fromEnv = map[string]string{}
	each(reflect.ValueOf(r.cfg).Elem(), "", func(key string, v reflect.Value) {
		name := variable(key)
		text, ok := given[name]
		if !ok {
			return
		}
		delete(given, name)
		r.fromEnv[key] = name
		r.set(key, v, text)
	})
	unknown := make([]string, 0, len(given))
	for name := range given {
		unknown = append(unknown, name)
	}
	sort.Strings(unknown)
	for _, name := range unknown {
		r.mistakes = append(r.mistakes, Mistake{Where: name, Text: "unknown variable" + nearest.Hint(name, Variables())})
	}
}

// set gives a field the value that a variable holds.
func (r *reading) set(key string, v reflect.Value, text string) {
	switch v.Interface().(type) {
	case string:
		v.SetString(text)
		return
	case []string:
		list := []string{}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		v.Set(reflect.ValueOf(list))
		return
	}
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	err := d.Decode(v.Addr().Interface())
	var typed *yaml.TypeError
	switch {
	case errors.As(err, &typed):
		for _, e := range typed.Errors {
			r.wrong(key, "%s", r.explain(e).Text)
		}
	case err != nil:
		r.wrong(key, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
}

// each visits every key that has a value of its own.
func each(v reflect.Value, path string, visit func(key string, v reflect.Value)) {
	for i := range v.NumField() {
		key := path + v.Type().Field(i).Tag.Get("yaml")
		if f := v.Field(i); f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[Clock]() {
			each(f, key+".", visit)
		} else {
			visit(key, f)
		}
	}
}

// keysOf lists the keys of one of this package's types.
func keysOf(typeName string) []string {
	for _, v := range []any{Config{}, MQTT{}, HomeAssistant{}, Discovery{}, Device{}, Group{}, Announcements{}, TTS{}, QuietHours{}, Limits{}, Media{}, Credentials{}, Web{}, Log{}} {
		if t := reflect.TypeOf(v); t.Name() == typeName {
			keys := make([]string, t.NumField())
			for i := range keys {
				keys[i] = t.Field(i).Tag.Get("yaml")
			}
			return keys
		}
	}
	return nil
}

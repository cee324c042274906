package config_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"airplay2mqtt/bridge/config"

	"gopkg.in/yaml.v3"
)

// wrong says where a value is not as a schema wants it, as far as our schemas go.
func wrong(schema map[string]any, value any, at string) []string {
	var found []string
	if types := fmt.Sprint(schema["type"]); value != nil && !slices.ContainsFunc(typesOf(value), func(t string) bool { return strings.Contains(types, t) }) {
		found = append(found, fmt.Sprintf("%s: %v is no %s", at, value, types))
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, value) {
		found = append(found, fmt.Sprintf("%s: %v is none of %v", at, value, enum))
	}
	if pattern, ok := schema["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(fmt.Sprint(value)) {
		found = append(found, fmt.Sprintf("%s: %v does not match", at, value))
	}
	if most, ok := schema["maximum"].(float64); ok && value.(float64) > most {
		found = append(found, fmt.Sprintf("%s: %v is too much", at, value))
	}
	switch v := value.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			below, ok := properties[key].(map[string]any)
			if !ok {
				found = append(found, at+": unknown key "+key)
				continue
			}
			found = append(found, wrong(below, v[key], at+"."+key)...)
		}
	case []any:
		for i, one := range v {
			found = append(found, wrong(schema["items"].(map[string]any), one, fmt.Sprintf("%s[%d]", at, i))...)
		}
	}
	return found
}

func typesOf(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{"string"}
	case bool:
		return []string{"boolean"}
	case float64:
		if v == float64(int64(v)) {
			return []string{"integer", "number"}
		}
		return []string{"number"}
	case []any:
		return []string{"array"}
	}
	return []string{"object"}
}

// asJSON is a YAML text, or any value, as JSON reads it.
func asJSON(t *testing.T, v any) map[string]any {
	t.Helper()
	if text, ok := v.(string); ok {
		v = nil
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheSchemaTakesWhatTheBridgeTakes(t *testing.T) {
	schema := asJSON(t, config.SchemaOf())
	example, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]map[string]any{
		"the defaults": asJSON(t, config.Default().Map()),
		"the example":  asJSON(t, string(example)),
		"a full one": asJSON(t, `{devices: [{name: Kitchen, host: 10.0.0.2, port: 5000, latency: chime, max_volume: 60, offset: -40, keep_warm: always, timing: ntp}],
			groups: [{name: Down, members: [kitchen]}], quiet_hours: {from: "22:00", to: "7:00"}, announcements: {loudness: off, bed: -12dB}}`),
	} {
		if found := wrong(schema, value, ""); len(found) > 0 {
			t.Errorf("%s: %s", name, strings.Join(found, "; "))
		}
	}
}

func TestTheSchemaRefusesWhatTheBridgeRefuses(t *testing.T) {
	schema := asJSON(t, config.SchemaOf())
	for _, text := range []string{
		"{mqtt: {srever: x}}", "{loud: true}", "{log: {level: loud}}", "{devices: {name: x}}", "{discovery: {mdns: 5}}",
		"{devices: [{name: x, protocol: dlna}]}", "{quiet_hours: {from: noon}}", "{devices: [{name: x, max_volume: 101}]}",
		"{announcements: {per_hour: many}}", "{media: {folders: [1]}}",
	} {
		if found := wrong(schema, asJSON(t, text), ""); len(found) == 0 {
			t.Errorf("%s: it takes that", text)
		}
		if _, err := config.Parse("x", []byte(text), nil); err == nil && !strings.Contains(text, "folders") {
			t.Errorf("%s: the bridge takes it", text)
		}
	}
}

package config

import (
	"reflect"
)

// A Schema is a JSON Schema (2020-12), for those who write configurations by
// machine.
type Schema struct {
	Dialect     string             `json:"$schema,omitempty"`
	Type        any                `json:"type,omitempty"` // a word, or several
	Description string             `json:"description,omitempty"`
	Properties  map[string]*Schema `json:"properties,omitempty"`
	Closed      *bool              `json:"additionalProperties,omitempty"`
	Items       *Schema            `json:"items,omitempty"`
	Enum        []string           `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Minimum     *int               `json:"minimum,omitempty"`
	Maximum     *int               `json:"maximum,omitempty"`
	Default     any                `json:"default,omitempty"`
}

// SchemaOf describes the configuration file: what it may hold, and what holds
// where nothing is said. Config checks more than can be said in it.
func SchemaOf() *Schema {
	s := schemaOf(reflect.TypeFor[Config](), "", Default().Map())
	s.Dialect = "https://json-schema.org/draft/2020-12/schema"
	return s
}

// scalars are the types that have a notation of their own.
var scalars = map[reflect.Type]Schema{
	reflect.TypeFor[Clock]():    {Type: "string", Pattern: "^(([01]?[0-9]|2[0-3]):[0-5][0-9])?$", Description: "a time of day, such as 22:00"},
	reflect.TypeFor[Percent]():  {Type: "integer", Minimum: new(int), Maximum: hundred(), Description: "1 to 100; 0: nothing is said"},
	reflect.TypeFor[Latency]():  {Type: []string{"string", "number"}, Description: "chime, normal, robust, milliseconds, or 100ms to 10s"},
	reflect.TypeFor[Offset]():   {Type: []string{"string", "number"}, Description: "milliseconds, or -2s to 2s"},
	reflect.TypeFor[Warmth]():   {Type: []string{"string", "number"}, Description: "always, or 1s to 24h"},
	reflect.TypeFor[Length]():   {Type: []string{"string", "number"}, Description: "seconds, or up to 1h, such as 5s"},
	reflect.TypeFor[Size]():     {Type: []string{"string", "integer"}, Description: "bytes, such as 512MiB"},
	reflect.TypeFor[Decibels](): {Type: []string{"string", "number"}, Description: "-60dB to 0dB"},
	reflect.TypeFor[Loudness](): {Type: []string{"string", "number", "boolean"}, Description: "off, or -40LUFS to -5LUFS"},
}

func hundred() *int { n := 100; return &n }

func schemaOf(t reflect.Type, key string, value any) *Schema {
	if s, ok := scalars[t]; ok {
		s.Default = value
		return &s
	}
	switch t.Kind() {
	case reflect.Struct:
		return objectOf(t, key, value)
	case reflect.Slice:
		return &Schema{Type: "array", Items: schemaOf(t.Elem(), key, nil), Default: value}
	case reflect.Bool:
		return &Schema{Type: "boolean", Default: value}
	case reflect.String:
		s := &Schema{Type: "string", Enum: choices[key], Default: value}
		if s.Enum != nil && value == nil { // of a device
			s.Enum = append([]string{""}, s.Enum...)
		}
		return s
	}
	return &Schema{Type: "integer", Default: value}
}

func objectOf(t reflect.Type, key string, value any) *Schema {
	s := &Schema{Type: "object", Properties: map[string]*Schema{}, Closed: new(bool)}
	values, _ := value.(map[string]any)
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("yaml")
		path := name
		if key != "" {
			path = key + "." + name
		}
		s.Properties[name] = schemaOf(t.Field(i).Type, path, values[name])
	}
	return s
}

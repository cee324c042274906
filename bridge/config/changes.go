package config

import "reflect"

// Changes lists the keys that two configurations say different things of, in the
// order in which the example has them.
func Changes(a, b Config) []string {
	was := map[string]any{}
	each(reflect.ValueOf(&a).Elem(), "", func(key string, v reflect.Value) { was[key] = v.Interface() })
	var keys []string
	each(reflect.ValueOf(&b).Elem(), "", func(key string, v reflect.Value) {
		if !reflect.DeepEqual(was[key], v.Interface()) {
			keys = append(keys, key)
		}
	})
	return keys
}

package mqtt_test

import (
	"strings"
	"testing"

	"airplay2mqtt/bridge/mqtt"
)

func TestFiltersMatchTopics(t *testing.T) {
	for _, tt := range []struct {
		filter, topic string
		want          bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a/b", false},
		{"a/b", "a", false},
		{"+", "a", true},
		{"+", "a/b", false},
		{"+", "", true},
		{"+/+", "/a", true},
		{"/+", "/a", true},
		{"+/b/+", "a/b/c", true},
		{"+/b/+", "a/c/c", false},
		{"a/+", "a", false},
		{"a/+", "a/", true},
		{"#", "a/b/c", true},
		{"a/#", "a/b/c", true},
		{"a/#", "a", true},
		{"a/+/#", "a", false},
		{"a/+/#", "a/b", true},
		{"a/#", "ab", false},
		{"#", "$SYS/x", false},
		{"+/x", "$SYS/x", false},
		{"$SYS/#", "$SYS/x", true},
	} {
		if got := mqtt.Matches(tt.filter, tt.topic); got != tt.want {
			t.Errorf("%q matches %q: %v, want %v", tt.filter, tt.topic, got, tt.want)
		}
	}
}

func TestFiltersAreChecked(t *testing.T) {
	for _, good := range []string{"a", "a/b", "+", "#", "+/a/#", "/", "a//b", "$SYS/#"} {
		if err := mqtt.CheckFilter(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a+", "+a/b", "#/a", "a/b#", "a\x00", "\xff", strings.Repeat("a", 65536)} {
		if mqtt.CheckFilter(bad) == nil {
			t.Errorf("%.10q passed", bad)
		}
	}
}

func FuzzMatches(f *testing.F) {
	f.Add("a/+/#", "a/b/c")
	f.Add("$SYS/#", "$SYS")
	f.Fuzz(func(t *testing.T, filter, topic string) {
		if mqtt.CheckFilter(filter) != nil || mqtt.CheckTopic(topic) != nil {
			return
		}
		got := mqtt.Matches(filter, topic)
		if filter == topic && !got {
			t.Errorf("%q does not match itself", filter)
		}
		if want := slowly(strings.Split(filter, "/"), strings.Split(topic, "/")) &&
			(!strings.HasPrefix(topic, "$") || strings.HasPrefix(filter, "$")); got != want {
			t.Errorf("%q matches %q: %v, want %v", filter, topic, got, want)
		}
	})
}

// slowly is the same by another way.
func slowly(filter, topic []string) bool {
	switch {
	case len(filter) == 0:
		return len(topic) == 0
	case filter[0] == "#":
		return true
	case len(topic) == 0:
		return false
	}
	return (filter[0] == "+" || filter[0] == topic[0]) && slowly(filter[1:], topic[1:])
}

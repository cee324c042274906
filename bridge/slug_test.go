package bridge_test

import (
	"testing"

	"airplay2mqtt/bridge"
)

func TestSlugs(t *testing.T) {
	for name, want := range map[string]string{
		"Kitchen":          "kitchen",
		"Living Room (TV)": "living_room_tv",
		"Küche":            "kuche",
		"Großes Bad":       "grosses_bad",
		"  Büro -- 2  ":    "buro_2",
		"Anna’s HomePod":   "annas_homepod",
		"客厅":               "",
		"_":                "",
	} {
		if got := bridge.SlugOf(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestSlugsAreUnique(t *testing.T) {
	taken := map[string]bool{"kitchen": true, "kitchen_2": true}
	for _, c := range []struct{ name, want string }{
		{"Kitchen", "kitchen_3"},
		{"All", "all_2"},
		{"Bridge", "bridge_2"},
		{"None", "none_2"}, // of join
		{"客厅", "device_5a6b6c"},
		{"Hall", "hall"},
	} {
		if got := bridge.UniqueSlug(c.name, "0011325A6B6C", func(s string) bool { return taken[s] }); got != c.want {
			t.Errorf("%q: got %q, want %q", c.name, got, c.want)
		}
	}
}

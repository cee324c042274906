package nearest_test

import (
	"testing"

	"airplay2mqtt/internal/nearest"
)

func TestWordThatWasMeant(t *testing.T) {
	words := []string{"server", "username", "password", "volume", "max_volume"}
	for written, want := range map[string]string{
		"sever":      "server",
		"volmue":     "volume",
		"Volume":     "volume",
		"pasword":    "password",
		"maxvolume":  "max_volume",
		"brightness": "",
		"":           "",
	} {
		if got := nearest.Word(written, words); got != want {
			t.Errorf("Word(%q): got %q, want %q", written, got, want)
		}
	}
}

package features_test

import (
	"testing"

	"airplay2mqtt/internal/features"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want features.Set
	}{
		{"0x445F8A00,0x1C340", 0x1C340445F8A00},
		{"0x445f8a00, 0x1c340", 0x1C340445F8A00},
		{"0x44F0A00", 0x44F0A00},
		{"119", 119},
		{"", 0},
		{"garbage,0x1", 1 << 32},
		{"0x1FFFFFFFF", 0},
	} {
		if got := features.Parse(c.text); got != c.want {
			t.Errorf("Parse(%q): got %#x, want %#x", c.text, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0x445F8A00,0x1C340")
	f.Add(",")
	f.Fuzz(func(t *testing.T, s string) {
		features.Parse(s)
		features.ParseFlags(s)
	})
}

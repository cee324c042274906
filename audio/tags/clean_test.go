package tags_test

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio/tags"
)

var dirty = []struct{ name, in, want string }{
	{"plain text stays", "Für Elise", "Für Elise"},
	{"outer spaces go", "  a title \t", "a title"},
	{"lines become one", "first\r\nsecond\n\nthird", "first second third"},
	{"NULs become a space", "one\x00two\x00", "one two"},
	{"control characters go", "\x1b[31mred\x07", "[31mred"},
	{"Latin-1 is decoded", "K\xfcche", "Küche"},
	{"Windows-1252 is decoded", "\x93quoted\x94 \x80", "“quoted” €"},
	{"UTF-8 encoded twice is set right", "KÃ¼che", "Küche"},
	{"guillemets after a tilde stay", "«IRMÃ»", "«IRMÃ»"},
	{"a byte order mark goes", "\ufefftitle", "title"},
	{"a title cannot turn its direction", "song\u202egpj.exe", "songgpj.exe"},
	{"other scripts stay", "東京 Привет שלום", "東京 Привет שלום"},
	{"nothing stays nothing", "", ""},
	{"only dirt becomes nothing", "\x00 \t\ufeff", ""},
	{"a character cut in half goes", "Äpfel, K\xc3", "Äpfel, K"},
	{"Latin-1 may end with an accent", "caf\xe9", "café"},
	{"a novel is cut", strings.Repeat("ä", 5000), strings.Repeat("ä", 1000)},
}

func TestTextIsCleaned(t *testing.T) {
	for _, tt := range dirty {
		t.Run(tt.name, func(t *testing.T) {
			if got := tags.Clean(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatIsMissingIsFilled(t *testing.T) {
	id3 := tags.Tags{Title: "Prelude", Year: 1999}
	info := tags.Tags{Title: "track 1", Artist: "Bach", Album: "WTC", Genre: "Baroque",
		Year: 2001, Track: 1, Duration: time.Second, Artwork: []byte{1}}
	want := info
	want.Title, want.Year = "Prelude", 1999
	if diff := cmp.Diff(want, id3.Or(info)); diff != "" {
		t.Errorf("id3.Or(info) (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(info, tags.Tags{}.Or(info)); diff != "" {
		t.Errorf("nothing.Or(info) (-want +got):\n%s", diff)
	}
}

func FuzzClean(f *testing.F) {
	for _, tt := range dirty {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := tags.Clean(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		if utf8.RuneCountInString(got) > 1000 {
			t.Fatalf("%d characters", utf8.RuneCountInString(got))
		}
		if strings.ContainsFunc(got, unicode.IsControl) || got != strings.TrimSpace(got) {
			t.Fatalf("%q is not clean", got)
		}
	})
}

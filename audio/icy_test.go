package audio_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"airplay2mqtt/audio"
)

// icy puts texts into a stream, one after every so many bytes.
func icy(sound []byte, every int, texts ...string) []byte {
	var b []byte
	for len(sound) >= every {
		b = append(b, sound[:every]...)
		sound = sound[every:]
		text := ""
		if len(texts) > 0 {
			text, texts = texts[0], texts[1:]
		}
		n := (len(text) + 15) / 16
		b = append(b, byte(n))
		b = append(b, text...)
		b = append(b, make([]byte, 16*n-len(text))...)
	}
	return append(b, sound...)
}

func TestTitlesAreTakenOutOfTheStream(t *testing.T) {
	sound := bytes.Repeat([]byte("0123456789"), 100)
	stream := icy(sound, 150, "StreamTitle='A - B';StreamUrl='';", "", "StreamTitle='C';")
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "half": iotest.HalfReader,
	} {
		var titles []string
		r := audio.NewICYReader(wrap(bytes.NewReader(stream)), 150, func(s string) { titles = append(titles, s) })
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, sound) {
			t.Errorf("%s: got %d bytes and %v, want %d", name, len(got), err, len(sound))
		}
		if want := []string{"A - B", "C"}; !slices.Equal(titles, want) {
			t.Errorf("%s: got %q, want %q", name, titles, want)
		}
	}
}

func TestTitlesAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"StreamTitle='A - B';StreamUrl='x';": "A - B",
		"StreamTitle='It's a ; quote';":      "It's a ; quote",
		"StreamTitle='no end":                "no end",
		"StreamTitle='no semicolon'":         "no semicolon",
		"StreamTitle='Bj\xf6rk - J\xf3ga';":  "Björk - Jóga",
		"StreamTitle='Björk';\x00\x00":       "Björk",
		"StreamTitle=' - Title';":            "Title",
		"StreamTitle='A\nB\x01';":            "A B",
		"StreamTitle='';":                    "",
		"StreamUrl='x';":                     "",
		"":                                   "",
	} {
		if got, _ := audio.ParseTitle([]byte(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzICY(f *testing.F) {
	f.Add(icy(bytes.Repeat([]byte("x"), 100), 30, "StreamTitle='A';"), 30)
	f.Add([]byte("StreamTitle='\xff"), 1)
	f.Fuzz(func(t *testing.T, stream []byte, every int) {
		if every < 1 {
			return
		}
		r := audio.NewICYReader(bytes.NewReader(stream), every, func(s string) {
			if s == "" || !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00") {
				t.Errorf("got the title %q", s)
			}
		})
		got, err := io.ReadAll(r)
		if err != nil || len(got) > len(stream) {
			t.Errorf("got %d bytes of %d, %v", len(got), len(stream), err)
		}
	})
}

package voice_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"airplay2mqtt/bridge/voice"
)

// FuzzText holds that what is spoken is one line without control characters, and
// that nothing of a message becomes an option, a path or a second argument.
func FuzzText(f *testing.F) {
	for _, row := range [][2]string{{" Dinner\n is ready\x00", "de"}, {"\xff\u2028", "-x"}, {"x", "../y"}, {"", "en-us+f3"}, {"a", "a..b"}, {"a", "a\n"}} {
		f.Add(row[0], row[1])
	}
	f.Fuzz(func(t *testing.T, message, name string) {
		text := voice.Clean(message)
		if !utf8.ValidString(text) || strings.IndexFunc(text, unicode.IsControl) >= 0 || text != strings.TrimSpace(text) || text != voice.Clean(text) {
			t.Errorf("%q becomes %q", message, text)
		}
		args, err := voice.Command{Args: []string{"x", "{voice}", "--model=/voices/{voice}.onnx"}}.Arguments(voice.Text{Message: text, Voice: name})
		if err != nil || name == "" {
			return
		}
		if len(args) != 3 || strings.HasPrefix(args[1], "-") || strings.ContainsAny(name, "/\\\n\x00 ") || strings.Contains(name, "..") {
			t.Errorf("%q becomes %q", name, args)
		}
	})
}

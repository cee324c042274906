package assistant_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"airplay2mqtt/bridge/assistant"
)

// FuzzPlace holds that what is called Home Assistant's own lies there, and all
// else is an address of the web.
func FuzzPlace(f *testing.F) {
	for _, address := range []string{
		"/media/local/bell.mp3?authSig=x", "https://radio.example/stream", "//evil/x", "/\\evil", "http:/x", "file:///etc/passwd",
		"@evil/x", ":80/x", "/..//x", "\x00", "http://", "",
	} {
		f.Add(address)
	}
	const site = "http://ha.local:8123"
	f.Fuzz(func(t *testing.T, address string) {
		m, err := assistant.Place(site, address)
		if err != nil {
			return
		}
		u, err := url.Parse(m.URL)
		switch {
		case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
			t.Errorf("%q becomes %q", address, m.URL)
		case m.Own && (u.Host != "ha.local:8123" || u.User != nil):
			t.Errorf("%q is called its own and leads to %s", address, u.Host)
		}
	})
}

// FuzzAnswers reads what its WebSocket and its errors may say.
func FuzzAnswers(f *testing.F) {
	for _, text := range []string{
		`{"id":1,"type":"result","success":true,"result":{"providers":[{"engine_id":"tts.piper","supported_languages":["en"]}]}}`,
		`{"id":1,"type":"result","success":false,"error":{"code":"unknown_command","message":"Unknown command."}}`,
		`{"type":"auth_invalid","message":"no"}`, `{"message":"Must specify platform and message"}`, `{"error":{"x":1}}`, `[`, `null`,
		`{"message":"` + strings.Repeat("ü", 200) + `"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := assistant.Understand(text); err != nil && len(err.Error()) > 500 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		if s := assistant.Complaint(text); len(s) > 250 || !utf8.ValidString(s) {
			t.Errorf("a complaint of %d bytes: %q", len(s), s)
		}
	})
}

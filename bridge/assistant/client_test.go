package assistant_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/bridge/assistant"
	"airplay2mqtt/bridge/assistant/assistanttest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "geheim-aber-lang"

// home is a Home Assistant with two engines and some media, and its address.
func home(t *testing.T) (*assistanttest.Server, string) {
	t.Helper()
	say := func(s assistanttest.Speech) []byte { return bytes.Repeat([]byte(s.Message), 1000) }
	s := assistanttest.New(assistanttest.Config{
		Token: token,
		Engines: []assistanttest.Engine{
			{ID: "cloud", Languages: []string{"en-US"}, Deprecated: true},
			{ID: "tts.piper", Languages: []string{"en_GB", "en_US"}, Speak: say},
			{ID: "tts.google", Languages: []string{"de", "fr"}, Speak: say},
			{ID: "tts.broken", Languages: []string{"la"}},
		},
		Media: map[string]assistanttest.Media{
			"media-source://media_source/local/bell.mp3": {Path: "/media/local/bell.mp3", Content: []byte("bell")},
			"media-source://radio_browser/x":             {URL: "https://radio.example/stream"},
			"media-source://odd/file":                    {URL: "file:///etc/passwd"},
		},
		External: "https://outside.example",
	})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

func client(t *testing.T, cfg assistant.Config) *assistant.Client {
	t.Helper()
	if cfg.Token == "" {
		cfg.Token = token
	}
	c, err := assistant.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestHomeAssistantSpeaks(t *testing.T) {
	ha, url := home(t)
	c := client(t, assistant.Config{URL: url + "/"})
	for _, s := range []assistant.Speech{{Message: "hello"}, {Message: "hallo", Language: "de", Voice: "katja"}} {
		sound, err := c.Speak(t.Context(), s)
		if err != nil || !bytes.Equal(sound, bytes.Repeat([]byte(s.Message), 1000)) {
			t.Errorf("%+v: got %d bytes, %v", s, len(sound), err)
		}
	}
	if _, err := client(t, assistant.Config{URL: url, Engine: "tts.piper"}).Speak(t.Context(), assistant.Speech{Message: "hi", Language: "en_US"}); err != nil {
		t.Error(err)
	}
	want := []assistanttest.Speech{
		{Engine: "tts.piper", Message: "hello"},
		{Engine: "tts.google", Message: "hallo", Language: "de", Options: map[string]string{"voice": "katja"}},
		{Engine: "tts.piper", Message: "hi", Language: "en_US"},
	}
	if diff := cmp.Diff(want, ha.Speeches()); diff != "" {
		t.Errorf("it was asked (-want +got):\n%s", diff)
	}
}

func TestWhyHomeAssistantDoesNotSpeak(t *testing.T) {
	_, url := home(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	moved := httptest.NewServer(http.RedirectHandler("https://ha.example:8123/x?secret", http.StatusMovedPermanently))
	t.Cleanup(moved.Close)
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	for name, c := range map[string]struct {
		cfg    assistant.Config
		speech assistant.Speech
		want   string
		is     error
	}{
		"token":        {assistant.Config{URL: url, Token: "wrong"}, assistant.Speech{}, "refuses the token", assistant.ErrToken},
		"token, REST":  {assistant.Config{URL: url, Token: "wrong", Engine: "tts.piper"}, assistant.Speech{}, "refuses the token", assistant.ErrToken},
		"language":     {assistant.Config{URL: url}, assistant.Speech{Language: "xx"}, "no text-to-speech for this language", assistant.ErrNoEngine},
		"engine":       {assistant.Config{URL: url, Engine: "tts.pipper"}, assistant.Speech{}, "500 Internal Server Error; does it have the engine tts.pipper (tts.engine)?", nil},
		"its language": {assistant.Config{URL: url, Engine: "tts.google"}, assistant.Speech{Language: "en"}, "and does that speak en?", nil},
		"broken":       {assistant.Config{URL: url, Engine: "tts.broken"}, assistant.Speech{}, "it answers 500", nil},
		"too long":     {assistant.Config{URL: url, MaxSound: 100}, assistant.Speech{}, "more than 100 bytes", nil},
		"away":         {assistant.Config{URL: gone.URL, Engine: "tts.piper"}, assistant.Speech{}, "connection refused", nil},
		"away, socket": {assistant.Config{URL: gone.URL}, assistant.Speech{}, "connection refused", nil},
		"moved":        {assistant.Config{URL: moved.URL, Engine: "tts.piper"}, assistant.Speech{}, "it is at https://ha.example:8123 now", nil},
		"another":      {assistant.Config{URL: other.URL}, assistant.Speech{}, "its WebSocket answers 404", nil},
	} {
		if c.speech.Message == "" {
			c.speech.Message = "hello"
		}
		_, err := client(t, c.cfg).Speak(t.Context(), c.speech)
		switch {
		case err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		case strings.Contains(err.Error(), token), strings.Contains(err.Error(), "tts_proxy/"), strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: says what is secret: %v", name, err)
		}
	}
}

func TestAddressesOfItsOwnAreResolved(t *testing.T) {
	_, url := home(t)
	c := client(t, assistant.Config{URL: url})
	for id, want := range map[string]assistant.Media{
		"media-source://media_source/local/bell.mp3": {URL: url + "/media/local/bell.mp3?authSig=signed", MIME: "audio/mpeg", Own: true},
		"media-source://radio_browser/x":             {URL: "https://radio.example/stream", MIME: "audio/mpeg"},
	} {
		if got, err := c.Resolve(t.Context(), id); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", id, got, err, want)
		}
	}
	if got, err := client(t, assistant.Config{URL: url, Site: "http://homeassistant:8123"}).Resolve(t.Context(), "media-source://media_source/local/bell.mp3"); err != nil ||
		got.URL != "http://homeassistant:8123/media/local/bell.mp3?authSig=signed" {
		t.Errorf("by the supervisor: got %+v, %v", got, err)
	}
	for id, want := range map[string]string{
		"media-source://media_source/local/no.mp3": "Media source does not exist (resolve_media_failed)",
		"media-source://odd/file":                  "no http address",
		"http://elsewhere":                         "does not begin so",
	} {
		if got, err := c.Resolve(t.Context(), id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v, want %q", id, got, err, want)
		}
	}
}

// TestHostileAnswers is for what is no Home Assistant, or a broken one.
func TestHostileAnswers(t *testing.T) {
	for name, said := range map[string][]any{
		"no JSON":       {"{"},
		"a list":        {"[]"},
		"babble":        {strings.Repeat(" ", 5<<20)},
		"for ever":      repeated(map[string]string{"type": "auth_required"}, 100),
		"nothing":       {},
		"another shape": {map[string]string{"type": "auth_ok"}, map[string]any{"type": "result", "success": true, "result": "x"}},
		"no result":     {map[string]string{"type": "auth_ok"}, map[string]any{"type": "result"}},
	} {
		server := httptest.NewServer(assistanttest.Saying(said...))
		_, err := client(t, assistant.Config{URL: server.URL}).Speak(t.Context(), assistant.Speech{Message: "hello"})
		if err == nil {
			t.Errorf("%s: got no error", name)
		}
		server.Close()
	}
	silent := httptest.NewServer(assistanttest.Saying(time.Minute))
	t.Cleanup(silent.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := client(t, assistant.Config{URL: silent.URL}).Speak(ctx, assistant.Speech{Message: "hello"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one that is silent: got %v, want a deadline", err)
	}
	for body, want := range map[string]string{
		`{"path":"http://evil/"}`: "does not tell where", `{"path":7}`: "does not tell where", `nonsense`: "does not tell where",
		`{"path":"/api/\u0000"}`: "", strings.Repeat("x", 70<<10): "more than 65536 bytes",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(body)) }))
		_, err := client(t, assistant.Config{URL: server.URL, Engine: "x"}).Speak(t.Context(), assistant.Speech{Message: "hello"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: got %v, want %q", body, err, want)
		}
		server.Close()
	}
}

func repeated(v any, n int) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = v
	}
	return all
}

func TestAddressesThatAreNone(t *testing.T) {
	for _, url := range []string{"", "homeassistant.local:8123", "ftp://x", "http://", "http://[::1"} {
		if _, err := assistant.New(assistant.Config{URL: url}); err == nil {
			t.Errorf("%q: got no error", url)
		}
	}
	for url, want := range map[string]string{"http://ha": "ha:80", "https://ha/x": "ha:443", "http://[::1]:8123": "[::1]:8123"} {
		if got := client(t, assistant.Config{URL: url}).Address(); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}

package assistant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// A Speech is a text that Home Assistant is to speak.
type Speech struct {
	Message  string
	Language string // such as de or en-GB; empty: the engine's own
	Voice    string // one of the engine's; empty: its usual one
}

// getURL is what POST /api/tts_get_url takes.
type getURL struct {
	Engine   string            `json:"engine_id"`
	Message  string            `json:"message"`
	Language string            `json:"language,omitempty"`
	Options  map[string]string `json:"options,omitempty"`
}

// Speak returns the sound of a text: the bytes of an MP3 file, as a rule.
func (c *Client) Speak(ctx context.Context, s Speech) ([]byte, error) {
	sound, err := c.speak(ctx, s)
	if err != nil {
		return nil, c.fail("speak", err)
	}
	return sound, nil
}

func (c *Client) speak(ctx context.Context, s Speech) ([]byte, error) {
	engine := c.cfg.Engine
	if engine == "" {
		var err error
		if engine, err = c.findEngine(ctx, s.Language); err != nil {
			return nil, err
		}
	}
	wish := getURL{Engine: engine, Message: s.Message, Language: s.Language}
	if s.Voice != "" {
		wish.Options = map[string]string{"voice": s.Voice}
	}
	body, err := json.Marshal(wish)
	if err != nil {
		return nil, err
	}
	const answerMost = 64 << 10
	content, err := c.ask(ctx, http.MethodPost, "/api/tts_get_url", bytes.NewReader(body), answerMost)
	if err != nil {
		return nil, s.doubt(engine, err)
	}
	// Its url may be one for browsers outside, which leads nowhere from here;
	// the path is good at the address that we know.
	var where struct {
		Path string `json:"path"`
	}
	if json.Unmarshal(content, &where) != nil || !strings.HasPrefix(where.Path, "/api/") {
		return nil, errors.New("its answer does not tell where the sound is")
	}
	return c.ask(ctx, http.MethodGet, where.Path, nil, c.cfg.MaxSound)
}

// doubt adds to an error what it most often is: Home Assistant answers 500
// without a word where it does not know an engine, or that does not know a
// language.
func (s Speech) doubt(engine string, err error) error {
	var status *statusError
	switch {
	case !errors.As(err, &status) || status.said != "":
		return err
	case s.Language == "":
		return fmt.Errorf("%w; does it have the engine %s (tts.engine)?", err, short(engine))
	}
	return fmt.Errorf("%w; does it have the engine %s (tts.engine), and does that speak %s?", err, short(engine), short(s.Language))
}

// findEngine asks which engines there are, and takes the first that speaks the
// language.
func (c *Client) findEngine(ctx context.Context, language string) (string, error) {
	question := map[string]any{"type": "tts/engine/list"}
	if language != "" {
		question["language"] = language // then each lists what of it it speaks
	}
	var found struct {
		Providers []struct {
			ID         string            `json:"engine_id"`
			Languages  []json.RawMessage `json:"supported_languages"`
			Deprecated bool              `json:"deprecated"`
		} `json:"providers"`
	}
	if err := c.command(ctx, question, &found); err != nil {
		return "", err
	}
	for _, p := range found.Providers {
		if p.ID != "" && !p.Deprecated && (language == "" || len(p.Languages) > 0) {
			return p.ID, nil
		}
	}
	return "", ErrNoEngine
}

// complaint is what an answer says of itself: a message or an error.
func complaint(content []byte) string {
	var said struct {
		Message any `json:"message"`
		Error   any `json:"error"`
	}
	if json.Unmarshal(content, &said) != nil {
		return ""
	}
	for _, v := range []any{said.Message, said.Error} {
		if s, ok := v.(string); ok && s != "" {
			return ": " + short(s)
		}
	}
	return ""
}

// short cuts what comes from the other end.
func short(s string) string {
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

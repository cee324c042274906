// Package assistanttest is a Home Assistant for tests: it speaks as much of the
// REST and WebSocket APIs as is asked of it, with the rules of the real one.
//
//	ha := assistanttest.New(assistanttest.Config{Token: "secret", Engines: ...})
//	go http.Serve(listener, ha)
package assistanttest

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
)

// Config is what a Home Assistant has.
type Config struct {
	// Token is what it lets in.
	Token string
	// Engines are what it speaks with.
	Engines []Engine
	// Media are its files, by media-source:// address.
	Media map[string]Media
	// External is what it takes for its own address.
	External string
}

// An Engine makes the sound of texts.
type Engine struct {
	ID         string
	Languages  []string
	Deprecated bool
	Speak      func(s Speech) []byte // nil: it breaks
}

// Media is a file: at a path of its own, which needs a signature, or elsewhere.
type Media struct {
	Path    string
	Content []byte
	URL     string
}

// A Speech is what it was asked to speak.
type Speech struct {
	Engine   string            `json:"engine_id"`
	Message  string            `json:"message"`
	Language string            `json:"language"`
	Options  map[string]string `json:"options"`
}

// A Server is a Home Assistant.
type Server struct {
	cfg Config
	mux http.ServeMux

	mu       sync.Mutex
	speeches []Speech
	made     map[string]Speech // by the token that its sound is fetched with
}

// New makes a server, an [http.Handler].
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, made: map[string]Speech{}}
	s.mux.HandleFunc("POST /api/tts_get_url", s.getURL)
	s.mux.HandleFunc("GET /api/tts_proxy/{token}", s.sound)
	s.mux.HandleFunc("GET /api/websocket", s.socket)
	s.mux.HandleFunc("GET /media/", s.media)
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Speeches are what it was asked to speak, in order.
func (s *Server) Speeches() []Speech {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Speech(nil), s.speeches...)
}

func (s *Server) getURL(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+s.cfg.Token {
		http.Error(w, "401: Unauthorized", http.StatusUnauthorized)
		return
	}
	var wish Speech
	if json.NewDecoder(r.Body).Decode(&wish) != nil {
		answer(w, http.StatusBadRequest, map[string]string{"message": "Invalid JSON specified"})
		return
	}
	if wish.Engine == "" || wish.Message == "" {
		answer(w, http.StatusBadRequest, map[string]string{"message": "Must specify platform and message"})
		return
	}
	engine, ok := s.engine(wish.Engine)
	switch {
	case !ok, wish.Language != "" && len(engine.speaking(wish.Language)) == 0:
		// It means to say why, and cannot write that as JSON.
		http.Error(w, "500 Internal Server Error\n\nServer got itself in trouble", http.StatusInternalServerError)
		return
	}
	path := "/api/tts_proxy/" + s.note(wish)
	answer(w, http.StatusOK, map[string]string{"url": s.cfg.External + path, "path": path})
}

// note remembers a speech, and returns the name of its sound.
func (s *Server) note(wish Speech) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.speeches = append(s.speeches, wish)
	name := strings.Repeat("x", len(s.speeches)) + ".mp3"
	s.made[name] = wish
	return name
}

// sound is served to everybody who knows its name, in pieces and without a
// length, as soon as there is some of it.
func (s *Server) sound(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	wish, ok := s.made[r.PathValue("token")]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	engine, _ := s.engine(wish.Engine)
	if engine.Speak == nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "audio/mpeg")
	for content := engine.Speak(wish); len(content) > 0; {
		n := min(1000, len(content))
		if _, err := w.Write(content[:n]); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		content = content[n:]
	}
}

func (s *Server) engine(id string) (Engine, bool) {
	for _, e := range s.cfg.Engines {
		if e.ID == id {
			return e, true
		}
	}
	return Engine{}, false
}

// speaking are the languages of an engine that match one: en matches en_GB.
func (e Engine) speaking(language string) []string {
	all := []string{}
	for _, l := range e.Languages {
		if l == language || strings.HasPrefix(l, language+"_") || strings.HasPrefix(l, language+"-") {
			all = append(all, l)
		}
	}
	return all
}

// media needs the signature that resolving it has given.
func (s *Server) media(w http.ResponseWriter, r *http.Request) {
	for _, m := range s.cfg.Media {
		if m.Path == r.URL.Path && r.URL.Query().Get("authSig") == signature {
			w.Write(m.Content)
			return
		}
	}
	http.Error(w, "401: Unauthorized", http.StatusUnauthorized)
}

const signature = "signed"

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// socket is the WebSocket API.
func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.WriteJSON(map[string]string{"type": "auth_required", "ha_version": "2026.9.0"})
	var auth struct {
		Type  string `json:"type"`
		Token string `json:"access_token"`
	}
	if conn.ReadJSON(&auth) != nil {
		return
	}
	if auth.Type != "auth" || auth.Token != s.cfg.Token {
		conn.WriteJSON(map[string]string{"type": "auth_invalid", "message": "Invalid access token or password"})
		return
	}
	conn.WriteJSON(map[string]string{"type": "auth_ok", "ha_version": "2026.9.0"})
	for {
		var c command
		if conn.ReadJSON(&c) != nil {
			return
		}
		conn.WriteJSON(s.obey(c))
	}
}

// A command is what the WebSocket API is asked.
type command struct {
	ID       int    `json:"id"`
	Type     string `json:"type"`
	Language string `json:"language"`
	Media    string `json:"media_content_id"`
}

func (s *Server) obey(c command) any {
	switch c.Type {
	case "tts/engine/list":
		rows := []any{}
		for _, e := range s.cfg.Engines {
			row := map[string]any{"engine_id": e.ID, "supported_languages": e.Languages}
			if c.Language != "" {
				row["supported_languages"] = e.speaking(c.Language)
			}
			if e.Deprecated {
				row["deprecated"] = true
			}
			rows = append(rows, row)
		}
		return result(c, map[string]any{"providers": rows})
	case "media_source/resolve_media":
		m, ok := s.cfg.Media[c.Media]
		switch {
		case !ok:
			return failure(c, "resolve_media_failed", "Media source does not exist")
		case m.URL != "":
			return result(c, map[string]string{"url": m.URL, "mime_type": "audio/mpeg"})
		}
		return result(c, map[string]string{"url": m.Path + "?authSig=" + signature, "mime_type": "audio/mpeg"})
	}
	return failure(c, "unknown_command", "Unknown command.")
}

func result(c command, v any) any {
	return map[string]any{"id": c.ID, "type": "result", "success": true, "result": v}
}

func failure(c command, code, message string) any {
	return map[string]any{"id": c.ID, "type": "result", "success": false, "error": map[string]string{"code": code, "message": message}}
}

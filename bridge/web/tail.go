package web

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
)

const (
	tailLines = 300     // how many lines are kept
	tailLine  = 2 << 10 // of a line
)

// A Tail keeps the last lines of a log for pages, without what is secret. It is
// an io.Writer for one JSON object at a time, as a zerolog.Logger writes them.
type Tail struct {
	secrets *strings.Replacer

	mu        sync.Mutex
	lines     []frame // a ring once it is full
	next      int
	followers map[*follower]struct{}
}

// A follower is somebody who is told lines.
type follower struct{ tell func(frame) }

// NewTail makes a tail that shows *** instead of any of the secrets.
func NewTail(secrets ...string) *Tail {
	var pairs []string
	for _, s := range secrets {
		if s == "" {
			continue
		}
		quoted, _ := json.Marshal(s)
		pairs = append(pairs, s, "***", strings.Trim(string(quoted), `"`), "***")
	}
	return &Tail{secrets: strings.NewReplacer(pairs...), followers: map[*follower]struct{}{}}
}

// Write takes one line. It never fails and never waits.
func (t *Tail) Write(line []byte) (int, error) {
	n := len(line)
	text := t.secrets.Replace(string(bytes.TrimSpace(line)))
	object := json.RawMessage(text)
	if len(text) > tailLine || !json.Valid(object) {
		object = json.RawMessage(encode(struct {
			Message string `json:"message"`
		}{text[:min(len(text), tailLine)]}))
	}
	f := encode(struct {
		Log json.RawMessage `json:"log"`
	}{object})
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) < tailLines {
		t.lines = append(t.lines, f)
	} else {
		t.lines[t.next] = f
		t.next = (t.next + 1) % tailLines
	}
	for follower := range t.followers {
		follower.tell(f)
	}
	return n, nil
}

// follow tells all lines that are kept, and then each that comes, until stop is
// called. tell must not block.
func (t *Tail) follow(tell func(frame)) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.lines {
		tell(t.lines[(t.next+i)%len(t.lines)])
	}
	f := &follower{tell}
	t.followers[f] = struct{}{}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.followers, f)
	}
}

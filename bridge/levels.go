package bridge

import (
	"strings"
	"sync"

	"airplay2mqtt/internal/nearest"

	"github.com/rs/zerolog"
)

// levels are how much is written to the log: of everything, and of devices that
// somebody looks at more closely. They change while the bridge runs. Its methods
// may be called from any goroutine.
type levels struct {
	raw zerolog.Logger // whose own level is the least that can be heard

	mu    sync.RWMutex
	usual zerolog.Level
	of    map[string]zerolog.Level // by id of a device
}

// levelNames are the levels that can be chosen.
var levelNames = []string{"debug", "info", "warn", "error"}

func newLevels(raw zerolog.Logger, usual string) *levels {
	l := &levels{raw: raw, of: map[string]zerolog.Level{}}
	l.choose("", usual)
	return l
}

// log is the logger of the bridge itself.
func (l *levels) log() zerolog.Logger { return l.raw.Hook(sieve{l, ""}) }

// ofDevice is the logger of a device.
func (l *levels) ofDevice(id, slug string) zerolog.Logger {
	return l.raw.With().Str("device", slug).Logger().Hook(sieve{l, id})
}

// choose sets the level of a device, or of all others where id is "". An empty
// level is that of all others.
func (l *levels) choose(id, level string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	chosen, err := zerolog.ParseLevel(level)
	if err != nil || level == "" {
		chosen = zerolog.InfoLevel
	}
	switch {
	case id == "":
		l.usual = chosen
	case level == "":
		delete(l.of, id)
	default:
		l.of[id] = chosen
	}
}

// least is the level from which on a device is written of.
func (l *levels) least(id string) zerolog.Level {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if level, ok := l.of[id]; ok {
		return level
	}
	return l.usual
}

// own are the levels of devices that have one.
func (l *levels) own() map[string]string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	own := map[string]string{}
	for id, level := range l.of {
		own[id] = level.String()
	}
	return own
}

// A sieve drops what is below the level that holds now.
type sieve struct {
	levels *levels
	id     string
}

// Run implements zerolog.Hook.
func (s sieve) Run(e *zerolog.Event, level zerolog.Level, _ string) {
	if level < s.levels.least(s.id) {
		e.Discard()
	}
}

// logging is how much is written to the log, as it is told.
type logging struct {
	Level   string            `json:"level"`
	Devices map[string]string `json:"devices"` // by slug, of those that have a level of their own
}

func (b *Bridge) logging() logging {
	l := logging{Level: b.levels.least("").String(), Devices: map[string]string{}}
	for id, level := range b.levels.own() {
		if d := b.devices[id]; d != nil {
			l.Devices[d.slug()] = level
		}
	}
	return l
}

// setLevel changes how much is written to the log, until the bridge ends.
func (b *Bridge) setLevel(f fields) (any, error) {
	level, err := f.text("level")
	if err != nil {
		return nil, err
	}
	word, err := f.text("device")
	if err != nil {
		return nil, err
	}
	level = strings.ToLower(level)
	known := false
	for _, name := range levelNames {
		known = known || name == level
	}
	switch {
	case !known && (level != "default" || word == ""):
		return nil, bad("level must be one of %s%s; or, for a device, default", strings.Join(levelNames, ", "), nearest.Hint(level, levelNames))
	case level == "default":
		level = ""
	}
	id := ""
	if word != "" {
		d, err := b.device(word)
		if err != nil {
			return nil, err
		}
		id = d.id()
	}
	b.levels.choose(id, level)
	return b.logging(), nil
}

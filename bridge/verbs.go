package bridge

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"airplay2mqtt/bridge/player"
	"airplay2mqtt/internal/nearest"
)

// An order is what one message on a command topic asks for.
type order struct {
	command     player.Command
	transaction json.RawMessage // echoed in the result; nil: none was given
	expires     time.Time       // not to be begun after this; zero: whenever
}

// A badPayload says what is wrong with a message, and what would be right.
type badPayload struct{ why string }

func (e *badPayload) Error() string { return e.why }

func bad(format string, args ...any) error { return &badPayload{fmt.Sprintf(format, args...)} }

// A verb is a command topic: <base>/<device>/<verb>.
type verb struct {
	// main is the key that a bare payload stands for; "" where the payload
	// says nothing.
	main string
	// keys are what a JSON payload may hold besides main and transaction.
	keys []string
	// long is set where the answer comes later: "accepted" is said first.
	long bool
	// parse makes the command. Fields that were not given are absent.
	parse func(f fields) (player.Command, error)
}

var playKeys = []string{"volume", "title", "artist", "album", "start", "max_duration", "mode", "max_age", "ts"}

// verbs are all command topics. docs/topics.md lists the same, held by a test.
var verbs = map[string]verb{
	"play_url":         {main: "url", keys: playKeys, long: true, parse: parsePlay},
	"play_file":        {main: "path", keys: playKeys, long: true, parse: parsePlay},
	"play_media":       {keys: []string{"media_id", "media_content_id", "media_type", "media_content_type", "extra"}, long: true, parse: parseMedia},
	"play":             {parse: plain(player.Resume{})},
	"pause":            {parse: plain(player.Pause{})},
	"play_pause":       {parse: plain(player.PlayPause{})},
	"stop":             {parse: plain(player.Stop{})},
	"seek":             {main: "position", parse: parseSeek},
	"set_volume":       {main: "volume", keys: []string{"fade"}, parse: parseVolume},
	"set_volume_level": {main: "volume_level", keys: []string{"fade"}, parse: parseVolumeLevel},
	"mute":             {main: "mute", parse: parseMute},
}

func verbNames() []string { return slices.Sorted(maps.Keys(verbs)) }

// maxCommand is how long the payload of a command may be, in bytes.
const maxCommand = 64 << 10

// parseOrder reads the payload of a command topic. The order holds the
// transaction, where one can be read, also if there is an error.
func parseOrder(name string, payload []byte, now time.Time) (order, error) {
	v := verbs[name]
	f, err := readFields(v, payload)
	o := order{transaction: f["transaction"]}
	if err != nil {
		return o, err
	}
	if o.expires, err = f.expiry(now); err != nil {
		return o, err
	}
	o.command, err = v.parse(f)
	return o, err
}

// fields are the keys of a command, each still as JSON.
type fields map[string]json.RawMessage

func readFields(v verb, payload []byte) (fields, error) {
	if len(payload) > maxCommand {
		return nil, bad("the payload has %d bytes; at most %d are read", len(payload), maxCommand)
	}
	text := strings.TrimSpace(string(payload))
	if !strings.HasPrefix(text, "{") {
		if v.main == "" || text == "" {
			return fields{}, nil
		}
		quoted, _ := json.Marshal(text)
		return fields{v.main: quoted}, nil
	}
	var f fields
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return nil, bad("the payload begins like JSON and is none: %v", err)
	}
	known := append([]string{"transaction"}, v.keys...)
	if v.main != "" {
		known = append(known, v.main)
	}
	for key, value := range f {
		if !slices.Contains(known, key) {
			return f, bad("unknown key %q%s", key, nearest.Hint(key, known))
		}
		if string(value) == "null" {
			delete(f, key)
		}
	}
	return f, nil
}

// text reads a field that is a text; absent it is "".
func (f fields) text(key string) (string, error) {
	raw, ok := f[key]
	if !ok {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", bad("%s must be a text, not %s", key, short(raw))
	}
	return s, nil
}

// number reads a field that is a number, or a text that holds one; relative is
// set where the text begins with + or -.
func (f fields) number(key string) (v float64, relative, ok bool, err error) {
	raw, ok := f[key]
	if !ok {
		return 0, false, false, nil
	}
	var s string
	quoted := json.Unmarshal(raw, &s) == nil
	if !quoted {
		s = string(raw)
	}
	s = strings.TrimSpace(s)
	v, err = strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, false, true, bad("%s must be a number, not %s", key, short(raw))
	}
	return v, quoted && (s[0] == '+' || s[0] == '-'), true, nil
}

// seconds reads a field that is a length of time; absent it is zero.
func (f fields) seconds(key string) (time.Duration, error) {
	v, _, _, err := f.number(key)
	if err != nil {
		return 0, err
	}
	if v < 0 || v > 1e6 {
		return 0, bad("%s must be a number of seconds from 0 to 1000000, not %v", key, v)
	}
	return time.Duration(v * float64(time.Second)), nil
}

// expiry is when a command is too old to be begun: max_age seconds after ts,
// or after it came where no ts (seconds since 1970, or RFC 3339) is given.
func (f fields) expiry(now time.Time) (time.Time, error) {
	age, err := f.seconds("max_age")
	if err != nil || age == 0 {
		return time.Time{}, err
	}
	said, err := f.text("ts")
	if err == nil && said != "" {
		if t, err := time.Parse(time.RFC3339Nano, said); err == nil {
			return t.Add(age), nil
		}
	}
	since, _, ok, err := f.number("ts")
	if err != nil {
		return time.Time{}, bad("ts must be seconds since 1970 or a time such as 2026-09-20T10:00:00Z")
	}
	if !ok {
		return now.Add(age), nil
	}
	return time.UnixMilli(int64(since * 1000)).Add(age), nil
}

// short quotes what was written, cut to what fits a sentence.
func short(raw json.RawMessage) string {
	const most = 40
	s := strings.ToValidUTF8(string(raw), "?")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

func plain(c player.Command) func(fields) (player.Command, error) {
	return func(fields) (player.Command, error) { return c, nil }
}

func parsePlay(f fields) (player.Command, error) {
	var p player.Play
	var mode string
	for key, to := range map[string]*string{
		"url": &p.URL, "path": &p.File, "title": &p.Title, "artist": &p.Artist, "album": &p.Album, "mode": &mode,
	} {
		var err error
		if *to, err = f.text(key); err != nil {
			return nil, err
		}
	}
	switch mode {
	case "", "auto", "audio":
	case "video":
		return nil, bad("mode video is not supported yet; audio and auto are")
	default:
		return nil, bad("mode must be auto or audio, not %q%s", mode, nearest.Hint(mode, []string{"auto", "audio"}))
	}
	if p.URL == "" && p.File == "" {
		return nil, bad("nothing to play: the payload is a URL (play_url) or a path inside the media folders (play_file), bare or in JSON")
	}
	if p.URL != "" && !isWeb(p.URL) {
		return nil, bad("play_url takes http:// and https:// addresses; files in the media folders are for play_file")
	}
	return withTimes(f, p)
}

// parseMedia reads what Home Assistant's media players are sent.
func parseMedia(f fields) (player.Command, error) {
	id, err := f.text("media_id")
	if err == nil && id == "" {
		id, err = f.text("media_content_id")
	}
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(id, "media-source://") {
		return nil, bad("media-source:// addresses are Home Assistant's own and cannot be fetched; send the http address that they stand for")
	}
	var extra struct{ Title string }
	if raw, ok := f["extra"]; ok {
		_ = json.Unmarshal(raw, &extra) // what else it holds is for other players
	}
	quoted, _ := json.Marshal(id)
	title, _ := json.Marshal(extra.Title)
	what := "path"
	if isWeb(id) {
		what = "url"
	}
	return parsePlay(fields{what: quoted, "title": title})
}

func isWeb(s string) bool {
	s = strings.ToLower(s)
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

func withTimes(f fields, p player.Play) (player.Command, error) {
	var err error
	if p.Start, err = f.seconds("start"); err != nil {
		return nil, err
	}
	if p.MaxDuration, err = f.seconds("max_duration"); err != nil {
		return nil, err
	}
	percent, _, ok, err := f.number("volume")
	switch {
	case err != nil:
		return nil, err
	case ok && (percent < 0 || percent > 100):
		return nil, bad("volume must be from 0 to 100, not %v", percent)
	case ok:
		level := percent / 100
		p.Volume = &level
	}
	return p, nil
}

func parseSeek(f fields) (player.Command, error) {
	v, relative, ok, err := f.number("position")
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, bad("where to? seconds from the beginning, or +10 or -10 from here")
	case math.Abs(v) > 1e6:
		return nil, bad("position must be within 1000000 seconds, not %v", v)
	}
	return player.Seek{To: time.Duration(v * float64(time.Second)), Relative: relative}, nil
}

func parseVolume(f fields) (player.Command, error) {
	return volume(f, "volume", 100)
}

func parseVolumeLevel(f fields) (player.Command, error) {
	return volume(f, "volume_level", 1)
}

func volume(f fields, key string, full float64) (player.Command, error) {
	v, relative, ok, err := f.number(key)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, bad("how loud? a number from 0 to %v, or +%v or -%v", full, full/20, full/20)
	case relative && math.Abs(v) > full, !relative && (v < 0 || v > full):
		return nil, bad("%s must be from 0 to %v, not %v", key, full, v)
	}
	fade, err := f.seconds("fade")
	switch {
	case err != nil:
		return nil, err
	case fade > 10*time.Minute:
		return nil, bad("fade must be at most 600 seconds")
	}
	return player.SetVolume{Level: v / full, Relative: relative, Fade: fade}, nil
}

func parseMute(f fields) (player.Command, error) {
	var s string
	if raw, ok := f["mute"]; ok && json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "on", "true", "1", "mute":
		return player.Mute{To: player.MuteOn}, nil
	case "off", "false", "0", "unmute":
		return player.Mute{To: player.MuteOff}, nil
	case "toggle":
		return player.Mute{To: player.MuteToggle}, nil
	}
	return nil, bad("mute takes ON, OFF or TOGGLE")
}

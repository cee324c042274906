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
	targets     []string        // further devices that it is for
	leader      string          // of a join
	critical    bool            // an announcement that is heard also in quiet hours
	pairing     *pairOrder      // instead of command; nil: it is not about pairing
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
	// data is set where the payload is no text but a sound.
	data bool
	// probe is set where the sound is only looked at.
	probe bool
	// secret is set where errors must not repeat what was written.
	secret bool
	// pair is set instead of parse where it is about pairing.
	pair func(f fields) (pairOrder, error)
	// parse makes the command. Fields that were not given are absent.
	parse func(f fields) (player.Command, error)
}

var playKeys = []string{
	"volume", "title", "artist", "album", "override", "start", "max_duration", "enqueue", "repeat", "latency", "mode", "max_age", "ts",
}

// verbs are all command topics. docs/topics.md lists the same, held by a test.
var verbs = map[string]verb{
	"play_url":         {main: "url", keys: append(withAnnounce(playKeys), secretKeys...), long: true, parse: playOrAnnounce},
	"play_file":        {main: "path", keys: withAnnounce(playKeys), long: true, parse: playOrAnnounce},
	"play_media":       {keys: []string{"media_id", "media_content_id", "media_type", "media_content_type", "extra", "announce", "enqueue"}, long: true, parse: parseMedia},
	"play_data":        {data: true, long: true},
	"probe":            {main: "location", probe: true, parse: parseProbe},
	"play":             {parse: plain(player.Resume{})},
	"pause":            {parse: plain(player.Pause{})},
	"play_pause":       {parse: plain(player.PlayPause{})},
	"stop":             {parse: plain(player.Stop{})},
	"next":             {parse: plain(player.Next{})},
	"previous":         {parse: plain(player.Previous{})},
	"clear_queue":      {parse: plain(player.ClearQueue{})},
	"set_repeat":       {main: "repeat", parse: parseRepeat},
	"seek":             {main: "position", parse: parseSeek},
	"set_volume":       {main: "volume", keys: []string{"fade"}, parse: parseVolume},
	"set_volume_level": {main: "volume_level", keys: []string{"fade"}, parse: parseVolumeLevel},
	"mute":             {main: "mute", parse: parseMute},
	"chime":            {main: "chime", keys: append([]string{"state", "tone", "volume_level", "duration"}, announceKeys...), long: true, parse: parseChime},
	"announce":         {main: "message", keys: append([]string{"chime", "url", "path", "clips", "language", "voice"}, announceKeys...), long: true, parse: parseAnnounce},
	"join":             {main: "leader", parse: parseJoin},
	"unjoin":           {parse: plain(player.Unjoin{})},
	"prepare":          {main: "seconds", parse: parsePrepare},
	"pair":             {main: "action", pair: parsePair},
	"pair_pin":         {main: "pin", secret: true, pair: parsePIN},
}

func verbNames() []string { return slices.Sorted(maps.Keys(verbs)) }

// maxCommand is how long the payload of a command may be, in bytes.
const maxCommand = 64 << 10

// longestTransaction is how long a transaction may be, in bytes: answers repeat
// it.
const longestTransaction = 1024

// parseOrder reads the payload of a command topic. The order holds the
// transaction, where one can be read, also if there is an error.
func parseOrder(name string, payload []byte, now time.Time) (order, error) {
	v := verbs[name]
	if v.data {
		if len(payload) == 0 {
			return order{}, bad("nothing to play: the payload is the bytes of a sound")
		}
		return order{command: player.Play{Data: payload, DataName: name}}, nil
	}
	f, err := readFields(v, payload)
	o := order{transaction: f["transaction"]}
	if err != nil && v.secret {
		err = errPINForm
	}
	if err != nil {
		return o, err
	}
	if v.pair != nil {
		p, err := v.pair(f)
		o.pairing = &p
		return o, err
	}
	if o.expires, err = f.expiry(now); err != nil {
		return o, err
	}
	c, err := v.parse(f)
	if err != nil {
		return o, err
	}
	switch a := c.(type) {
	case player.Play:
		a.Expires = o.expires
		c = a
	case player.Announce:
		a.Expires = o.expires
		c = a
	}
	o.command = c
	if o.leader, err = f.text("leader"); err != nil {
		return o, err
	}
	if o.targets, err = f.texts("targets"); err == nil && len(o.targets) > mostMembers {
		err = bad("targets must be at most %d devices", mostMembers)
	}
	if err != nil {
		return o, err
	}
	o.critical, err = f.flag("critical")
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
	if len(f["transaction"]) > longestTransaction {
		return nil, bad("transaction must be at most %d bytes long", longestTransaction)
	}
	known := append([]string{"transaction"}, v.keys...)
	if v.parse != nil && !v.probe && v.main != "leader" {
		known = append(known, "targets")
	}
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

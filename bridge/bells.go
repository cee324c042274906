package bridge

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"airplay2mqtt/bridge/player"
	"airplay2mqtt/bridge/voice"
)

// announceKeys are what can be said of chimes and announcements.
var announceKeys = []string{"volume", "min_volume", "policy", "priority", "unmute", "critical", "key", "max_age", "ts"}

var policies = map[string]player.Policy{
	"": "", "duck": player.Duck, "interrupt": player.Interrupt, "skip": player.Skip, "wait": player.Wait,
}

// parseChime reads a chime's name, or what a siren of Home Assistant sends.
func parseChime(f fields) (player.Command, error) {
	state, err := f.text("state")
	if err != nil {
		return nil, err
	}
	name, err := f.first("chime", "tone")
	if err != nil {
		return nil, err
	}
	if state == "" && (strings.EqualFold(name, "ON") || strings.EqualFold(name, "OFF")) {
		state, name = name, "" // a siren that speaks no JSON
	}
	switch {
	case strings.EqualFold(state, "OFF"):
		return player.Hush{}, nil
	case state != "" && !strings.EqualFold(state, "ON"):
		return nil, bad("state must be ON or OFF, not %q", oneLine(state))
	case name == "" && state == "":
		return nil, bad("which chime? the payload is its name, such as doorbell; airplay/bridge/info lists those that there are")
	case name == "":
		name = "doorbell"
	}
	c := player.Announce{Clips: []player.Sound{{Chime: name}}}
	if c.Lasts, err = f.seconds("duration"); err != nil {
		return nil, err
	}
	if c.Lasts > 10*time.Minute {
		return nil, bad("duration must be at most 600 seconds")
	}
	return f.announce(c)
}

// first is the first of these keys that is there.
func (f fields) first(keys ...string) (string, error) {
	for _, key := range keys {
		if s, err := f.text(key); s != "" || err != nil {
			return s, err
		}
	}
	return "", nil
}

// parseAnnounce reads what is to be announced.
func parseAnnounce(f fields) (player.Command, error) {
	var c player.Announce
	// A chime comes before what it calls attention to.
	for _, key := range []string{"chime", "message", "url", "path"} {
		s, err := f.text(key)
		if err != nil {
			return nil, err
		}
		if s == "" {
			continue
		}
		clip, err := clipOf(key, s)
		if err != nil {
			return nil, err
		}
		c.Clips = append(c.Clips, clip)
	}
	more, err := f.clips()
	if err != nil {
		return nil, err
	}
	if c.Clips = append(c.Clips, more...); len(c.Clips) == 0 {
		return nil, bad("announce what? a message, or in JSON a chime, a url, a path, or clips: several of them")
	}
	if len(c.Clips) > 8 {
		return nil, bad("at most 8 clips are announced at once, not %d", len(c.Clips))
	}
	if err := f.spoken(c.Clips); err != nil {
		return nil, err
	}
	return f.announce(c)
}

// spoken reads how texts are to be spoken.
func (f fields) spoken(clips []player.Sound) error {
	language, err := f.text("language")
	if err != nil {
		return err
	}
	voice, err := f.text("voice")
	if err != nil {
		return err
	}
	for _, s := range []string{language, voice} {
		if len(s) > 100 {
			return bad("language and voice are names of 100 bytes at most, such as de or en-GB")
		}
	}
	for i := range clips {
		if clips[i].Text != "" {
			clips[i].Language, clips[i].Voice = language, voice
		}
	}
	return nil
}

// clipOf is the clip that a key and its value stand for.
func clipOf(key, value string) (player.Sound, error) {
	switch key {
	case "chime":
		return player.Sound{Chime: value}, nil
	case "message":
		text := voice.Clean(value)
		if text == "" {
			return player.Sound{}, bad("there is nothing in the message that could be spoken")
		}
		return player.Sound{Text: text}, nil
	case "url":
		if !isWeb(value) && !isMediaSource(value) {
			return player.Sound{}, bad("url takes http:// and https:// addresses; files in the media folders are for path")
		}
		return player.Sound{URL: value}, nil
	case "path":
		return player.Sound{File: value}, nil
	}
	return player.Sound{}, bad("a clip is a chime, a message, a url or a path, not %q", oneLine(key))
}

// clips reads a list of clips: objects with one of chime, message, url and path,
// or bare names of chimes and addresses.
func (f fields) clips() ([]player.Sound, error) {
	raw, ok := f["clips"]
	if !ok {
		return nil, nil
	}
	var rows []json.RawMessage
	if json.Unmarshal(raw, &rows) != nil {
		return nil, bad(`clips must be a list such as ["notify", {"url": "http://..."}]`)
	}
	var clips []player.Sound
	for _, row := range rows {
		var bare string
		var one map[string]string
		switch {
		case json.Unmarshal(row, &bare) == nil && (isWeb(bare) || isMediaSource(bare)):
			one = map[string]string{"url": bare}
		case json.Unmarshal(row, &bare) == nil:
			one = map[string]string{"chime": bare}
		case json.Unmarshal(row, &one) != nil || len(one) != 1:
			return nil, bad("a clip is one of a chime, a message, a url and a path, not %s", short(row))
		}
		for key, value := range one {
			clip, err := clipOf(key, value)
			if err != nil {
				return nil, err
			}
			if clip == (player.Sound{}) {
				return nil, bad("a clip is one of a chime, a message, a url and a path, not %s", short(row))
			}
			clips = append(clips, clip)
		}
	}
	return clips, nil
}

// announce reads how clips are to be heard.
func (f fields) announce(c player.Announce) (player.Command, error) {
	var err error
	if c.Policy, err = choice(f, "policy", policies); err != nil {
		return nil, err
	}
	if c.Key, err = f.text("key"); err != nil {
		return nil, err
	}
	if c.Unmute, err = f.flag("unmute"); err != nil {
		return nil, err
	}
	priority, _, _, err := f.number("priority")
	switch {
	case err != nil:
		return nil, err
	case priority != float64(int(priority)) || priority < -100 || priority > 100:
		return nil, bad("priority must be a whole number from -100 to 100, not %v; 0 is usual, and the greater is heard first", priority)
	}
	c.Priority = int(priority)
	c.Volume, err = f.loudness()
	return c, err
}

// loudness reads how loud clips are to be; nil: as loud as all else.
func (f fields) loudness() (*player.Loudness, error) {
	var found []player.Loudness
	for _, k := range []struct {
		key  string
		full float64
		by   player.Measure
	}{{"volume", 100, player.Absolute}, {"min_volume", 100, player.AtLeast}, {"volume_level", 1, player.Absolute}} {
		v, relative, ok, err := f.number(k.key)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		relative = relative && k.key == "volume"
		switch {
		case relative && (v < -k.full || v > k.full), !relative && (v < 0 || v > k.full):
			return nil, bad("%s must be from 0 to %v, not %v", k.key, k.full, v)
		case relative:
			k.by = player.Relative
		}
		found = append(found, player.Loudness{Level: v / k.full, By: k.by})
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return &found[0], nil
	}
	return nil, bad("how loud? one of volume and min_volume, not both")
}

// flag reads a field that is true or false; absent it is false.
func (f fields) flag(key string) (bool, error) {
	raw, ok := f[key]
	if !ok {
		return false, nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "on", "yes", "1":
		return true, nil
	case "false", "off", "no", "0":
		return false, nil
	}
	return false, bad("%s must be true or false, not %s", key, short(raw))
}

// ofPlays is what is said of a sound that is played and means nothing where it is
// announced; ofAnnouncements the other way round.
var (
	ofPlays         = []string{"artist", "album", "override", "start", "max_duration", "enqueue", "repeat", "latency"}
	ofAnnouncements = []string{"min_volume", "policy", "priority", "unmute", "critical", "key"}
)

// playOrAnnounce reads a play that may say that it is an announcement.
func playOrAnnounce(f fields) (player.Command, error) {
	announced, err := f.flag("announce")
	if err != nil {
		return nil, err
	}
	wrong, why := ofAnnouncements, "%s is for announcements: add \"announce\": true"
	if announced {
		wrong, why = slices.Concat(ofPlays, secretKeys), "%s cannot be said of an announcement"
	}
	for _, key := range wrong {
		if _, ok := f[key]; ok {
			return nil, bad(why, key)
		}
	}
	if !announced {
		return parsePlay(f)
	}
	url, err := f.text("url")
	if err != nil {
		return nil, err
	}
	path, err := f.text("path")
	switch {
	case err != nil:
		return nil, err
	case url == "" && path == "":
		return nil, bad("nothing to announce: a URL (play_url) or a path inside the media folders (play_file)")
	}
	key, value := "path", path
	if url != "" {
		key, value = "url", url
	}
	clip, err := clipOf(key, value)
	if err != nil {
		return nil, err
	}
	return f.announce(player.Announce{Clips: []player.Sound{clip}})
}

// withAnnounce are keys with those of announcements that they lack.
func withAnnounce(keys []string) []string {
	return slices.Concat(keys, []string{"announce"}, ofAnnouncements)
}

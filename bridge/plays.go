package bridge

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"airplay2mqtt/audio/pcm"
	"airplay2mqtt/bridge/assistant"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/internal/nearest"
)

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
	case "", "auto":
	case "audio", "video":
		p.Mode = player.Mode(mode)
	default:
		return nil, bad("mode must be auto, audio or video, not %q%s", mode, nearest.Hint(mode, []string{"auto", "audio", "video"}))
	}
	if err := f.choices(&p); err != nil {
		return nil, err
	}
	if p.URL == "" && p.File == "" {
		return nil, bad("nothing to play: the payload is a URL (play_url) or a path inside the media folders (play_file), bare or in JSON")
	}
	if err := checkAddress(p.URL); err != nil {
		return nil, err
	}
	if err := f.signature(&p); err != nil {
		return nil, err
	}
	return withTimes(f, p)
}

// streams are of cameras and broadcasts, which no AirPlay device plays.
var streams = []string{"rtsp", "rtsps", "rtmp", "rtmps", "srt", "rtp", "udp", "mms", "webrtc"}

// checkAddress tells what is wrong with an address that is to be played.
func checkAddress(address string) error {
	switch {
	case address == "", isWeb(address), isMediaSource(address):
		return nil
	case pcm.Is(address):
		if _, err := pcm.Parse(address); err != nil {
			return bad("%s: %v", oneLine(address), err)
		}
		return nil
	}
	if scheme, _, _ := strings.Cut(strings.ToLower(address), "://"); slices.Contains(streams, scheme) {
		return &refusal{"unsupported_format", scheme + ":// is a stream that no AirPlay device plays, as those of cameras; " +
			"give the address of its HLS (.m3u8), which many cameras, Home Assistant, go2rtc and MediaMTX make of it"}
	}
	return bad("play_url takes http:// and https:// addresses, and live inputs (pcm+tcp://, pcm+unix:, pcm:); files in the media folders are for play_file")
}

var (
	enqueues = map[string]player.Enqueue{
		"": player.EnqueueReplace, "replace": player.EnqueueReplace, "add": player.EnqueueAdd,
		"next": player.EnqueueNext, "play": player.EnqueuePlay,
	}
	repeats = map[string]player.Repeat{
		"": "", "off": player.RepeatOff, "one": player.RepeatOne, "all": player.RepeatAll,
		"false": player.RepeatOff, "true": player.RepeatOne,
	}
	overrides = map[string]player.Override{
		"": player.OverrideAll, "all": player.OverrideAll, "missing": player.OverrideMissing,
	}
)

// choices reads the options that are one of a few words.
func (f fields) choices(p *player.Play) (err error) {
	if p.Enqueue, err = choice(f, "enqueue", enqueues); err != nil {
		return err
	}
	if p.Repeat, err = choice(f, "repeat", repeats); err != nil {
		return err
	}
	p.Override, err = choice(f, "override", overrides)
	return err
}

// choice reads a field that is one of a few words. true and false may stand
// there without quotes.
func choice[T any](f fields, key string, words map[string]T) (T, error) {
	var s string
	if raw, ok := f[key]; ok && json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	s = strings.ToLower(strings.TrimSpace(s))
	v, ok := words[s]
	if !ok {
		known := slices.DeleteFunc(slices.Sorted(maps.Keys(words)), func(w string) bool { return w == "" })
		return v, bad("%s must be one of %s, not %q%s", key, strings.Join(known, ", "), oneLine(s), nearest.Hint(s, known))
	}
	return v, nil
}

func parseRepeat(f fields) (player.Command, error) {
	to, err := choice(f, "repeat", repeats)
	if err == nil && to == "" {
		err = bad("repeat what? off, one or all")
	}
	return player.SetRepeat{To: to}, err
}

// parseProbe reads what is to be looked at: an address or a path.
func parseProbe(f fields) (player.Command, error) {
	location, err := f.text("location")
	switch {
	case err != nil:
		return nil, err
	case location == "":
		return nil, bad("probe what? the payload is a URL or a path inside the media folders")
	case isWeb(location), isMediaSource(location):
		return player.Play{URL: location}, nil
	}
	return player.Play{File: location}, nil
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
	var extra struct{ Title string }
	if raw, ok := f["extra"]; ok {
		_ = json.Unmarshal(raw, &extra) // what else it holds is for other players
	}
	quoted, _ := json.Marshal(id)
	title, _ := json.Marshal(extra.Title)
	what := "path"
	if isWeb(id) || isMediaSource(id) {
		what = "url"
	}
	play := fields{what: quoted, "title": title}
	announced, err := f.flag("announce")
	if err != nil {
		return nil, err
	}
	if announced {
		play["announce"] = f["announce"]
		return playOrAnnounce(play)
	}
	if raw, ok := f["enqueue"]; ok {
		play["enqueue"] = raw
	}
	return parsePlay(play)
}

// isMediaSource tells whether an address is one of Home Assistant's own.
func isMediaSource(s string) bool { return strings.HasPrefix(s, assistant.Scheme) }

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
	if p.Lead, err = f.latency(); err != nil {
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

// latency reads how long after the command a sound is heard; absent it is zero.
func (f fields) latency() (time.Duration, error) {
	raw, ok := f["latency"]
	if !ok {
		return 0, nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	l, err := config.ParseLatency(strings.ToLower(strings.TrimSpace(s)))
	if err != nil {
		return 0, bad("latency must be chime, normal, robust, or a time from 100ms to 10s, not %s", short(raw))
	}
	return time.Duration(l), nil
}

// parseJoin reads whose group is to be joined; who that is the bridge knows.
func parseJoin(f fields) (player.Command, error) {
	leader, err := f.text("leader")
	if err == nil && leader == "" {
		err = bad("join whom? the payload is the slug of a device or a group, or none")
	}
	if leader == nobody {
		return player.Unjoin{}, err
	}
	return player.Join{}, err
}

// nobody is joined by those who are to play on their own.
const nobody = "none"

// parsePrepare reads for how long a session is wanted.
func parsePrepare(f fields) (player.Command, error) {
	d, err := f.seconds("seconds")
	if err == nil && d > 24*time.Hour {
		err = bad("seconds must be at most 86400")
	}
	return player.Prepare{For: d}, err
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

package bridge_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/player"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 9, 20, 12, 0, 0, 0, time.UTC)

func level(v float64) *float64 { return &v }

// orders are commands as users write them; they seed the fuzz target, too.
var orders = []struct {
	verb, payload string
	want          player.Command
}{
	{"play_url", "http://nas/bell.mp3", player.Play{URL: "http://nas/bell.mp3"}},
	{"play_url", "  https://nas/bell.mp3\n", player.Play{URL: "https://nas/bell.mp3"}},
	{"play_url", `{"url":"http://nas/film.mp4","mode":"video"}`, player.Play{URL: "http://nas/film.mp4", Mode: player.FilmMode}},
	{"play_url", `{"url":"http://nas/bell.mp3","volume":40,"title":"Bell","start":1.5,"max_duration":"3","mode":"audio","album":null}`,
		player.Play{Mode: player.SoundMode, URL: "http://nas/bell.mp3", Volume: level(0.4), Title: "Bell", Start: 1500 * time.Millisecond, MaxDuration: 3 * time.Second}},
	{"play_url", `{"url":"http://nas/x.mp4","headers":{"x-token":"7"},"cookies":{"b":"2","a":"1"},"username":"me","password":"a b"}`,
		player.Play{URL: "http://me:a%20b@nas/x.mp4", Header: http.Header{"X-Token": {"7"}, "Cookie": {"a=1; b=2"}}}},
	{"play_url", `{"url":"http://nas/x.mp4","cookies":"a=1"}`, player.Play{URL: "http://nas/x.mp4", Header: http.Header{"Cookie": {"a=1"}}}},
	{"play_file", "doors/front door.flac", player.Play{File: "doors/front door.flac"}},
	{"play_file", `{"path":"bell.wav","volume":"15","artist":"Us"}`, player.Play{File: "bell.wav", Volume: level(0.15), Artist: "Us"}},
	{"play_media", `{"media_id":"http://ha/x.mp3","media_type":"music"}`, player.Play{URL: "http://ha/x.mp3"}},
	{"play_media", `{"media_content_id":"bell.wav","media_content_type":"music","extra":{"title":"Bell","thumb":1}}`, player.Play{File: "bell.wav", Title: "Bell"}},
	{"play_file", `{"path":"a.wav","enqueue":"add","repeat":"all","override":"missing"}`,
		player.Play{File: "a.wav", Enqueue: player.EnqueueAdd, Repeat: player.RepeatAll, Override: player.OverrideMissing}},
	{"play_file", `{"path":"a.wav","repeat":true,"enqueue":"NEXT"}`, player.Play{File: "a.wav", Enqueue: player.EnqueueNext, Repeat: player.RepeatOne}},
	{"play_data", "RIFF....", player.Play{Data: []byte("RIFF...."), DataName: "play_data"}},
	{"play_data", "{not JSON", player.Play{Data: []byte("{not JSON"), DataName: "play_data"}},
	{"probe", "http://x/y.mp3", player.Play{URL: "http://x/y.mp3"}},
	{"probe", `{"location":"y.mp3"}`, player.Play{File: "y.mp3"}},
	{"next", "", player.Next{}},
	{"previous", "", player.Previous{}},
	{"clear_queue", "", player.ClearQueue{}},
	{"set_repeat", "one", player.SetRepeat{To: player.RepeatOne}},
	{"play", "", player.Resume{}},
	{"pause", "anything at all", player.Pause{}},
	{"play_pause", `{"transaction":1}`, player.PlayPause{}},
	{"stop", "", player.Stop{}},
	{"seek", "90", player.Seek{To: 90 * time.Second}},
	{"seek", "+10", player.Seek{To: 10 * time.Second, Relative: true}},
	{"seek", `{"position":"-2.5"}`, player.Seek{To: -2500 * time.Millisecond, Relative: true}},
	{"set_volume", "40", player.SetVolume{Level: 0.4}},
	{"set_volume", "+5", player.SetVolume{Level: 0.05, Relative: true}},
	{"set_volume", `{"volume":30,"fade":2}`, player.SetVolume{Level: 0.3, Fade: 2 * time.Second}},
	{"set_volume_level", "0.35", player.SetVolume{Level: 0.35}},
	{"set_volume_level", "1", player.SetVolume{Level: 1}},
	{"mute", "ON", player.Mute{To: player.MuteOn}},
	{"mute", "off", player.Mute{To: player.MuteOff}},
	{"mute", `{"mute":true}`, player.Mute{To: player.MuteOn}},
	{"mute", "TOGGLE", player.Mute{To: player.MuteToggle}},
	{"chime", "doorbell", player.Announce{Clips: []player.Sound{{Chime: "doorbell"}}}},
	{"chime", "on", player.Announce{Clips: []player.Sound{{Chime: "doorbell"}}}},
	{"chime", "OFF", player.Hush{}},
	{"chime", `{"state":"OFF"}`, player.Hush{}},
	{"chime", `{"state":"ON"}`, player.Announce{Clips: []player.Sound{{Chime: "doorbell"}}}},
	{"chime", `{"state":"ON","tone":"ding","volume_level":0.6,"duration":5}`,
		player.Announce{Clips: []player.Sound{{Chime: "ding"}}, Lasts: 5 * time.Second, Volume: &player.Loudness{Level: 0.6}}},
	{"chime", `{"chime":"ding","min_volume":30,"policy":"interrupt","priority":5,"unmute":true,"critical":"yes","key":"door","max_age":10}`,
		player.Announce{Clips: []player.Sound{{Chime: "ding"}}, Volume: &player.Loudness{Level: 0.3, By: player.AtLeast},
			Policy: player.Interrupt, Priority: 5, Unmute: true, Key: "door", Expires: noon.Add(10 * time.Second)}},
	{"announce", `{"chime":"notify","url":"http://ha/x.mp3","volume":"+10"}`,
		player.Announce{Clips: []player.Sound{{Chime: "notify"}, {URL: "http://ha/x.mp3"}}, Volume: &player.Loudness{Level: 0.1, By: player.Relative}}},
	{"announce", "Dinner  is\nready ", player.Announce{Clips: []player.Sound{{Text: "Dinner is ready"}}}},
	{"announce", `{"message":"Rain!","chime":"notify","language":"en-GB","voice":"amy","volume":30}`,
		player.Announce{Clips: []player.Sound{{Chime: "notify"}, {Text: "Rain!", Language: "en-GB", Voice: "amy"}}, Volume: &player.Loudness{Level: 0.3}}},
	{"announce", `{"clips":[{"message":"one"},"media-source://media_source/local/two.mp3"],"language":"de"}`,
		player.Announce{Clips: []player.Sound{{Text: "one", Language: "de"}, {URL: "media-source://media_source/local/two.mp3"}}}},
	{"play_media", `{"media_content_id":"media-source://media_source/local/a.mp3"}`, player.Play{URL: "media-source://media_source/local/a.mp3"}},
	{"announce", `{"path":"x.wav","volume":50,"policy":"wait"}`,
		player.Announce{Clips: []player.Sound{{File: "x.wav"}}, Volume: &player.Loudness{Level: 0.5}, Policy: player.Wait}},
	{"announce", `{"clips":["notify","https://ha/x.mp3",{"path":"a.wav"},{"chime":"ding"}]}`,
		player.Announce{Clips: []player.Sound{{Chime: "notify"}, {URL: "https://ha/x.mp3"}, {File: "a.wav"}, {Chime: "ding"}}}},
	{"play_url", `{"url":"http://ha/x.mp3","announce":true,"volume":40}`,
		player.Announce{Clips: []player.Sound{{URL: "http://ha/x.mp3"}}, Volume: &player.Loudness{Level: 0.4}}},
	{"play_file", `{"path":"x.wav","announce":"true","policy":"skip"}`,
		player.Announce{Clips: []player.Sound{{File: "x.wav"}}, Policy: player.Skip}},
	{"play_media", `{"media_content_id":"http://ha/api/tts_proxy/x.mp3","media_content_type":"music","announce":true,"enqueue":"play"}`,
		player.Announce{Clips: []player.Sound{{URL: "http://ha/api/tts_proxy/x.mp3"}}}},
	{"play_media", `{"media_id":"a.wav","enqueue":"add"}`, player.Play{File: "a.wav", Enqueue: player.EnqueueAdd}},
	{"prepare", "", player.Prepare{}},
	{"prepare", "90", player.Prepare{For: 90 * time.Second}},
	{"prepare", `{"seconds":5}`, player.Prepare{For: 5 * time.Second}},
	{"play_file", `{"path":"a.wav","latency":"chime"}`, player.Play{File: "a.wav", Lead: 250 * time.Millisecond}},
	{"play_file", `{"path":"a.wav","latency":"Robust"}`, player.Play{File: "a.wav", Lead: 2 * time.Second}},
	{"play_file", `{"path":"a.wav","latency":400}`, player.Play{File: "a.wav", Lead: 400 * time.Millisecond}},
	{"play_file", `{"path":"a.wav","latency":"1.5s"}`, player.Play{File: "a.wav", Lead: 1500 * time.Millisecond}},
}

func TestOrders(t *testing.T) {
	for _, c := range orders {
		got, _, _, err := bridge.ParseOrder(c.verb, []byte(c.payload), noon)
		if err != nil {
			t.Errorf("%s %q: %v", c.verb, c.payload, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", c.verb, c.payload, diff)
		}
	}
}

func TestOrdersThatCannotBeMeant(t *testing.T) {
	for _, c := range []struct{ verb, payload, want string }{
		{"play_url", "", "nothing to play"},
		{"play_url", "{}", "nothing to play"},
		{"play_url", "{", "begins like JSON and is none"},
		{"play_url", `{"url":"http://x"} trailing`, "begins like JSON and is none"},
		{"play_url", "ftp://nas/x.mp3", "play_url takes http:// and https://"},
		{"play_url", "/etc/passwd", "play_url takes http:// and https://"},
		{"play_url", `{"url":["http://x"]}`, "url must be a text"},
		{"play_url", `{"url":"http://x","volum":3}`, `unknown key "volum", did you mean "volume"?`},
		{"play_url", `{"url":"http://x","volume":140}`, "volume must be from 0 to 100"},
		{"play_url", `{"url":"http://x","volume":"loud"}`, "volume must be a number"},
		{"play_url", `{"url":"http://x","volume":"NaN"}`, "volume must be a number"},
		{"play_url", `{"url":"http://x","start":-1}`, "start must be a number of seconds"},
		{"play_url", `{"url":"http://x","mode":"vidoe"}`, "mode must be"},
		{"play_url", `{"url":"http://x","headers":["a"]}`, "headers must be an object of texts"},
		{"play_url", `{"url":"http://x","headers":{"a b":"c"}}`, "is no header that can be sent"},
		{"play_url", `{"url":"http://x","headers":{"a":"b\r\nc: d"}}`, "is no header that can be sent"},
		{"play_url", `{"url":"http://x","headers":{"range":"bytes=0-"}}`, "the header Range is the bridge's own affair"},
		{"play_url", `{"url":"http://x","headers":{"a":"` + strings.Repeat("x", 9000) + `"}}`, "at most 20 headers"},
		{"play_url", `{"url":"http://x","cookies":[1]}`, "cookies must be"},
		{"play_url", `{"url":"http://x","cookies":"a=1\n"}`, "cannot be sent"},
		{"play_url", `{"url":"http://x","password":"x"}`, "without a username"},
		{"play_url", `{"url":"http://x","announce":true,"headers":{"a":"b"}}`, "headers cannot be said of an announcement"},
		{"play_file", `{"path":"x.wav","headers":{"a":"b"}}`, `unknown key "headers"`},
		{"play_file", `{"file":"x.wav"}`, `unknown key "file"`},
		{"play_media", `{"media_type":"music"}`, "nothing to play"},
		{"play_data", "", "nothing to play"},
		{"play_file", `{"path":"a.wav","enqueue":"first"}`, "enqueue must be one of add, next, play, replace"},
		{"play_file", `{"path":"a.wav","repeat":"twice"}`, "repeat must be one of"},
		{"probe", "", "probe what?"},
		{"set_repeat", "", "repeat what?"},
		{"seek", "", "where to?"},
		{"seek", "half", "position must be a number"},
		{"seek", "1e300", "position must be within"},
		{"set_volume", "101", "volume must be from 0 to 100"},
		{"set_volume", "-101", "volume must be from 0 to 100"},
		{"set_volume", "", "how loud?"},
		{"set_volume", `{"volume":10,"fade":1e5}`, "fade must be"},
		{"set_volume_level", "40", "volume_level must be from 0 to 1"},
		{"mute", "maybe", "ON, OFF or TOGGLE"},
		{"mute", "", "ON, OFF or TOGGLE"},
		{"prepare", "soon", "seconds must be a number"},
		{"prepare", "90000", "at most 86400"},
		{"play_file", `{"path":"a.wav","latency":"soon"}`, "latency must be chime, normal, robust"},
		{"play_file", `{"path":"a.wav","latency":11000}`, "from 100ms to 10s, not 11000"},
		{"play_file", `{"path":"a.wav","latency":[1]}`, "latency must be"},
		{"chime", "", "which chime?"},
		{"chime", `{"state":"perhaps"}`, "state must be ON or OFF"},
		{"chime", `{"chime":"ding","duration":601}`, "duration must be at most 600"},
		{"chime", `{"chime":"ding","volume":101}`, "volume must be from 0 to 100"},
		{"chime", `{"chime":"ding","volume":"-101"}`, "volume must be from 0 to 100"},
		{"chime", `{"chime":"ding","volume_level":1.1}`, "volume_level must be from 0 to 1"},
		{"chime", `{"chime":"ding","min_volume":-1}`, "min_volume must be from 0 to 100"},
		{"chime", `{"chime":"ding","volume":10,"min_volume":10}`, "one of volume and min_volume"},
		{"chime", `{"chime":"ding","policy":"shout"}`, "policy must be one of duck, interrupt, skip, wait"},
		{"chime", `{"chime":"ding","priority":1.5}`, "priority must be a whole number"},
		{"chime", `{"chime":"ding","priority":1e300}`, "priority must be a whole number"},
		{"chime", `{"chime":"ding","unmute":"perhaps"}`, "unmute must be true or false"},
		{"chime", `{"chime":"ding","critical":3}`, "critical must be true or false"},
		{"announce", "{}", "announce what?"},
		{"announce", `{"url":"file:///etc/passwd"}`, "url takes http:// and https://"},
		{"announce", `{"clips":"ding"}`, "clips must be a list"},
		{"announce", `{"clips":[1]}`, "a clip is one of"},
		{"announce", `{"clips":[""]}`, "a clip is one of"},
		{"announce", `{"clips":[{}]}`, "a clip is one of"},
		{"announce", `{"clips":[{"file":"x"}]}`, "a clip is a chime, a message, a url or a path"},
		{"announce", `{"message":"\n \u0007"}`, "nothing in the message"},
		{"announce", `{"message":"hi","voice":7}`, "voice must be a text"},
		{"announce", `{"message":"hi","language":"` + strings.Repeat("x", 101) + `"}`, "100 bytes at most"},
		{"announce", `{"clips":["1","2","3","4","5","6","7","8","9"]}`, "at most 8 clips"},
		{"play_url", `{"url":"http://x","announce":true,"enqueue":"add"}`, "enqueue cannot be said of an announcement"},
		{"play_url", `{"url":"http://x","policy":"duck"}`, "policy is for announcements"},
		{"play_url", `{"announce":true}`, "nothing to announce"},
		{"play_url", `{"url":"pcm:/x","announce":true}`, "url takes http:// and https://"},
		{"stop", strings.Repeat("x", 70_000), "70000 bytes"},
	} {
		_, _, _, err := bridge.ParseOrder(c.verb, []byte(c.payload), noon)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.40q: got %v, want %q", c.verb, c.payload, err, c.want)
			continue
		}
		if got := bridge.Explain(err).Code; got != "bad_payload" {
			t.Errorf("%s %.40q: got code %s, want bad_payload", c.verb, c.payload, got)
		}
	}
}

func TestTransactionIsKnownAlsoWhereTheRestIsWrong(t *testing.T) {
	for payload, want := range map[string]string{
		`{"url":"http://x","transaction":"t1"}`:  `"t1"`,
		`{"url":7,"transaction":42}`:             `42`,
		`{"nonsense":7,"transaction":{"a":[1]}}`: `{"a":[1]}`,
		"http://x":                               ``,
	} {
		_, got, _, _ := bridge.ParseOrder("play_url", []byte(payload), noon)
		if got != want {
			t.Errorf("%s: got %s, want %s", payload, got, want)
		}
	}
}

func TestAge(t *testing.T) {
	for payload, want := range map[string]time.Time{
		`{"url":"http://x"}`:                                           {},
		`{"url":"http://x","max_age":5}`:                               noon.Add(5 * time.Second),
		`{"url":"http://x","max_age":5,"ts":"2026-09-20T11:00:00Z"}`:   noon.Add(5*time.Second - time.Hour),
		`{"url":"http://x","max_age":5,"ts":1789905600.5}`:             time.Unix(1789905605, 5e8),
		`{"url":"http://x","max_age":0.5,"ts":"2026-09-20T12:00:00Z"}`: noon.Add(time.Second / 2),
	} {
		_, _, got, err := bridge.ParseOrder("play_url", []byte(payload), noon)
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v, want %v", payload, got, err, want)
		}
	}
}

func FuzzOrder(f *testing.F) {
	for _, c := range orders {
		f.Add(c.verb, []byte(c.payload))
	}
	f.Fuzz(func(t *testing.T, verb string, payload []byte) {
		if _, ok := bridge.Verbs()[verb]; !ok {
			return
		}
		c, _, _, err := bridge.ParseOrder(verb, payload, noon)
		if (c == nil) == (err == nil) {
			t.Errorf("got %v and %v, want one of them", c, err)
		}
		if v, ok := c.(player.SetVolume); ok && (math.IsNaN(v.Level) || v.Level > 1 || v.Level < -1) {
			t.Errorf("a volume of %v", v.Level)
		}
	})
}

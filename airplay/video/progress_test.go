package video_test

import (
	"errors"
	"testing"
	"time"

	"airplay2mqtt/airplay/video"
	"airplay2mqtt/internal/plist"
)

func info(position, rate float64, more plist.Dict) plist.Dict {
	d := plist.Dict{"duration": 60.0, "position": position, "rate": rate, "readyToPlay": true}
	for k, v := range more {
		d[k] = v
	}
	return d
}

// Each row is an answer, one second after the one before.
func TestStatesFollowFromAnswers(t *testing.T) {
	empty := plist.Dict{}
	dry := plist.Dict{"playbackBufferEmpty": true, "playbackLikelyToKeepUp": false}
	type row struct {
		code int
		info plist.Dict
		want string // a status, "end", or "error"
	}
	for name, rows := range map[string][]row{
		"it runs dry and goes on": {
			{200, info(0, 0, plist.Dict{"readyToPlay": false}), "loading"}, {200, info(0.5, 1, nil), "playing"}, {200, info(1.5, 1, nil), "playing"},
			{200, info(1.5, 1, dry), "loading"}, {200, info(1.5, 1, dry), "loading"}, {200, info(2.5, 1, dry), "playing"}},
		"it stands still and says nothing": {
			{200, info(1, 1, nil), "playing"}, {200, info(1, 1, nil), "playing"}, {200, info(1, 1, nil), "loading"}, {200, info(2, 1, nil), "playing"}},
		"paused with the remote control": {{200, info(1, 1, nil), "playing"}, {200, info(2, 0, nil), "paused"}, {200, info(2, 1, nil), "playing"}},
		"the duration vanishes at the end": {
			{200, info(58.5, 1, nil), "playing"}, {200, empty, "playing"}, {200, plist.Dict{"readyToPlay": false}, "end"}},
		"the duration vanishes in the middle": {{200, info(20, 1, nil), "playing"}, {200, plist.Dict{"readyToPlay": false}, "error"}},
		"empty answers are waited out": {
			{200, info(20, 1, nil), "playing"}, {200, empty, "playing"}, {200, empty, "playing"}, {200, empty, "playing"}, {200, empty, "playing"},
			{200, empty, "playing"}, {200, info(26, 1, nil), "playing"}},
		"empty for good": {
			{200, info(20, 1, nil), "playing"}, {200, empty, "playing"}, {200, empty, "playing"}, {200, empty, "playing"}, {200, empty, "playing"},
			{200, empty, "playing"}, {200, empty, "error"}},
		"500 at first":   {{500, nil, "loading"}, {500, nil, "loading"}, {200, info(0, 1, nil), "playing"}},
		"an error":       {{200, plist.Dict{"error": plist.Dict{"code": int64(-6707), "domain": "NSOSStatusErrorDomain"}}, "error"}},
		"no end":         {{200, plist.Dict{"readyToPlay": true, "rate": 1.0, "position": 5.0, "seekableTimeRanges": []any{}}, "playing"}, {200, plist.Dict{"readyToPlay": true, "rate": 1.0, "position": 6.0, "seekableTimeRanges": []any{}}, "playing"}},
		"the last frame": {{200, info(59.8, 1, nil), "playing"}, {200, info(60, 0, nil), "end"}},
		"still at the end": {
			{200, info(60, 1, nil), "playing"}, {200, info(60, 1, nil), "playing"}, {200, info(60, 1, nil), "end"}},
		"nonsense": {{200, plist.Dict{"duration": "long", "position": []any{}, "rate": "x"}, "loading"}, {200, info(-5, 1, nil), "playing"}},
	} {
		now := time.Unix(1e9, 0)
		f := video.Follow(now, 0)
		for i, r := range rows {
			now = now.Add(time.Second)
			s, over, err := f.Info(now, r.code, r.info)
			got := string(s.Status)
			switch {
			case over && err != nil:
				got = "error"
			case over:
				got = "end"
			}
			if got != r.want {
				t.Errorf("%s, answer %d: got %s (%v), want %s", name, i, got, err, r.want)
				break
			}
		}
	}
}

func TestErrorsOfThePlayerAreWords(t *testing.T) {
	for _, c := range []struct {
		domain string
		code   int64
		want   string
	}{
		{"NSOSStatusErrorDomain", -6707, "the stream is not one that its player can play (-6707 NSOSStatusErrorDomain)"},
		{"NSURLErrorDomain", -1202, "its player does not trust the certificate of that server (-1202 NSURLErrorDomain)"},
		{"", 7, "its player could not play it (7 )"},
	} {
		_, over, err := video.Follow(time.Now(), 0).Event(time.Now(), plist.Dict{"state": "stopped", "error": plist.Dict{"code": c.code, "domain": c.domain}})
		var player *video.PlayerError
		if !over || !errors.As(err, &player) || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func FuzzProgress(f *testing.F) {
	for _, d := range []plist.Dict{info(1, 1, nil), {"state": "stopped", "reason": "ended"}, {"error": plist.Dict{}}, {"state": "paused", "duration": 1e300}} {
		b, err := plist.Marshal(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, 200)
	}
	f.Fuzz(func(t *testing.T, b []byte, code int) {
		d, _ := plist.UnmarshalDict(b)
		now := time.Unix(1e9, 0)
		follow := video.Follow(now, time.Minute)
		for range 50 {
			now = now.Add(time.Second)
			s, over, _ := follow.Info(now, code, d)
			if s.Position < 0 || s.Duration < 0 {
				t.Fatalf("got %+v", s)
			}
			if over {
				return
			}
			follow.Event(now, d)
		}
	})
}

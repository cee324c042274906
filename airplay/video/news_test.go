package video_test

import (
	"math"
	"testing"
	"time"

	"airplay2mqtt/airplay/video"
	"airplay2mqtt/internal/plist"

	"github.com/google/go-cmp/cmp"
)

// moment is a time of Apple's player.
func moment(value, scale, flags int64) plist.Dict {
	return plist.Dict{"value": value, "timescale": scale, "flags": flags, "epoch": int64(0)}
}

// wrapped is an event as the play queue sends it.
func wrapped(t interface{ Fatal(...any) }, d plist.Dict) []byte {
	inner, err := plist.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	b, err := plist.Marshal(plist.Dict{"params": plist.Dict{"data": inner}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What receivers and programs report of the play queue's events.
var news = []struct {
	name string
	said plist.Dict
	want plist.Dict
}{
	{"loading", plist.Dict{"type": "playbackState", "name": "loading"}, plist.Dict{"state": "loading", "reason": ""}},
	{"playing, in params", plist.Dict{"type": "playbackState", "params": plist.Dict{"playbackState": "playing", "position": 1.5, "duration": moment(600, 60, 1)}},
		plist.Dict{"state": "playing", "reason": "", "position": 1.5, "duration": 10.0}},
	{"no end", plist.Dict{"type": "playbackState", "name": "playing", "params": plist.Dict{"duration": moment(0, 0, 17), "position": moment(5, 1, 5)}},
		plist.Dict{"state": "playing", "reason": ""}},
	{"interrupted", plist.Dict{"type": "playbackState", "name": "stopped", "reason": "interrupted"}, plist.Dict{"state": "stopped", "reason": "interrupted"}},
	{"the end", plist.Dict{"type": "notification", "name": "itemPlayedToEnd"}, plist.Dict{"state": "stopped", "reason": "ended"}},
	{"the end, in params", plist.Dict{"type": "notification", "params": plist.Dict{"name": "itemPlayedToEnd"}}, plist.Dict{"state": "stopped", "reason": "ended"}},
	{"an error", plist.Dict{"type": "error", "error": plist.Dict{"code": int64(-11800), "domain": "AVFoundationErrorDomain"}},
		plist.Dict{"error": plist.Dict{"code": int64(-11800), "domain": "AVFoundationErrorDomain"}}},
	{"of no use", plist.Dict{"type": "notification", "name": "timeJumped"}, nil},
	{"unknown", plist.Dict{"type": "newAccessLog"}, nil},
}

func TestEventsOfTheQueueAreUnderstood(t *testing.T) {
	for _, c := range news {
		event, _, err := video.News(wrapped(t, c.said))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, event); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestAnswersOfTheQueueAreUnderstood(t *testing.T) {
	info := plist.Dict{"position": moment(1200, 600, 1), "duration": 60.0, "rate": 1.0, "playbackState": "playing"}
	for name, said := range map[string]plist.Dict{
		"outside": {"kind": "response", "info": info}, "inside": {"kind": "response", "response": plist.Dict{"info": info}}, "bare": {"kind": "response", "response": info},
	} {
		_, got, err := video.News(wrapped(t, said))
		position, _ := got.Float("position")
		duration, _ := got.Float("duration")
		if rate, _ := got.Float("rate"); err != nil || position != 2 || duration != 60 || rate != 1 {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func FuzzEvents(f *testing.F) {
	for _, c := range news {
		f.Add(wrapped(f, c.said))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		event, info, err := video.News(b)
		if err != nil {
			return
		}
		for _, d := range []plist.Dict{event, info} {
			for _, name := range []string{"position", "duration"} {
				if v, ok := d[name].(float64); ok && math.IsNaN(v) {
					t.Errorf("%s is no number in %v", name, d)
				}
			}
		}
		now := time.Unix(1e9, 0)
		follow := video.Follow(now, 0)
		follow.Info(now, 200, info)
		if s, over, _ := follow.Event(now, event); !over && (s.Position < 0 || s.Duration < 0) {
			t.Errorf("got %+v", s)
		}
	})
}

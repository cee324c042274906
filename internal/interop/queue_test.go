//go:build linux

package interop_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

func TestMessageIsTheSound(t *testing.T) {
	for format, tol := range map[string]interop.Tolerance{"flac": interop.Exactly, "mp3": interop.Nearly, "ogg": interop.Nearly} {
		t.Run(format, func(t *testing.T) {
			file := encode(t, format, interop.Sweep(2*time.Second))
			path := filepath.Join(t.TempDir(), "ding."+format)
			if err := os.WriteFile(path, file, 0o644); err != nil {
				t.Fatal(err)
			}
			h := newHome(t, nil)
			ear := h.kitchen.Listen()
			at := time.Now()
			h.broker.Shell(t, "-t", "airplay/kitchen/play_data", "-f", path)
			ear.Hear(t, decode(t, file), tol)
			if got := h.client.Result(t, at, "kitchen", "play_data"); got.Code() != "ok" {
				t.Errorf("result: got %s (%v), want ok", got.Code(), got.Error)
			}
		})
	}
}

func TestSoundsInTheQueueFollowWithoutAGap(t *testing.T) {
	first, second := interop.Noise(70, 1500*time.Millisecond), interop.Noise(71, 2300*time.Millisecond)
	third := interop.Sweep(2 * time.Second)
	flac, ogg, mp3 := encode(t, "flac", second), encode(t, "ogg", third), encode(t, "mp3", third)
	h := newHome(t, map[string][]byte{"1.wav": first.WAV(), "2.flac": flac, "3.ogg": ogg, "4.mp3": mp3})
	ear := h.kitchen.Listen()
	at := h.tell(t, "play_file", "1.wav")
	for _, name := range []string{"2.flac", "3.ogg", "4.mp3"} {
		h.tell(t, "play_file", `{"path":"`+name+`","enqueue":"add"}`)
	}
	ear.Hear(t, slices.Concat(first, second), interop.Exactly)
	ear.Hear(t, slices.Concat(first, second, decode(t, ogg), decode(t, mp3)), interop.Nearly)
	idle := h.client.Status(t, h.client.Status(t, at, "kitchen", "playing").At, "kitchen", "idle")
	if got, want := h.client.Statuses(at, "kitchen"), []string{"buffering", "playing", "idle"}; !slices.Equal(got, want) {
		t.Errorf("states: got %q, want %q", got, want)
	}
	var titles []string
	for _, m := range h.client.Since(at, "airplay/kitchen/state/media_title") {
		titles = append(titles, m.Payload)
	}
	if got, want := slices.Compact(titles), []string{"1", "2", "3", "4", ""}; !slices.Equal(got, want) {
		t.Errorf("titles: got %q, want %q", got, want)
	}
	if idle.QueueLength != 0 {
		t.Errorf("%d wait at the end", idle.QueueLength)
	}
	h.client.Wait(t, at, "airplay/kitchen/queue", moment, func(p string) bool { return p == "[]" })
	said := queues(t, h, at)
	if got, want := said[max(0, len(said)-4):], []string{"2.flac 3.ogg 4.mp3", "3.ogg 4.mp3", "4.mp3", ""}; !slices.Equal(got, want) {
		t.Errorf("the queue ended with %q, want %q", got, want)
	}
}

// queues is what waited since an instant, each change once.
func queues(t *testing.T, h home, at time.Time) []string {
	t.Helper()
	var all []string
	for _, m := range h.client.Since(at, "airplay/kitchen/queue") {
		var rows []struct {
			ContentID string `json:"media_content_id"`
		}
		if err := json.Unmarshal([]byte(m.Payload), &rows); err != nil {
			t.Fatalf("queue %q: %v", m.Payload, err)
		}
		var names []string
		for _, r := range rows {
			names = append(names, r.ContentID)
		}
		all = append(all, strings.Join(names, " "))
	}
	return slices.Compact(all)
}

// albumHome is a home with sounds of these lengths, a.wav and so on, each unlike
// the others.
func albumHome(t *testing.T, lengths ...time.Duration) (home, []interop.Sound) {
	t.Helper()
	var tunes []interop.Sound
	files := map[string][]byte{}
	for i, d := range lengths {
		tunes = append(tunes, interop.Noise(uint64(80+i), d))
		files[string(rune('a'+i))+".wav"] = tunes[i].WAV()
	}
	return newHome(t, files), tunes
}

func TestNextInTheQueueIsHeardFirst(t *testing.T) {
	h, tunes := albumHome(t, 2500*time.Millisecond, time.Second, 700*time.Millisecond)
	ear := h.kitchen.Listen()
	at := h.tell(t, "play_file", "a.wav")
	h.tell(t, "play_file", `{"path":"b.wav","enqueue":"add"}`)
	h.tell(t, "play_file", `{"path":"c.wav","enqueue":"next"}`)
	ear.Hear(t, slices.Concat(tunes[0], tunes[2], tunes[1]), interop.Exactly)
	h.client.Status(t, h.client.Status(t, at, "kitchen", "playing").At, "kitchen", "idle")
}

func TestWhatWaitsStaysWhenSomethingIsPlayedNow(t *testing.T) {
	h, tunes := albumHome(t, 6*time.Second, time.Second, 700*time.Millisecond)
	ear := h.kitchen.Listen()
	h.order(t, "play_file", "a.wav")
	h.tell(t, "play_file", `{"path":"b.wav","enqueue":"add"}`)
	ear.HearBeginning(t, tunes[0], interop.Exactly)
	at := h.order(t, "play_file", `{"path":"c.wav","enqueue":"play"}`)
	ear.Hear(t, slices.Concat(tunes[2], tunes[1]), interop.Exactly)
	h.client.Status(t, at, "kitchen", "idle")
}

func TestPreviousGoesBack(t *testing.T) {
	h, tunes := albumHome(t, 8*time.Second, 8*time.Second)
	h.order(t, "play_file", "a.wav")
	h.tell(t, "play_file", `{"path":"b.wav","enqueue":"add"}`)
	ear := h.kitchen.Listen()
	h.order(t, "next", "")
	ear.HearBeginning(t, tunes[1], interop.Exactly)

	ear = h.kitchen.Listen()
	h.order(t, "previous", "") // b has just begun: back to a
	ear.Hear(t, tunes[0][:3*44100+22050], interop.Exactly)
	ear = h.kitchen.Listen()
	at := h.order(t, "previous", "") // a has been heard for a while: once more
	ear.HearBeginning(t, tunes[0], interop.Exactly)
	h.client.State(t, at, "kitchen", moment, func(s interop.State) bool {
		return s.State == "playing" && value(s.File) == "a.wav" && s.QueueLength == 1
	})
	ear = h.kitchen.Listen()
	h.order(t, "next", "") // and b still waits
	ear.HearBeginning(t, tunes[1], interop.Exactly)
	h.client.Status(t, h.order(t, "next", ""), "kitchen", "idle")
}

func TestOneSoundIsRepeatedWithoutAGap(t *testing.T) {
	h, tunes := albumHome(t, 1100*time.Millisecond)
	ear := h.kitchen.Listen()
	at := h.tell(t, "play_file", `{"path":"a.wav","repeat":"one"}`)
	ear.Hear(t, slices.Concat(tunes[0], tunes[0], tunes[0]), interop.Exactly)
	h.client.Wait(t, at, "airplay/kitchen/state/repeat", moment, func(p string) bool { return p == "one" })
	at = h.order(t, "set_repeat", "off")
	h.client.Wait(t, at, "airplay/kitchen/state/repeat", moment, func(p string) bool { return p == "off" })
	h.client.Status(t, at, "kitchen", "idle")
	h.kitchen.Silent(t, ear, 200*time.Millisecond)
	for _, r := range ear.Runs(tunes[0]) {
		if r.Frames != len(tunes[0]) || r.Sound != 0 {
			t.Errorf("once was heard from frame %d, %d frames of %d", r.Sound, r.Frames, len(tunes[0]))
		}
	}
}

func TestAllSoundsAreRepeatedInOrder(t *testing.T) {
	h, tunes := albumHome(t, 900*time.Millisecond, 700*time.Millisecond)
	ear := h.kitchen.Listen()
	h.tell(t, "play_file", `{"path":"a.wav","repeat":"all"}`)
	h.tell(t, "play_file", `{"path":"b.wav","enqueue":"add"}`)
	ear.Hear(t, slices.Concat(tunes[0], tunes[1], tunes[0], tunes[1], tunes[0]), interop.Exactly)
	h.client.Status(t, h.order(t, "stop", ""), "kitchen", "idle")
}

func TestPartOfASoundIsHeard(t *testing.T) {
	h, tunes := albumHome(t, 4*time.Second)
	ear := h.kitchen.Listen()
	at := h.order(t, "play_file", `{"path":"a.wav","start":1.5,"max_duration":1}`)
	h.client.Status(t, at, "kitchen", "idle")
	h.kitchen.Silent(t, ear, 200*time.Millisecond)
	got := ear.Runs(tunes[0])
	if len(got) != 1 || got[0].Sound != 66150 || got[0].Frames != 44100 {
		t.Errorf("of frames 66150 to 110250 was heard %s", interop.Describe(got, tunes[0]))
	}
}

func TestPlaylistsAndFoldersPlayInTheirOrder(t *testing.T) {
	one, two := interop.Noise(72, 800*time.Millisecond), interop.Noise(73, 800*time.Millisecond)
	h := newHome(t, map[string][]byte{
		"album/2 second.wav": two.WAV(), "album/10 last.wav": one.WAV(), "album/cover.jpg": []byte("no sound"),
		"list.m3u": []byte("#EXTM3U\n#EXTINF:1,The first\nalbum/10 last.wav\nalbum/2 second.wav\n"),
	})
	for name, want := range map[string]interop.Sound{
		"album": slices.Concat(two, one), "list.m3u": slices.Concat(one, two),
	} {
		ear := h.kitchen.Listen()
		at := h.order(t, "play_file", name)
		ear.Hear(t, want, interop.Exactly)
		h.client.Status(t, h.client.Status(t, at, "kitchen", "playing").At, "kitchen", "idle")
	}
}

func TestNextAndClearQueue(t *testing.T) {
	tunes := map[string]interop.Sound{}
	files := map[string][]byte{}
	for i, name := range []string{"a.wav", "b.wav", "c.wav"} {
		tunes[name] = interop.Noise(uint64(74+i), 6*time.Second)
		files[name] = tunes[name].WAV()
	}
	h := newHome(t, files)
	ear := h.kitchen.Listen()
	at := h.order(t, "play_file", "a.wav")
	h.tell(t, "play_file", `{"path":"b.wav","enqueue":"add"}`)
	h.tell(t, "play_file", `{"path":"c.wav","enqueue":"add"}`)
	ear.HearBeginning(t, tunes["a.wav"], interop.Exactly)
	h.client.Wait(t, at, "airplay/kitchen/state/queue_length", moment, func(p string) bool { return p == "2" })
	at = h.order(t, "next", "")
	ear.HearBeginning(t, tunes["b.wav"], interop.Exactly)
	h.order(t, "clear_queue", "")
	h.client.Wait(t, at, "airplay/kitchen/state/queue_length", moment, func(p string) bool { return p == "0" })
	h.client.State(t, at, "kitchen", 15*time.Second, func(s interop.State) bool { return s.State == "idle" })
	if runs := ear.Runs(tunes["c.wav"]); len(runs) > 0 {
		t.Errorf("of what was cleared was heard %s", interop.Describe(runs, tunes["c.wav"]))
	}
}

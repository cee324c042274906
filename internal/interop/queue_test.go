//go:build linux

package interop_test

import (
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
	h.client.Wait(t, at, "airplay/kitchen/queue", time.Second, func(p string) bool { return p == "[]" })
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
	h.client.Wait(t, at, "airplay/kitchen/state/queue_length", 2*time.Second, func(p string) bool { return p == "2" })
	at = h.order(t, "next", "")
	ear.HearBeginning(t, tunes["b.wav"], interop.Exactly)
	h.order(t, "clear_queue", "")
	h.client.Wait(t, at, "airplay/kitchen/state/queue_length", 2*time.Second, func(p string) bool { return p == "0" })
	h.client.State(t, at, "kitchen", 15*time.Second, func(s interop.State) bool { return s.State == "idle" })
	if runs := ear.Runs(tunes["c.wav"]); len(runs) > 0 {
		t.Errorf("of what was cleared was heard %s", interop.Describe(runs, tunes["c.wav"]))
	}
}

func TestAnotherProgramIsHeardThroughAFIFO(t *testing.T) {
	tune := interop.Noise(77, 2*time.Second)
	h := newHome(t, map[string][]byte{"readme.txt": []byte("here is a fifo")})
	fifo := filepath.Join(h.bridge.Media, "live")
	pipe(t, nil, "mkfifo", fifo)
	ear := h.kitchen.Listen()
	writer, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Close() })
	go writer.Write(tune.WAV()[44:])
	at := h.order(t, "play_url", "pcm:"+fifo)
	ear.Hear(t, tune, interop.Exactly)
	if got := h.client.Status(t, at, "kitchen", "playing"); got.Duration != nil {
		t.Errorf("duration: got %s, want null", value(got.Duration))
	}
	h.client.Status(t, h.order(t, "stop", ""), "kitchen", "idle")
}

func TestRadioTellsItsTitles(t *testing.T) {
	file := pipe(t, interop.Sweep(4*time.Second).WAV(), "lame", "--silent", "-t", "-b", "192", "-", "-")
	h := newHome(t, nil)
	at := h.order(t, "play_url", icy(t, file, "First song", "Second song")+"/live.mp3")
	for _, title := range []string{"First song", "Second song"} {
		h.client.Wait(t, at, "airplay/kitchen/state/media_title", 15*time.Second, func(p string) bool { return strings.Contains(p, title) })
	}
	h.order(t, "stop", "")
}

package bridge_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/internal/chime"
	"airplay2mqtt/raop/raoptest"
)

// answered says a command, and returns the code of its result.
func (h *house) answered(topic, payload string) string {
	h.t.Helper()
	transaction := fmt.Sprint("t", time.Now().UnixNano())
	h.say(topic, strings.TrimSuffix(payload, "}")+`,"transaction":"`+transaction+`"}`)
	device, _, _ := strings.Cut(topic, "/")
	return h.result(device, transaction)
}

func TestOurOwnChimesAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		info := h.until("airplay/bridge/info", `"chimes"`)
		for _, name := range chime.Names() {
			if !strings.Contains(info, `"`+name+`"`) {
				t.Errorf("info does not list %s", name)
			}
		}
		h.say("kitchen/chime", "Ding")
		h.until("airplay/kitchen/state", `"activity":"chime"`)
		if got := h.latest("airplay/kitchen/state/state"); got != "playing" {
			t.Errorf("state: got %s, want playing", got)
		}
		h.until("airplay/kitchen/event", `"announcement_finished"`)
		h.until("airplay/kitchen/state", `"state":"idle"`)
		pcm, _ := chime.PCM("ding")
		if got := sounds(rx[0]); !slices.Equal(got, trim(pcm)) {
			t.Errorf("heard %d samples, not the %d of the chime", len(got), len(trim(pcm)))
		}
		h.until("homeassistant/device/airplay_STATIC_KITCHEN/config", `"available_tones"`)
	})
}

// trim cuts the silence around samples.
func trim(pcm []int16) []int16 {
	for len(pcm) > 1 && pcm[0] == 0 {
		pcm = pcm[1:]
	}
	for len(pcm) > 1 && pcm[len(pcm)-1] == 0 {
		pcm = pcm[:len(pcm)-1]
	}
	return pcm
}

func TestChimesOfTheFolderComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Announcements.Loudness = 0
		if err := os.MkdirAll(filepath.Join(s.Media.Chimes, "doors"), 0o755); err != nil {
			t.Fatal(err)
		}
		shelf := &house{t: t, media: s.Media.Chimes}
		want := shelf.tone("Ding.wav", 0.5)
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"})
		time.Sleep(time.Second) // virtual: the folder is read
		if code := h.answered("kitchen/chime", `{"chime":"ding"}`); code != "" {
			t.Errorf("got %s, want ok", code)
		}
		h.until("airplay/kitchen/event", `"announcement_finished"`)
		if got := sounds(rx[0]); !slices.Equal(got, want) {
			t.Errorf("heard %d samples, not the %d of the file", len(got), len(want))
		}
		shelf.tone("doors/front.wav", 0.5) // a moment ago
		if code := h.answered("kitchen/chime", `{"chime":"doors/front"}`); code != "" {
			t.Errorf("a new file: got %s, want ok", code)
		}
		h.until("airplay/bridge/info", `"doors/front"`)
		if code := h.answered("kitchen/chime", `{"chime":"dingdong"}`); code != "file_not_found" {
			t.Errorf("got %q, want file_not_found", code)
		}
		said := h.latest("airplay/kitchen/result")
		for _, want := range []string{"there is no chime", "westminster", "doors/front"} {
			if !strings.Contains(said, want) {
				t.Errorf("the answer does not say %q: %s", want, said)
			}
		}
	})
}

func TestAnnouncementOverMusic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		music := h.tone("music.wav", 12)
		h.tone("speech.wav", 2)
		if code := h.answered("kitchen/play_file", `{"path":"music.wav","volume":40}`); code != "" {
			t.Fatalf("music: got %s", code)
		}
		time.Sleep(2 * time.Second)
		if code := h.answered("kitchen/announce", `{"chime":"notify","path":"speech.wav","volume":80}`); code != "" {
			t.Fatalf("announce: got %s", code)
		}
		if got := rx[0].Volume(); math.Abs(got+6) > 0.01 {
			t.Errorf("volume on the wire: got %v dB, want -6", got)
		}
		h.until("airplay/kitchen/state", `"activity":"announcement"`)
		if got := h.latest("airplay/kitchen/state/volume"); got != "40" {
			t.Errorf("volume: got %s, want 40, as it is to be again", got)
		}
		h.until("airplay/kitchen/event", `"announcement_finished"`)
		h.until("airplay/kitchen/state", `"activity":"media"`)
		h.until("airplay/kitchen/state", `"state":"idle"`)
		if got := rx[0].Volume(); math.Abs(got+18) > 0.01 {
			t.Errorf("volume on the wire: got %v dB, want -18", got)
		}
		heard := sounds(rx[0])
		if len(heard) < 2*44100*8 || !slices.Equal(heard[:2*44100*2], music[:2*44100*2]) {
			t.Fatalf("heard %d samples, which do not begin with the music", len(heard))
		}
		tail := 2 * 44100 * 4
		if !slices.Equal(heard[len(heard)-tail:], music[len(music)-tail:]) {
			t.Errorf("the end of the music is not what it was")
		}
	})
}

func TestAnnouncementsInQuietHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.QuietHours = config.QuietHours{
			From: config.Clock{Set: true}, To: config.Clock{Set: true}, Announcements: "refuse", // always
		}
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		h.tone("tone.wav", 1)
		for _, c := range []struct{ topic, payload, want string }{
			{"kitchen/chime", `{"chime":"ding"}`, "quiet_hours"},
			{"kitchen/play_file", `{"path":"tone.wav","announce":true}`, "quiet_hours"},
			{"kitchen/chime", `{"chime":"ding","critical":true}`, ""},
			{"kitchen/play_file", `{"path":"tone.wav"}`, ""},
			{"kitchen/announce", `{"message":"hello"}`, "tts_unavailable"},
		} {
			if got := h.answered(c.topic, c.payload); got != c.want {
				t.Errorf("%s %s: got %q, want %q", c.topic, c.payload, got, c.want)
			}
			time.Sleep(3 * time.Second)
		}
	})
}

func TestVolumeIsGivenBackAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"})
		h.say("kitchen/set_volume", "30")
		h.until("airplay/kitchen/state/volume", "30")
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		// What a bridge leaves that was killed while it was loud.
		j, err := bridge.OpenJournal(s.Data)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Begin("STATIC_KITCHEN", 0.3); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		h.moveIn(s)
		for math.Abs(rx[0].Volume()+21) > 0.01 {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("volume on the wire: got %v dB after 10 s, want -21", rx[0].Volume())
			}
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
		}
		time.Sleep(time.Second)
		if j, err = bridge.OpenJournal(s.Data); err != nil || len(j.Left()) != 0 {
			t.Errorf("the journal still holds %v (%v)", j.Left(), err)
		}
	})
}

func TestAThousandAnnouncementsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Announcements.PerHour = 100000
		s.Limits.PerDevice, s.Limits.Overall = 1000, 1000
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		for i := range 1000 {
			h.say("kitchen/chime", fmt.Sprintf(`{"chime":"ding","key":"k%d","transaction":"k%d"}`, i, i))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		codes := map[string]int{}
		for _, said := range h.every("airplay/kitchen/result") {
			var r struct {
				Status string
				Error  struct{ Code string }
			}
			if err := json.Unmarshal([]byte(said), &r); err != nil {
				t.Fatal(err)
			}
			if r.Status != "accepted" {
				codes[r.Status+" "+r.Error.Code]++
			}
		}
		if ok, refused := codes["ok "], codes["error rate_limited"]; ok < 16 || ok > 20 || ok+refused != 1000 {
			t.Errorf("got %v, want 16 to 20 that are heard and the others rate_limited", codes)
		}
	})
}

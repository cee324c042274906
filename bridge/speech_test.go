package bridge_test

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/assistant/assistanttest"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/internal/chime"
	"airplay2mqtt/raop/raoptest"

	"github.com/rs/zerolog"
)

const secretToken = "ein-langes-geheimnis"

// spoken is what the Home Assistant of tests makes of a text: noise that begins
// differently for each.
func spoken(message string) []int16 {
	pcm := make([]int16, 2*22050)
	seed := uint32(len(message))
	for i := range pcm {
		seed = seed*1664525 + 1013904223
		pcm[i] = int16(seed>>18) | 1
	}
	return pcm
}

// wavOf is a WAV file as a program writes it that cannot go back to its
// beginning: without a length.
func wavOf(pcm []int16) []byte {
	var b bytes.Buffer
	b.WriteString("RIFF\xff\xff\xff\xffWAVEfmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(2), uint32(44100), uint32(4 * 44100), uint16(4), uint16(16)} {
		binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data\xff\xff\xff\xff")
	binary.Write(&b, binary.LittleEndian, pcm)
	return b.Bytes()
}

// assisted is a house with a Home Assistant at 10.0.0.30, which speaks. Its log
// is returned as well.
func assisted(t *testing.T, change func(*config.Config)) (*house, []*raoptest.Receiver, *assistanttest.Server, *bytes.Buffer) {
	t.Helper()
	s := settings(t)
	s.Announcements.Loudness = 0
	s.HomeAssistant.URL, s.HomeAssistant.Token = "http://10.0.0.30:8123", secretToken
	if change != nil {
		change(&s)
	}
	var log bytes.Buffer
	h, rx := buildLogging(t, s, zerolog.New(zerolog.SyncWriter(&log)), raoptest.Config{Name: "Kitchen"})
	ha := assistanttest.New(assistanttest.Config{
		Token: secretToken,
		Engines: []assistanttest.Engine{{
			ID: "tts.piper", Languages: []string{"en_GB", "de_DE"},
			Speak: func(s assistanttest.Speech) []byte { return wavOf(spoken(s.Message)) },
		}},
		Media: map[string]assistanttest.Media{
			"media-source://media_source/local/bell.wav": {Path: "/media/local/bell.wav", Content: wavOf(spoken("bell"))},
		},
	})
	l, err := h.lan.Host("10.0.0.30").Listen("tcp", ":8123")
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: ha}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return h, rx, ha, &log
}

// keepsToItself fails if anything that was ever said, or logged, holds a secret.
func (h *house) keepsToItself(log *bytes.Buffer, secrets ...string) {
	h.t.Helper()
	_ = h.stop()
	h.ear.mu.Lock()
	defer h.ear.mu.Unlock()
	for _, s := range secrets {
		for _, m := range h.ear.all {
			if strings.Contains(string(m.Payload), s) {
				h.t.Errorf("%s says %s", m.Topic, s)
			}
		}
		if strings.Contains(log.String(), s) {
			h.t.Errorf("the log says %s", s)
		}
	}
}

func TestTextIsSpokenByHomeAssistant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx, ha, log := assisted(t, func(c *config.Config) { c.TTS.Language = "en" })
		h.until("homeassistant/device/airplay_STATIC_KITCHEN/config", `"platform":"notify"`)
		for range 2 {
			if code := h.answered("kitchen/announce", `{"message":"Dinner  is\nready"}`); code != "" {
				t.Fatalf("got %s, want ok", code)
			}
			h.until("airplay/kitchen/event", `"announcement_finished"`)
			h.until("airplay/kitchen/state", `"state":"idle"`)
		}
		h.until("airplay/kitchen/event", `"a2"`)
		want := spoken("Dinner is ready")
		if got := sounds(rx[0]); !slices.Equal(got[:len(want)], want) || !slices.Equal(got[len(got)-len(want):], want) {
			t.Errorf("heard %d samples, not twice the %d that were spoken", len(got), len(want))
		}
		if got := ha.Speeches(); len(got) != 1 || got[0].Message != "Dinner is ready" || got[0].Engine != "tts.piper" || got[0].Language != "en" {
			t.Errorf("it was asked for %+v, want the text once", got)
		}
		if got := h.answered("kitchen/announce", `{"message":"Essen!","language":"de","voice":"thorsten","chime":"ding"}`); got != "" {
			t.Errorf("with a chime before it: got %s, want ok", got)
		}
		h.until("airplay/kitchen/state", `"activity":"announcement"`)
		h.until("airplay/kitchen/state", `"state":"idle"`)
		ding, _ := chime.PCM("ding")
		want = append(trim(ding), spoken("Essen!")...)
		got := sounds(rx[0])
		if !slices.Equal(got[len(got)-len(spoken("Essen!")):], spoken("Essen!")) || len(got) < len(want) {
			t.Error("the text was not heard behind the chime")
		}
		if last := ha.Speeches()[1]; last.Options["voice"] != "thorsten" || last.Language != "de" {
			t.Errorf("it was asked for %+v", last)
		}
		h.keepsToItself(log, secretToken, "tts_proxy")
	})
}

func TestWhatCannotBeSpokenIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, _, log := assisted(t, func(c *config.Config) { c.HomeAssistant.Token, c.TTS.MaxText = "falsch", 20 })
		for _, c := range []struct{ topic, payload, want string }{
			{"kitchen/announce", `{"message":"hello"}`, "tts_unavailable"},
			{"kitchen/announce", `{"message":"` + strings.Repeat("ü", 21) + `"}`, "bad_payload"},
			{"kitchen/play_media", `{"media_id":"media-source://media_source/local/bell.wav"}`, "fetch_failed"},
		} {
			time.Sleep(time.Millisecond) // virtual: transactions are made of the time
			if got := h.answered(c.topic, c.payload); got != c.want {
				t.Errorf("%s %s: got %s, want %s", c.topic, c.payload, got, c.want)
			}
		}
		h.until("airplay/kitchen/result", "refuses the token")
		h.keepsToItself(log, "falsch")
	})
}

func TestWithoutHomeAssistantNothingIsAskedThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		for _, c := range []struct{ topic, payload, want string }{
			{"kitchen/announce", `{"message":"hello"}`, "tts_unavailable"},
			{"kitchen/announce", `{"url":"media-source://x/y"}`, "bad_payload"},
			{"kitchen/play_media", `{"media_id":"media-source://x/y"}`, "bad_payload"},
			{"kitchen/play_url", `{"url":"media-source://x/y"}`, "bad_payload"},
		} {
			time.Sleep(time.Millisecond) // virtual: transactions are made of the time
			if got := h.answered(c.topic, c.payload); got != c.want {
				t.Errorf("%s %s: got %s, want %s", c.topic, c.payload, got, c.want)
			}
		}
		if c := h.latest("homeassistant/device/airplay_STATIC_KITCHEN/config"); strings.Contains(c, `"platform":"notify"`) {
			t.Error("Home Assistant is told of a voice that is not there")
		}
	})
}

func TestMediaOfHomeAssistantAreHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx, _, log := assisted(t, nil)
		const id = "media-source://media_source/local/bell.wav"
		for i, c := range []struct{ topic, payload string }{
			{"kitchen/play_media", `{"media_content_id":"` + id + `","media_content_type":"music"}`},
			{"kitchen/announce", `{"url":"` + id + `"}`},
			{"kitchen/play_url", `{"url":"` + id + `"}`},
		} {
			if code := h.answered(c.topic, c.payload); code != "" {
				t.Fatalf("%s: got %s, want ok", c.topic, code)
			}
			if i != 1 {
				if got := h.latest("airplay/kitchen/state/media_content_id"); got != id {
					t.Errorf("%s: media_content_id is %s, want %s", c.topic, got, id)
				}
			}
			h.until("airplay/kitchen/state", `"state":"idle"`)
			want := spoken("bell")
			got := sounds(rx[0])
			if len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want) {
				t.Errorf("%s: the bell was not heard", c.topic)
			}
		}
		if code := h.answered("kitchen/probe", `{"location":"`+id+`"}`); code != "" {
			t.Errorf("probe: got %s, want ok", code)
		}
		h.keepsToItself(log, secretToken, "authSig", "signed")
	})
}

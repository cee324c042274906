package raop_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"

	"github.com/google/go-cmp/cmp"
)

func TestVolumeComesAtThreeMoments(t *testing.T) {
	inHouse(t, raoptest.Config{OverwritesVolume: true}, func(h *house) {
		begun := time.Now()
		s := h.dial(raop.Config{Volume: level(0.5)})
		time.Sleep(time.Second)
		s.SetVolume(h.Context(), 0)
		s.SetVolume(h.Context(), 2)
		var got []string
		for _, v := range h.rx.Log().Volumes {
			got = append(got, fmt.Sprintf("%v:%v", v.At.Sub(begun).Round(10*time.Millisecond), v.Decibels))
		}
		const want = "10ms:-15 10ms:-15 10ms:-24 160ms:-15 1.01s:-144 1.01s:0"
		if strings.Join(got, " ") != want {
			h.Errorf("got %v, want %v", got, want)
		}
		if v, known := s.Volume(); v != 1 || !known {
			h.Errorf("got %v, %v, want 1, known", v, known)
		}
	})
}

func TestVolumeThatWasReplacedIsNotRepeated(t *testing.T) {
	inHouse(t, raoptest.Config{Delays: map[string]time.Duration{"SET_PARAMETER": 100 * time.Millisecond}}, func(h *house) {
		s := h.dial(raop.Config{Volume: level(0.2)})
		time.Sleep(100 * time.Millisecond) // the repetition comes 150 ms after RECORD, 50 ms into this one
		if err := s.SetVolume(h.Context(), 0.5); err != nil {
			h.Error(err)
		}
		time.Sleep(time.Second)
		if got := h.rx.Volume(); got != -15 {
			h.Errorf("got %v dB, want -15", got)
		}
	})
}

func TestVolumeOfTheReceiverIsLeftAlone(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		time.Sleep(time.Minute)
		if v, known := s.Volume(); math.Abs(v-0.2) > 1e-9 || !known {
			h.Errorf("got %v, %v, want 0.2, known: it tells -24 dB", v, known)
		}
		if got := h.rx.Log().Volumes; len(got) != 0 {
			h.Errorf("got %v, want none set", got)
		}
	})
	inHouse(t, raoptest.Config{Answers: map[string]int{"GET_PARAMETER": 400}}, func(h *house) {
		if v, known := h.dial(raop.Config{}).Volume(); known {
			h.Errorf("got %v, known, of a receiver that does not tell", v)
		}
	})
}

func TestVolumeThatIsRefusedIsAnError(t *testing.T) {
	inHouse(t, raoptest.Config{Answers: map[string]int{"SET_PARAMETER": 500}}, func(h *house) {
		s := h.dial(raop.Config{})
		var status *raop.StatusError
		if err := s.SetVolume(h.Context(), 1); !errors.As(err, &status) || err.Error() != "raop: set_parameter: 500 As Told" {
			h.Errorf("got %v, want a status error", err)
		}
		if v, _ := s.Volume(); s.Err() != nil || v == 1 {
			h.Errorf("got %v, %v, want a session that goes on with the volume it had", s.Err(), v)
		}
	})
}

func TestTagsAreToldWhenTheSoundIsHeard(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{Rand: always(0x42)})
		cover := picture(h.T, 8, 8, asPNG)
		s.SetTags(h.Context(), audio.Tags{Title: "Käse", Artist: "Die", Album: "Das", Duration: 3 * time.Second, Artwork: cover})
		time.Sleep(time.Second)
		if log := h.rx.Log(); len(log.Texts) != 0 {
			h.Error("told before there was sound")
		}
		tl := h.play(s, counting(3*44100), pace{lead: 500 * time.Millisecond})
		time.Sleep(3 * time.Second)
		log := h.rx.Log()
		const start = 0x42424242
		if diff := cmp.Diff([]string{fmt.Sprintf("%d/%d/%d", start, start, start+3*44100)}, log.Progresses); diff != "" {
			h.Errorf("progress (-want +got):\n%s", diff)
		}
		want := []raoptest.Text{{RTPTime: fmt.Sprint(start), Items: map[string]string{
			"mikd": "2", "minm": "Käse", "asar": "Die", "asal": "Das", "astm": "3000"}}}
		if off := log.Texts[0].At.Sub(tl.Time); off < 0 || off > 20*time.Millisecond {
			h.Errorf("text came %v from when the sound was heard", off)
		}
		want[0].At = log.Texts[0].At
		if diff := cmp.Diff(want, log.Texts); diff != "" {
			h.Errorf("text (-want +got):\n%s", diff)
		}
		if len(log.Artworks) != 1 || log.Artworks[0].Type != "image/png" || !slices.Equal(log.Artworks[0].Data, cover) {
			h.Errorf("got %d artworks, want the one", len(log.Artworks))
		}
	})
}

func TestOnlyWhatIsWantedIsTold(t *testing.T) {
	for _, c := range []struct {
		md                        string
		texts, artworks, progress int
	}{
		{"0,1,2", 1, 1, 1}, {"0", 1, 0, 0}, {"0,2", 1, 0, 1}, {"1", 0, 1, 0}, {"", 0, 0, 0},
	} {
		inHouse(t, raoptest.Config{TXT: map[string]string{"md": c.md}}, func(h *house) {
			s := h.dial(raop.Config{})
			s.SetTags(h.Context(), audio.Tags{Title: "x", Artwork: picture(h.T, 8, 8, asPNG)})
			h.play(s, counting(1000), pace{})
			time.Sleep(time.Second)
			log := h.rx.Log()
			if len(log.Texts) != c.texts || len(log.Artworks) != c.artworks || len(log.Progresses) != c.progress {
				h.Errorf("md=%s: got %d texts, %d artworks, %d progresses", c.md, len(log.Texts), len(log.Artworks), len(log.Progresses))
			}
		})
	}
}

func TestRefusedMetadataIsNotSentAgain(t *testing.T) {
	inHouse(t, raoptest.Config{Answers: map[string]int{"SET_PARAMETER": 415}}, func(h *house) {
		s := h.dial(raop.Config{})
		for range 3 {
			s.SetTags(h.Context(), audio.Tags{Title: "x"})
			h.play(s, counting(1000), pace{})
			time.Sleep(time.Second)
		}
		if got := strings.Count(methods(h.rx), "SET_PARAMETER"); got != 2 {
			h.Errorf("asked %d times, want 2: progress and text once each", got)
		}
	})
}

func TestSlowMetadataDoesNotDelaySound(t *testing.T) {
	inHouse(t, raoptest.Config{Delays: map[string]time.Duration{"SET_PARAMETER": 4 * time.Second}}, func(h *house) {
		s := h.dial(raop.Config{})
		s.SetTags(h.Context(), audio.Tags{Title: "x"})
		song := counting(6 * 44100)
		tl := h.play(s, song, pace{from: leadIn})
		time.Sleep(2 * time.Second)
		h.heard(song, tl.At(0))
	})
}

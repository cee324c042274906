package airplay_test

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/airplay/pair"
	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/audio/stream/streamtest"
)

// paired pairs with the receiver of a house by PIN.
func (h *house) paired(pin string) airplay.Credentials {
	h.Helper()
	p, err := pair.Start(h.Context(), h.rx.Addr(), airplay.ParseInfo(h.rx.TXT()), &pair.Config{DialContext: h.us.DialContext})
	if err != nil {
		h.Fatal(err)
	}
	defer p.Close()
	ours, err := p.Finish(h.Context(), pin)
	if err != nil {
		h.Fatal(err)
	}
	return ours
}

func TestAnAppleTVShowsWhatIsPlaying(t *testing.T) {
	inHouse(t, airplaytest.AppleTV("1234"), func(h *house) {
		s := h.dial(airplay.Config{Credentials: h.paired("1234")})
		var cover bytes.Buffer
		if err := png.Encode(&cover, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
			h.Fatal(err)
		}
		tags := audio.Tags{Title: "Aria", Artist: "Glenn Gould", Album: "Goldberg Variations", Duration: 3 * time.Minute,
			Artwork: cover.Bytes()}
		if err := s.SetTags(h.Context(), tags); err != nil {
			h.Fatal(err)
		}
		st := stream.New(streamtest.Sound(60*44100), stream.Config{}, s)
		ctx, cancel := context.WithCancel(h.Context())
		ended := make(chan error, 1)
		go func() { ended <- st.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		<-st.Heard()
		time.Sleep(5 * time.Second)
		if err := st.Pause(h.Context()); err != nil {
			h.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if err := st.Resume(h.Context()); err != nil {
			h.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		screens := h.rx.Log().Screens
		if len(screens) < 3 {
			h.Fatalf("told %v, want a track, a pause and that it goes on", screens)
		}
		for key, want := range map[string]string{"mergePolicy": "replace", "Title": "Aria", "Artist": "Glenn Gould",
			"Album": "Goldberg Variations", "Duration": "180", "PlaybackRate": "1", "ArtworkMIMEType": "image/png"} {
			if got := screens[0][key]; got != want {
				h.Errorf("%s: got %q, want %q", key, got, want)
			}
		}
		paused, resumed := slices.IndexFunc(screens, func(m map[string]string) bool { return m["PlaybackRate"] == "0" }), screens[len(screens)-1]
		if paused < 0 || screens[paused]["mergePolicy"] != "update" || !strings.HasPrefix(screens[paused]["ElapsedTime"], "5") {
			h.Errorf("told %v, want a pause after 5 s", screens)
		}
		if resumed["PlaybackRate"] != "1" || resumed["mergePolicy"] != "update" {
			h.Errorf("told %v at last, want that it goes on", resumed)
		}
	})
}

func TestOnlyWhoIsPairedTellsAScreen(t *testing.T) {
	tv := airplaytest.AppleTV("1234")
	tv.NotTransient = false
	for name, cfg := range map[string]airplaytest.Config{"an Apple TV": tv, "a HomePod": airplaytest.HomePod(), "a speaker": {}} {
		inHouse(t, cfg, func(h *house) {
			s := h.dial(airplay.Config{})
			if err := s.SetTags(h.Context(), audio.Tags{Title: "Aria"}); err != nil {
				h.Fatal(err)
			}
			if err := stream.Play(h.Context(), streamtest.Sound(44100), s); err != nil {
				h.Fatal(err)
			}
			if l := h.rx.Log(); len(l.Screens) != 0 || len(l.Texts) == 0 {
				h.Errorf("%s was told %v, and texts %v", name, l.Screens, l.Texts)
			}
		})
	}
}

package video_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/video"
	"airplay2mqtt/airplay/video/videotest"
	"airplay2mqtt/internal/legacy"
)

func TestAFilmPlaysToItsEnd(t *testing.T) {
	for name, cfg := range map[string]videotest.TelevisionConfig{
		"Apple TV 3":            {},
		"it loads for a while":  {Load: 8 * time.Second},
		"answers are empty":     {EmptyInfos: 4},
		"it tells nothing":      {Eventless: true},
		"the last picture":      {HoldsLast: true},
		"the last, untold":      {HoldsLast: true, Eventless: true},
		"text only":             {TextOnly: true},
		"it hangs up at an end": {HangUpAfter: 9500 * time.Millisecond, Eventless: true},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, cfg, func(h *house) {
				w := h.play(film, 0)
				words, took, err := w.over(h)
				if err != nil || took < 9*time.Second+cfg.Load || took > 14*time.Second+cfg.Load {
					h.Errorf("got %v after %v, want the end after 10 s", err, took)
				}
				if !strings.HasSuffix(words, "playing") || strings.Contains(words, "paused") {
					h.Errorf("got states %q, want it to load and play", words)
				}
				if got := w.State().Duration; got != 10*time.Second {
					h.Errorf("got a duration of %v", got)
				}
				if got := join(h.tv.Log().Fetched); got != "bytes=0-1 206 2 bytes=0- 206 20000 bytes=19000- 206 1000" {
					h.Errorf("fetched %s", got)
				}
				if got := len(h.tv.Log().Sessions); got != 1 {
					h.Errorf("%d names for one session", got)
				}
			})
		})
	}
}

func TestPauseResumeSeekStop(t *testing.T) {
	for _, cfg := range []videotest.TelevisionConfig{{Film: time.Minute}, {Film: time.Minute, Eventless: true, EmptyInfos: 3}} {
		inHouse(t, cfg, func(h *house) {
			w := h.play(film, 0)
			time.Sleep(6 * time.Second)
			w.at(h, video.Playing, 6*time.Second)
			h.check(w.Pause(h.Context()))
			w.at(h, video.Paused, 6*time.Second)
			time.Sleep(10 * time.Second)
			w.at(h, video.Paused, 6*time.Second)
			h.check(w.Resume(h.Context()))
			time.Sleep(3 * time.Second)
			w.at(h, video.Playing, 9*time.Second)
			h.check(w.Seek(h.Context(), 30*time.Second))
			w.at(h, video.Playing, 30*time.Second)
			time.Sleep(10 * time.Second)
			w.at(h, video.Playing, 40*time.Second)
			h.check(w.Stop(h.Context()))
			if words, _, err := w.over(h); err != nil || !strings.HasSuffix(words, "playing paused playing") {
				h.Errorf("got %q, %v", words, err)
			}
			if got := h.tv.Log().Stops; got != 1 {
				h.Errorf("it was stopped %d times, want once", got)
			}
			if err := w.Pause(h.Context()); err == nil {
				h.Error("a film that is over was paused")
			}
		})
	}
}

func TestAFilmBeginsWhereItIsTold(t *testing.T) {
	for name, cfg := range map[string]videotest.TelevisionConfig{
		"it can": {Film: time.Minute}, "it cannot, and is sought": {Film: time.Minute, TextOnly: true},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, cfg, func(h *house) {
				w := h.play(film, 30*time.Second)
				time.Sleep(10 * time.Second)
				if got := w.Elapsed(); got < 37*time.Second || got > 41*time.Second {
					h.Errorf("got %v after 10 s, want about 40 s", got)
				}
				if got := h.asked("POST /scrub"); got != cfg.TextOnly {
					h.Errorf("sought: %v, want %v", got, cfg.TextOnly)
				}
			})
		})
	}
}

func TestHLSAndWhatHasNoEnd(t *testing.T) {
	inHouse(t, videotest.TelevisionConfig{Live: true}, func(h *house) {
		w := h.play(hls, 0)
		time.Sleep(time.Minute)
		if s := w.State(); s.Status != video.Playing || s.Duration != 0 {
			h.Errorf("got %+v, want it to play without a duration", s)
		}
		if err := w.Seek(h.Context(), 0); !errors.Is(err, video.ErrNotSeekable) {
			h.Errorf("seek: got %v, want ErrNotSeekable", err)
		}
		if got := join(h.tv.Log().Fetched); got != "bytes=0-1 200 47 200 47 200 48 200 5" {
			h.Errorf("fetched %s", got)
		}
		h.check(w.Stop(h.Context()))
	})
}

func TestPlaylistsThatItAsksForAreFetched(t *testing.T) {
	for address, want := range map[string]string{"https://example.org/a.m3u8": "200 #EXTM3U", "mlhls://x/y.m3u8": "404 "} {
		inHouse(t, videotest.TelevisionConfig{Asks: address}, func(h *house) {
			s, err := h.dial(video.Config{Fetch: func(ctx context.Context, url string) (int, string, []byte) {
				if url != address {
					h.Errorf("fetched %s", url)
				}
				return 200, "application/vnd.apple.mpegurl", []byte("#EXTM3U")
			}})
			if err != nil {
				h.Fatal(err)
			}
			if _, _, err := h.playOn(s, film, 0).over(h); err != nil {
				h.Error(err)
			}
			answers := h.tv.Log().Answers
			if len(answers) != 1 {
				h.Fatalf("got %d answers, want 1", len(answers))
			}
			status, _ := answers[0].Int("FCUP_Response_StatusCode")
			id, _ := answers[0].Int("FCUP_Response_RequestID")
			if got := join([]any{status, string(answers[0].Bytes("FCUP_Response_Data"))}); got != want || id != 7 || answers[0].Text("FCUP_Response_URL") != address {
				h.Errorf("got %s, request %d, want %s", got, id, want)
			}
		})
	}
}

func TestWhatGoesWrongIsTold(t *testing.T) {
	var player *video.PlayerError
	for name, c := range map[string]struct {
		tv      videotest.TelevisionConfig
		address string
		is      error
		as      bool // a PlayerError
		within  time.Duration
		says    string
	}{
		"no such film":          {address: gone, as: true, within: 3 * time.Second, says: "did not find it"},
		"no such server":        {address: "http://10.0.0.99/film.mp4", is: video.ErrNotStarted, within: 31 * time.Second},
		"a server without part": {address: plain, as: true, within: 3 * time.Second},
		"a camera":              {tv: videotest.TelevisionConfig{Unplayable: -6707}, as: true, within: 3 * time.Second, says: "not one that its player can play (-6707"},
		"a camera, untold":      {tv: videotest.TelevisionConfig{Unplayable: -6707, Eventless: true}, as: true, within: 3 * time.Second},
		"no route":              {tv: videotest.TelevisionConfig{NoRoute: true}, is: video.ErrNotStarted, within: 31 * time.Second},
		"500 to playback-info":  {tv: videotest.TelevisionConfig{RefuseInfo: 500, Eventless: true}, is: video.ErrNotStarted, within: 12 * time.Second},
		"it hangs up":           {tv: videotest.TelevisionConfig{HangUpAfter: 3 * time.Second}, is: video.ErrLost, within: 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, c.tv, func(h *house) {
				address := c.address
				if address == "" {
					address = film
				}
				_, took, err := h.play(address, 0).over(h)
				switch {
				case err == nil, took > c.within:
					h.Errorf("got %v after %v, want an error within %v", err, took, c.within)
				case c.is != nil && !errors.Is(err, c.is), c.as && !errors.As(err, &player), !strings.Contains(err.Error(), c.says):
					h.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestRefusalsAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		tv  videotest.TelevisionConfig
		cfg video.Config
		is  error
	}{
		"unpaired":               {tv: videotest.TelevisionConfig{Refuse: 470}, is: video.ErrPairing},
		"forbidden":              {tv: videotest.TelevisionConfig{Refuse: 403}, is: video.ErrPairing},
		"another client":         {tv: videotest.TelevisionConfig{Refuse: 409}, is: video.ErrBusy},
		"a password":             {tv: videotest.TelevisionConfig{Password: "word"}, is: video.ErrPassword},
		"the wrong password":     {tv: videotest.TelevisionConfig{Password: "word"}, cfg: video.Config{Password: "other"}, is: video.ErrPassword},
		"the right password":     {tv: videotest.TelevisionConfig{Password: "word"}, cfg: video.Config{Password: "word"}},
		"it answers 500 to play": {tv: videotest.TelevisionConfig{Refuse: 500}, is: &video.StatusError{Request: "play", Code: 500, Reason: "Internal Server Error"}},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, c.tv, func(h *house) {
				s, err := h.dial(c.cfg)
				if err == nil {
					_, err = s.Play(h.Context(), film, 0)
				}
				var status *video.StatusError
				switch {
				case c.is == nil && err != nil, c.is != nil && err == nil:
					h.Errorf("got %v, want %v", err, c.is)
				case errors.As(c.is, &status):
					if !strings.Contains(err.Error(), status.Error()) {
						h.Errorf("got %v, want %v", err, c.is)
					}
				case !errors.Is(err, c.is):
					h.Errorf("got %v, want %v", err, c.is)
				}
			})
		})
	}
}

// An Apple TV 3 with device authentication, on each of whose connections we have
// to show that we are paired.
func TestWhoIsPairedInTheOlderWayShowsIt(t *testing.T) {
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	key := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	for name, c := range map[string]struct {
		tv  legacy.AccessoryConfig
		who airplay.Credentials
		is  error
	}{
		"paired":                    {who: airplay.Credentials{ID: "0123456789ABCDEF", Seed: seed}},
		"never paired":              {is: video.ErrPairing},
		"forgotten":                 {who: airplay.Credentials{ID: "0123456789ABCDEF", Seed: bytes.Repeat([]byte{8}, 32)}, is: video.ErrPairing},
		"an imposter":               {tv: legacy.AccessoryConfig{WrongSignature: true}, who: airplay.Credentials{ID: "0123456789ABCDEF", Seed: seed, ReceiverKey: key}, is: video.ErrPairing},
		"it does not know of it":    {tv: legacy.AccessoryConfig{EmptyAnswers: true}, who: airplay.Credentials{ID: "0123456789ABCDEF", Seed: seed}, is: video.ErrPairing},
		"credentials of newer ones": {who: airplay.Credentials{ID: "x", Seed: seed, ReceiverID: "y", ReceiverKey: key}, is: video.ErrPairing},
	} {
		t.Run(name, func(t *testing.T) {
			a := legacy.NewAccessory(c.tv)
			a.Learn(key)
			inHouse(t, videotest.TelevisionConfig{Pairing: a}, func(h *house) {
				s, err := h.dial(video.Config{Credentials: c.who})
				if !errors.Is(err, c.is) || c.is == nil && err != nil {
					h.Fatalf("got %v, want %v", err, c.is)
				}
				if err != nil {
					return
				}
				if _, _, err := h.playOn(s, film, 0).over(h); err != nil {
					h.Error(err)
				}
			})
		})
	}
}

func TestTheRemoteControlIsSeen(t *testing.T) {
	inHouse(t, videotest.TelevisionConfig{Film: time.Hour}, func(h *house) {
		w := h.play(film, 0)
		time.Sleep(5 * time.Second)
		h.tv.Remote("pause")
		time.Sleep(2 * time.Second)
		w.at(h, video.Paused, 5*time.Second)
		h.tv.Remote("play")
		time.Sleep(2 * time.Second)
		w.at(h, video.Playing, 7*time.Second)
		h.tv.Remote("stop")
		if words, _, err := w.over(h); !errors.Is(err, video.ErrStopped) || words != "loading playing paused playing" {
			h.Errorf("got %q, %v, want ErrStopped", words, err)
		}
		// The session is still good.
		next := h.playOn(w.session, film, 0)
		time.Sleep(5 * time.Second)
		next.at(h, video.Playing, 5*time.Second)
		h.tv.Remote("other")
		if _, _, err := next.over(h); !errors.Is(err, video.ErrStopped) {
			h.Errorf("another sender: got %v, want ErrStopped", err)
		}
	})
}

func TestASecondFilmTakesThePlaceOfTheFirst(t *testing.T) {
	inHouse(t, videotest.TelevisionConfig{}, func(h *house) {
		first := h.play(film, 0)
		time.Sleep(3 * time.Second)
		second := h.playOn(first.session, hls, 0)
		if _, _, err := first.over(h); !errors.Is(err, video.ErrReplaced) {
			h.Errorf("the first: got %v, want ErrReplaced", err)
		}
		if _, took, err := second.over(h); err != nil || took < 9*time.Second {
			h.Errorf("the second: got %v after %v", err, took)
		}
	})
}

func TestCloseLeavesTheTelevisionToOthers(t *testing.T) {
	inHouse(t, videotest.TelevisionConfig{}, func(h *house) {
		w := h.play(film, 0)
		time.Sleep(3 * time.Second)
		h.check(w.session.Close())
		h.check(w.session.Close())
		if _, _, err := w.over(h); err != nil {
			h.Errorf("the film: got %v, want it stopped", err)
		}
		if got := h.tv.Log().Stops; got != 1 {
			h.Errorf("it was stopped %d times, want once", got)
		}
		if err := w.session.Err(); !errors.Is(err, video.ErrClosed) {
			h.Errorf("got %v, want ErrClosed", err)
		}
		if _, err := w.session.Play(h.Context(), film, 0); !errors.Is(err, video.ErrClosed) {
			h.Errorf("play after Close: got %v, want ErrClosed", err)
		}
		if _, _, err := h.play(film, 0).over(h); err != nil {
			h.Errorf("the next sender: %v", err)
		}
	})
}

func TestATelevisionThatIsNotThere(t *testing.T) {
	inHouse(t, videotest.TelevisionConfig{}, func(h *house) {
		h.check(h.tv.Close())
		if _, err := h.dial(video.Config{}); err == nil || !strings.Contains(err.Error(), "video: dial 10.0.0.20:7000") {
			h.Errorf("got %v", err)
		}
	})
}

func TestWhatIsNoURLIsNotPlayed(t *testing.T) {
	inHouse(t, videotest.TelevisionConfig{TextOnly: true}, func(h *house) {
		s, err := h.dial(video.Config{})
		if err != nil {
			h.Fatal(err)
		}
		for _, address := range []string{"", "film", "http://x/a\nContent-Location: http://y", "http://[::1"} {
			if _, err := s.Play(h.Context(), address, 0); err == nil {
				h.Errorf("%q was played", address)
			}
		}
		if h.asked("POST /play") {
			h.Error("the television was asked")
		}
	})
}

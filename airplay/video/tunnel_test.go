package video_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/airplay/video"
)

func TestFilmsPlayInASession(t *testing.T) {
	each(t, nil, func(th *theatre) {
		w := th.play(film, 0)
		words, took, err := w.over(th.house)
		if err != nil || took < 9*time.Second || took > 14*time.Second {
			th.Errorf("got %v after %v, want the end after 10 s", err, took)
		}
		if !strings.HasSuffix(words, "playing") || strings.Contains(words, "paused") {
			th.Errorf("got states %q", words)
		}
		if got := w.State().Duration; got != 10*time.Second {
			th.Errorf("got a duration of %v", got)
		}
		if got := join(th.rx.FilmLog().Fetched); got != "bytes=0-1 206 2 bytes=0- 206 20000 bytes=19000- 206 1000" {
			th.Errorf("fetched %s", got)
		}
		if way, reason := w.session.Way(); way != th.Ways[0] || reason != "" {
			th.Errorf("got way %s (%s), want %s", way, reason, th.Ways[0])
		}
		th.check(w.session.Close())
		if l := th.rx.Log(); l.Teardowns != 1 || th.rx.Busy() {
			th.Errorf("got %d teardowns, busy %v: others cannot use it", l.Teardowns, th.rx.Busy())
		}
	})
}

func TestCommandsInASession(t *testing.T) {
	each(t, func(c *airplaytest.Config) { c.Films.Screen.Film = time.Hour }, func(th *theatre) {
		w := th.play(film, 0)
		time.Sleep(6 * time.Second)
		w.at(th.house, video.Playing, 6*time.Second)
		th.check(w.Pause(th.Context()))
		w.at(th.house, video.Paused, 6*time.Second)
		time.Sleep(5 * time.Minute)
		w.at(th.house, video.Paused, 6*time.Second)
		th.check(w.Resume(th.Context()))
		time.Sleep(3 * time.Second)
		w.at(th.house, video.Playing, 9*time.Second)
		th.check(w.Seek(th.Context(), 20*time.Minute))
		time.Sleep(10 * time.Second)
		w.at(th.house, video.Playing, 20*time.Minute+10*time.Second)
		th.check(w.session.SetVolume(th.Context(), 0.5))
		if got := th.rx.Log().Volumes; !slices.Equal(got, []float64{-15}) {
			th.Errorf("got volumes %v, want -15 dB", got)
		}
		th.check(w.Stop(th.Context()))
		if words, _, err := w.over(th.house); err != nil || !strings.HasSuffix(words, "playing paused playing") {
			th.Errorf("got %q, %v", words, err)
		}
		if got := th.rx.FilmLog().Stops; got != 1 {
			th.Errorf("it was stopped %d times, want once", got)
		}
	})
}

func TestFilmsInASessionBeginWhereTheyAreTold(t *testing.T) {
	each(t, func(c *airplaytest.Config) { c.Films.Screen.Film = time.Minute }, func(th *theatre) {
		w := th.play(film, 30*time.Second)
		time.Sleep(8 * time.Second)
		w.at(th.house, video.Playing, 38*time.Second)
		if got := join(th.rx.FilmLog().From); got != "30s" {
			th.Errorf("it was to begin at %s", got)
		}
	})
}

func TestTheSenderFetchesPlaylistsForTheQueue(t *testing.T) {
	cfg := airplaytest.AppleTV26(pin)
	cfg.Films.Screen.Live = true
	inTheatre(t, cfg, func(th *theatre) {
		th.pair()
		var fetched []string
		th.Fetch = func(ctx context.Context, url string) (int, string, []byte) {
			fetched = append(fetched, url)
			if strings.HasSuffix(url, "low.m3u8") {
				return 200, "application/vnd.apple.mpegurl", []byte("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n1.ts\n")
			}
			return 200, "application/vnd.apple.mpegurl", []byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n")
		}
		w := th.play(hls, 0)
		time.Sleep(time.Minute)
		if s := w.State(); s.Status != video.Playing || s.Duration != 0 {
			th.Errorf("got %+v, want it to play without a duration", s)
		}
		th.check(w.Stop(th.Context()))
		if got := join(fetched); got != hls+" http://10.0.0.9/low.m3u8" {
			th.Errorf("fetched %s", got)
		}
		if l := th.rx.FilmLog(); join(l.Fetched) != "200 5" || l.Items[0].Text("HLS-Content-Location") != hls {
			th.Errorf("it fetched %s itself, of %v", join(l.Fetched), l.Items[0])
		}
	})
}

func TestAPlaylistThatCannotBeFetchedIsToldToTheReceiver(t *testing.T) {
	inTheatre(t, airplaytest.AppleTV26(pin), func(th *theatre) {
		th.pair()
		th.Fetch = func(context.Context, string) (int, string, []byte) { return 504, "", nil }
		var player *video.PlayerError
		if _, took, err := th.play(hls, 0).over(th.house); !errors.As(err, &player) || took > 3*time.Second {
			th.Errorf("got %v after %v, want its player's error", err, took)
		}
	})
}

// The order in which an Apple TV wants to hear things.
func TestTheQueueIsToldInOrder(t *testing.T) {
	inTheatre(t, airplaytest.AppleTV26(pin), func(th *theatre) {
		th.pair()
		before := len(th.rx.Methods())
		th.play(film, 0).over(th.house)
		methods := slices.DeleteFunc(th.rx.Methods()[before:], func(m string) bool { return m == "POST /command" })
		if got := join(methods); got != "POST /pair-verify POST /pair-verify SETUP GET /info RECORD SETUP" {
			th.Errorf("asked %s", got)
		}
		if got := join(th.rx.FilmLog().Commands); got != "insertPlayQueueItem setProperty setProperty setRate" {
			th.Errorf("commanded %s", got)
		}
	})
}

func TestOtherWaysAreTried(t *testing.T) {
	for name, c := range map[string]struct {
		tv    func(string) airplaytest.Config
		films airplaytest.Films
		os    string // that it announces
		want  video.Way
		says  string
	}{
		"tvOS 26 takes /play and tells nothing":      {airplaytest.AppleTV26, airplaytest.Films{Queue: true, NeedsPTP: true}, "16.1", video.Queue, "playback-info: 500"},
		"tvOS 16 knows no stream of films":           {airplaytest.AppleTV16, airplaytest.Films{RefusesPTP: true}, "18.0", video.Inside, "setup: 400"},
		"it refuses every command":                   {airplaytest.AppleTV26, airplaytest.Films{Queue: true, NoCommands: true}, "26.5", video.Inside, "command insertPlayQueueItem: 500"},
		"tvOS 16 is not ready at first":              {airplaytest.AppleTV16, airplaytest.Films{RefusesPTP: true, PlayErrors: 2}, "16.1", video.Inside, ""},
		"tvOS 18 refuses PTP, which it is not asked": {airplaytest.AppleTV26, airplaytest.Films{Queue: true, RefusesPTP: true}, "18.2", video.Queue, ""},
		"a television refuses PTP":                   {airplaytest.AppleTV26, airplaytest.Films{Queue: true, RefusesPTP: true}, "", video.Queue, ""},
		"it never says how far it is":                {airplaytest.AppleTV26, airplaytest.Films{Queue: true, NeedsPTP: true, Mute: true}, "26.5", video.Queue, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := c.tv(pin)
			cfg.TXT = map[string]string{"osvers": c.os}
			cfg.Films = &c.films
			inTheatre(t, cfg, func(th *theatre) {
				th.pair()
				w := th.play(film, 0)
				time.Sleep(9 * time.Second)
				way, reason := w.session.Way()
				if way != c.want || !strings.Contains(reason, c.says) || c.says == "" && reason != "" {
					th.Errorf("got %s (%s), want %s (%s)", way, reason, c.want, c.says)
				}
				if c.films.NoCommands {
					return // it takes /play and shows nothing
				}
				if _, took, err := w.over(th.house); err != nil || took > 20*time.Second {
					th.Errorf("got %v after %v, want the end", err, took)
				}
			})
		})
	}
}

func TestAForcedWayIsTheOnlyOne(t *testing.T) {
	inTheatre(t, airplaytest.AppleTV26(pin), func(th *theatre) {
		th.pair()
		th.Ways = []video.Way{video.Inside}
		th.Config.Info.OS = "16.1"
		if _, took, err := th.play(film, 0).over(th.house); !errors.Is(err, video.ErrNotStarted) || took > 12*time.Second {
			th.Errorf("got %v after %v, want ErrNotStarted", err, took)
		}
		if l := th.rx.FilmLog(); join(l.Commands) != "/play" {
			th.Errorf("commanded %s", join(l.Commands))
		}
	})
}

func TestFailuresInASessionAreTold(t *testing.T) {
	var player *video.PlayerError
	for name, c := range map[string]struct {
		change  func(c *airplaytest.Config)
		address string
		is      error
		as      bool // a PlayerError
		within  time.Duration
	}{
		"no such film": {address: gone, as: true, within: 3 * time.Second},
		"a camera":     {change: func(c *airplaytest.Config) { c.Films.Screen.Unplayable = -6707 }, as: true, within: 3 * time.Second},
		"no route":     {change: func(c *airplaytest.Config) { c.Films.Screen.NoRoute = true }, is: video.ErrNotStarted, within: 31 * time.Second},
		"it hangs up":  {change: func(c *airplaytest.Config) { c.Films.Screen.HangUpAfter = 3 * time.Second }, is: video.ErrLost, within: 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, c.change, func(th *theatre) {
				address := c.address
				if address == "" {
					address = film
				}
				_, took, err := th.play(address, 0).over(th.house)
				switch {
				case err == nil, took > c.within:
					th.Errorf("got %v after %v, want an error within %v", err, took, c.within)
				case c.is != nil && !errors.Is(err, c.is), c.as && !errors.As(err, &player):
					th.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestTakeOversAreSeen(t *testing.T) {
	each(t, func(c *airplaytest.Config) { c.Films.Screen.Film = time.Hour }, func(th *theatre) {
		w := th.play(film, 0)
		time.Sleep(5 * time.Second)
		th.rx.Remote("pause")
		time.Sleep(2 * time.Second)
		w.at(th.house, video.Paused, 5*time.Second)
		th.rx.Remote("play")
		time.Sleep(3 * time.Second)
		w.at(th.house, video.Playing, 8*time.Second)
		th.rx.Remote("other")
		if _, took, err := w.over(th.house); !errors.Is(err, video.ErrStopped) || took > 12*time.Second {
			th.Errorf("got %v after %v, want ErrStopped", err, took)
		}
	})
	each(t, func(c *airplaytest.Config) { c.Films.Screen.Film = time.Hour }, func(th *theatre) {
		w := th.play(film, 0)
		time.Sleep(5 * time.Second)
		th.rx.Remote("stop")
		if _, took, err := w.over(th.house); !errors.Is(err, video.ErrStopped) || took > 7*time.Second {
			th.Errorf("got %v after %v, want ErrStopped", err, took)
		}
	})
}

func TestASecondFilmInASession(t *testing.T) {
	each(t, nil, func(th *theatre) {
		first := th.play(film, 0)
		time.Sleep(3 * time.Second)
		second := th.playOn(first.session, film, 0)
		if _, _, err := first.over(th.house); !errors.Is(err, video.ErrReplaced) {
			th.Errorf("the first: got %v, want ErrReplaced", err)
		}
		if _, took, err := second.over(th.house); err != nil || took < 9*time.Second || took > 14*time.Second {
			th.Errorf("the second: got %v after %v", err, took)
		}
	})
}

func TestWhoIsNotPairedIsTold(t *testing.T) {
	for _, cfg := range []airplaytest.Config{airplaytest.AppleTV16(pin), airplaytest.AppleTV26(pin)} {
		inTheatre(t, cfg, func(th *theatre) {
			if _, err := th.dial(); !errors.Is(err, video.ErrPairing) {
				th.Errorf("never paired: got %v, want ErrPairing", err)
			}
			th.pair()
			th.rx.Forget()
			if _, err := th.dial(); !errors.Is(err, video.ErrPairing) {
				th.Errorf("forgotten: got %v, want ErrPairing", err)
			}
		})
	}
}

func TestAPasswordInASession(t *testing.T) {
	digest := airplaytest.AppleTV26("")
	digest.NotTransient, digest.Digest = false, "word"
	secret := airplaytest.AppleTV16("")
	secret.NotTransient, secret.Secret = false, "word"
	for _, cfg := range []airplaytest.Config{digest, secret} {
		for password, want := range map[string]error{"": video.ErrPassword, "other": video.ErrPassword, "word": nil} {
			inTheatre(t, cfg, func(th *theatre) {
				if th.Password = password; cfg.Secret != "" && password == "" {
					want = video.ErrPairing // it does not say what it wants
				}
				_, err := th.dial()
				if !errors.Is(err, want) || want == nil && err != nil {
					th.Errorf("%q: got %v, want %v", password, err, want)
				}
			})
		}
	}
}

// walled is behind a firewall that nothing gets through.
type walled struct{ net.PacketConn }

func (w walled) ReadFrom(b []byte) (n int, from net.Addr, err error) {
	for err == nil {
		_, _, err = w.PacketConn.ReadFrom(b)
	}
	return 0, nil, err
}

// A firewall keeps the receiver from asking for the time.
func TestATimingPortThatCannotBeReached(t *testing.T) {
	inTheatre(t, airplaytest.AppleTV16(pin), func(th *theatre) {
		th.pair()
		th.ListenPacket = func(network, address string) (net.PacketConn, error) {
			c, err := th.us.ListenPacket(network, address)
			return walled{c}, err
		}
		began := time.Now()
		_, err := th.dial()
		if took := time.Since(began); !errors.Is(err, video.ErrTiming) || took > 15*time.Second {
			th.Errorf("got %v after %v, want ErrTiming", err, took)
		}
	})
}

func TestWaysFollowFromWhatIsAnnounced(t *testing.T) {
	const appleTV = "0x4A7FDFD5,0x3C177FDE"
	for _, c := range []struct {
		name string
		txt  map[string]string
		want string
	}{
		{"Apple TV 3", map[string]string{"features": "0x5A7FFFF7,0x1E", "osvers": "8.4.4"}, "airplay1"},
		{"UxPlay", map[string]string{"features": "0x5A7FFEE7,0x0"}, "airplay1"},
		{"tvOS 12", map[string]string{"features": appleTV, "osvers": "12.4"}, "airplay1 airplay2"},
		{"tvOS 16", map[string]string{"features": appleTV, "osvers": "16.1"}, "airplay2 queue"},
		{"tvOS 18", map[string]string{"features": appleTV, "osvers": "18.0"}, "queue airplay2"},
		{"tvOS 26, by AirPlay", map[string]string{"features": appleTV, "srcvers": "960.13.1"}, "queue airplay2"},
		{"Samsung 2025", map[string]string{"features": "0x7F8AD0,0x38BCF46"}, "queue airplay2"},
		{"unknown", map[string]string{"features": appleTV}, "airplay2 queue airplay1"},
		{"HomePod", map[string]string{"features": "0x4A7FCA00,0x3C356BD0", "model": "AudioAccessory5,1"}, ""},
	} {
		ways, why := video.Ways(airplay.ParseInfo(c.txt))
		if got := join(ways); got != c.want || why == "" {
			t.Errorf("%s: got %q (%s), want %q", c.name, got, why, c.want)
		}
	}
}

package bridge_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/bridge/config"
)

const pin = "2580"

// An appleTV is a house with an Apple TV of a newer kind in it.
type appleTV struct {
	*house
	rx       *airplaytest.Receiver
	slug     string
	settings config.Config
}

// withAppleTV tests with one that was paired over MQTT.
func withAppleTV(t *testing.T, cfg airplaytest.Config, device config.Device, test func(tv appleTV)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Devices = []config.Device{}
		if device.Video != "" {
			device.Name = cfg.Name
			s.Devices = append(s.Devices, device)
		}
		h, _ := build(t, s)
		films := *cfg.Films
		films.Screen.DialContext = h.lan.Host("10.0.0.30").DialContext
		cfg.Films = &films
		tv := appleTV{h, h.announce("10.0.0.30", cfg), strings.ToLower(strings.ReplaceAll(cfg.Name, " ", "_")), s}
		h.until("airplay/"+tv.slug+"/availability", "online")
		h.put("film.mp4", filmOf("avc1"))
		test(tv)
	})
}

// eachAppleTV tests with a paired one of each newer kind.
func eachAppleTV(t *testing.T, change func(f *airplaytest.Films), test func(tv appleTV)) {
	t.Helper()
	for _, make := range []func(string) airplaytest.Config{airplaytest.AppleTV16, airplaytest.AppleTV26} {
		cfg := make(pin)
		t.Run(cfg.Name, func(t *testing.T) {
			if change != nil {
				change(cfg.Films)
			}
			withAppleTV(t, cfg, config.Device{}, func(tv appleTV) {
				tv.pair()
				test(tv)
			})
		})
	}
}

// order says a command and waits for its result.
func (tv appleTV) order(verb, payload, transaction string) (code string) {
	tv.t.Helper()
	tv.say(tv.slug+"/"+verb, payload)
	return tv.result(tv.slug, transaction)
}

func (tv appleTV) state(text string) string {
	tv.t.Helper()
	return tv.until("airplay/"+tv.slug+"/state", text)
}
func (tv appleTV) event(text string) string {
	tv.t.Helper()
	return tv.until("airplay/"+tv.slug+"/event", text)
}

// pair pairs by the PIN on the screen.
func (tv appleTV) pair() {
	tv.t.Helper()
	if code := tv.order("pair", `{"transaction":"pair"}`, "pair"); code != "" {
		tv.t.Fatalf("pair: got %s, want ok", code)
	}
	tv.until("airplay/"+tv.slug+"/state/pairing", "pin_pending")
	if code := tv.order("pair_pin", `{"pin":"`+pin+`","transaction":"pin"}`, "pin"); code != "" {
		tv.t.Fatalf("pair_pin: got %s, want ok", code)
	}
	tv.until("airplay/"+tv.slug+"/state/pairing", "paired")
}

func TestAnAppleTVIsPairedAndShowsAFilm(t *testing.T) {
	eachAppleTV(t, func(f *airplaytest.Films) { f.Screen.Film = 20 * time.Second }, func(tv appleTV) {
		if code := tv.order("play_file", `{"path":"film.mp4","start":3,"volume":40,"transaction":"t1"}`, "t1"); code != "" {
			tv.t.Fatalf("got %s, want ok", code)
		}
		said := tv.state(`"state":"playing"`)
		for _, want := range []string{`"media_content_type":"video"`, `"media_title":"film"`, `"media_duration":20`} {
			if !strings.Contains(said, want) {
				tv.t.Errorf("no %s in %s", want, said)
			}
		}
		time.Sleep(4 * time.Second)
		tv.say(tv.slug+"/pause", "")
		tv.state(`"state":"paused"`)
		time.Sleep(5 * time.Minute)
		tv.say(tv.slug+"/play", "")
		tv.state(`"state":"playing"`)
		tv.say(tv.slug+"/seek", "15")
		tv.state(`"media_position":15`)
		tv.event(`"playback_finished"`)
		tv.state(`"state":"idle"`)
		got := states(tv.every("airplay/" + tv.slug + "/state"))
		if i := slices.Index(got, "paused"); i >= 0 {
			got = append(got[:i+1:i+1], slices.DeleteFunc(slices.Clone(got[i+1:]), func(s string) bool { return s == "buffering" })...)
		}
		if want := []string{"idle", "buffering", "playing", "paused", "playing", "idle"}; !slices.Equal(got, want) {
			tv.t.Errorf("states: got %v, want %v", got, want)
		}
		l := tv.rx.FilmLog()
		if join := strings.Join(l.Fetched, ", "); !strings.HasPrefix(join, "bytes=0-1 206 2, bytes=0- 206 ") {
			tv.t.Errorf("fetched %s", join)
		}
		if !slices.Equal(l.From, []time.Duration{3 * time.Second}) {
			tv.t.Errorf("it was to begin at %v, want 3 s", l.From)
		}
		if volumes := tv.rx.Log().Volumes; !slices.Equal(volumes, []float64{-18}) {
			tv.t.Errorf("volumes: got %v, want -18 dB", volumes)
		}
		time.Sleep(5 * time.Second)
		if tv.rx.Busy() || tv.rx.Log().Teardowns != 1 {
			tv.t.Error("others cannot use it")
		}
	})
}

// Playlists that the receiver leaves to its sender are fetched by the bridge:
// where they lie, and from itself where it is what serves them.
func TestAnAppleTVHasItsPlaylistsFetched(t *testing.T) {
	for name, more := range map[string]string{"theirs": "", "ours": "," + secrets} {
		t.Run(name, func(t *testing.T) {
			withAppleTV(t, airplaytest.AppleTV26(pin), config.Device{}, func(tv appleTV) {
				tv.pair()
				if more == "" {
					tv.serveHLS("10.0.0.9")
				} else {
					tv.guarded("10.0.0.9")
				}
				if code := tv.order("play_url", `{"url":"http://10.0.0.9/live/film.m3u8","transaction":"t1"`+more+`}`, "t1"); code != "" {
					t.Fatalf("got %s, want ok", code)
				}
				tv.event(`"playback_finished"`)
				l := tv.rx.FilmLog()
				if len(l.Lists) != 2 || !strings.HasPrefix(string(l.Lists[0].Bytes("FCUP_Response_Data")), "#EXTM3U") {
					t.Errorf("it was sent %v", l.Lists)
				}
				if got := strings.Join(l.Fetched, ", "); got != "200 5" {
					t.Errorf("it fetched %s itself, want a piece", got)
				}
			})
		})
	}
}

func TestAnAppleTVThatIsNotPairedIsNotTouched(t *testing.T) {
	for _, cfg := range []airplaytest.Config{airplaytest.AppleTV16(pin), airplaytest.AppleTV26(pin)} {
		withAppleTV(t, cfg, config.Device{}, func(tv appleTV) {
			if code := tv.order("play_file", `{"path":"film.mp4","transaction":"t1"}`, "t1"); code != "pairing_required" {
				tv.t.Errorf("got %q, want pairing_required", code)
			}
			if asked := tv.rx.Requests(); len(asked) > 0 {
				tv.t.Errorf("it was asked %v", asked)
			}
			tv.pair()
			tv.rx.Forget()
			if code := tv.order("play_file", `{"path":"film.mp4","transaction":"t2"}`, "t2"); code != "pairing_required" {
				tv.t.Errorf("forgotten: got %q, want pairing_required", code)
			}
			tv.until("airplay/"+tv.slug+"/state/pairing", "required")
		})
	}
}

func TestWhatAnAppleTVSaysIsExplained(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f *airplaytest.Films)
		url    string
		code   string
		says   string
		within time.Duration // of the command
	}{
		"unplayable": {func(f *airplaytest.Films) { f.Screen.Unplayable = -6707 }, "", "unsupported_format", "not one that its player can play", 3 * time.Second},
		"no route":   {func(f *airplaytest.Films) { f.Screen.NoRoute = true }, "", "fetch_failed", "never asked 10.0.0.2:", 32 * time.Second},
		"hangs up":   {func(f *airplaytest.Films) { f.Screen.HangUpAfter = 2 * time.Second }, "", "device_offline", "ended the connection", 6 * time.Second},
		"no film":    {nil, "http://10.0.0.9/none.mp4", "fetch_failed", "404", 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			eachAppleTV(t, c.change, func(tv appleTV) {
				tv.serveHLS("10.0.0.9")
				began := time.Now()
				if c.url != "" {
					tv.say(tv.slug+"/play_url", `{"url":"`+c.url+`","mode":"video"}`)
				} else {
					tv.say(tv.slug+"/play_file", "film.mp4")
				}
				said := tv.event(`"playback_failed"`)
				if took := time.Since(began); !strings.Contains(said, `"code":"`+c.code+`"`) || !strings.Contains(said, c.says) || took > c.within {
					tv.t.Errorf("got %s after %v, want %s: %s within %v", said, took, c.code, c.says, c.within)
				}
				tv.state(`"state":"idle"`)
			})
		})
	}
}

// One that announces tvOS 16 and shows films as tvOS 26 does is found out once.
func TestAnotherWayIsFoundAndRemembered(t *testing.T) {
	cfg := airplaytest.AppleTV26(pin)
	cfg.TXT = map[string]string{"osvers": "17.0"}
	withAppleTV(t, cfg, config.Device{}, func(tv appleTV) {
		tv.pair()
		for _, transaction := range []string{"t1", "t2"} {
			if code := tv.order("play_file", `{"path":"film.mp4","transaction":"`+transaction+`"}`, transaction); code != "" {
				tv.t.Fatalf("got %s, want ok", code)
			}
			tv.state(`"state":"playing"`)
			tv.say(tv.slug+"/stop", "")
			tv.state(`"state":"idle"`)
			time.Sleep(5 * time.Second)
		}
		old := slices.DeleteFunc(tv.rx.FilmLog().Commands, func(c string) bool { return c != "/play" })
		if len(old) != 1 {
			tv.t.Errorf("/play was tried %d times, want once", len(old))
		}
	})
}

func TestTheWayCanBeConfigured(t *testing.T) {
	withAppleTV(t, airplaytest.AppleTV26(pin), config.Device{Video: "airplay2"}, func(tv appleTV) {
		tv.pair()
		tv.say(tv.slug+"/play_file", "film.mp4")
		said := tv.event(`"playback_failed"`) // as pyatv 0.18 fails: an icon, and no film
		if !strings.Contains(said, `"code":"fetch_failed"`) || !strings.Contains(said, "/favicon.ico, and not for the film") {
			tv.t.Errorf("got %s", said)
		}
		if l := tv.rx.FilmLog(); !slices.Equal(l.Commands, []string{"/play"}) {
			tv.t.Errorf("commanded %v, want /play only", l.Commands)
		}
	})
	withAppleTV(t, airplaytest.AppleTV26(pin), config.Device{Video: "off"}, func(tv appleTV) {
		tv.pair()
		if code := tv.order("play_file", `{"path":"film.mp4","mode":"video","transaction":"t1"}`, "t1"); code != "unsupported_format" {
			tv.t.Errorf("got %q, want unsupported_format", code)
		}
	})
}

func TestAnotherSenderTakesAnAppleTV(t *testing.T) {
	eachAppleTV(t, func(f *airplaytest.Films) { f.Screen.Film = time.Hour }, func(tv appleTV) {
		tv.say(tv.slug+"/play_file", "film.mp4")
		tv.state(`"state":"playing"`)
		tv.rx.Remote("pause")
		tv.state(`"state":"paused"`)
		tv.rx.Remote("other")
		tv.event(`"reason":"taken_over"`)
		tv.state(`"state":"idle"`)
	})
}

// A folder has a session for each film, one after the other.
func TestAFolderIsShownOnAnAppleTV(t *testing.T) {
	eachAppleTV(t, func(f *airplaytest.Films) { f.Screen.Film = 5 * time.Second }, func(tv appleTV) {
		for _, name := range []string{"trip/1.mp4", "trip/2.mp4"} {
			tv.put(name, filmOf("avc1"))
		}
		tv.say(tv.slug+"/play_file", "trip")
		tv.event(`"playback_finished","playback_id":"p2"`)
		if l := tv.rx.FilmLog(); len(l.Played) != 2 {
			tv.t.Errorf("%d films were played, want 2", len(l.Played))
		}
	})
}

func TestASecondFilmTakesThePlaceOfTheFirst(t *testing.T) {
	eachAppleTV(t, func(f *airplaytest.Films) { f.Screen.Film = time.Hour }, func(tv appleTV) {
		tv.put("other.mp4", filmOf("avc1"))
		tv.say(tv.slug+"/play_file", "film.mp4")
		tv.state(`"state":"playing"`)
		if code := tv.order("play_file", `{"path":"other.mp4","transaction":"t2"}`, "t2"); code != "" {
			tv.t.Errorf("got %s, want ok", code)
		}
		tv.state(`"media_title":"other"`)
		tv.say(tv.slug+"/stop", "")
		tv.state(`"state":"idle"`)
		time.Sleep(5 * time.Second)
		if l := tv.rx.FilmLog(); len(l.Played) != 2 || tv.rx.Busy() {
			tv.t.Errorf("%d films were played, busy %v", len(l.Played), tv.rx.Busy())
		}
	})
}

// Sound before and after a film goes through sessions of its own.
func TestSoundAndFilmsTakeTurnsOnAnAppleTV(t *testing.T) {
	eachAppleTV(t, nil, func(tv appleTV) {
		want := tv.tone("tone.wav", 1)
		for _, name := range []string{"tone.wav", "film.mp4", "tone.wav"} {
			if code := tv.order("play_file", `{"path":"`+name+`","transaction":"`+name+`"}`, name); code != "" {
				tv.t.Fatalf("%s: got %s, want ok", name, code)
			}
			tv.event(`"playback_finished"`)
			tv.state(`"state":"idle"`)
		}
		if got := heardBy(tv.rx); len(got) < 2*len(want)-10_000 {
			tv.t.Errorf("heard %d samples of two sounds, want about %d", len(got), 2*len(want))
		}
		if l := tv.rx.FilmLog(); len(l.Played) != 1 {
			tv.t.Errorf("%d films were played, want 1", len(l.Played))
		}
	})
}

// A television by another maker, which takes everybody.
func TestATelevisionWithoutAPIN(t *testing.T) {
	cfg := airplaytest.AppleTV26("")
	cfg.Name, cfg.Model, cfg.Manufacturer = "Frame", "QE55LS03F", "Samsung"
	cfg.Features, cfg.Flags, cfg.NotTransient, cfg.TXT = 0x38BCF46_7F8AD0, 0x4, false, nil
	cfg.Films = &airplaytest.Films{Queue: true, RefusesPTP: true, NoVolume: true}
	withAppleTV(t, cfg, config.Device{}, func(tv appleTV) {
		if code := tv.order("play_file", `{"path":"film.mp4","volume":20,"transaction":"t1"}`, "t1"); code != "" {
			t.Fatalf("got %s, want ok", code)
		}
		tv.event(`"playback_finished"`)
	})
}

package bridge_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/video/videotest"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/vault"
	"airplay2mqtt/discovery"
	"airplay2mqtt/internal/legacy"
	"airplay2mqtt/raop/raoptest"
)

// A film of H.264 and AAC as far as its index tells, which is all that anybody
// here looks at.
func filmOf(codec string) []byte {
	box := func(kind string, parts ...[]byte) []byte {
		body := bytes.Join(parts, nil)
		size := len(body) + 8
		return slices.Concat([]byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}, []byte(kind), body)
	}
	track := func(handler, codec string, size int) []byte {
		entry := box("stsd", make([]byte, 8), box(codec, make([]byte, size)))
		return box("trak", box("mdia", box("hdlr", make([]byte, 8), []byte(handler), make([]byte, 4)), box("minf", box("stbl", entry))))
	}
	header := make([]byte, 100)
	header[15], header[19] = 1, 10 // ten seconds
	moov := box("moov", box("mvhd", header), track("vide", codec, 78), track("soun", "mp4a", 28))
	return slices.Concat(box("ftyp", []byte("isom\x00\x00\x02\x00isom")), moov, box("mdat", bytes.Repeat([]byte("film"), 10_000)))
}

// A living room is a house with a television in it, which is discovered.
func livingRoom(t *testing.T, cfg videotest.TelevisionConfig) (*house, *videotest.Television) {
	t.Helper()
	return livingRoomWith(t, settings(t), cfg)
}

// livingRoomWith is livingRoom with other settings, in which no device is
// configured.
func livingRoomWith(t *testing.T, s config.Config, cfg videotest.TelevisionConfig) (*house, *videotest.Television) {
	t.Helper()
	s.Devices = []config.Device{}
	h, _ := build(t, s)
	cfg.Network, cfg.Address = h.lan.Host("10.0.0.30"), ":7000"
	tv, err := videotest.NewTelevision(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tv.Close() })
	h.found <- discovery.Event{Device: discovery.Device{
		ID: "102030405060", Name: "Telly", Model: "AppleTV3,2", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.30")},
		AirPlay: &discovery.Service{Port: 7000, TXT: tv.TXT()},
	}}
	h.until("airplay/telly/availability", "online")
	return h, tv
}

// put puts a file into the media folder.
func (h *house) put(name string, b []byte) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(h.media, name)), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.media, name), b, 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// served is the host and port of the bridge that a television fetched from.
func served(t *testing.T, tv *videotest.Television) string {
	t.Helper()
	played := tv.Log().Played
	if len(played) == 0 {
		t.Fatal("nothing was played")
	}
	rest, ok := strings.CutPrefix(played[len(played)-1], "http://10.0.0.2:")
	port, path, _ := strings.Cut(rest, "/")
	if !ok || !strings.HasSuffix(path, "/film.mp4") {
		t.Fatalf("it was told %s", played[len(played)-1])
	}
	return "10.0.0.2:" + port
}

func TestAFileIsShownOnATelevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, tv := livingRoom(t, videotest.TelevisionConfig{Film: 20 * time.Second})
		h.put("Our holidays.mp4", filmOf("avc1"))
		h.say("telly/play_file", `{"path":"Our holidays.mp4","transaction":"t1"}`)
		if code := h.result("telly", "t1"); code != "" {
			t.Fatalf("got %s, want ok", code)
		}
		said := h.until("airplay/telly/state", `"state":"playing"`)
		for _, want := range []string{`"media_content_type":"video"`, `"media_title":"Our holidays"`, `"media_duration":20`, `"media_file":"Our holidays.mp4"`} {
			if !strings.Contains(said, want) {
				t.Errorf("no %s in %s", want, said)
			}
		}
		address := served(t, tv)
		time.Sleep(4 * time.Second)
		h.say("telly/pause", "")
		h.until("airplay/telly/state", `"state":"paused"`)
		time.Sleep(time.Minute)
		conn, err := h.lan.Host("10.0.0.30").DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Errorf("in a pause: %v", err)
		} else {
			conn.Close()
		}
		h.say("telly/play", "")
		h.until("airplay/telly/state", `"state":"playing"`)
		h.say("telly/seek", "15")
		h.until("airplay/telly/state", `"media_position":15`)
		h.until("airplay/telly/event", `"playback_finished"`)
		h.until("airplay/telly/state", `"state":"idle"`)
		got := states(h.every("airplay/telly/state"))
		if i := slices.Index(got, "paused"); i >= 0 { // after a pause it may load again, or be quicker than that is told
			got = append(got[:i+1:i+1], slices.DeleteFunc(slices.Clone(got[i+1:]), func(s string) bool { return s == "buffering" })...)
		}
		if want := []string{"idle", "buffering", "playing", "paused", "playing", "idle"}; !slices.Equal(got, want) {
			t.Errorf("states: got %v, want %v", got, want)
		}
		time.Sleep(5 * time.Second)
		if conn, err := h.lan.Host("10.0.0.30").DialContext(t.Context(), "tcp", address); err == nil {
			conn.Close()
			t.Error("the server is still there after the film")
		}
		if got := strings.Join(tv.Log().Fetched, ", "); !strings.HasPrefix(got, "bytes=0-1 206 2, bytes=0- 206 ") {
			t.Errorf("fetched %s", got)
		}
	})
}

func TestAFolderOfFilmsAndSoundsIsShownInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, tv := livingRoom(t, videotest.TelevisionConfig{Film: 5 * time.Second})
		for _, name := range []string{"trip/1.mp4", "trip/2.mp4", "trip/3.mp4"} {
			h.put(name, filmOf("avc1"))
		}
		h.say("telly/play_file", "trip")
		h.until("airplay/telly/event", `"playback_finished","playback_id":"p3"`)
		if n := len(tv.Log().Played); n != 3 {
			t.Errorf("%d films were played, want 3", n)
		}
	})
}

func TestFilmsThatCannotBeShownAreExplainedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, tv := livingRoom(t, videotest.TelevisionConfig{})
		h.put("secret.mp4", filmOf("encv"))
		h.put("page.html", []byte("<html>"))
		for transaction, c := range map[string]struct{ payload, want string }{
			"t1": {`{"path":"secret.mp4","transaction":"t1"}`, "unsupported_format"},
			"t2": {`{"path":"page.html","mode":"video","transaction":"t2"}`, "unsupported_format"},
			"t3": {`{"path":"../secret","mode":"video","transaction":"t3"}`, "forbidden_path"},
			"t4": {`{"path":"none.mp4","mode":"video","transaction":"t4"}`, "file_not_found"},
		} {
			h.say("telly/play_file", c.payload)
			if got := h.result("telly", transaction); got != c.want {
				t.Errorf("%s: got %q, want %q", c.payload, got, c.want)
			}
		}
		if n := len(tv.Log().Requests); n > 0 {
			t.Errorf("the television was asked %d times", n)
		}
	})
}

func TestWhatATelevisionSaysIsExplained(t *testing.T) {
	for name, c := range map[string]struct {
		tv   videotest.TelevisionConfig
		code string
		says string
	}{
		"unplayable":         {videotest.TelevisionConfig{Unplayable: -6707}, "unsupported_format", "not one that its player can play"},
		"no route":           {videotest.TelevisionConfig{NoRoute: true}, "fetch_failed", "never asked 10.0.0.2:"},
		"unpaired":           {videotest.TelevisionConfig{Refuse: 470}, "pairing_required", ""},
		"used by another":    {videotest.TelevisionConfig{Refuse: 409}, "busy", ""},
		"with a password":    {videotest.TelevisionConfig{Password: "word"}, "password_required", "devices"},
		"500":                {videotest.TelevisionConfig{RefuseInfo: 500, Eventless: true}, "fetch_failed", "has fetched some of it"},
		"hangs up in a film": {videotest.TelevisionConfig{HangUpAfter: 2 * time.Second}, "device_offline", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _ := livingRoom(t, c.tv)
				h.put("film.mp4", filmOf("avc1"))
				h.say("telly/play_file", "film.mp4")
				said := h.until("airplay/telly/event", `"playback_failed"`)
				if !strings.Contains(said, `"code":"`+c.code+`"`) || !strings.Contains(said, c.says) {
					t.Errorf("got %s, want %s: %s", said, c.code, c.says)
				}
				h.until("airplay/telly/state", `"state":"idle"`)
			})
		})
	}
}

// An Apple TV 3 with device authentication, which was paired before.
func TestFilmsAreShownOnAnAppleTVPairedInTheOlderWay(t *testing.T) {
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	for name, want := range map[string]string{"paired": "", "never": "pairing_required"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, a := settings(t), legacy.NewAccessory(legacy.AccessoryConfig{})
				a.Learn(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
				if want == "" {
					v, err := vault.Open(s.Data, "")
					if err != nil {
						t.Fatal(err)
					}
					e := vault.Entry{Credentials: airplay.Credentials{ID: "0123456789ABCDEF", Seed: seed, ReceiverKey: a.Key()}, Key: a.Key()}
					if err := v.Put("102030405060", e); err != nil {
						t.Fatal(err)
					}
				}
				h, tv := livingRoomWith(t, s, videotest.TelevisionConfig{Pairing: a})
				h.put("film.mp4", filmOf("avc1"))
				h.say("telly/play_file", `{"path":"film.mp4","transaction":"t1"}`)
				if got := h.result("telly", "t1"); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if n := len(tv.Log().Requests); want != "" && n > 0 {
					t.Errorf("the television was asked %d times", n)
				}
			})
		})
	}
}

func TestARemoteControlStopsAFilm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, tv := livingRoom(t, videotest.TelevisionConfig{Film: time.Hour})
		h.put("film.mp4", filmOf("avc1"))
		h.say("telly/play_file", "film.mp4")
		h.until("airplay/telly/state", `"state":"playing"`)
		tv.Remote("pause")
		h.until("airplay/telly/state", `"state":"paused"`)
		tv.Remote("other")
		h.until("airplay/telly/event", `"reason":"taken_over"`)
		h.until("airplay/telly/state", `"state":"idle"`)
	})
}

// A speaker has the sound of a film, and says so where a film is wanted.
func TestSpeakersShowNoFilms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		h.put("film.mp4", filmOf("avc1"))
		h.say("kitchen/play_file", `{"path":"film.mp4","mode":"video","transaction":"t1"}`)
		if got := h.result("kitchen", "t1"); got != "unsupported_format" {
			t.Errorf("got %q, want unsupported_format", got)
		}
	})
}

// Sound on a television that takes none by AirPlay 1 says why.
func TestSoundOnATelevisionIsItsOwnAffair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, tv := livingRoom(t, videotest.TelevisionConfig{})
		h.tone("tone.wav", 1)
		h.put("film.mp4", filmOf("avc1"))
		for transaction, payload := range map[string]string{
			"t1": `{"path":"tone.wav","transaction":"t1"}`, "t2": `{"path":"film.mp4","mode":"audio","transaction":"t2"}`,
		} {
			h.say("telly/play_file", payload)
			if got := h.result("telly", transaction); got == "" {
				t.Errorf("%s: got ok from a device without sound", payload)
			}
		}
		if len(tv.Log().Played) > 0 {
			t.Error("it was shown")
		}
	})
}

// web is a web server.
func (h *house) web(host string, handler http.HandlerFunc) {
	h.t.Helper()
	l, err := h.lan.Host(host).Listen("tcp", ":80")
	if err != nil {
		h.t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	h.t.Cleanup(func() {
		server.Close()
		<-done
	})
}

// hlsOf is a film of one piece, and of what it is made.
var hlsOf = map[string]string{
	"/live/film.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.4d401f,mp4a.40.2\"\nlow.m3u8\n",
	"/live/low.m3u8":  "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n1.ts\n#EXT-X-ENDLIST\n",
	"/live/1.ts":      "piece",
}

// serveHLS is a web server with a film of one piece.
func (h *house) serveHLS(host string) {
	h.web(host, func(w http.ResponseWriter, r *http.Request) {
		text, ok := hlsOf[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, text)
	})
}

// guarded is a web server that wants to see a header, a cookie and a password,
// for a film that lies there as HLS and as a file. Others are asked for what it
// redirects to.
func (h *house) guarded(host string) {
	h.web(host, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.Header.Get("X-Token") != "7" || r.Header.Get("Cookie") != "a=1" || user != "me" || password != "pass" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if text, ok := hlsOf[r.URL.Path]; ok {
			io.WriteString(w, text)
			return
		}
		http.ServeContent(w, r, "film.mp4", time.Time{}, bytes.NewReader(filmOf("avc1")))
	})
}

const secrets = `"headers":{"X-Token":"7"},"cookies":"a=1","username":"me","password":"pass"`

// What the server of a film wants to see, no television can show: the bridge
// does, and the address that the television is told holds none of it.
func TestSecretsArePassedThroughTheProxy(t *testing.T) {
	for _, name := range []string{"film.mp4", "live/film.m3u8"} {
		synctest.Test(t, func(t *testing.T) {
			h, tv := livingRoom(t, videotest.TelevisionConfig{})
			h.guarded("10.0.0.9")
			h.say("telly/play_url", `{"url":"http://10.0.0.9/`+name+`",`+secrets+`,"transaction":"t1"}`)
			if code := h.result("telly", "t1"); code != "" {
				t.Fatalf("%s: got %s, want ok", name, code)
			}
			h.until("airplay/telly/event", `"playback_finished"`)
			if l := tv.Log(); !strings.HasPrefix(l.Played[0], "http://10.0.0.2:") || strings.Contains(l.Played[0], "pass") {
				t.Errorf("it was told %s", l.Played[0])
			}
			for _, topic := range []string{"state", "result", "event"} {
				for _, said := range h.every("airplay/telly/" + topic) {
					if strings.Contains(said, "pass@") || strings.Contains(said, ":pass") || strings.Contains(said, "X-Token") {
						t.Errorf("%s says %s", topic, said)
					}
				}
			}
			h.say("telly/play_url", `{"url":"http://10.0.0.9/`+name+`","transaction":"t2"}`)
			if code := h.result("telly", "t2"); code != "fetch_failed" {
				t.Errorf("%s, without what it wants to see: got %q, want fetch_failed", name, code)
			}
		})
	}
}

// A server for one film and one television.
func TestOnlyTheTelevisionIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, tv := livingRoom(t, videotest.TelevisionConfig{Film: time.Hour})
		h.put("film.mp4", filmOf("avc1"))
		h.put("other.mp4", filmOf("avc1"))
		h.say("telly/play_file", "film.mp4")
		h.until("airplay/telly/state", `"state":"playing"`)
		address := served(t, tv)
		film := tv.Log().Played[0]
		base, _ := strings.CutSuffix(film, "/film.mp4")
		for _, c := range []struct {
			host, url string
			want      int
		}{
			{"10.0.0.30", film, 200}, {"10.0.0.77", film, 403}, {"10.0.0.2", film, 403},
			{"10.0.0.30", base + "/other.mp4", 404}, {"10.0.0.30", base + "/", 404}, {"10.0.0.30", "http://" + address + "/", 404},
			{"10.0.0.30", base + "/../film.mp4", 404}, {"10.0.0.30", base + "/..%2f..%2fother.mp4", 404}, {"10.0.0.30", base + "/%2e%2e/other.mp4", 404},
			{"10.0.0.77", "http://" + address + "/", 403},
		} {
			if got := h.askFrom(c.host, c.url); got != c.want {
				t.Errorf("%s asks for %s: got %d, want %d", c.host, c.url, got, c.want)
			}
		}
		h.say("telly/stop", "")
		h.until("airplay/telly/state", `"state":"idle"`)
		time.Sleep(5 * time.Second)
		if got := h.askFrom("10.0.0.30", film); got != 0 {
			t.Errorf("after the end: got %d, want no answer", got)
		}
	})
}

// askFrom asks from a host, and returns the status; 0: nobody answers. The path goes
// as it is.
func (h *house) askFrom(host, address string) int {
	h.t.Helper()
	rest := strings.TrimPrefix(address, "http://")
	at, path, _ := strings.Cut(rest, "/")
	conn, err := h.lan.Host(host).DialContext(h.t.Context(), "tcp", at)
	if err != nil {
		return 0
	}
	defer conn.Close()
	io.WriteString(conn, "GET /"+path+" HTTP/1.1\r\nHost: "+at+"\r\nConnection: close\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestStreamsOfCamerasAreExplainedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, tv := livingRoom(t, videotest.TelevisionConfig{})
		h.web("10.0.0.9", func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/mjpeg":
				w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=x")
				io.WriteString(w, "--x\r\nContent-Type: image/jpeg\r\n\r\n")
			case "/dash.mpd":
				io.WriteString(w, `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>`)
			case "/500.mp4":
				w.WriteHeader(http.StatusInternalServerError)
			default:
				io.WriteString(w, "<html>")
			}
		})
		for address, want := range map[string]string{
			"rtsp://10.0.0.9/camera": "unsupported_format", "rtmp://10.0.0.9/live": "unsupported_format",
			"http://10.0.0.9/mjpeg": "unsupported_format", "http://10.0.0.9/dash.mpd": "unsupported_format",
			"http://10.0.0.9/500.mp4": "fetch_failed", "http://10.0.0.9/page": "unsupported_format",
		} {
			said := `{"url":"` + address + `","mode":"video","transaction":"` + address + `"}`
			h.say("telly/play_url", said)
			if got := h.result("telly", address); got != want {
				t.Errorf("%s: got %q, want %q", address, got, want)
			}
		}
		if n := len(tv.Log().Requests); n > 0 {
			t.Errorf("the television was asked %d times", n)
		}
	})
}

// matroska is a file of H.264 and AAC as far as its beginning tells.
func matroska() []byte {
	element := func(id string, parts ...[]byte) []byte {
		body := bytes.Join(parts, nil)
		return slices.Concat([]byte(id), []byte{0x40 | byte(len(body)>>8), byte(len(body))}, body)
	}
	track := func(number, kind byte, codec string) []byte {
		return element("\xae", element("\xd7", []byte{number}), element("\x83", []byte{kind}), element("\x86", []byte(codec)))
	}
	tracks := element("\x16\x54\xae\x6b", track(1, 1, "V_MPEG4/ISO/AVC"), track(2, 2, "A_AAC"))
	return slices.Concat(element("\x1a\x45\xdf\xa3", element("\x42\x82", []byte("matroska"))), element("\x18\x53\x80\x67", tracks))
}

// What has to be converted says so where there is nothing to convert it with.
func TestWithoutFFmpegItIsSaidWhatWouldHelp(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		h, tv := livingRoom(t, videotest.TelevisionConfig{})
		h.put("film.mkv", matroska())
		h.say("telly/play_file", `{"path":"film.mkv","transaction":"t1"}`)
		if got := h.result("telly", "t1"); got != "unsupported_format" {
			t.Errorf("got %q, want unsupported_format", got)
		}
		if said := h.latest("airplay/telly/result"); !strings.Contains(said, "with ffmpeg installed") {
			t.Errorf("got %s", said)
		}
		if n := len(tv.Log().Requests); n > 0 {
			t.Errorf("the television was asked %d times", n)
		}
	})
}

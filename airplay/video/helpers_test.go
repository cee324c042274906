package video_test

import (
	"context"
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay/video"
	"airplay2mqtt/airplay/video/videotest"
	"airplay2mqtt/internal/memnet"
)

const (
	film  = "http://10.0.0.9/film.mp4"
	hls   = "http://10.0.0.9/film.m3u8"
	gone  = "http://10.0.0.9/gone.mp4"
	plain = "http://10.0.0.9/plain.mp4" // its server gives no parts
)

// A house is a network with a television, a web server and us, in virtual time.
type house struct {
	*testing.T
	lan *memnet.Net
	us  *memnet.Host
	tv  *videotest.Television
}

func inHouse(t *testing.T, cfg videotest.TelevisionConfig, test func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		cfg.Network, cfg.Address = h.lan.Host("10.0.0.20"), ":7000"
		tv, err := videotest.NewTelevision(cfg)
		if err != nil {
			t.Fatal(err)
		}
		h.tv = tv
		t.Cleanup(func() { tv.Close() })
		h.serve()
		test(h)
	})
}

// build builds a house without a television.
func build(t *testing.T) *house {
	lan := memnet.New()
	lan.Latency = time.Millisecond
	return &house{T: t, lan: lan, us: lan.Host("10.0.0.1")}
}

// serve puts films on a web server.
func (h *house) serve() {
	l, err := h.lan.Host("10.0.0.9").Listen("tcp", ":80")
	if err != nil {
		h.Fatal(err)
	}
	server := &http.Server{ErrorLog: stdlog.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/film.mp4":
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(strings.Repeat("film", 5000)))
		case "/plain.mp4":
			io.WriteString(w, "film")
		case "/film.m3u8":
			io.WriteString(w, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n")
		case "/low.m3u8":
			io.WriteString(w, "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n1.ts\n")
		case "/1.ts":
			io.WriteString(w, "piece")
		default:
			http.NotFound(w, r)
		}
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	h.Cleanup(func() {
		server.Close()
		<-done
	})
}

// dial dials the television, as cfg says.
func (h *house) dial(cfg video.Config) (*video.Session, error) {
	cfg.DialContext = h.us.DialContext
	ctx, cancel := context.WithTimeout(h.Context(), 10*time.Second)
	defer cancel()
	s, err := video.Dial(ctx, h.tv.Addr(), &cfg)
	if err == nil {
		h.Cleanup(func() { s.Close() })
	}
	return s, err
}

// play dials and plays.
func (h *house) play(address string, from time.Duration) *watched {
	h.Helper()
	s, err := h.dial(video.Config{})
	if err != nil {
		h.Fatal(err)
	}
	return h.playOn(s, address, from)
}

func (h *house) playOn(s *video.Session, address string, from time.Duration) *watched {
	h.Helper()
	p, err := s.Play(h.Context(), address, from)
	if err != nil {
		h.Fatal(err)
	}
	w := &watched{Playback: p, session: s, began: time.Now(), seen: make(chan struct{})}
	go w.watch()
	return w
}

// A watched playback remembers its states.
type watched struct {
	*video.Playback
	session *video.Session
	began   time.Time
	words   []string
	seen    chan struct{}
}

func (w *watched) watch() {
	defer close(w.seen)
	for s := range w.States() {
		if word := string(s.Status); len(w.words) == 0 || w.words[len(w.words)-1] != word {
			w.words = append(w.words, word)
		}
	}
}

// over waits for the end and tells what was seen, and how long it took.
func (w *watched) over(h *house) (words string, took time.Duration, err error) {
	h.Helper()
	select {
	case <-w.Done():
	case <-time.After(5 * time.Minute):
		h.Fatal("the film has no end")
	}
	took = time.Since(w.began).Round(time.Second)
	<-w.seen
	return strings.Join(w.words, " "), took, w.Err()
}

// at checks what is played, and where.
func (w *watched) at(h *house, status video.Status, position time.Duration) {
	h.Helper()
	if got := w.State().Status; got != status {
		h.Errorf("got %s, want %s", got, status)
	}
	if got := w.Elapsed(); got < position-300*time.Millisecond || got > position+300*time.Millisecond {
		h.Errorf("got position %v, want %v", got, position)
	}
}

// asked tells whether the television was asked for something.
func (h *house) asked(request string) bool {
	return slices.ContainsFunc(h.tv.Log().Requests, func(r string) bool { return strings.HasPrefix(r, request) })
}

func (h *house) check(err error) {
	h.Helper()
	if err != nil {
		h.Error(err)
	}
}

func join[T any](list []T) string { return strings.Trim(fmt.Sprint(list), "[]") }

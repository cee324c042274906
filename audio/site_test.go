package audio_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/internal/memnet"
)

// A site is an HTTP server in memory, at http://10.0.0.1, and an Opener for
// it. It is to be made in a bubble.
type site struct {
	audio.Opener
	lan *memnet.Net
}

func newSite(t *testing.T, h http.HandlerFunc) *site {
	t.Helper()
	s := &site{lan: memnet.New()}
	s.DialContext = s.lan.Host("10.0.0.2").DialContext
	srv := &http.Server{Handler: h}
	go srv.Serve(s.listen(t, ":80"))
	t.Cleanup(func() { srv.Close() })
	return s
}

func (s *site) listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := s.lan.Host("10.0.0.1").Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// raw is a site whose server answers with these bytes, and hangs up.
func rawSite(t *testing.T, answer []byte) *site {
	t.Helper()
	s := newSite(t, nil)
	l := s.listen(t, ":8000")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.Read(make([]byte, 4096))
				c.Write(answer)
			}()
		}
	}()
	return s
}

func (s *site) open(t *testing.T, url string) audio.Track {
	t.Helper()
	track, err := s.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { track.Close() })
	return track
}

func content(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b)
	}
}

// chunked sends without saying how much it is.
func chunked(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		w.Write(b)
	}
}

// slowly sends so many bytes a second.
func slowly(b []byte, speed int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		for rest := b; len(rest) > 0; {
			n := min(len(rest), max(1, speed/10))
			if _, err := w.Write(rest[:n]); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			rest = rest[n:]
			wait(r.Context(), time.Second*time.Duration(n)/time.Duration(speed))
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// virtual runs a test in a bubble, where time costs nothing.
func virtual(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

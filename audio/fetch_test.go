package audio_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
)

func TestURLsAreHeardBitForBit(t *testing.T) {
	want := noise(200_000)
	file := wave(44100, want)
	for name, h := range map[string]http.HandlerFunc{
		"with length": content(file), "without length": chunked(file), "slowly": slowly(file, 300_000),
	} {
		virtual(t, name, func(t *testing.T) {
			s := newSite(t, h)
			start := time.Now()
			track := s.open(t, "http://10.0.0.1/noise.wav?secret=1")
			if took := time.Since(start); took > 300*time.Millisecond {
				t.Errorf("took %v to open", took)
			}
			if track.Live || track.Titles != nil {
				t.Errorf("got live %v", track.Live)
			}
			same(t, "from the beginning", hear(t, track), want)
		})
	}
}

func TestSmallDownloadsCanBeSought(t *testing.T) {
	want := noise(100_000)
	file := wave(44100, want)
	for name, h := range map[string]http.HandlerFunc{"at once": content(file), "slowly": slowly(file, 200_000)} {
		virtual(t, name, func(t *testing.T) {
			track := newSite(t, h).open(t, "http://10.0.0.1/noise.wav")
			b := track.Source.(*audio.Buffer)
			if !track.Seekable() || b.Len() != 100_000 {
				t.Fatalf("got seekable %v, length %d", track.Seekable(), b.Len())
			}
			for _, n := range []int{90_000, 10, 50_000} { // the first before it has come
				if err := b.SeekFrame(int64(n)); err != nil {
					t.Fatal(err)
				}
				same(t, fmt.Sprint("from ", n), hear(t, track), want[2*n:])
			}
		})
	}
}

func TestLargeDownloadsCannotBeSought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		track := newSite(t, content(wave(44100, make([]int16, 5<<20)))).open(t, "http://10.0.0.1/large.wav")
		if track.Seekable() {
			t.Error("got a seekable track")
		}
		if got := len(hear(t, track)); got != 5<<20 {
			t.Errorf("got %d samples", got)
		}
	})
}

func TestAnswersOtherThanSoundAreErrors(t *testing.T) {
	const secret = "http://user:secret@10.0.0.1/x.mp3?token=secret"
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
	}
	to := func(location string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, location, http.StatusFound) }
	}
	for _, c := range []struct {
		name        string
		h           http.HandlerFunc
		status      int
		unsupported bool
		want        string
	}{
		{"not found", status(404), 404, false, "audio: fetch http://10.0.0.1/x.mp3: 404 Not Found"},
		{"broken", status(500), 500, false, "500 Internal"},
		{"nothing", status(204), 204, false, "204 No Content"},
		{"partial", status(206), 206, false, "206"},
		{"odd", status(499), 499, false, "499"},
		{"empty", content(nil), 0, true, "empty"},
		{"page", content([]byte("<html>")), 0, true, "an HTML page, not a sound"},
		{"circle", to("/x.mp3"), 0, false, "more than 5 redirects"},
		{"to a file", to("file:///etc/passwd"), 0, false, "neither http nor https"},
		{"to ftp", to("ftp://10.0.0.1/x"), 0, false, "neither http nor https"},
		{"to nowhere", to("http://10.9.9.9/x"), 0, false, ""},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, false, "EOF"},
		{"large header", func(w http.ResponseWriter, r *http.Request) {
			for i := range 2000 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 100))
			}
		}, 0, false, "header"},
	} {
		virtual(t, c.name, func(t *testing.T) {
			track, err := newSite(t, c.h).Open(t.Context(), secret)
			if err == nil {
				track.Close()
				t.Fatal("got no error")
			}
			if got := errors.Is(err, audio.ErrUnsupported); got != c.unsupported {
				t.Errorf("got %v, unsupported %v, want %v", err, got, c.unsupported)
			}
			var fetch *audio.FetchError
			if errors.As(err, &fetch) == c.unsupported || fetch != nil && fetch.Status != c.status {
				t.Errorf("got %#v, want status %d", fetch, c.status)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %q, want %q and no secret", err, c.want)
			}
		})
	}
}

func TestAddressesThatAreNoneAreErrors(t *testing.T) {
	for _, location := range []string{"http://", "http:///x", "http://[::1", "http://a b/", "http://user:secret@/x"} {
		_, err := audio.Open(t.Context(), location)
		var fetch *audio.FetchError
		if !errors.As(err, &fetch) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want a FetchError", location, err)
		}
	}
}

func TestRedirectsAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := noise(1000)
		var heard []string
		h := func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			heard = append(heard, r.Host+r.URL.String()+" "+user+":"+password+" "+r.Referer())
			switch r.URL.Path {
			case "/1":
				http.Redirect(w, r, "/2?x=1", http.StatusMovedPermanently)
			case "/2":
				http.Redirect(w, r, "http://10.0.0.1:8080/3", http.StatusTemporaryRedirect)
			default:
				content(wave(44100, want))(w, r)
			}
		}
		s := newSite(t, h)
		other := &http.Server{Handler: http.HandlerFunc(h)}
		go other.Serve(s.listen(t, ":8080"))
		t.Cleanup(func() { other.Close() })
		same(t, "redirected", hear(t, s.open(t, "http://me:pass@10.0.0.1/1#part")), want)
		// The password is not for the other server.
		if got, want := strings.Join(heard, ", "), "10.0.0.1/1 me:pass , 10.0.0.1/2?x=1 me:pass , 10.0.0.1:8080/3 : "; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestRequestsAreSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := noise(1000)
		var heard []string
		h := func(w http.ResponseWriter, r *http.Request) {
			heard = append(heard, r.Host+" "+r.Header.Get("X-Token"))
			if r.Host == "10.0.0.1" {
				http.Redirect(w, r, "http://10.0.0.1:8080/", http.StatusFound)
				return
			}
			content(wave(44100, want))(w, r)
		}
		s := newSite(t, h)
		s.Sign = func(req *http.Request) {
			if req.Header.Del("X-Token"); req.URL.Host == "10.0.0.1" {
				req.Header.Set("X-Token", "7")
			}
		}
		other := &http.Server{Handler: http.HandlerFunc(h)}
		go other.Serve(s.listen(t, ":8080"))
		t.Cleanup(func() { other.Close() })
		same(t, "signed", hear(t, s.open(t, "http://10.0.0.1/1")), want)
		if got, want := strings.Join(heard, ", "), "10.0.0.1 7, 10.0.0.1:8080 "; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestSlowServersAreGivenUp(t *testing.T) {
	file := wave(44100, noise(400_000))
	for _, c := range []struct {
		name string
		h    http.HandlerFunc
	}{
		{"no header", func(w http.ResponseWriter, r *http.Request) { wait(r.Context(), time.Hour) }},
		{"no body", func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			wait(r.Context(), time.Hour)
		}},
		{"trickle", slowly(file, 1)},
	} {
		virtual(t, c.name, func(t *testing.T) {
			start := time.Now()
			_, err := newSite(t, c.h).Open(t.Context(), "http://10.0.0.1/x")
			var fetch *audio.FetchError
			if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &fetch) {
				t.Errorf("got %v, want a FetchError for the deadline", err)
			}
			if took := time.Since(start); took != 10*time.Second {
				t.Errorf("took %v, want 10 s", took)
			}
		})
	}
}

func TestAServerThatFallsSilentIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := wave(44100, noise(400_000))
		track := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(file)))
			w.Write(file[:44+4*300_000])
			w.(http.Flusher).Flush()
			wait(r.Context(), time.Hour)
		}).open(t, "http://10.0.0.1/x")
		start := time.Now()
		got, why := hearUntil(t, track)
		var fetch *audio.FetchError
		if len(got) != 600_000 || !errors.As(why, &fetch) || !errors.Is(why, context.DeadlineExceeded) {
			t.Errorf("got %d samples and %v", len(got), why)
		}
		if took := time.Since(start); took < 14*time.Second || took > 16*time.Second {
			t.Errorf("took %v, want 15 s", took)
		}
	})
}

func TestADownloadThatBreaksOffSaysSo(t *testing.T) {
	for name, size := range map[string]int{"small": 20_000, "large": 2_200_000} {
		virtual(t, name, func(t *testing.T) {
			file := wave(44100, noise(size))
			track := newSite(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(file)))
				w.Write(file[:len(file)/2])
			}).open(t, "http://10.0.0.1/x")
			got, why := hearUntil(t, track)
			var fetch *audio.FetchError
			if !errors.As(why, &fetch) || !errors.Is(why, io.ErrUnexpectedEOF) {
				t.Errorf("got %v, want a FetchError", why)
			}
			if len(got) < size-100 || len(got) > size+100 {
				t.Errorf("got %d samples, want about %d", len(got), size)
			}
		})
	}
}

func TestDownloadsAreLimited(t *testing.T) {
	file := wave(44100, noise(100_000))
	virtual(t, "length told", func(t *testing.T) {
		s := newSite(t, content(file))
		s.MaxDownload = 200_000
		_, err := s.Open(t.Context(), "http://10.0.0.1/x?secret")
		var large *audio.TooLargeError
		if !errors.As(err, &large) || large.Size != int64(len(file)) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want a TooLargeError", err)
		}
	})
	virtual(t, "length not told", func(t *testing.T) {
		s := newSite(t, chunked(file))
		s.MaxDownload = 200_000
		got, why := hearUntil(t, s.open(t, "http://10.0.0.1/x"))
		var large *audio.TooLargeError
		if !errors.As(why, &large) || large.Size != -1 || len(got) != (200_000-44)/2 {
			t.Errorf("got %d samples and %v, want a TooLargeError", len(got), why)
		}
	})
	virtual(t, "exactly", func(t *testing.T) {
		s := newSite(t, chunked(file))
		s.MaxDownload = int64(len(file))
		if got := len(hear(t, s.open(t, "http://10.0.0.1/x"))); got != 200_000 {
			t.Errorf("got %d samples", got)
		}
	})
}

func TestEndlessSoundTakesNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		track := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			w.Write(waveHeader(44100, 0xffffffff))
			block := make([]byte, 32<<10)
			for {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}).open(t, "http://10.0.0.1/endless")
		b := track.Source.(*audio.Buffer)
		if b.Len() != -1 || track.Tags.Duration != 0 {
			t.Errorf("got a length of %d, %v", b.Len(), track.Tags.Duration)
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		p := make([]audio.Frame, 4096)
		for frames := 0; frames < 44100*60; {
			n, err := b.Read(p)
			if errors.Is(err, audio.ErrNotReady) {
				err = b.Wait(t.Context(), 1)
			}
			if err != nil {
				t.Fatal(err)
			}
			frames += n
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
			t.Errorf("a minute took %d more bytes of memory", grown)
		}
		track.Close()
		<-ended // the server notices
	})
}

func TestOpeningAURLEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) { wait(r.Context(), time.Hour) })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		if _, err := s.Open(ctx, "http://10.0.0.1/x"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want Canceled", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, want 1 s", took)
		}
	})
}

func TestClosingATrackEndsItsDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := wave(44100, noise(10_000))
		gone := make(chan struct{})
		track := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			defer close(gone)
			w.Write(file[:30_000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}).open(t, "http://10.0.0.1/x")
		start := time.Now()
		if err := track.Close(); err != nil {
			t.Error(err)
		}
		<-gone
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestConnectionsAreAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forbidden := errors.New("forbidden")
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		})
		dial := s.DialContext
		s.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if !strings.HasPrefix(address, "10.") {
				return nil, forbidden
			}
			return dial(ctx, network, address)
		}
		_, err := s.Open(t.Context(), "http://10.0.0.1/x")
		var fetch *audio.FetchError
		if !errors.Is(err, forbidden) || !errors.As(err, &fetch) {
			t.Errorf("got %v, want forbidden", err)
		}
	})
}

func TestHTTPSIsVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := noise(1000)
		s := newSite(t, nil)
		srv := httptest.NewUnstartedServer(content(wave(44100, want)))
		srv.Listener.Close()
		srv.Listener = s.listen(t, ":443")
		srv.Config.ErrorLog = discard()
		srv.StartTLS()
		t.Cleanup(srv.Close)
		_, err := s.Open(t.Context(), "https://10.0.0.1/x")
		var unknown *tls.CertificateVerificationError
		if !errors.As(err, &unknown) {
			t.Errorf("got %v, want a certificate error", err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())
		s.TLS = &tls.Config{RootCAs: roots, ServerName: "example.com", Time: srv.Certificate().NotBefore.Local}
		track, err := s.Open(t.Context(), "https://10.0.0.1/x")
		if err != nil {
			t.Fatal(err)
		}
		defer track.Close()
		same(t, "https", hear(t, track), want)
	})
}

func TestRequestsAreAsTheyShouldBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got http.Header
		var method string
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			got, method = r.Header.Clone(), r.Method
			content(wave(44100, noise(10)))(w, r)
		})
		s.open(t, "HTTP://10.0.0.1/x")
		if method != "GET" || got.Get("Icy-MetaData") != "1" || got.Get("Range") != "" || got.Get("Accept-Encoding") != "" || got.Get("User-Agent") != "airplay2mqtt" {
			t.Errorf("got %s %v", method, got)
		}
	})
}

func TestNoiseIsNoSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, chunked(bytes.Repeat([]byte{0, 1, 2, 0xff}, 100_000)))
		if _, err := s.Open(t.Context(), "http://10.0.0.1/x.mp3"); !errors.Is(err, audio.ErrUnsupported) {
			t.Errorf("got %v, want ErrUnsupported", err)
		}
	})
}

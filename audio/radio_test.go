package audio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
)

func TestPlaylistsByURLAreFollowed(t *testing.T) {
	want := noise(1000)
	h := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/tune":
			content(wave(44100, want))(w, r)
		case "/list/a.m3u":
			io.WriteString(w, "#EXTM3U\n../tune\n")
		case "/typed":
			w.Header().Set("Content-Type", "audio/x-mpegurl")
			io.WriteString(w, "/tune\n")
		case "/b.pls":
			io.WriteString(w, "[playlist]\nFile1=http://10.0.0.1/list/a.m3u\n")
		case "/self.m3u":
			io.WriteString(w, "self.m3u\n")
		case "/file.m3u":
			io.WriteString(w, "file:///etc/passwd\n")
		case "/gone.m3u":
			io.WriteString(w, "gone.mp3\n")
		default:
			http.NotFound(w, r)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, h)
		for _, path := range []string{"list/a.m3u", "typed", "b.pls"} {
			same(t, path, hear(t, s.open(t, "http://10.0.0.1/"+path)), want)
		}
		for _, path := range []string{"self.m3u", "file.m3u"} {
			if _, err := s.Open(t.Context(), "http://10.0.0.1/"+path); !errors.Is(err, audio.ErrUnsupported) {
				t.Errorf("%s: got %v, want ErrUnsupported", path, err)
			}
		}
		var fetch *audio.FetchError
		if _, err := s.Open(t.Context(), "http://10.0.0.1/gone.m3u"); !errors.As(err, &fetch) || fetch.Status != 404 {
			t.Errorf("got %v, want 404", err)
		}
		same(t, "a file that names a URL", hear(t, s.open(t, write(t, "x.m3u", []byte("http://10.0.0.1/tune")))), want)
		list := io.NopCloser(strings.NewReader("#EXTM3U\nhttp://10.0.0.1/tune"))
		track, err := s.OpenReader(t.Context(), list, "a list")
		if err != nil {
			t.Fatal(err)
		}
		defer track.Close()
		same(t, "a reader that names a URL", hear(t, track), want)
	})
}

func TestARadioIsHeardAndTellsItsTitles(t *testing.T) {
	want := noise(100_000)
	stream := icy(wave(44100, want), 16000, "StreamTitle='A - One';", "", "StreamTitle='B - Two';")
	head := "\r\nicy-name: Radio Test\r\nicy-genre: Noise\r\nicy-metaint:16000\r\nContent-Type: audio/x-wav\r\n\r\n"
	for _, status := range []string{"ICY 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 200 OK"} {
		virtual(t, status, func(t *testing.T) {
			s := rawSite(t, append([]byte(status+head), stream...))
			s.Reconnect = -1
			track := s.open(t, "http://10.0.0.1:8000/live")
			if !track.Live || track.Seekable() || track.Tags.Duration != 0 || track.Tags.Title != "Radio Test" || track.Tags.Genre != "Noise" {
				t.Errorf("got live %v, seekable %v, %+v", track.Live, track.Seekable(), track.Tags)
			}
			b := track.Source.(*audio.Buffer)
			var got, titles []string
			frames, p := 0, make([]audio.Frame, 100)
			for {
				n, err := b.Read(p)
				frames += n
				select {
				case title := <-track.Titles:
					titles = append(titles, title)
					got = append(got, fmt.Sprintf("%s at %d", title, frames/1000))
				default:
				}
				if errors.Is(err, audio.ErrNotReady) {
					err = b.Wait(t.Context(), 1)
				}
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if frames != 100_000 || len(titles) != 2 || titles[0] != "A - One" || titles[1] != "B - Two" {
				t.Errorf("got %d frames and %q", frames, got)
			}
		})
	}
	virtual(t, "ICY 404", func(t *testing.T) {
		_, err := rawSite(t, []byte("ICY 404 Resource Not Found\r\n\r\n")).Open(t.Context(), "http://10.0.0.1:8000/live")
		var fetch *audio.FetchError
		if !errors.As(err, &fetch) || fetch.Status != 404 {
			t.Errorf("got %v, want 404", err)
		}
	})
	for _, answer := range []string{"", "I", "ICY", "ICY ", "HTTP", "nonsense\r\n\r\n"} {
		virtual(t, "only "+answer, func(t *testing.T) {
			if _, err := rawSite(t, []byte(answer)).Open(t.Context(), "http://10.0.0.1:8000/live"); err == nil {
				t.Error("got no error")
			}
		})
	}
}

func TestASilentRadioIsGivenUpAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := append(waveHeader(44100, 0xffffffff), make([]byte, 400_000)...)
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("icy-name", "Radio Test")
			w.(http.Flusher).Flush()
			w.Write(file)
			w.(http.Flusher).Flush()
			wait(r.Context(), time.Hour)
		})
		s.MaxDownload = 1000 // is not for radios
		s.Reconnect = -1
		track := s.open(t, "http://10.0.0.1/live")
		start := time.Now()
		got, why := hearUntil(t, track)
		if len(got) == 0 || !errors.Is(why, context.DeadlineExceeded) {
			t.Errorf("got %d samples and %v", len(got), why)
		}
		if took := time.Since(start); took < 55*time.Second || took > 61*time.Second {
			t.Errorf("took %v, want a minute", took)
		}
	})
}

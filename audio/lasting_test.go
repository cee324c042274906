package audio_test

import (
	"bytes"
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

// A station is a radio that plays a noise at the speed of sound and hangs up
// now and then.
type station struct {
	t     *testing.T
	holds time.Duration // each connection
	down  func(since time.Duration) bool
	begun time.Time
	asked int
}

func (s *station) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked++
	if s.down != nil && s.down(time.Since(s.begun)) {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	const every = 16000
	w.Header().Set("Icy-Name", "Radio Test")
	w.Header().Set("Icy-Metaint", fmt.Sprint(every))
	var sound bytes.Buffer
	sound.Write(waveHeader(44100, 0xffffffff))
	block := littleEndian(noise(every / 4))
	began := time.Now()
	for sent := 0; time.Since(began) < s.holds; {
		for sound.Len() < every {
			sound.Write(block)
		}
		w.Write(sound.Next(every))
		title := fmt.Sprintf("StreamTitle='Song %d';", int(time.Since(s.begun)/(5*time.Minute)))
		w.Write([]byte{byte((len(title) + 15) / 16)})
		w.Write([]byte(title + strings.Repeat("\x00", (16-len(title)%16)%16)))
		w.(http.Flusher).Flush()
		sent += every
		wait(r.Context(), time.Until(began.Add(time.Second*time.Duration(sent)/(44100*4))))
		if r.Context().Err() != nil {
			return
		}
	}
}

// listen takes sound from a track at the speed of sound, for so long. It returns
// how many frames it heard, how long there were none, and the titles.
func listen(t *testing.T, track audio.Track, d time.Duration) (frames int, missing time.Duration, titles []string, why error) {
	t.Helper()
	b := track.Source.(*audio.Buffer)
	const beat = 100 * time.Millisecond
	p := make([]audio.Frame, 4410)
	for begun := time.Now(); time.Since(begun) < d; time.Sleep(beat) {
		n := 0
		for n < len(p) && why == nil {
			var m int
			m, why = b.Read(p[n:])
			n += m
		}
		if frames += n; n < len(p) {
			missing += beat
		}
		if !errors.Is(why, audio.ErrNotReady) && why != nil {
			return frames, missing, titles, why
		}
		why = nil
		select {
		case title := <-track.Titles:
			titles = append(titles, title)
		default:
		}
	}
	return frames, missing, titles, nil
}

func TestARadioThatIsCutOffNowAndThenGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		radio := &station{t: t, holds: 140 * time.Second, begun: time.Now()}
		radio.down = func(since time.Duration) bool { return since > 10*time.Minute && since < 10*time.Minute+40*time.Second }
		track := newSite(t, radio.ServeHTTP).open(t, "http://10.0.0.1/live")
		if !track.Live || track.Seekable() || track.Titles == nil {
			t.Errorf("got live %v, seekable %v", track.Live, track.Seekable())
		}
		frames, missing, titles, err := listen(t, track, 20*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if radio.asked < 9 || missing > time.Minute {
			t.Errorf("asked %d times, %v without sound", radio.asked, missing)
		}
		if got := time.Duration(frames/44100) * time.Second; got < 18*time.Minute+40*time.Second {
			t.Errorf("heard %v of 20 minutes", got)
		}
		var want []string
		for i := range 4 {
			want = append(want, fmt.Sprintf("Song %d", i))
		}
		if fmt.Sprint(titles) != fmt.Sprint(want) {
			t.Errorf("got %q, want %q", titles, want)
		}
		t.Logf("%d connections, %v without sound, %d titles", radio.asked, missing, len(titles))
	})
}

func TestARadioThatStaysAwayIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		radio := &station{t: t, holds: time.Minute, begun: time.Now()}
		radio.down = func(since time.Duration) bool { return since > 30*time.Second }
		track := newSite(t, radio.ServeHTTP).open(t, "http://10.0.0.1/live")
		begun := time.Now()
		_, _, _, err := listen(t, track, time.Hour)
		var fetch *audio.FetchError
		if !errors.As(err, &fetch) || !strings.Contains(err.Error(), "no sound for 10m") {
			t.Errorf("got %v, want a FetchError after ten minutes", err)
		}
		if took := time.Since(begun); took < 11*time.Minute || took > 12*time.Minute {
			t.Errorf("took %v, want a minute and ten", took)
		}
		if radio.asked < 40 || radio.asked > 50 { // 0.5 1 2 4 8 15 15 …
			t.Errorf("asked %d times", radio.asked)
		}
		if _, err := track.Read(make([]audio.Frame, 1)); !errors.As(err, &fetch) {
			t.Errorf("afterwards: got %v", err)
		}
	})
}

func TestClosingEndsTheWaitForARadio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		radio := &station{t: t, holds: 20 * time.Second, begun: time.Now()}
		radio.down = func(since time.Duration) bool { return since > 10*time.Second }
		track := newSite(t, radio.ServeHTTP).open(t, "http://10.0.0.1/live")
		if _, _, _, err := listen(t, track, time.Minute); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		track.Close()
		if took := time.Since(begun); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestARadioThatIsNotThereIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Icy-Name", "x")
			io.WriteString(w, "<html>")
		})
		if _, err := s.Open(t.Context(), "http://10.0.0.1/live"); !errors.Is(err, audio.ErrUnsupported) {
			t.Errorf("got %v, want ErrUnsupported", err)
		}
	})
}

// A shelf is a server of one file that cuts off each answer after so many
// bytes.
type shelf struct {
	file     []byte
	tag      string
	cutAfter int
	ranges   bool
	asked    []string
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, r.Header.Get("Range"))
	if s.tag != "" {
		w.Header().Set("Etag", s.tag)
	}
	from := 0
	if s.ranges {
		w.Header().Set("Accept-Ranges", "bytes")
		if v := r.Header.Get("If-Range"); v == "" || v == s.tag {
			fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		}
	}
	rest := s.file[from:]
	w.Header().Set("Content-Length", fmt.Sprint(len(rest)))
	if from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(s.file)-1, len(s.file)))
		w.WriteHeader(http.StatusPartialContent)
	}
	if s.cutAfter > 0 {
		rest = rest[:min(len(rest), s.cutAfter)]
	}
	w.Write(rest)
}

func TestADownloadThatIsCutOffGoesOn(t *testing.T) {
	for _, c := range []struct {
		name   string
		frames int
		shelf  shelf
	}{
		{"kept, by parts", 400_000, shelf{tag: `"1"`, cutAfter: 300_000, ranges: true}},
		{"large, by parts", 2_500_000, shelf{tag: `"1"`, cutAfter: 3_000_000, ranges: true}},
		{"large, parts without a tag", 2_500_000, shelf{cutAfter: 3_000_000, ranges: true}},
	} {
		virtual(t, c.name, func(t *testing.T) {
			want := noise(c.frames)
			c.shelf.file = wave(44100, want)
			track := newSite(t, c.shelf.ServeHTTP).open(t, "http://10.0.0.1/x.wav")
			same(t, c.name, hear(t, track), want)
			if len(c.shelf.asked) < 3 {
				t.Errorf("asked %q", c.shelf.asked)
			}
		})
	}
	virtual(t, "all over again", func(t *testing.T) {
		want := noise(400_000)
		s := &shelf{tag: `"1"`, file: wave(44100, want), cutAfter: 300_000}
		track := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			if len(s.asked) == 1 {
				s.cutAfter = 0
			}
			s.ServeHTTP(w, r)
		}).open(t, "http://10.0.0.1/x.wav")
		same(t, "all over again", hear(t, track), want)
	})
}

func TestADownloadThatHasChangedDoesNotGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{tag: `"1"`, file: wave(44100, noise(400_000)), cutAfter: 300_000, ranges: true}
		track := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			s.ServeHTTP(w, r)
			s.tag = `"2"`
		}).open(t, "http://10.0.0.1/x.wav")
		if _, why := hearUntil(t, track); !errors.Is(why, io.ErrUnexpectedEOF) {
			t.Errorf("got %v, want that it is cut off", why)
		}
	})
}

func TestLargeDownloadsAreSoughtByParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := noise(2_500_000)
		s := &shelf{tag: `"1"`, file: wave(44100, want), ranges: true}
		track := newSite(t, s.ServeHTTP).open(t, "http://10.0.0.1/x.wav")
		b := track.Source.(*audio.Buffer)
		if !track.Seekable() || b.Len() != 2_500_000 {
			t.Fatalf("got seekable %v, length %d", track.Seekable(), b.Len())
		}
		for _, n := range []int{2_400_000, 10, 1_234_567} {
			if err := b.SeekFrame(int64(n)); err != nil {
				t.Fatal(err)
			}
			got := make([]int16, 2000)
			var q audio.Quantizer
			q.Quantize(got, drinkSome(t, b, 1000))
			same(t, fmt.Sprint("from ", n), got, want[2*n:2*n+2000])
		}
		if len(s.asked) > 8 {
			t.Errorf("asked %q", s.asked)
		}
	})
}

// drinkSome reads exactly so many frames.
func drinkSome(t *testing.T, b *audio.Buffer, frames int) []audio.Frame {
	t.Helper()
	p := make([]audio.Frame, frames)
	for n := 0; n < frames; {
		m, err := b.Read(p[n:])
		n += m
		if errors.Is(err, audio.ErrNotReady) {
			err = b.Wait(context.Background(), 1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

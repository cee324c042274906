package audio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio"
)

func TestProbeTellsWhatASoundIs(t *testing.T) {
	dir := makeFiles(t, tune(44100, tuneFrames), formats)
	for _, f := range formats {
		var o audio.Opener
		got, err := o.Probe(t.Context(), filepath.Join(dir, f.file))
		if err != nil {
			t.Errorf("%s: %v", f.file, err)
			continue
		}
		if f.format.Codec == "pcm" && got.Codec == "float" {
			f.format.Codec = "float"
		}
		got.Tags = audio.Tags{}
		want := audio.Report{
			Container: f.format.Container, Codec: f.format.Codec, Rate: f.format.Rate, Bits: f.format.Bits,
			Channels: f.format.Channels, Duration: got.Duration, Seekable: true, Streamable: true,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", f.file, diff)
		}
		if d := got.Duration - tuneFrames*time.Second/44100; d < -time.Millisecond || d > time.Millisecond {
			t.Errorf("%s: got a duration of %v", f.file, got.Duration)
		}
		file, err := os.Open(filepath.Join(dir, f.file))
		if err != nil {
			t.Fatal(err)
		}
		piped, err := o.ProbeReader(t.Context(), struct{ io.ReadCloser }{file}, "a pipe")
		if err != nil || !piped.Streamable || piped.Seekable || piped.Codec != f.format.Codec {
			t.Errorf("%s, a pipe: got %+v, %v", f.file, piped, err)
		}
	}
}

func TestProbeSaysWhyNot(t *testing.T) {
	var o audio.Opener
	for path, want := range map[string]string{
		write(t, "empty.mp3", nil):                      "empty, not a single byte",
		write(t, "page.mp3", []byte("<!doctype html>")): "an HTML page, not a sound: is this the address of a web page?",
		t.TempDir():                            "a folder, not a sound",
		write(t, "none.wav", wave(44100, nil)): "a sound without a single frame",
		write(t, "x.bin", bytes.Repeat([]byte{1, 2, 3, 4}, 9999)): "not a format that is known here: convert it to MP3, FLAC, Ogg Vorbis or WAV",
	} {
		got, err := o.Probe(t.Context(), path)
		if err != nil || got.Streamable || got.Reason != want {
			t.Errorf("%s: got %+v, %v, want %q", path, got, err, want)
		}
	}
	if _, err := o.Probe(t.Context(), "/none/such.wav"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
	torn, err := o.ProbeReader(t.Context(), wild{bytes.NewReader(wave(44100, noise(20_000))[:60_000]), true}, "torn")
	if err != nil || torn.Streamable || !strings.Contains(torn.Reason, "wild") || torn.Rate != 44100 {
		t.Errorf("torn: got %+v, %v", torn, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.Probe(ctx, write(t, "x.wav", wave(44100, noise(100)))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
}

func TestProbeOfURLs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/live":
				(&station{t: t, holds: time.Hour, begun: time.Now()}).ServeHTTP(w, r)
			case "/list":
				io.WriteString(w, "#EXTM3U\n#EXTINF:-1,A Radio\n/live\n")
			case "/large":
				w.Header().Set("Content-Length", "1000000000")
			default:
				http.NotFound(w, r)
			}
		})
		got, err := s.Probe(t.Context(), "http://10.0.0.1/list")
		if err != nil || !got.Streamable || got.Seekable || got.Duration != 0 || got.Tags.Title != "Radio Test" {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := s.Probe(t.Context(), "http://10.0.0.1/large"); err != nil || !strings.Contains(got.Reason, "953 MiB") {
			t.Errorf("got %+v, %v", got, err)
		}
		var fetch *audio.FetchError
		if _, err := s.Probe(t.Context(), "http://10.0.0.1/none"); !errors.As(err, &fetch) || fetch.Status != 404 {
			t.Errorf("got %v, want 404", err)
		}
	})
}

func TestAReportInJSON(t *testing.T) {
	for want, r := range map[string]audio.Report{
		`{"container":"ogg","codec":"vorbis","sample_rate":48000,"bit_depth":0,"channels":2,"duration":1.5,"seekable":true,"streamable":true,"reason":"",` +
			`"tags":{"title":"T","artist":"A","album":"B","genre":"G","year":1999,"track":3},"artwork":12345}`: {
			Container: "ogg", Codec: "vorbis", Rate: 48000, Channels: 2, Duration: 1500 * time.Millisecond, Seekable: true, Streamable: true, Artwork: 12345,
			Tags: audio.Tags{Title: "T", Artist: "A", Album: "B", Genre: "G", Year: 1999, Track: 3, Artwork: []byte("x")},
		},
		`{"container":"","codec":"","sample_rate":0,"bit_depth":0,"channels":0,"duration":null,"seekable":false,"streamable":false,"reason":"empty","tags":{},"artwork":0}`: {Reason: "empty"},
	} {
		got, err := json.Marshal(r)
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v\nwant %s", got, err, want)
		}
	}
}

package ffmpeg_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/audio/ffmpeg"
	"airplay2mqtt/audio/internal/audiotest"
)

// record makes three seconds of film.
func record(t *testing.T, options, name string) []byte {
	t.Helper()
	audiotest.Need(t, "ffmpeg", "ffprobe")
	dir := t.TempDir()
	args := append(strings.Fields("-v error -f lavfi -i testsrc=s=161x121:r=10:d=3 -f lavfi -i sine=d=3"), strings.Fields(options)...)
	audiotest.Program(t, dir, "ffmpeg", append(args, name)...)
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// inspect says which codecs are in a film.
func inspect(t *testing.T, b []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.mp4"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	out := audiotest.Program(t, dir, "ffprobe", "-v", "error", "-count_packets", "-show_streams", "-of", "json", "x.mp4")
	var report struct {
		Streams []struct {
			Codec string `json:"codec_name"`
			Tag   string `json:"codec_tag_string"`
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range report.Streams {
		names = append(names, s.Codec+"/"+s.Tag)
	}
	return strings.Join(names, " ")
}

func TestFilmsAreConverted(t *testing.T) {
	const h264 = "-c:v libx264 -preset ultrafast -vf scale=160:120 -pix_fmt yuv420p "
	const h265 = "-c:v libx265 -preset ultrafast -vf scale=160:120 -x265-params log-level=error "
	for _, c := range []struct {
		options, name string
		conversion    ffmpeg.Conversion
		want          string
	}{
		{h264 + "-c:a aac", "a.mkv", ffmpeg.Conversion{AAC: true}, "h264/avc1 aac/mp4a"},
		{h264 + "-c:a aac", "a.ts", ffmpeg.Conversion{AAC: true}, "h264/avc1 aac/mp4a"},
		{h264 + "-c:a aac", "a.mp4", ffmpeg.Conversion{}, "h264/avc1 aac/mp4a"}, // the index is behind
		{h265 + "-c:a aac", "a.mkv", ffmpeg.Conversion{HEVC: true}, "hevc/hvc1 aac/mp4a"},
		{h264 + "-c:a libopus", "a.mkv", ffmpeg.Conversion{Sound: ffmpeg.Anew}, "h264/avc1 aac/mp4a"},
		{h264 + "-an", "a.mkv", ffmpeg.Conversion{}, "h264/avc1"},
		{"-c:v mpeg4 -c:a libmp3lame", "a.avi", ffmpeg.Conversion{Pictures: ffmpeg.Anew, Sound: ffmpeg.Anew}, "h264/avc1 aac/mp4a"},
		{"-c:v libvpx -c:a libopus", "a.webm", ffmpeg.Conversion{Pictures: ffmpeg.Anew, Sound: ffmpeg.Anew}, "h264/avc1 aac/mp4a"},
	} {
		converter, err := ffmpeg.NewConverter(bytes.NewReader(record(t, c.options, c.name)), c.conversion)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(converter)
		converter.Close()
		if err != nil {
			t.Errorf("%s %s: %v", c.options, c.name, err)
			continue
		}
		if got := inspect(t, b); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.options, c.name, got, c.want)
		}
	}
}

func TestWhatIsNoFilmIsNotConverted(t *testing.T) {
	audiotest.Need(t, "ffmpeg")
	secret := filepath.Join(t.TempDir(), "secret.mkv")
	for name, text := range map[string]string{
		"noise":       strings.Repeat("noise ", 1000),
		"a playlist":  "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://" + secret + "\n#EXT-X-ENDLIST\n",
		"a list":      "ffconcat version 1.0\nfile '" + secret + "'\n",
		"nothing":     "",
		"sound alone": "RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00",
	} {
		converter, err := ffmpeg.NewConverter(strings.NewReader(text), ffmpeg.Conversion{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(converter)
		converter.Close()
		if len(b) > 0 || !errors.Is(err, ffmpeg.ErrFilm) {
			t.Errorf("%s: got %d bytes, %v, want ErrFilm", name, len(b), err)
		}
	}
}

func TestAConverterEndsWhenItIsClosed(t *testing.T) {
	audiotest.Need(t, "ffmpeg")
	r, w := io.Pipe()
	defer w.Close()
	converter, err := ffmpeg.NewConverter(r, ffmpeg.Conversion{})
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := converter.Read(make([]byte, 100))
		read <- err
	}()
	began := time.Now()
	converter.Close()
	if err := <-read; err == nil {
		t.Error("a Read that waited got nothing, and no error")
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
}

func TestNoConverterWithoutFFmpeg(t *testing.T) {
	_, err := ffmpeg.NewConverter(strings.NewReader(""), ffmpeg.Conversion{Config: ffmpeg.Config{Path: "/nonexistent/ffmpeg"}})
	if !errors.Is(err, ffmpeg.ErrNotInstalled) {
		t.Errorf("got %v, want ErrNotInstalled", err)
	}
}

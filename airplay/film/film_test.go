package film_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/airplay/film"
)

// record makes two seconds of film with ffmpeg.
func record(t testing.TB, options, name string) []byte {
	t.Helper()
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("ffmpeg is not installed")
		}
		t.Skip("ffmpeg is not installed; scripts/setup brings it")
	}
	path := filepath.Join(t.TempDir(), name)
	args := append(strings.Fields("-v error -f lavfi -i testsrc=s=160x120:r=10:d=2 -f lavfi -i sine=d=2"), strings.Fields(options)...)
	if out, err := exec.Command(program, append(args, path)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", options, err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// describe writes a film as one line.
func describe(f film.Film) string {
	names := func(codecs []film.Codec) string {
		var s []string
		for _, c := range codecs {
			s = append(s, strings.TrimSpace(c.Name+" "+c.Detail))
		}
		return strings.Join(s, "+")
	}
	verdict, _ := f.Playable()
	word := [...]string{"never", "perhaps", "always"}[verdict]
	return fmt.Sprintf("%s %s/%s %s %s", f.Container, names(f.Pictures), names(f.Sounds), f.Duration.Round(time.Second), word)
}

func TestFilmsAreTold(t *testing.T) {
	const h264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p "
	for _, c := range []struct{ options, name, want string }{
		{h264 + "-c:a aac", "a.mp4", "mp4 h264/aac 2s always"},
		{h264 + "-c:a aac -movflags faststart", "a.mp4", "mp4 h264/aac 2s always"},
		{h264 + "-c:a ac3", "a.mp4", "mp4 h264/ac3 2s always"},
		{h264 + "-c:a libmp3lame", "a.mp4", "mp4 h264/mp3 2s always"},
		{h264 + "-c:a libopus", "a.mp4", "mp4 h264/opus 2s never"},
		{h264 + "-c:a aac", "a.mov", "mov h264/aac 2s always"},
		{"-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le -c:a aac", "a.mp4", "mp4 h264 10 bits/aac 2s perhaps"},
		{"-c:v libx265 -preset ultrafast -x265-params log-level=error -tag:v hvc1 -c:a aac", "a.mp4", "mp4 hevc/aac 2s always"},
		{"-c:v libx265 -preset ultrafast -x265-params log-level=error -tag:v hev1 -c:a aac", "a.mp4", "mp4 hevc tagged hev1/aac 2s perhaps"},
		{"-c:v mpeg4 -c:a aac", "a.mp4", "mp4 mpeg4/aac 2s never"},
		{"-map 1 -c:a aac", "a.m4a", "m4a /aac 2s always"},
		{h264 + "-c:a aac", "a.mkv", "matroska h264/aac 2s never"},
		{"-c:v mpeg4 -c:a flac", "a.mkv", "matroska mpeg4/flac 2s never"},
		{"-c:v libvpx -c:a libopus", "a.webm", "webm vp8/opus 2s never"},
		{"-c:v mpeg4 -c:a libmp3lame", "a.avi", "avi mpeg4/mp3 2s never"},
		{h264 + "-c:a aac", "a.ts", "mpegts h264/aac 0s perhaps"},
		{h264 + "-c:a ac3 -mpegts_m2ts_mode 1", "a.m2ts", "m2ts h264/ac3 0s never"},
		{"-c:v wmv2 -c:a wmav2", "a.wmv", "asf wmv/wma 0s never"},
		{h264 + "-ar 44100 -c:a aac", "a.flv", "flv h264/aac 0s never"},
		{"-c:v flv1 -ar 44100 -c:a libmp3lame", "a.flv", "flv sorenson/mp3 0s never"},
		{"-c:v mpeg2video -c:a mp2", "a.mpg", "mpeg mpeg2/ 0s never"},
		{"-c:v libtheora -c:a libvorbis", "a.ogv", "ogg theora/vorbis 0s never"},
		{"-map 1 -c:a libmp3lame", "a.mp3", "mp3 /mp3 0s always"},
		{"-map 1", "a.wav", "wav /pcm 0s always"},
	} {
		b := record(t, c.options, c.name)
		f, err := film.Probe(bytes.NewReader(b), int64(len(b)))
		if got := describe(f); err != nil || got != c.want {
			t.Errorf("%s %s: got %s, %v, want %s", c.options, c.name, got, err, c.want)
		}
		if v, why := f.Playable(); v != film.Always && why == "" {
			t.Errorf("%s: not playable, and no word why", c.name)
		}
	}
}

func TestHLSTellsWhatItIsMadeOf(t *testing.T) {
	for _, c := range []struct {
		text, want, next string
		video, known     bool
	}{
		{"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x1,CODECS=\"avc1.64001f, mp4a.40.2\"\nlow/a.m3u8\n", "hls h264/aac 0s always", "low/a.m3u8", true, true},
		{"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\na.m3u8\n", "hls h264/ 0s always", "a.m3u8", true, true},
		{"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"mp4a.40.2\"\na.m3u8\n", "hls /aac 0s always", "a.m3u8", false, true},
		{"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"vp09.00.10.08,opus\"\na.m3u8\n", "hls vp9/opus 0s never", "a.m3u8", true, true},
		{"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:5.5,\n1.ts\n#EXTINF:6.5,\n2.ts\n#EXT-X-ENDLIST\n", "hls / 12s always", "1.ts", false, false},
		{"#EXTM3U\r\n#EXT-X-TARGETDURATION:6\r\n#EXTINF:6,\r\n1.ts\r\n", "hls / 0s always", "1.ts", false, false},
	} {
		f, err := film.Probe(strings.NewReader(c.text), int64(len(c.text)))
		video, known := f.Video()
		if got := describe(f); err != nil || got != c.want || f.Next != c.next || video != c.video || known != c.known {
			t.Errorf("%q: got %s, next %q, video %v known %v", c.text, got, f.Next, video, known)
		}
	}
}

func TestWhatIsNoFilmHasNoPictures(t *testing.T) {
	for _, s := range []string{"", "x", "<html><body>404</body></html>", "#EXTM3U\nsong.mp3\n", "fLaC....", "GIF89a"} {
		f, err := film.Probe(strings.NewReader(s), int64(len(s)))
		if video, known := f.Video(); err != nil || video || !known {
			t.Errorf("%q: got video %v, known %v, %v, want none", s, video, known, err)
		}
		if v, why := f.Playable(); v != film.Never || why == "" {
			t.Errorf("%q: got %v %q, want never and why", s, v, why)
		}
	}
}

// A camera's pictures are what Apple TVs answer with error -6707.
func TestCamerasAreTold(t *testing.T) {
	s := "--frame\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8"
	f, err := film.Probe(strings.NewReader(s), -1)
	if v, why := f.Playable(); err != nil || v != film.Never || !strings.Contains(why, "camera") {
		t.Errorf("got %v %q, %v", v, why, err)
	}
}

// An index at the end is found where the length is known, and a film whose index
// cannot be reached is one of which nothing is known.
func TestAnIndexThatCannotBeReached(t *testing.T) {
	b := record(t, "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac", "a.mp4")
	b = slices.Concat(b[:32], []byte("\x00\x10\x00\x00free"), make([]byte, 1<<20-8), b[32:])
	f, err := film.Probe(bytes.NewReader(b), int64(len(b)))
	if got := describe(f); err != nil || got != "mp4 h264/aac 2s always" {
		t.Errorf("got %s, %v", got, err)
	}
	f, err = film.Probe(bytes.NewReader(b), -1)
	if video, known := f.Video(); err != nil || video || known {
		t.Errorf("got video %v, known %v, %v, want not known", video, known, err)
	}
	if v, _ := f.Playable(); v != film.Always {
		t.Errorf("got %v, want always: it is an MP4 file", v)
	}
}

type broken struct{ io.ReaderAt }

var errBroken = errors.New("broken")

func (b broken) ReadAt(p []byte, at int64) (int, error) {
	if at > 0 {
		return 0, errBroken
	}
	return b.ReaderAt.ReadAt(p, at)
}

func TestErrorsOfTheReaderAreTold(t *testing.T) {
	// A box of 1 MiB before an index that cannot be read.
	b := slices.Concat([]byte("\x00\x10\x00\x00mdat"), make([]byte, 1<<20))
	if _, err := film.Probe(broken{bytes.NewReader(b)}, int64(len(b))); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

func FuzzProbe(f *testing.F) {
	f.Add([]byte("#EXTM3U\n#EXT-X-STREAM-INF:CODECS=\"avc1\"\na"))
	f.Add([]byte("\x00\x00\x00\x10ftypqt  \x00\x00\x00\x00\x00\x00\x00\x01moov\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00\x08trak"))
	f.Add([]byte("\x1a\x45\xdf\xa3\x84\x42\x82\x81w\x18\x53\x80\x67\xff\x16\x54\xae\x6b\x86\xae\x84\x83\x81\x01\x86\x80"))
	f.Add([]byte("RIFF\x00\x00\x00\x00AVI LIST\x10\x00\x00\x00strlstrh\x04\x00\x00\x00vids"))
	f.Add([]byte("FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00\x09\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x17"))
	for _, c := range [][2]string{
		{"-c:v libx264 -preset ultrafast -c:a aac -t 0.2 -movflags faststart", "a.mp4"}, {"-c:v mpeg4 -t 0.2", "a.ts"},
		{"-c:v mpeg4 -c:a libmp3lame -t 0.2", "a.avi"}, {"-c:v libvpx -t 0.2 -c:a libopus", "a.webm"},
	} {
		if _, err := exec.LookPath("ffmpeg"); err == nil {
			b := record(f, c[0], c[1])
			f.Add(b[:min(len(b), 8<<10)])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := film.Probe(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Errorf("an error of a reader that has none: %v", err)
		}
		got.Playable()
		if got.Duration < 0 {
			t.Errorf("a duration of %v", got.Duration)
		}
	})
}

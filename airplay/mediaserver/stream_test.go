package mediaserver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/airplay/mediaserver"
)

// fragmented makes ten seconds of film as a converter writes it.
func fragmented(t *testing.T, options string) []byte {
	t.Helper()
	for _, program := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(program, " is not installed")
			}
			t.Skip(program, " is not installed; scripts/setup brings it")
		}
	}
	args := strings.Fields("-v error -f lavfi -i testsrc=s=160x120:r=10:d=10 -f lavfi -i sine=d=10 " + options +
		" -movflags frag_keyframe+empty_moov+default_base_moof -frag_duration 6000000 -f mp4 pipe:1")
	var out, stderr bytes.Buffer
	cmd := exec.Command("ffmpeg", args...)
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, &stderr)
	}
	return out.Bytes()
}

const h264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 20 -c:a aac"

var extinf = regexp.MustCompile(`#EXTINF:([\d.]+),`)

// total adds what a playlist says of the length of its pieces.
func total(list string) (sum float64) {
	for _, m := range extinf.FindAllStringSubmatch(list, -1) {
		v, _ := strconv.ParseFloat(m[1], 64)
		sum += v
	}
	return sum
}

func TestWhatIsMadeMeanwhileIsServedAsHLS(t *testing.T) {
	film := fragmented(t, h264)
	s, err := mediaserver.NewStream(io.NopCloser(bytes.NewReader(film)), mediaserver.StreamConfig{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server := start(t, s, loopback)
	base := server.URL()[:strings.LastIndex(server.URL(), "/")+1]
	_, text := ask(t, "GET", server.URL())
	for _, want := range []string{`CODECS="avc1.42c0`, ",mp4a.40.2\"", "RESOLUTION=160x120", "FRAME-RATE=10.000", "\npieces.m3u8\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the master list has no %s:\n%s", want, text)
		}
	}
	var list string
	for range 100 {
		if _, list = ask(t, "GET", base+"pieces.m3u8"); strings.Contains(list, "#EXT-X-ENDLIST") {
			break
		}
	}
	if got := total(list); got < 9.9 || got > 10.1 {
		t.Errorf("the pieces last %v s, want 10:\n%s", got, list)
	}
	// All of it together is the film that came in.
	_, all := ask(t, "GET", base+"head.mp4")
	for i := range len(extinf.FindAllString(list, -1)) {
		resp, piece := ask(t, "GET", base+strconv.Itoa(i)+".m4s")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "video/iso.segment" {
			t.Errorf("piece %d: %s", i, resp.Status)
		}
		all += piece
	}
	if !bytes.HasPrefix(film, []byte(all)) || len(film)-len(all) > 2000 { // behind it there is an index
		t.Errorf("got %d bytes of film, want those %d that came in", len(all), len(film))
	}
	for _, name := range []string{"99.m4s", "-1.m4s", "00.m4s", "x", ".m4s", "film.mp4"} {
		if resp, _ := ask(t, "GET", base+name); resp.StatusCode != 404 {
			t.Errorf("%s: got %s, want 404", name, resp.Status)
		}
	}
}

// Real players play it: here that of ffmpeg.
func TestAPlayerPlaysIt(t *testing.T) {
	s, err := mediaserver.NewStream(io.NopCloser(bytes.NewReader(fragmented(t, h264))), mediaserver.StreamConfig{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server := start(t, s, loopback)
	out, err := exec.Command("ffprobe", "-v", "error", "-count_packets", "-select_streams", "v",
		"-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", server.URL()).CombinedOutput()
	if got := strings.Fields(string(out)); err != nil || len(got) == 0 || got[0] != "100" {
		t.Errorf("got %q, %v, want 100 pictures", out, err)
	}
}

func TestAStreamWithoutPictures(t *testing.T) {
	s, err := mediaserver.NewStream(io.NopCloser(bytes.NewReader(fragmented(t, "-map 1 -c:a aac"))), mediaserver.StreamConfig{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server := start(t, s, loopback)
	if _, list := ask(t, "GET", strings.Replace(server.URL(), "film.m3u8", "pieces.m3u8", 1)); total(list) < 4 {
		t.Errorf("got\n%s", list)
	}
}

// A stalled reader gives a piece of a stream and no more.
type stalled struct {
	io.Reader
	over chan struct{}
}

func (s stalled) Read(p []byte) (int, error) {
	if n, _ := s.Reader.Read(p); n > 0 {
		return n, nil
	}
	<-s.over
	return 0, io.ErrClosedPipe
}

func (s stalled) Close() error {
	close(s.over)
	return nil
}

func TestAStreamThatIsNotReady(t *testing.T) {
	film := fragmented(t, h264)
	for name, b := range map[string][]byte{"nothing": nil, "half a header": film[:100], "half a piece": film[:5000]} {
		s, err := mediaserver.NewStream(stalled{bytes.NewReader(b), make(chan struct{})}, mediaserver.StreamConfig{Folder: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := s.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want it not to be ready in time", name, err)
		}
		cancel()
		s.Close()
	}
}

var errConverter = errors.New("the converter broke down")

type failing struct{ io.Reader }

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = errConverter
	}
	return n, err
}
func (failing) Close() error { return nil }

func TestAStreamThatBreaksDown(t *testing.T) {
	dir := t.TempDir()
	s, err := mediaserver.NewStream(failing{strings.NewReader("")}, mediaserver.StreamConfig{Folder: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); !errors.Is(err, errConverter) {
		t.Errorf("got %v, want the converter's error", err)
	}
	server := start(t, s, loopback)
	if resp, _ := ask(t, "GET", server.URL()); resp.StatusCode != 503 || !errors.Is(server.Err(), errConverter) {
		t.Errorf("got %s, %v", resp.Status, server.Err())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
	if _, err := mediaserver.NewStream(failing{strings.NewReader("")}, mediaserver.StreamConfig{Folder: filepath.Join(dir, "none")}); err == nil {
		t.Error("a folder that is not there was taken")
	}
}

func TestAStreamIsBounded(t *testing.T) {
	film := fragmented(t, h264)
	s, err := mediaserver.NewStream(io.NopCloser(bytes.NewReader(film)), mediaserver.StreamConfig{Folder: t.TempDir(), Most: int64(len(film) * 3 / 4)})
	if err != nil {
		t.Fatal(err)
	}
	server := start(t, s, loopback)
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	var list string
	for range 100 {
		if _, list = ask(t, "GET", strings.Replace(server.URL(), "film.m3u8", "pieces.m3u8", 1)); strings.Contains(list, "ENDLIST") {
			break
		}
	}
	if got := total(list); got > 9 || server.Err() == nil {
		t.Errorf("got %v s and %v, want less than all, and why", got, server.Err())
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x08ftyp\x00\x00\x00\x10moov\x00\x00\x00\x08trak\x00\x00\x00\x18moof\x00\x00\x00\x10traf\x00\x00\x00\x08trun\x00\x00\x00\x08mdat"))
	f.Add([]byte("\x00\x00\x00\x5cmoov\x00\x00\x00\x54trak\x00\x00\x00\x4cmdia\x00\x00\x00\x20mdhd" + strings.Repeat("\x00\x00\x00\x01", 6) + "\x00\x00\x00\x24minf\x00\x00\x00\x1cstbl\x00\x00\x00\x14stsd" + strings.Repeat("\x00", 12)))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := mediaserver.NewStream(io.NopCloser(bytes.NewReader(b)), mediaserver.StreamConfig{Folder: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Ready(t.Context()); err == nil && !bytes.Contains(b, []byte("moov")) {
			t.Errorf("%q is a film", b)
		}
	})
}

package audio_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/internal/audiotest"
)

func open(t testing.TB, location string) audio.Track {
	t.Helper()
	track, err := audio.Open(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { track.Close() })
	return track
}

func TestAFileIsHeardBitForBit(t *testing.T) {
	want := noise(100_001)
	track := open(t, write(t, "noise.wav", wave(44100, want)))
	if got, want := track.Format, (audio.Format{Container: "wav", Codec: "pcm", Rate: 44100, Bits: 16, Channels: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := track.Tags.Duration, 100_001*time.Second/44100; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if track.Live || track.Titles != nil || track.Rate() != 44100 {
		t.Errorf("got live %v, titles %v, rate %d", track.Live, track.Titles, track.Rate())
	}
	same(t, "from the beginning", hear(t, track), want)
	b := track.Source.(*audio.Buffer)
	if !track.Seekable() || b.Len() != 100_001 {
		t.Fatalf("got seekable %v, length %d", track.Seekable(), b.Len())
	}
	for _, n := range []int{5, 99_999, 0} {
		if err := b.SeekFrame(int64(n)); err != nil {
			t.Fatal(err)
		}
		same(t, "sought", hear(t, track), want[2*n:])
	}
}

func TestOtherRatesAreSoughtToTheFrame(t *testing.T) {
	track := open(t, write(t, "noise.wav", wave(48000, noise(48000))))
	b := track.Source.(*audio.Buffer)
	if b.Len() != 44100 || track.Format.Rate != 48000 {
		t.Errorf("got a length of %d", b.Len())
	}
	read := func() []audio.Frame { return drink(t, b, 352) }
	want := read()
	if err := b.SeekFrame(12345); err != nil {
		t.Fatal(err)
	}
	got := read()
	if len(got) != len(want)-12345 || got[0] != want[12345] || got[len(got)-1] != want[len(want)-1] {
		t.Errorf("got %d other frames", len(got))
	}
}

func TestWhatIsNoSoundSaysWhatItIs(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo.wav")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ location, want string }{
		{dir, "a folder"},
		{fifo, "not a file"},
		{"/dev/zero", "not a file"},
		{write(t, "empty.mp3", nil), "empty"},
		{write(t, "page.mp3", []byte("<!doctype html><html>")), "an HTML page, not a sound: is this the address of a web page?"},
		{write(t, "diary.wav", []byte("dear diary")), "a text"},
		{write(t, "cut.wav", wave(44100, noise(10))[:30]), "damaged"},
		{write(t, "none.wav", wave(44100, nil)), "without a single frame"},
		{write(t, "slow.wav", wave(7, noise(10))), "7 frames per second"},
		{write(t, "fast.wav", wave(300_000_000, noise(10))), "300000000 frames"},
		{write(t, "noise.bin", bytes.Repeat([]byte{1, 2, 3, 0xff}, 50000)), "not a format that is known"},
		{write(t, "tag.mp3", id3(100_000)), ""},
		{write(t, "adpcm.wav", append([]byte("RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x02\x00"), wave(44100, noise(10))[22:]...)), "of a kind that is not decoded: convert it"},
		{"ftp://host/x.mp3", "neither http nor https"},
		{"file:///etc/passwd", "neither http nor https"},
	} {
		start := time.Now()
		track, err := audio.Open(t.Context(), c.location)
		if !errors.Is(err, audio.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.location, err, c.want)
		}
		if track.Source != nil {
			t.Errorf("%s: got a track", c.location)
		}
		if time.Since(start) > 5*time.Second {
			t.Errorf("%s: took %v", c.location, time.Since(start))
		}
	}
	for _, location := range []string{"", "/none/such.wav", dir + "/none.wav"} {
		if _, err := audio.Open(t.Context(), location); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: got %v, want ErrNotExist", location, err)
		}
	}
}

func TestALongTagInFrontHidesNothing(t *testing.T) {
	want := noise(10_000)
	audiotest.Need(t, "flac")
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/in.wav", wave(44100, want), 0o644); err != nil {
		t.Fatal(err)
	}
	audiotest.Run(t, dir, "flac -s -o a.flac in.wav")
	b, err := os.ReadFile(dir + "/a.flac")
	if err != nil {
		t.Fatal(err)
	}
	b = append(id3(200_000), b...)
	same(t, "file", hear(t, open(t, write(t, "a.mp3", b))), want)
	var o audio.Opener
	track, err := o.OpenReader(t.Context(), io.NopCloser(bytes.NewBuffer(b)), "a.flac")
	if err != nil {
		t.Fatal(err)
	}
	defer track.Close()
	same(t, "pipe", hear(t, track), want)
}

func TestNamesDoNotMatter(t *testing.T) {
	want := noise(1000)
	same(t, "called mp3", hear(t, open(t, write(t, "x.mp3", wave(44100, want)))), want)
	same(t, "called html", hear(t, open(t, write(t, "x.html", wave(44100, want)))), want)
	same(t, "called nothing", hear(t, open(t, write(t, "x", wave(44100, want)))), want)
}

// closer tells that it was closed.
type closer struct {
	io.Reader
	closed atomic.Bool
}

func (c *closer) Close() error {
	c.closed.Store(true)
	return nil
}

func TestAReaderIsTakenOver(t *testing.T) {
	var o audio.Opener
	want := noise(10_000)
	c := &closer{Reader: bytes.NewBuffer(wave(44100, want))}
	track, err := o.OpenReader(t.Context(), c, "a pipe")
	if err != nil {
		t.Fatal(err)
	}
	if track.Seekable() {
		t.Error("got a seekable track of a pipe")
	}
	if err := track.Source.(*audio.Buffer).SeekFrame(0); !errors.Is(err, audio.ErrNotSeekable) {
		t.Errorf("got %v, want ErrNotSeekable", err)
	}
	same(t, "pipe", hear(t, track), want)
	if track.Close(); !c.closed.Load() {
		t.Error("the reader was not closed with the track")
	}
	c = &closer{Reader: strings.NewReader("no sound")}
	if _, err := o.OpenReader(t.Context(), c, "a pipe"); !errors.Is(err, audio.ErrUnsupported) || !strings.Contains(err.Error(), "a pipe") {
		t.Errorf("got %v", err)
	}
	if !c.closed.Load() {
		t.Error("the reader was not closed after the error")
	}
}

// seekable hides nothing of a bytes.Reader and can be closed.
type seekableReader struct{ *bytes.Reader }

func (seekableReader) Close() error { return nil }

func TestASeekableReaderBeginsWhereItStands(t *testing.T) {
	want := noise(10_000)
	r := bytes.NewReader(append([]byte("in front: "), wave(44100, want)...))
	r.Seek(10, io.SeekStart)
	var o audio.Opener
	track, err := o.OpenReader(t.Context(), seekableReader{r}, "memory")
	if err != nil {
		t.Fatal(err)
	}
	defer track.Close()
	same(t, "from the beginning", hear(t, track), want)
	if err := track.Source.(*audio.Buffer).SeekFrame(7000); err != nil {
		t.Fatal(err)
	}
	same(t, "sought", hear(t, track), want[14000:])
}

// stuck is a reader that neither reads nor notices that it is closed.
type stuck struct{ release chan struct{} }

func (s stuck) Read([]byte) (int, error) { <-s.release; return 0, io.EOF }
func (s stuck) Close() error             { return nil }

func TestAReaderThatNeverReturnsHoldsNobodyUp(t *testing.T) {
	s := stuck{make(chan struct{})}
	defer close(s.release)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	var o audio.Opener
	if _, err := o.OpenReader(ctx, s, "stuck"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	header := io.MultiReader(bytes.NewReader(wave(44100, noise(5000))[:10000]), s)
	track, err := o.OpenReader(t.Context(), struct {
		io.Reader
		io.Closer
	}{header, s}, "stuck later")
	if err != nil {
		t.Fatal(err)
	}
	track.Close()
}

// wild is a reader that panics, or breaks the rules.
type wild struct {
	io.Reader
	panics bool
}

func (w wild) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err == io.EOF && w.panics {
		panic("wild")
	}
	if err == io.EOF {
		return 0, errors.New("torn")
	}
	return n, err
}

func (w wild) Close() error { return nil }

func TestReadersMayFail(t *testing.T) {
	file := wave(44100, noise(5000))
	for _, panics := range []bool{true, false} {
		for _, cut := range []int{0, 10, 44, 10000} {
			var o audio.Opener
			track, err := o.OpenReader(t.Context(), wild{bytes.NewReader(file[:cut]), panics}, "wild")
			if cut < 1000 {
				if err == nil || errors.Is(err, audio.ErrUnsupported) {
					t.Errorf("after %d bytes: got %v", cut, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			got, why := hearUntil(t, track)
			if len(got) != (10000-44)/2 || why == io.EOF {
				t.Errorf("got %d samples and %v", len(got), why)
			}
			track.Close()
		}
	}
}

func TestPlaylistsOfFilesAreFollowedInTheirFolder(t *testing.T) {
	want := noise(500)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"songs/tune.wav": string(wave(44100, want)),
		"secret.wav":     string(wave(44100, want)),
		"songs/good.m3u": "#EXTM3U\n#EXTINF:1,x\ntune.wav\n",
		"songs/win.m3u8": "\ufeff.\\tune.wav\r\n",
		"deep.m3u":       "songs/good.m3u\n",
		"songs/good.pls": "[playlist]\nFile1=tune.wav\n",
		"songs/up.m3u":   "../secret.wav\n",
		"songs/abs.m3u":  dir + "/secret.wav\n",
		"songs/link.m3u": "link.wav\n",
		"songs/self.m3u": "self.m3u\n",
		"songs/none.m3u": "none.wav\n",
		"songs/void.m3u": "#EXTM3U\n",
		"songs/fifo.m3u": "fifo\n",
		"songs/dir.m3u":  ".\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(dir+"/secret.wav", dir+"/songs/link.wav"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(dir+"/songs/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"songs/good.m3u", "songs/win.m3u8", "deep.m3u", "songs/good.pls"} {
		same(t, name, hear(t, open(t, filepath.Join(dir, name))), want)
	}
	for _, name := range []string{"up", "abs", "link", "self", "none", "void", "fifo", "dir"} {
		if _, err := audio.Open(t.Context(), dir+"/songs/"+name+".m3u"); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if _, err := audio.Open(t.Context(), dir+"/songs/none.m3u"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
	var o audio.Opener
	list := io.NopCloser(strings.NewReader("#EXTM3U\n/etc/passwd\n"))
	if _, err := o.OpenReader(t.Context(), list, "list"); !errors.Is(err, audio.ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
}

func TestStandardInputIsAPipeOrAFile(t *testing.T) {
	want := noise(50_000)
	file := wave(44100, want)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		w.Write(file)
		w.Close()
	}()
	var o audio.Opener
	track, err := audio.OpenStdin(t.Context(), &o, r)
	if err != nil {
		t.Fatal(err)
	}
	if track.Seekable() {
		t.Error("got a seekable pipe")
	}
	same(t, "pipe", hear(t, track), want)
	track.Close()

	f, err := os.Open(write(t, "x.wav", file))
	if err != nil {
		t.Fatal(err)
	}
	if track, err = audio.OpenStdin(t.Context(), &o, f); err != nil {
		t.Fatal(err)
	}
	defer track.Close()
	if !track.Seekable() {
		t.Error("got a file that is not seekable")
	}
	same(t, "file", hear(t, track), want)
}

func TestATrackIsClosedTwiceAndInTheMiddle(t *testing.T) {
	track := open(t, write(t, "x.wav", wave(48000, noise(500_000))))
	track.Read(make([]audio.Frame, 100))
	for range 2 {
		if err := track.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := track.Read(make([]audio.Frame, 100)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestOpeningEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := audio.Open(ctx, write(t, "x.wav", wave(44100, noise(10)))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	track, err := audio.Open(ctx, write(t, "x.wav", wave(44100, noise(500_000))))
	if err != nil {
		t.Fatal(err)
	}
	defer track.Close()
	cancel() // bounds the opening, not the track
	if got := hear(t, track); len(got) != 1_000_000 {
		t.Errorf("got %d samples", len(got))
	}
}

func ExampleOpen() {
	track, err := audio.Open(context.Background(), "testdata/none.mp3")
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		return
	}
	defer track.Close()
	frames := make([]audio.Frame, 352)
	_, _ = track.Read(frames)
	// Output: audio: open testdata/none.mp3: no such file or directory
}

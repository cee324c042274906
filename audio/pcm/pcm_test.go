//go:build unix

package pcm_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"airplay2mqtt/audio/pcm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type frames = [][2]float32

// samples are the bytes of samples of 16 bits.
func samples(values ...int16) string {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return string(b)
}

var (
	sound = samples(0x4000, -0x8000, 0x7fff, 1)
	heard = frames{{0.5, -1}, {32767. / 32768, 1. / 32768}}
)

func decoder(t *testing.T, r io.Reader, f pcm.Format) *pcm.Decoder {
	t.Helper()
	d, err := pcm.NewDecoder(r, f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func read(t *testing.T, d *pcm.Decoder, n int) frames {
	t.Helper()
	got := make(frames, 0, n)
	for len(got) < n {
		k, err := d.Read(got[len(got):n])
		if err != nil {
			t.Fatalf("after %d frames: %v", len(got), err)
		}
		got = got[:len(got)+k]
	}
	return got
}

func open(t *testing.T, location string, cfg pcm.Config) (io.ReadCloser, *pcm.Decoder) {
	t.Helper()
	l, err := pcm.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, decoder(t, r, l.Format)
}

func TestSamplesBecomeFrames(t *testing.T) {
	near := cmp.Comparer(func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-7 })
	for _, tt := range []struct {
		name   string
		format pcm.Format
		bytes  string
		want   frames
	}{
		{"stereo", pcm.Format{}, sound, heard},
		{"mono", pcm.Format{Channels: 1}, sound[:4], frames{{0.5, 0.5}, {-1, -1}}},
		{"5.1", pcm.Format{Channels: 6}, samples(0x4000, -0x4000, 0, 0x7fff, 0, 0), frames{{0.20710677, -0.20710677}}},
		{"half a frame at the end", pcm.Format{}, sound + "abc", heard},
		{"nothing", pcm.Format{}, "", nil},
		{"less than a frame", pcm.Format{}, "abc", nil},
	} {
		for _, r := range []io.Reader{strings.NewReader(tt.bytes), iotest.OneByteReader(strings.NewReader(tt.bytes)), iotest.DataErrReader(strings.NewReader(tt.bytes))} {
			d := decoder(t, r, tt.format)
			var got frames
			var err error
			for buf := make(frames, 3); err == nil; {
				var n int
				n, err = d.Read(buf)
				got = append(got, buf[:n]...)
			}
			if diff := cmp.Diff(tt.want, got, near); diff != "" || err != io.EOF {
				t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
			}
		}
	}
}

func TestTheDecoderIsALiveOne(t *testing.T) {
	d := decoder(t, strings.NewReader(""), pcm.Format{Rate: 48000})
	if d.Rate() != 48000 || d.Channels() != 2 || d.Bits() != 16 || d.Codec() != "pcm" || d.Len() != -1 || d.Seekable() || d.Tags().Title != "" {
		t.Errorf("got %d, %d channels, %d bits, %s, length %d, seekable %v", d.Rate(), d.Channels(), d.Bits(), d.Codec(), d.Len(), d.Seekable())
	}
	if err := d.SeekFrame(0); !errors.Is(err, pcm.ErrNotSeekable) {
		t.Errorf("got %v, want ErrNotSeekable", err)
	}
	if n, err := d.Read(nil); n != 0 || err != nil {
		t.Errorf("reading into nothing: got %d, %v", n, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for _, f := range []pcm.Format{{Rate: 1}, {Channels: 9}, {Channels: -1}, {Rate: 1 << 30}} {
		if _, err := pcm.NewDecoder(strings.NewReader(""), f); err == nil {
			t.Errorf("%+v was accepted", f)
		}
	}
}

func TestAnErrorOfTheReaderComesBehindItsFrames(t *testing.T) {
	lost := errors.New("the line is dead")
	d := decoder(t, io.MultiReader(strings.NewReader(sound+"x"), iotest.ErrReader(lost)), pcm.Format{})
	if got := read(t, d, 2); !cmp.Equal(got, heard) {
		t.Errorf("got %v, want %v", got, heard)
	}
	if n, err := d.Read(make(frames, 3)); n != 0 || !errors.Is(err, lost) {
		t.Errorf("got %d frames, %v; want %v", n, err, lost)
	}
}

func TestReadingDoesNotAllocate(t *testing.T) {
	d := decoder(t, zeros{}, pcm.Format{})
	buf := make(frames, 352)
	if got := testing.AllocsPerRun(50, func() { d.Read(buf) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAServerIsConnectedTo(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		address, location := "127.0.0.1:0", ""
		if network == "unix" {
			address = filepath.Join(t.TempDir(), "socket")
			location = "pcm+unix:" + address
		}
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if location == "" {
			location = "pcm+tcp://" + l.Addr().String()
		}
		_, d := open(t, location, pcm.Config{})
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, sound[:3]) // a frame comes in two pieces
		go func() {
			io.WriteString(c, sound[3:]+"x")
			c.Close()
		}()
		if got := read(t, d, 2); !cmp.Equal(got, heard) {
			t.Errorf("%s: got %v, want %v", network, got, heard)
		}
		if n, err := d.Read(make(frames, 1)); n != 0 || err != io.EOF {
			t.Errorf("%s: behind the end: got %d frames, %v; want io.EOF", network, n, err)
		}
	}
}

func TestThePolicyIsAsked(t *testing.T) {
	no := errors.New("not this one")
	dir := t.TempDir()
	fifo := makeFIFO(t, filepath.Join(dir, "fifo"))
	if err := os.Symlink(fifo, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	var asked []string
	cfg := pcm.Config{
		DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			asked = append(asked, network+" "+address)
			return nil, no
		},
		AllowPath: func(path string) error {
			asked = append(asked, path)
			return no
		},
	}
	for _, location := range []string{"pcm+tcp://169.254.169.254:80", "pcm:" + filepath.Join(dir, "link"), "pcm+unix:" + fifo} {
		l, err := pcm.Parse(location)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Open(t.Context(), cfg); !errors.Is(err, no) {
			t.Errorf("%s: got %v, want the refusal", location, err)
		}
	}
	if want := []string{"tcp 169.254.169.254:80", fifo, fifo}; !cmp.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
}

func TestWhatIsNotThereCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	os.WriteFile(file, []byte(sound), 0o600)
	fifo := makeFIFO(t, filepath.Join(dir, "fifo"))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		ctx  context.Context
		l    pcm.Location
		want error
	}{
		{t.Context(), pcm.Location{Kind: pcm.FIFO, Address: filepath.Join(dir, "none")}, fs.ErrNotExist},
		{t.Context(), pcm.Location{Kind: pcm.FIFO, Address: file}, fs.ErrInvalid},
		{t.Context(), pcm.Location{Kind: pcm.FIFO, Address: dir}, fs.ErrInvalid},
		{t.Context(), pcm.Location{Kind: pcm.FIFO, Address: "/dev/zero"}, fs.ErrInvalid},
		{t.Context(), pcm.Location{Kind: pcm.Unix, Address: filepath.Join(dir, "none")}, fs.ErrNotExist},
		{t.Context(), pcm.Location{Kind: pcm.Unix, Address: fifo}, fs.ErrInvalid},
		{t.Context(), pcm.Location{Kind: "udp", Address: "x"}, pcm.ErrLocation},
		{t.Context(), pcm.Location{Kind: pcm.FIFO, Address: fifo, Format: pcm.Format{Rate: 1}}, pcm.ErrLocation},
		{cancelled, pcm.Location{Kind: pcm.FIFO, Address: fifo}, context.Canceled},
		{cancelled, pcm.Location{Kind: pcm.TCP, Address: "127.0.0.1:1"}, context.Canceled},
	} {
		r, err := tt.l.Open(tt.ctx, pcm.Config{})
		if err == nil {
			r.Close()
		}
		// A dialler has an error of its own for what was cancelled.
		if !errors.Is(err, tt.want) && !(tt.want == context.Canceled && strings.Contains(err.Error(), "canceled")) {
			t.Errorf("%v: got %v, want %v", tt.l, err, tt.want)
		}
	}
}

func makeFIFO(t *testing.T, path string) string {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// writer opens a fifo that is being read, and writes to it.
func writer(t *testing.T, path, data string) *os.File {
	t.Helper()
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWritersOfAFIFOComeAndGo(t *testing.T) {
	path := makeFIFO(t, filepath.Join(t.TempDir(), "fifo"))
	_, d := open(t, "pcm:"+path, pcm.Config{})
	for range 3 {
		w := writer(t, path, sound)
		if got := read(t, d, 2); !cmp.Equal(got, heard) {
			t.Errorf("got %v, want %v", got, heard)
		}
		io.WriteString(w, sound)
		if got := read(t, d, 2); !cmp.Equal(got, heard) {
			t.Errorf("got %v, want %v", got, heard)
		}
		w.Close()
	}
}

func TestAFrameThatWasNotWrittenWholeShiftsNothing(t *testing.T) {
	path := makeFIFO(t, filepath.Join(t.TempDir(), "fifo"))
	_, d := open(t, "pcm:"+path, pcm.Config{})
	for n := 1; n < 4; n++ {
		writer(t, path, sound[:n]).Close()
		unfinished := read(t, d, 1)[0]
		if n == 2 && unfinished != [2]float32{0.5, 0} {
			t.Errorf("got %v, want the first sample and silence", unfinished)
		}
		w := writer(t, path, sound)
		if got := read(t, d, 2); !cmp.Equal(got, heard) {
			t.Errorf("behind %d bytes: got %v, want %v", n, got, heard)
		}
		w.Close()
	}
}

func TestAFIFOThatIsReplacedIsFollowed(t *testing.T) {
	path := makeFIFO(t, filepath.Join(t.TempDir(), "fifo"))
	_, d := open(t, "pcm:"+path, pcm.Config{})
	w := writer(t, path, sound)
	read(t, d, 2)
	os.Remove(path)
	w.Close()
	makeFIFO(t, path)
	done := make(chan *os.File)
	go func() {
		w, _ := os.OpenFile(path, os.O_WRONLY, 0) // waits for a reader
		io.WriteString(w, sound)
		done <- w
	}()
	if got := read(t, d, 2); !cmp.Equal(got, heard) {
		t.Errorf("got %v, want %v", got, heard)
	}
	(<-done).Close()
}

func TestAFileInPlaceOfAFIFOIsNotRead(t *testing.T) {
	path := makeFIFO(t, filepath.Join(t.TempDir(), "fifo"))
	_, d := open(t, "pcm:"+path, pcm.Config{})
	os.Remove(path)
	if err := os.WriteFile(path, []byte(sound), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Read(make(frames, 1)); n != 0 || !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("got %d frames, %v; want ErrInvalid", n, err)
	}
}

func TestCloseEndsAReadThatWaits(t *testing.T) {
	path := makeFIFO(t, filepath.Join(t.TempDir(), "fifo"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, tt := range map[string]struct {
		location string
		writer   bool
	}{
		"without a writer": {"pcm:" + path, false},
		"with a writer":    {"pcm:" + path, true},
		"a server":         {"pcm+tcp://" + l.Addr().String(), false},
	} {
		r, d := open(t, tt.location, pcm.Config{})
		if tt.writer {
			w := writer(t, path, sound)
			defer w.Close()
			read(t, d, 2)
		}
		got := make(chan error)
		go func() {
			_, err := d.Read(make(frames, 1))
			got <- err
		}()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := <-got; !errors.Is(err, fs.ErrClosed) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", name, err)
		}
		if _, err := d.Read(make(frames, 1)); err == nil {
			t.Errorf("%s: a read after Close is no error", name)
		}
		r.Close() // may be called again
	}
}

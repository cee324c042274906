package mp3_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/mp3"
)

var broken = map[string][]byte{
	"nothing":              nil,
	"a text":               []byte(strings.Repeat("This is not a sound at all. ", 1000)),
	"zeros":                make([]byte, 100000),
	"ones":                 bytes.Repeat([]byte{0xff}, 100000),
	"noise":                noise(300000),
	"half a frame":         silent(0xfffb9064, 30),
	"a tag of 256 MiB":     []byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7fTI"),
	"a tag and nothing":    id3("Title", 10),
	"an APE tag of 4 GiB":  append([]byte("APETAGEX\xd0\x07\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\xa0"), make([]byte, 100)...),
	"an ID3v1 tag only":    id3v1("Me"),
	"headers without size": bytes.Repeat([]byte{0xff, 0xfb, 0x00, 0x64}, 5000),
}

func TestWhatIsBrokenIsRefused(t *testing.T) {
	for name, b := range broken {
		for _, r := range []io.Reader{bytes.NewReader(b), audiotest.Pipe(bytes.NewReader(b))} {
			if _, err := mp3.NewDecoder(r); !errors.Is(err, mp3.ErrFormat) && !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: got %v, want ErrFormat", name, err)
			}
		}
	}
}

func TestAHostileHeaderTakesNoMemory(t *testing.T) {
	for name, b := range broken {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		mp3.NewDecoder(audiotest.Pipe(bytes.NewReader(b)))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
}

// repeat never ends.
type repeat struct{ b []byte }

func (r repeat) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], r.b)
	}
	return n, nil
}

func TestEndlessGarbageEnds(t *testing.T) {
	for name, b := range map[string][]byte{"zeros": make([]byte, 4096), "ones": {0xff}, "tags": id3("", 64<<10)} {
		_, err := mp3.NewDecoder(audiotest.Pipe(repeat{b}))
		if !errors.Is(err, mp3.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
		d := decode(t, audiotest.Pipe(io.MultiReader(bytes.NewReader(joint), repeat{b})))
		for err = nil; err == nil; {
			_, err = d.Read(make(frames, 1000))
		}
		if !errors.Is(err, mp3.ErrFormat) {
			t.Errorf("%s behind frames: got %v, want ErrFormat", name, err)
		}
	}
}

func TestAReadThatFailsIsReported(t *testing.T) {
	lost := errors.New("the line is dead")
	for n := 0; n < len(joint); n += 97 {
		d, err := mp3.NewDecoder(io.MultiReader(bytes.NewReader(joint[:n]), iotest.ErrReader(lost)))
		for err == nil {
			_, err = d.Read(make(frames, 1000))
		}
		if !errors.Is(err, lost) {
			t.Fatalf("after %d bytes: got %v, want %v", n, err, lost)
		}
	}
}

// stalled returns neither bytes nor an error.
type stalled struct{}

func (stalled) Read([]byte) (int, error) { return 0, nil }

func TestAReaderThatGivesNothingIsLeft(t *testing.T) {
	if _, err := mp3.NewDecoder(stalled{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v, want io.ErrNoProgress", err)
	}
}

func TestAPipeCannotSeek(t *testing.T) {
	d := decode(t, audiotest.Pipe(bytes.NewReader(joint)))
	if err := d.SeekFrame(0); !errors.Is(err, mp3.ErrNotSeekable) || d.Seekable() {
		t.Errorf("got %v, want ErrNotSeekable", err)
	}
	if err := decode(t, bytes.NewReader(joint)).SeekFrame(-1); err == nil {
		t.Error("a seek to frame -1 was accepted")
	}
}

func TestNothingIsReadBehindClose(t *testing.T) {
	d := decode(t, bytes.NewReader(joint))
	for range 2 {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := d.Read(make(frames, 1)); n != 0 || err != io.EOF {
		t.Errorf("got %d, %v; want io.EOF", n, err)
	}
}

// A file may begin in the middle of a reader.
func TestPositionsCountFromWhereTheReaderStood(t *testing.T) {
	want := all(t, joint)
	r := bytes.NewReader(join(noise(1000), joint))
	r.Seek(1000, io.SeekStart)
	d := decode(t, r)
	audiotest.ReadAll(t, d, 1000)
	if err := d.SeekFrame(0); err != nil {
		t.Fatal(err)
	}
	if got := audiotest.ReadAll(t, d, 1000); !equal(got, want) {
		t.Errorf("got %d other frames, want %d", len(got), len(want))
	}
}

// Damage inside frames costs these, not the time they take.
func TestDamagedFramesKeepTheirTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	at := offsets(joint)
	for range 30 {
		b := bytes.Clone(joint)
		for range 20 {
			i := at[1+rng.IntN(len(at)-2)] + 4 + rng.IntN(80)
			b[i] = byte(rng.Uint32())
		}
		if got := len(all(t, b)); got != 35280 {
			t.Fatalf("got %d frames, want 35280", got)
		}
	}
}

func TestMutatedFilesNeverPanic(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, file := range [][]byte{join(id3("Title", 30), joint), low, join(low[:500], joint[:2000], low)} {
		for range 30 {
			b := audiotest.Damage(rng, file, len(file), 30)
			drain(b[:1+rng.IntN(len(b))])
		}
	}
}

// drain decodes what it can in every way.
func drain(b []byte) { audiotest.Try(b, 1<<20, mp3.NewDecoder, nil) }

func FuzzDecoder(f *testing.F) {
	f.Add(joint[:2000])
	f.Add(low[:1000])
	f.Add(join(id3("Title", 10), joint[:1000], id3v1("Me")))
	f.Add(join(low[:300], joint[:1500]))
	f.Add(silent(0xfffb9064, 417))
	f.Add(silent(0xffe318c4, 96))
	for _, b := range broken {
		f.Add(b[:min(len(b), 2000)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 1<<16 {
			drain(b)
		}
	})
}

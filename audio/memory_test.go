package audio_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/audio"
)

// perStream is how much memory a stream may take, whatever it is fed.
const perStream = 64 << 20

// childOf names the input that a child process of this test decodes.
const childOf = "AUDIO_TEST_HOSTILE"

// hostile inputs: each gives its bytes, from which there may be no end.
var hostile = map[string]func() io.Reader{
	"a sound like any": func() io.Reader { return bytes.NewReader(wave(44100, noise(44100))) },
	"zero bytes":       func() io.Reader { return bytes.NewReader(nil) },
	"zeros for ever":   func() io.Reader { return endless([]byte{0}) },
	"garbage for ever": func() io.Reader { return garbage() },
	"12 bytes that ask for 256 MB": func() io.Reader {
		return bytes.NewReader([]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f\xff\xfb"))
	},
	"an ID3 tag of 256 MB": func() io.Reader {
		return io.MultiReader(strings.NewReader("ID3\x04\x00\x00\x7f\x7f\x7f\x7f"), endless(zeros))
	},
	"an ID3 picture of 4 GB": func() io.Reader {
		return io.MultiReader(strings.NewReader("ID3\x03\x00\x00\x7f\x7f\x7f\x7fAPIC\xff\xff\xff\xff\x00\x00"), endless([]byte{1}))
	},
	"a WAV of 4 GB chunks": func() io.Reader {
		return io.MultiReader(strings.NewReader("RIFF\xff\xff\xff\xffWAVELIST\xff\xff\xff\xffINFO"), endless([]byte{2}))
	},
	"a WAV without end": func() io.Reader {
		return io.MultiReader(bytes.NewReader(waveHeader(192000, 0xffffffff)), endless(zeros))
	},
	"an AIFF of 4 GB chunks": func() io.Reader {
		return io.MultiReader(strings.NewReader("FORM\xff\xff\xff\xffAIFFCOMM\xff\xff\xff\xff"), endless([]byte{3}))
	},
	"a FLAC picture of 16 MB, often": func() io.Reader {
		return io.MultiReader(strings.NewReader("fLaC\x00\x00\x00\x22"+flacInfo), &pictures{})
	},
	"FLAC comments that count to 4 G": func() io.Reader {
		return io.MultiReader(strings.NewReader("fLaC\x00\x00\x00\x22"+flacInfo+"\x04\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f"), endless([]byte{4}))
	},
	"an Ogg packet without end": func() io.Reader { return endless(oggPage("\x01vorbis")) },
	"Vorbis headers for 30 GB": func() io.Reader {
		return bytes.NewReader(slices.Concat(oggPage(vorbisHead), oggPage("\x03vorbis\xff\xff\xff\x7f\xff\xff\xff\x7f"), oggPage("\x05vorbis\xffBCV\xff\xff\xff\xff\xff\xff\xff\xff")))
	},
	"Opus of 255 channels": func() io.Reader {
		return endless(oggPage("OpusHead\x01\xff\x00\x00\x80\xbb\x00\x00\x00\x00\x01\xff\x01"))
	},
	"MP3 frames for ever":      func() io.Reader { return endless(mp3Frames(3)) },
	"MP3 frames among garbage": func() io.Reader { return io.MultiReader(bytes.NewReader(mp3Frames(3)), garbage()) },
	"a playlist without end":   func() io.Reader { return io.MultiReader(strings.NewReader("#EXTM3U\n"), endless([]byte("x\n"))) },
	"a line without end":       func() io.Reader { return io.MultiReader(strings.NewReader("#EXTM3U\n"), endless([]byte("x"))) },
	"XML without end": func() io.Reader {
		return io.MultiReader(strings.NewReader("<?xml version=\"1.0\"?><playlist>"), endless([]byte("<a>")))
	},
	"an MP4 that begins for ever": func() io.Reader {
		return io.MultiReader(strings.NewReader("\x00\x00\x00\x20ftypM4A \x00\x00\x00\x00M4A mp42isom\x00\x00\x00\x00\xff\xff\xff\xffmoov"), endless(zeros))
	},
}

const flacInfo = "\x10\x00\x10\x00\x00\x00\x00\x00\x00\x00\x0a\xc4\x42\xf0\x00\x00\x00\x00" + "0123456789abcdef"

const vorbisHead = "\x01vorbis\x00\x00\x00\x00\x02\x44\xac\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "\xb8\x01"

// oggPage is a page with a wrong sum, as is found in the wild.
func oggPage(packet string) []byte {
	b := append([]byte("OggS\x00\x02"), make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, 7)
	b = append(b, make([]byte, 8)...)
	b = append(b, 1, byte(len(packet)))
	b = append(b, packet...)
	binary.LittleEndian.PutUint32(b[22:], oggSum(b))
	return b
}

// oggSum is the CRC of a page, with polynomial 0x04c11db7.
func oggSum(b []byte) (sum uint32) {
	for _, c := range b {
		sum ^= uint32(c) << 24
		for range 8 {
			if sum&(1<<31) != 0 {
				sum = sum<<1 ^ 0x04c11db7
				continue
			}
			sum <<= 1
		}
	}
	return sum
}

// repeated gives the same bytes for ever.
type repeated struct {
	block []byte
	at    int
}

func endless(block []byte) io.Reader {
	for len(block) < 4096 {
		block = append(slices.Clip(block), block...)
	}
	return &repeated{block: block}
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// pictures gives FLAC blocks of 16 MB for ever.
type pictures struct{ at int }

func (b *pictures) Read(p []byte) (int, error) {
	const head, size = "\x06\xff\xff\xff", 4 + 0xffffff
	for i := range p {
		if p[i] = 0; b.at%size < len(head) {
			p[i] = head[b.at%size]
		}
		b.at++
	}
	return len(p), nil
}

type random struct{ *rand.ChaCha8 }

func garbage() io.Reader { return random{rand.NewChaCha8([32]byte{1})} }

// TestAChildDecodesWhatIsHostile is no test but what the one below runs, in a
// process of its own.
func TestAChildDecodesWhatIsHostile(t *testing.T) {
	input := hostile[os.Getenv(childOf)]
	if input == nil {
		t.Skip("this is for a child process of TestHostileInputTakesLittleMemory")
	}
	r := io.LimitReader(input(), 100<<20) // more than any bound
	runtime.GC()
	before := highWater(t)
	var o audio.Opener
	track, err := o.OpenReader(t.Context(), io.NopCloser(r), "hostile")
	end := time.Now().Add(3 * time.Second)
	for p := make([]audio.Frame, 4096); err == nil && time.Now().Before(end); {
		if _, err = track.Read(p); errors.Is(err, audio.ErrNotReady) {
			err = track.Source.(*audio.Buffer).Wait(t.Context(), 1)
		}
	}
	fmt.Printf("took %d bytes: %v\n", highWater(t)-before, err)
	if track.Source != nil {
		track.Close()
	}
}

// highWater is the most memory that this process has had so far.
func highWater(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("only Linux tells how much memory a process has had")
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

func TestHostileInputTakesLittleMemory(t *testing.T) {
	highWater(t)
	if testing.Short() {
		t.Skip("takes a process for each input")
	}
	program := plainTests(t)
	for name := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestAChildDecodesWhatIsHostile$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), childOf+"="+name, "GOCOVERDIR="+filepath.Join(t.TempDir()))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			took := 0
			if _, err := fmt.Sscanf(string(out), "took %d bytes", &took); err != nil {
				t.Fatalf("got %s", out)
			}
			line, _, _ := strings.Cut(string(out), "\n")
			t.Logf("%.1f MiB: %s", float64(took)/(1<<20), line)
			if took > perStream {
				t.Errorf("took %d bytes, want at most %d", took, perStream)
			}
		})
	}
}

// plainTests returns these tests as a program that watches for no races: what
// a race detector remembers of each word is no memory of the stream's.
func plainTests(t *testing.T) string {
	if !raceDetector {
		return os.Args[0]
	}
	program := filepath.Join(t.TempDir(), "plain.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

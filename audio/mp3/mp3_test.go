package mp3_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/mp3"
	"airplay2mqtt/audio/tags"
)

type frames = [][2]float32

func decode(t testing.TB, r io.Reader) *mp3.Decoder {
	t.Helper()
	return audiotest.Open(t, r, mp3.NewDecoder)
}

func equal(a, b frames) bool { return slices.Equal(a, b) }

// joint is 0.8 s of lame's -V 5 in joint stereo at 44100 Hz, with short blocks
// and an info frame: delay 576, 31 frames of sound. low is a sine of 1 kHz in
// mono at 22050 Hz, 32 kbit/s, without an info frame that tells a delay.
var joint, low = testdata("joint.mp3"), testdata("low.mp3")

func testdata(name string) []byte {
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		panic(err)
	}
	return b
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(7, 8))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// offsets are where in a clean file the frames are.
func offsets(b []byte) (at []int) {
	for i := 0; i+4 <= len(b); {
		size := frameSize(b[i:])
		at = append(at, i)
		i += size
	}
	return at
}

// frameSize knows MPEG-1 at 44100 Hz and MPEG-2 at 22050 Hz.
func frameSize(b []byte) int {
	kbits := [2][15]int{
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
		{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	}[b[1]>>3&1][b[2]>>4]
	return 144000*kbits/44100 + int(b[2]>>1&1)
}

// silent is a frame without sound of the kind that its first four bytes tell.
func silent(header uint32, size int) []byte {
	b := make([]byte, size)
	binary.BigEndian.PutUint32(b, header)
	return b
}

func all(t testing.TB, b []byte) frames {
	t.Helper()
	return audiotest.ReadAll(t, decode(t, bytes.NewReader(b)), 500)
}

// id3 is an ID3v2.3 tag with a title and so many bytes of padding.
func id3(title string, padding int) []byte {
	size := 11 + len(title) + padding
	b := []byte{'I', 'D', '3', 3, 0, 0, byte(size >> 21 & 0x7f), byte(size >> 14 & 0x7f), byte(size >> 7 & 0x7f), byte(size & 0x7f)}
	b = append(b, "TIT2\x00\x00\x00"...)
	b = append(append(b, byte(1+len(title)), 0, 0, 0), title...)
	return append(b, make([]byte, padding)...)
}

func id3v1(artist string) []byte {
	b := make([]byte, 128)
	copy(b, "TAG")
	copy(b[33:63], artist)
	b[127] = 255
	return b
}

// ape is an APE tag with header and footer and an item that looks like frames.
func ape() []byte {
	item := bytes.Repeat([]byte{0xff, 0xfb, 0x90, 0x64}, 500)
	head := func(flags uint32) []byte {
		b := append([]byte("APETAGEX"), 0xd0, 7, 0, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(item)+32))
		b = binary.LittleEndian.AppendUint32(b, 1)
		return append(binary.LittleEndian.AppendUint32(b, flags), make([]byte, 8)...)
	}
	return join(head(0xa0000000), item, head(0x80000000))
}

func TestTheDecoderTellsTheFormat(t *testing.T) {
	d := decode(t, bytes.NewReader(joint))
	if got, want := fmt.Sprintln(d.Codec(), d.Rate(), d.Bits(), d.Channels(), d.Len()), "mp3 44100 0 2 35280\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	d = decode(t, audiotest.Pipe(bytes.NewReader(low)))
	if got, want := fmt.Sprintln(d.Codec(), d.Rate(), d.Bits(), d.Channels(), d.Len()), "mp3 22050 0 1 -1\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSeeksAreExact(t *testing.T) {
	for name, b := range map[string][]byte{"44100 Hz": joint, "22050 Hz": low} {
		audiotest.Seeks(t, name, b, all(t, b), 50, mp3.NewDecoder)
	}
}

func TestWhatIsNotSoundIsSkipped(t *testing.T) {
	want := all(t, joint)
	if len(want) != 35280 {
		t.Fatalf("got %d frames, want 35280", len(want))
	}
	for name, b := range map[string][]byte{
		"a tag in front":            join(id3("Title", 5000), joint),
		"two tags in front":         join(id3("Title", 10), id3("Other", 100), joint),
		"a tag of 20 MiB":           join(id3("Title", 20<<20), joint),
		"tags behind":               join(joint, ape(), id3v1("Me")),
		"an APE tag in front":       join(ape(), joint),
		"zeros in front":            join(make([]byte, 3000), joint),
		"garbage in front":          join(noise(5000), joint),
		"garbage with frames in it": join(silent(0xfffb9064, 417), noise(500), silent(0xfffb9064, 417), make([]byte, 2000), joint),
		"garbage behind":            join(joint, noise(9000)),
		"zeros behind":              join(joint, make([]byte, 9000)),
	} {
		for kind, r := range map[string]io.Reader{"file": bytes.NewReader(b), "pipe": audiotest.Pipe(iotest.HalfReader(bytes.NewReader(b)))} {
			d := decode(t, r)
			if got := audiotest.ReadAll(t, d, 700); !equal(got, want) {
				t.Errorf("%s, %s: got %d other frames, want %d", name, kind, len(got), len(want))
			}
			if got := d.Len(); got != int64(len(want)) {
				t.Errorf("%s, %s: got length %d, want %d", name, kind, got, len(want))
			}
		}
	}
}

// In the middle of a stream, what is missing is silent and what is there is in
// its place; behind it everything is as it was.
func TestGarbageInsideIsSurvived(t *testing.T) {
	want, at := all(t, joint), offsets(joint)
	middle := at[15]
	for name, b := range map[string][]byte{
		"garbage between frames": join(joint[:middle], noise(3000), joint[middle:]),
		"garbage in a frame":     join(joint[:middle+70], noise(3000), joint[middle+70:]),
		"zeros over a frame":     join(joint[:middle], make([]byte, at[16]-middle), joint[at[16]:]),
		"a frame missing":        join(joint[:middle], joint[at[16]:]),
		"half a frame missing":   join(joint[:middle+100], joint[at[16]:]),
		"a tag between frames":   join(joint[:middle], id3("Live", 2000), joint[middle:]),
		"frames of Layer II":     join(joint[:middle], bytes.Repeat(silent(0xfffd8000, 417), 3), joint[middle:]),
	} {
		got := all(t, b)
		if len(got) < len(want)-2*1152 || len(got) > len(want)+1152 {
			t.Errorf("%s: got %d frames, want about %d", name, len(got), len(want))
		}
		if n := 12 * 1152; !equal(got[:n], want[:n]) {
			t.Errorf("%s: what is before it changed", name)
		}
		if !contains(got, want[20*1152:29*1152]) {
			t.Errorf("%s: what is behind it changed", name)
		}
		audiotest.Seeks(t, name, b, got, 10, mp3.NewDecoder)
	}
}

// A radio is joined anywhere. Nothing of what the bit reservoir lacks is heard.
func TestAStreamMayBeginAnywhere(t *testing.T) {
	want, at := all(t, joint), offsets(joint)
	for cut := at[5] + 1; cut < at[8]; cut += 47 {
		got := all(t, joint[cut:])
		if len(got) < 20*1152 {
			t.Fatalf("from byte %d: got %d frames", cut, len(got))
		}
		if !contains(want, got[5*1152:][:15*1152]) {
			t.Errorf("from byte %d: other frames", cut)
		}
		for i, f := range got[:100] {
			if math.Abs(float64(f[0])) > 0.5 {
				t.Errorf("from byte %d: frame %d is %v", cut, i, f)
				break
			}
		}
	}
}

// contains tells whether part is somewhere in whole.
func contains(whole, part frames) bool {
	for i := range len(whole) - len(part) + 1 {
		if whole[i] == part[0] && equal(whole[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// Each file is trimmed by what its own info frame says.
func TestJoinedFilesHaveNoGap(t *testing.T) {
	one := all(t, joint)
	b := join(id3("One", 10), joint, id3v1("Me"), id3("Two", 10), joint)
	got := all(t, b)
	if !equal(got, append(append(frames(nil), one...), one...)) {
		t.Errorf("got %d other frames, want twice %d", len(got), len(one))
	}
	if d := decode(t, bytes.NewReader(b)); d.Len() != int64(2*len(one)) {
		t.Errorf("got length %d, want %d", d.Len(), 2*len(one))
	}
	audiotest.Seeks(t, "joined files", b, got, 10, mp3.NewDecoder)
}

// A stream that goes on at half the rate goes on at the same pitch.
func TestAChangeOfRateIsConverted(t *testing.T) {
	sine := all(t, low)
	b := join(joint, low, joint, low)
	got := all(t, b)
	want := 2*35280 + 2*2*len(sine)
	if len(got) != want {
		t.Fatalf("got %d frames, want %d", len(got), want)
	}
	middle := got[35280+len(sine):][:8820] // 0.2 s of 1 kHz
	crossings, peak := 0, float32(0)
	for i := 1; i < len(middle); i++ {
		if middle[i-1][0] < 0 && middle[i][0] >= 0 {
			crossings++
		}
		peak = max(peak, middle[i][0])
	}
	if crossings < 199 || crossings > 201 || peak < 0.45 || peak > 0.55 {
		t.Errorf("got %d cycles of %.2f in 0.2 s, want 200 of 0.5", crossings, peak)
	}
	if d := decode(t, bytes.NewReader(b)); d.Len() != int64(want) {
		t.Errorf("got length %d, want %d", d.Len(), want)
	}
	audiotest.Seeks(t, "mixed rates", b, got, 10, mp3.NewDecoder)
	b = join(low, joint, low)
	if got, want := all(t, b), 2*len(sine)+35280/2; len(got) != want {
		t.Errorf("down: got %d frames, want %d", len(got), want)
	}
	audiotest.Seeks(t, "mixed rates, down", b, all(t, b), 10, mp3.NewDecoder)
}

func TestAChangeOfChannelsIsHeard(t *testing.T) {
	mono := bytes.Repeat(silent(0xfffb90c4, 417), 10)
	b := join(joint, mono, joint)
	if got, want := len(all(t, b)), 2*35280+10*1152; got != want {
		t.Errorf("got %d frames, want %d", got, want)
	}
}

func TestTheLengthIsWhatIsRead(t *testing.T) {
	at := offsets(joint)
	for name, b := range map[string][]byte{
		"truncated":             joint[:at[20]+50],
		"without info":          joint[at[1]:],
		"with more than told":   join(joint, joint[at[1]:]),
		"info without a count":  join(joint[:36+7], []byte{0x0e}, joint[36+8:]),
		"info that exaggerates": join(joint[:36+8], []byte{1, 0, 0, 0}, joint[36+12:]),
		"one frame":             silent(0xfffb9064, 417),
		"nothing but info":      join(joint[:at[1]], joint[at[1]:at[2]]),
	} {
		d := decode(t, bytes.NewReader(b))
		buf := make(frames, 100)
		n, err := d.Read(buf) // a walk must not disturb what is being read
		length := d.Len()
		if err == nil {
			n += len(audiotest.ReadAll(t, d, 1000))
		}
		if length != int64(n) || d.Len() != length {
			t.Errorf("%s: got length %d, then %d; want %d", name, length, d.Len(), n)
		}
	}
}

func TestTagsAreRead(t *testing.T) {
	b := join(id3("Title", 10), joint, id3v1("Me"))
	if got, want := decode(t, bytes.NewReader(b)).Tags(), (tags.Tags{Title: "Title", Artist: "Me"}); !cmp.Equal(got, want) {
		t.Errorf("file: got %+v, want %+v", got, want)
	}
	if got, want := decode(t, audiotest.Pipe(bytes.NewReader(b))).Tags(), (tags.Tags{Title: "Title"}); !cmp.Equal(got, want) {
		t.Errorf("pipe: got %+v, want %+v", got, want)
	}
}

func TestOtherKindsAreNamed(t *testing.T) {
	for name, b := range map[string][]byte{
		"MPEG-1 Layer II, 44100 Hz":               bytes.Repeat(silent(0xfffd8000, 417), 10),
		"MPEG-1 Layer I, 44100 Hz":                bytes.Repeat(silent(0xffff4000, 4*(12*128000/44100)), 10),
		"MPEG-2.5 Layer III, 8000 Hz":             bytes.Repeat(silent(0xffe328c4, 144), 10),
		"MPEG-1 Layer III, free format, 44100 Hz": bytes.Repeat(silent(0xfffb0064, 1200), 10),
	} {
		_, err := mp3.NewDecoder(bytes.NewReader(join(id3("T", 20), b)))
		var codec *mp3.CodecError
		if !errors.As(err, &codec) || codec.Name != name || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got %v, want a CodecError for %s", err, name)
		}
	}
}

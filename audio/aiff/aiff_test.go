package aiff_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio/aiff"
	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/tags"
)

var be = binary.BigEndian

func u16(v int) string { return string(be.AppendUint16(nil, uint16(v))) }
func u32(v int) string { return string(be.AppendUint32(nil, uint32(v))) }

func chunk(id, body string) string {
	s := id + u32(len(body)) + body
	if len(body)%2 == 1 {
		s += "\x00"
	}
	return s
}

func form(kind string, chunks ...string) string {
	body := kind + strings.Join(chunks, "")
	return "FORM" + u32(len(body)) + body
}

func file(chunks ...string) string { return form("AIFF", chunks...) }

// rate8000 is 8000 in 80 bits: 2^12 times 1.953125.
const rate8000 = "\x40\x0b\xfa\x00\x00\x00\x00\x00\x00\x00"

// comm is a COMM chunk of AIFF.
func comm(channels, frames, bits int) string {
	return chunk("COMM", u16(channels)+u32(frames)+u16(bits)+rate8000)
}

// aifc is a file of AIFF-C.
func aifc(compression string, channels, frames, bits int, samples string) string {
	body := u16(channels) + u32(frames) + u16(bits) + rate8000 + compression + "\x04name\x00"
	return form("AIFC", chunk("FVER", "\xa2\x80\x51\x40"), chunk("COMM", body), ssnd(0, samples))
}

// ssnd is a chunk of samples that begin behind offset bytes of rubbish.
func ssnd(offset int, samples string) string {
	return chunk("SSND", u32(offset)+u32(0)+strings.Repeat("?", offset)+samples)
}

func ints(bytes int, values ...int64) string {
	var s string
	for _, v := range values {
		s += string(be.AppendUint64(nil, uint64(v))[8-bytes:])
	}
	return s
}

// swapped is the same with the little end first.
func swapped(bytes int, values ...int64) string {
	var s string
	for _, v := range values {
		s += string(binary.LittleEndian.AppendUint64(nil, uint64(v))[:bytes])
	}
	return s
}

func float32s(values ...float32) string {
	var b []byte
	for _, v := range values {
		b = be.AppendUint32(b, math.Float32bits(v))
	}
	return string(b)
}

func float64s(values ...float64) string {
	var b []byte
	for _, v := range values {
		b = be.AppendUint64(b, math.Float64bits(v))
	}
	return string(b)
}

type frames = [][2]float32

var samples16 = ints(2, 0x4000, -0x8000, 0x7fff, 1)

var heard16 = frames{{0.5, -1}, {32767. / 32768, 1. / 32768}}

// id3 is a small tag of version 2.3 with the title "ID3".
const id3 = "ID3\x03\x00\x00\x00\x00\x00\x0eTIT2\x00\x00\x00\x04\x00\x00\x00ID3"

var files = []struct {
	name string
	data string
	want frames
	len  int64 // of a pipe; of a file it is that of want
	tags tags.Tags
}{
	{"16 bits", file(comm(2, 2, 16), ssnd(0, samples16)), heard16, 2, tags.Tags{}},
	{"mono", file(comm(1, 2, 16), ssnd(0, samples16[:4])), frames{{0.5, 0.5}, {-1, -1}}, 2, tags.Tags{}},
	{"8 bits, odd", file(comm(1, 3, 8), ssnd(0, "\x40\x80\x7f")), frames{{0.5, 0.5}, {-1, -1}, {127. / 128, 127. / 128}}, 3, tags.Tags{}},
	{"24 bits", file(comm(2, 2, 24), ssnd(0, ints(3, 0x400000, -0x800000, 1, -1))), frames{{0.5, -1}, {0x1p-23, -0x1p-23}}, 2, tags.Tags{}},
	{"32 bits", file(comm(2, 2, 32), ssnd(0, ints(4, 1<<30, -1<<31, 128, -1))), frames{{0.5, -1}, {0x1p-24, -0x1p-31}}, 2, tags.Tags{}},
	{"12 bits stand at the top of 16", file(comm(1, 2, 12), ssnd(0, ints(2, 0x4000, -0x8000))), frames{{0.5, 0.5}, {-1, -1}}, 2, tags.Tags{}},
	{"1 bit", file(comm(1, 2, 1), ssnd(0, "\x00\x80")), frames{{0, 0}, {-1, -1}}, 2, tags.Tags{}},
	{"NONE", aifc("NONE", 2, 2, 16, samples16), heard16, 2, tags.Tags{}},
	{"twos", aifc("twos", 2, 2, 16, samples16), heard16, 2, tags.Tags{}},
	{"sowt", aifc("sowt", 2, 2, 16, swapped(2, 0x4000, -0x8000, 0x7fff, 1)), heard16, 2, tags.Tags{}},
	{"sowt of 24 bits", aifc("sowt", 1, 2, 24, swapped(3, 0x400000, -0x800000)), frames{{0.5, 0.5}, {-1, -1}}, 2, tags.Tags{}},
	{"raw", aifc("raw ", 2, 2, 8, "\xc0\x00\x80\xff"), frames{{0.5, -1}, {0, 127. / 128}}, 2, tags.Tags{}},
	{"in24 that says 16", aifc("in24", 1, 2, 16, ints(3, 0x400000, -0x800000)), frames{{0.5, 0.5}, {-1, -1}}, 2, tags.Tags{}},
	{"in32", aifc("in32", 1, 2, 32, ints(4, 1<<30, -1<<31)), frames{{0.5, 0.5}, {-1, -1}}, 2, tags.Tags{}},
	{"42ni", aifc("42ni", 1, 2, 24, swapped(3, 0x400000, -0x800000)), frames{{0.5, 0.5}, {-1, -1}}, 2, tags.Tags{}},
	{"23ni", aifc("23ni", 1, 2, 32, swapped(4, 1<<30, -1<<31)), frames{{0.5, 0.5}, {-1, -1}}, 2, tags.Tags{}},
	{"fl32", aifc("fl32", 2, 2, 32, float32s(0.25, -2, float32(math.NaN()), float32(math.Inf(1)))), frames{{0.25, -2}, {0, 0}}, 2, tags.Tags{}},
	{"FL32 that says 16", aifc("FL32", 1, 1, 16, float32s(0.25)), frames{{0.25, 0.25}}, 1, tags.Tags{}},
	{"fl64", aifc("fl64", 2, 1, 64, float64s(0.25, 1e300)), frames{{0.25, 0}}, 1, tags.Tags{}},
	{"FL64", aifc("FL64", 1, 1, 64, float64s(-0.5)), frames{{-0.5, -0.5}}, 1, tags.Tags{}},
	{"A-law", aifc("alaw", 2, 2, 16, "\xd5\x55\x2a\xaa"), frames{{8. / 32768, -8. / 32768}, {-32256. / 32768, 32256. / 32768}}, 2, tags.Tags{}},
	{"µ-law", aifc("ulaw", 2, 2, 16, "\xff\x7f\x00\x80"), frames{{0, 0}, {-32124. / 32768, 32124. / 32768}}, 2, tags.Tags{}},
	{"5.1 channels", file(comm(6, 1, 16), ssnd(0, ints(2, 0x4000, -0x4000, 0, 0x7fff, 0, 0))), frames{{0.20710677, -0.20710677}}, 1, tags.Tags{}},
	{"a layout with a bitmap", file(chunk("CHAN", u32(0x10000)+u32(0x60b)+u32(0)), comm(5, 1, 16), ssnd(0, ints(2, 0x4000, -0x4000, 0x7fff, 0, 0))), frames{{0.29289323, -0.29289323}}, 1, tags.Tags{}},
	{"a layout with a name", file(chunk("CHAN", u32(121<<16|6)+u32(0)+u32(0)), comm(6, 1, 16), ssnd(0, ints(2, 0x4000, -0x4000, 0, 0x7fff, 0, 0))), frames{{0.20710677, -0.20710677}}, 1, tags.Tags{}},
	{"no samples", file(comm(2, 0, 16), ssnd(0, "")), nil, 0, tags.Tags{}},
	{"an offset", file(comm(2, 2, 16), ssnd(5, samples16)), heard16, 2, tags.Tags{}},
	{"padding behind the samples", file(comm(2, 2, 16), ssnd(0, samples16+"padding"), chunk("NAME", "A")), heard16, 2, tags.Tags{Title: "A"}},
	{"more frames than there are", file(comm(2, 1000, 16), ssnd(0, samples16)), heard16, 2, tags.Tags{}},
	{"texts", file(chunk("NAME", "A Title"), chunk("AUTH", "Me\x00"), chunk("(c) ", "1989"), chunk("ANNO", "odd"), comm(2, 2, 16), ssnd(0, samples16)), heard16, 2, tags.Tags{Title: "A Title", Artist: "Me"}},
	{"texts and ID3", file(chunk("ID3 ", id3), chunk("NAME", "A Title"), chunk("AUTH", "Me"), comm(2, 2, 16), ssnd(0, samples16)), heard16, 2, tags.Tags{Title: "ID3", Artist: "Me"}},
	{"an ID3 that is none", file(chunk("ID3 ", "nonsense"), comm(2, 2, 16), ssnd(0, samples16)), heard16, 2, tags.Tags{}},
	{"a text of Windows", file(chunk("AUTH", "Bj\xf6rk"), comm(2, 2, 16), ssnd(0, samples16)), heard16, 2, tags.Tags{Artist: "Björk"}},
	{"padding forgotten", file(chunk("ANNO", "odd")[:11], comm(2, 2, 16), ssnd(0, samples16)), heard16, 2, tags.Tags{}},
	{"padding with rubbish", file(chunk("APPL", "odd")[:11]+"\x20", comm(2, 2, 16), ssnd(0, samples16)), heard16, 2, tags.Tags{}},
	{"two formats", file(comm(2, 2, 16), comm(1, 4, 8), ssnd(0, samples16)), heard16, 2, tags.Tags{}},
	{"two sounds", file(comm(2, 2, 16), ssnd(0, samples16), ssnd(0, "other")), heard16, 2, tags.Tags{}},
	{"a stream of ffmpeg's", "FORM\x00\x00\x00\x00AIFF" + comm(2, 0, 16) + "SSND" + u32(0) + u32(0) + u32(0) + samples16, heard16, -1, tags.Tags{}},
	{"a stream of sox's", "FORM\x7f\x00\x00\x50AIFF" + comm(2, 0x1fc00000, 16) + "SSND\x7f\x00\x00\x08" + u32(0) + u32(0) + samples16, heard16, -1, tags.Tags{}},
	{"a stream of ones", "FORM\xff\xff\xff\xffAIFF" + comm(2, -1, 16) + "SSND\xff\xff\xff\xff" + u32(0) + u32(0) + samples16, heard16, -1, tags.Tags{}},
	{"a stream with an offset", "FORM\x00\x00\x00\x00AIFF" + comm(2, 0, 16) + "SSND" + u32(0) + u32(3) + u32(0) + "???" + samples16, heard16, -1, tags.Tags{}},
	{"truncated", file(comm(2, 2, 16), ssnd(0, samples16))[:61], heard16[:1], 2, tags.Tags{}},
	{"truncated where the samples begin", file(comm(2, 2, 16), ssnd(0, samples16))[:54], nil, 2, tags.Tags{}},
}

// behind are files whose format stands behind their samples.
var behind = []string{
	file(ssnd(0, samples16), comm(2, 2, 16)),
	file(chunk("NAME", "A"), ssnd(3, samples16), chunk("AUTH", "B"), comm(2, 2, 16)),
}

func decode(t testing.TB, r io.Reader) *aiff.Decoder {
	t.Helper()
	return audiotest.Open(t, r, aiff.NewDecoder)
}

// drain decodes what it can in every way.
func drain(b []byte) { audiotest.Try(b, 1<<20, aiff.NewDecoder, nil) }

func TestEveryFormatIsDecoded(t *testing.T) {
	// A sum of weighted channels may differ in its last bit.
	near := cmp.Comparer(func(a, b float32) bool { return a == b || math.Abs(float64(a-b)) < 1e-7 })
	for _, f := range files {
		t.Run(f.name, func(t *testing.T) {
			d := decode(t, strings.NewReader(f.data))
			if got := d.Len(); got != int64(len(f.want)) || !d.Seekable() {
				t.Errorf("file: got length %d, seekable %v; want %d", got, d.Seekable(), len(f.want))
			}
			if diff := cmp.Diff(f.tags, d.Tags()); diff != "" {
				t.Errorf("file: tags (-want +got):\n%s", diff)
			}
			got := audiotest.ReadAll(t, d, 3)
			if diff := cmp.Diff(f.want, got, near); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
			d = decode(t, audiotest.Pipe(iotest.OneByteReader(strings.NewReader(f.data))))
			if got := d.Len(); got != f.len || d.Seekable() {
				t.Errorf("pipe: got length %d, seekable %v; want %d", got, d.Seekable(), f.len)
			}
			if diff := cmp.Diff(f.want, audiotest.ReadAll(t, d, 1000), near); diff != "" {
				t.Errorf("pipe (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheDecoderTellsTheFormat(t *testing.T) {
	for _, tt := range []struct{ data, want string }{
		{file(comm(6, 0, 20), ssnd(0, "")), "pcm 8000 20 6\n"},
		{aifc("in24", 1, 0, 16, ""), "pcm 8000 24 1\n"},
		{aifc("in32", 1, 0, 24, ""), "pcm 8000 24 1\n"},
		{aifc("fl64", 1, 0, 32, ""), "float 8000 64 1\n"},
		{aifc("ALAW", 2, 0, 16, ""), "alaw 8000 8 2\n"},
		{aifc("ULAW", 2, 0, 8, ""), "mulaw 8000 8 2\n"},
	} {
		d := decode(t, strings.NewReader(tt.data))
		if got := fmt.Sprintln(d.Codec(), d.Rate(), d.Bits(), d.Channels()); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRatesAreRounded(t *testing.T) {
	for bits, want := range map[string]int{
		"\x40\x0e\xac\x44\x00\x00\x00\x00\x00\x00": 44100,
		"\x40\x0e\xbb\x80\x00\x00\x00\x00\x00\x00": 48000,
		"\x40\x10\xbb\x80\x00\x00\x00\x00\x00\x00": 192000,
		"\x40\x0d\xad\xdd\x17\x45\xd1\x45\xd1\x74": 22255, // 22254.5454…, a Macintosh of 1989
		"\x40\x0d\xac\x44\x00\x00\x00\x00\x00\x00": 22050,
		"\x40\x08\xfa\x00\x00\x00\x00\x00\x00\x00": 1000,
		"\x40\x12\xbb\x80\x00\x00\x00\x00\x00\x00": 768000,
		"\x40\x12\xbb\x81\x00\x00\x00\x00\x00\x00": 0, // one sixteenth more
		"\xc0\x0e\xac\x44\x00\x00\x00\x00\x00\x00": 0, // negative
		"\x7f\xff\x80\x00\x00\x00\x00\x00\x00\x00": 0, // infinity
		"\x7f\xff\xc0\x00\x00\x00\x00\x00\x00\x00": 0, // no number
		"\x3f\xff\x80\x00\x00\x00\x00\x00\x00\x00": 0, // 1
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00": 0,
	} {
		d, err := aiff.NewDecoder(strings.NewReader(file(chunk("COMM", u16(2)+u32(2)+u16(16)+bits), ssnd(0, samples16))))
		switch {
		case want == 0 && !errors.Is(err, aiff.ErrFormat):
			t.Errorf("%x: got %v, want ErrFormat", bits, err)
		case want != 0 && (err != nil || d.Rate() != want):
			t.Errorf("%x: got %v, %v; want %d", bits, d, err, want)
		}
	}
}

func TestChunksBehindTheSamplesAreRead(t *testing.T) {
	data := file(comm(1, 3, 8), ssnd(0, "\x40\x40\x40"), chunk("junk", "x"), chunk("NAME", "A"), chunk("ID3 ", id3), chunk("AUTH", "B"))
	d := decode(t, strings.NewReader(data))
	if got, want := d.Tags(), (tags.Tags{Title: "ID3", Artist: "B"}); !cmp.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := audiotest.ReadAll(t, d, 10); len(got) != 3 {
		t.Errorf("got %d frames, want 3", len(got))
	}
}

func TestAFormatBehindTheSamplesNeedsASeeker(t *testing.T) {
	for _, data := range behind {
		d := decode(t, strings.NewReader(data))
		if got := audiotest.ReadAll(t, d, 10); !cmp.Equal(got, heard16) {
			t.Errorf("got %v, want %v", got, heard16)
		}
		_, err := aiff.NewDecoder(audiotest.Pipe(strings.NewReader(data)))
		if !errors.Is(err, aiff.ErrFormat) || !errors.Is(err, aiff.ErrNotSeekable) {
			t.Errorf("pipe: got %v, want ErrFormat and ErrNotSeekable", err)
		}
	}
}

func TestOtherCodecsAreNamed(t *testing.T) {
	for kind, name := range map[string]string{"ima4": "IMA ADPCM", "MAC3": "MACE 3:1", "GSM ": "GSM 6.10", "what": "an unknown codec"} {
		_, err := aiff.NewDecoder(strings.NewReader(aifc(kind, 1, 2, 16, samples16)))
		var codec *aiff.CodecError
		if !errors.As(err, &codec) || codec.Name != name || codec.Type != kind || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: got %v, want a CodecError for %s", kind, err, name)
		}
	}
}

var broken = map[string]string{
	"nothing":                "",
	"a text":                 "This is not a sound at all.",
	"another FORM":           "FORM\x00\x00\x00\x048SVX",
	"no chunks":              file(),
	"no samples":             file(comm(2, 2, 16)),
	"no format":              file(ssnd(0, samples16)),
	"no format, no length":   file() + "SSND\x00\x00\x00\x00" + u32(0) + u32(0) + samples16,
	"a short format":         file(chunk("COMM", "short"), ssnd(0, samples16)),
	"AIFF-C with a COMM":     form("AIFC", comm(2, 2, 16), ssnd(0, samples16)),
	"half a format":          file(comm(2, 2, 16))[:30],
	"half the samples' head": file(comm(2, 2, 16), ssnd(0, samples16))[:50],
	"no channels":            file(comm(0, 2, 16), ssnd(0, samples16)),
	"65535 channels":         file(comm(65535, 2, 16), ssnd(0, samples16)),
	"no bits":                file(comm(2, 2, 0), ssnd(0, samples16)),
	"33 bits":                file(comm(2, 2, 33), ssnd(0, samples16)),
	"an offset of 4 GiB":     file(comm(2, 2, 16), chunk("SSND", u32(-1)+u32(0)+samples16)),
	"an endless offset":      file(comm(2, 2, 16)) + "SSND\x00\x00\x00\x00" + u32(-1) + u32(0) + samples16,
	"a NAME of 4 GiB":        file() + "NAME\xff\xff\xff\xffabcd",
	"an unknown of 4 GiB":    file() + "abcd\xff\xff\xff\xffabcd",
	"a tag larger than all":  file() + "ID3 \x00\xff\x00\x00" + id3,
}

func TestWhatIsBrokenIsRefused(t *testing.T) {
	for name, data := range broken {
		for _, r := range []io.Reader{strings.NewReader(data), audiotest.Pipe(strings.NewReader(data))} {
			if _, err := aiff.NewDecoder(r); !errors.Is(err, aiff.ErrFormat) {
				t.Errorf("%s: got %v, want ErrFormat", name, err)
			}
		}
	}
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAnEndlessHeaderEnds(t *testing.T) {
	for _, head := range []string{file(), file() + "abcd\x03\xff\xff\xff", file() + "ID3 \x03\xff\xff\xff"} {
		r := audiotest.Pipe(io.MultiReader(strings.NewReader(head), zeros{}))
		if _, err := aiff.NewDecoder(r); !errors.Is(err, aiff.ErrFormat) {
			t.Errorf("got %v, want ErrFormat", err)
		}
	}
}

func TestAHostileHeaderTakesNoMemory(t *testing.T) {
	n := audiotest.Allocated(func() {
		for _, data := range broken {
			aiff.NewDecoder(audiotest.Pipe(strings.NewReader(data)))
		}
	})
	if n > 8<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func TestAReadThatFailsIsReported(t *testing.T) {
	lost := errors.New("the line is dead")
	data := file(chunk("NAME", "A"), comm(2, 2, 16), ssnd(0, samples16))
	for n := range len(data) {
		d, err := aiff.NewDecoder(io.MultiReader(strings.NewReader(data[:n]), iotest.ErrReader(lost)))
		if err == nil {
			for err == nil {
				_, err = d.Read(make(frames, 10))
			}
		}
		if !errors.Is(err, lost) && n < len(data) {
			t.Fatalf("after %d bytes: got %v, want %v", n, err, lost)
		}
	}
}

// long is 20000 frames of noise, larger than every buffer.
func long(compression string, channels, bits int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 20000*channels*bits/8)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return aifc(compression, channels, 20000, bits, string(b)) + chunk("NAME", "A")
}

func TestSeeksAreExact(t *testing.T) {
	for _, f := range []struct {
		compression    string
		channels, bits int
	}{{"NONE", 2, 16}, {"NONE", 1, 8}, {"NONE", 6, 24}, {"sowt", 2, 32}, {"alaw", 1, 8}, {"fl32", 2, 32}} {
		data := long(f.compression, f.channels, f.bits)
		all := audiotest.ReadAll(t, decode(t, strings.NewReader(data)), 777)
		if len(all) != 20000 {
			t.Fatalf("%+v: got %d frames, want 20000", f, len(all))
		}
		audiotest.Seeks(t, fmt.Sprintf("%+v", f), []byte(data), all, 50, aiff.NewDecoder)
	}
}

func TestAPipeCannotSeek(t *testing.T) {
	d := decode(t, audiotest.Pipe(strings.NewReader(files[0].data)))
	if err := d.SeekFrame(0); !errors.Is(err, aiff.ErrNotSeekable) {
		t.Errorf("got %v, want ErrNotSeekable", err)
	}
}

// A file may begin in the middle of a reader.
func TestPositionsCountFromWhereTheReaderStood(t *testing.T) {
	r := strings.NewReader("0123456789" + files[0].data)
	r.Seek(10, io.SeekStart)
	d := decode(t, r)
	if err := d.SeekFrame(1); err != nil {
		t.Fatal(err)
	}
	if got := audiotest.ReadAll(t, d, 10); !cmp.Equal(got, heard16[1:]) {
		t.Errorf("got %v, want %v", got, heard16[1:])
	}
}

// What a live stream has sent is heard at once, not when a block is full.
func TestALiveStreamIsNotHeldBack(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	go io.WriteString(w, "FORM\x00\x00\x00\x00AIFF"+comm(2, 0, 16)+"SSND"+u32(0)+u32(0)+u32(0)+strings.Repeat("\x00", 40))
	d := decode(t, r)
	for got := 0; got < 10; {
		n, err := d.Read(make(frames, 4096))
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
}

func TestReadingDoesNotAllocate(t *testing.T) {
	d := decode(t, strings.NewReader(long("NONE", 2, 16)))
	buf := make(frames, 100)
	if got := testing.AllocsPerRun(50, func() { d.Read(buf) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func TestMutatedFilesNeverPanic(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	mutate := func(data string) {
		for range 300 {
			b := audiotest.Damage(rng, []byte(data), len(data), 6)
			drain(b[:1+rng.IntN(len(b))])
		}
	}
	for _, f := range files {
		mutate(f.data)
	}
	for _, data := range behind {
		mutate(data)
	}
}

func FuzzDecoder(f *testing.F) {
	for _, file := range files {
		f.Add([]byte(file.data))
	}
	for _, data := range behind {
		f.Add([]byte(data))
	}
	for _, data := range broken {
		f.Add([]byte(data))
	}
	f.Fuzz(func(_ *testing.T, b []byte) { drain(b) })
}

func BenchmarkDecode(b *testing.B) {
	for _, f := range []struct {
		name           string
		compression    string
		channels, bits int
	}{{"16", "NONE", 2, 16}, {"24", "NONE", 2, 24}, {"sowt 16", "sowt", 2, 16}, {"fl32", "fl32", 2, 32}, {"mulaw", "ulaw", 2, 8}, {"24x6", "NONE", 6, 24}} {
		data := long(f.compression, f.channels, f.bits)
		b.Run(f.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make(frames, 4096)
			for b.Loop() {
				d := decode(b, strings.NewReader(data))
				for {
					if _, err := d.Read(buf); err != nil {
						break
					}
				}
			}
			b.ReportMetric(20000./44100*float64(b.N)/b.Elapsed().Seconds(), "x_realtime")
		})
	}
}

package wav_test

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

	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/tags"
	"airplay2mqtt/audio/wav"
)

var le = binary.LittleEndian

func u16(v int) string { return string(le.AppendUint16(nil, uint16(v))) }
func u32(v int) string { return string(le.AppendUint32(nil, uint32(v))) }
func u64(v int) string { return string(le.AppendUint64(nil, uint64(v))) }

func chunk(id, body string) string {
	s := id + u32(len(body)) + body
	if len(body)%2 == 1 {
		s += "\x00"
	}
	return s
}

func riff(chunks ...string) string {
	body := "WAVE" + strings.Join(chunks, "")
	return "RIFF" + u32(len(body)) + body
}

// format is a fmt chunk of 16 bytes.
func format(tag, channels, rate, bits int) string {
	align := channels * (bits + 7) / 8
	return chunk("fmt ", u16(tag)+u16(channels)+u32(rate)+u32(rate*align)+u16(align)+u16(bits))
}

const guidTail = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"

func extensible(tag, channels, container, valid, mask int) string {
	align := channels * container / 8
	return chunk("fmt ", u16(0xfffe)+u16(channels)+u32(8000)+u32(8000*align)+u16(align)+u16(container)+
		u16(22)+u16(valid)+u32(mask)+u16(tag)+guidTail)
}

func ints(bytes int, values ...int64) string {
	var s string
	for _, v := range values {
		s += string(le.AppendUint64(nil, uint64(v))[:bytes])
	}
	return s
}

func float32s(values ...float32) string {
	var b []byte
	for _, v := range values {
		b = le.AppendUint32(b, math.Float32bits(v))
	}
	return string(b)
}

func float64s(values ...float64) string {
	var b []byte
	for _, v := range values {
		b = le.AppendUint64(b, math.Float64bits(v))
	}
	return string(b)
}

type frames = [][2]float32

var stereo16 = chunk("data", ints(2, 0x4000, -0x8000, 0x7fff, 1))

var heard16 = frames{{0.5, -1}, {32767. / 32768, 1. / 32768}}

// id3 is a small tag of version 2.3 with the title "ID3".
const id3 = "ID3\x03\x00\x00\x00\x00\x00\x0eTIT2\x00\x00\x00\x04\x00\x00\x00ID3"

const info = "INFOINAM\x05\x00\x00\x00INFO\x00\x00IART\x02\x00\x00\x00Me"

type file struct {
	name string
	data string
	want frames
	len  int64 // of a pipe; of a file it is that of want
	tags tags.Tags
}

var files = []file{
	{"16 bits", riff(format(1, 2, 8000, 16), stereo16), heard16, 2, tags.Tags{}},
	{"mono", riff(format(1, 1, 8000, 16), stereo16), frames{{0.5, 0.5}, {-1, -1}, {32767. / 32768, 32767. / 32768}, {1. / 32768, 1. / 32768}}, 4, tags.Tags{}},
	{"8 bits", riff(format(1, 2, 8000, 8), chunk("data", "\x00\xff\x80\xc0")), frames{{-1, 127. / 128}, {0, 0.5}}, 2, tags.Tags{}},
	{"8 bits, odd", riff(format(1, 1, 8000, 8), chunk("data", "\x00\xff\x40")), frames{{-1, -1}, {127. / 128, 127. / 128}, {-0.5, -0.5}}, 3, tags.Tags{}},
	{"24 bits", riff(format(1, 2, 8000, 24), chunk("data", ints(3, 0x400000, -0x800000, 1, -1))), frames{{0.5, -1}, {0x1p-23, -0x1p-23}}, 2, tags.Tags{}},
	{"32 bits", riff(format(1, 2, 8000, 32), chunk("data", ints(4, 1<<30, -1<<31, 128, -1))), frames{{0.5, -1}, {0x1p-24, -0x1p-31}}, 2, tags.Tags{}},
	{"40 bits", riff(format(1, 1, 8000, 40), chunk("data", ints(5, 1<<38, -1<<39))), frames{{0.5, 0.5}, {-1, -1}}, 2, tags.Tags{}},
	{"64 bits", riff(format(1, 1, 8000, 64), chunk("data", ints(8, 1<<62, -1<<63))), frames{{0.5, 0.5}, {-1, -1}}, 2, tags.Tags{}},
	{"12 bits stand at the top of 16", riff(format(1, 1, 8000, 12), chunk("data", ints(2, 0x4000, -0x8000))), frames{{0.5, 0.5}, {-1, -1}}, 2, tags.Tags{}},
	{"20 of 24 bits", riff(extensible(1, 2, 24, 20, 3), chunk("data", ints(3, 0x400000, -0x800000))), frames{{0.5, -1}}, 1, tags.Tags{}},
	{"24 bits in 4 bytes", riff(chunk("fmt ", u16(1)+u16(1)+u32(8000)+u32(32000)+u16(4)+u16(24)), chunk("data", ints(4, 1<<30))), frames{{0.5, 0.5}}, 1, tags.Tags{}},
	{"float", riff(format(3, 2, 8000, 32), chunk("data", float32s(0.25, -2, float32(math.NaN()), float32(math.Inf(1))))), frames{{0.25, -2}, {0, 0}}, 2, tags.Tags{}},
	{"float of 64 bits", riff(format(3, 1, 8000, 64), chunk("data", float64s(0.25, math.MaxFloat64, math.NaN()))), frames{{0.25, 0.25}, {0, 0}, {0, 0}}, 3, tags.Tags{}},
	{"extensible float", riff(extensible(3, 2, 32, 32, 3), chunk("data", float32s(0.25, -1))), frames{{0.25, -1}}, 1, tags.Tags{}},
	{"A-law", riff(format(6, 2, 8000, 8), chunk("data", "\xd5\x55\xaa\x2a")), frames{{8. / 32768, -8. / 32768}, {32256. / 32768, -32256. / 32768}}, 2, tags.Tags{}},
	{"µ-law", riff(format(7, 2, 8000, 8), chunk("data", "\xff\x7f\x80\x00")), frames{{0, 0}, {32124. / 32768, -32124. / 32768}}, 2, tags.Tags{}},
	{"3 channels of A-law", riff(format(6, 3, 8000, 8), chunk("data", "\xaa\xd5\x2a")), frames{{32256. / 32768 * (0.58578646 - 0.41421354), 8./32768*0.58578646 - 32256./32768*0.41421354}}, 1, tags.Tags{}},
	{"5.1 channels", riff(extensible(1, 6, 16, 16, 0x3f), chunk("data", ints(2, 0x4000, -0x4000, 0, 0x7fff, 0, 0))), frames{{0.20710677, -0.20710677}}, 1, tags.Tags{}},
	{"no samples", riff(format(1, 2, 8000, 16), chunk("data", "")), nil, -1, tags.Tags{}},
	{"no samples, but a chunk", riff(format(1, 2, 8000, 16), chunk("data", ""), chunk("LIST", info)), nil, 0, tags.Tags{Title: "INFO", Artist: "Me"}},
	{"a stream of ffmpeg's", "RIFF\xff\xff\xff\xffWAVE" + format(1, 2, 8000, 16) + "data\xff\xff\xff\xff" + stereo16[8:], heard16, -1, tags.Tags{}},
	{"a stream of sox's", "RIFF\x24\xf0\xff\x7fWAVE" + format(1, 2, 8000, 16) + "data\x00\xf0\xff\x7f" + stereo16[8:], heard16, -1, tags.Tags{}},
	{"a stream of zeros", "RIFF\x00\x00\x00\x00WAVE" + format(1, 2, 8000, 16) + "data\x00\x00\x00\x00" + stereo16[8:], heard16, -1, tags.Tags{}},
	{"RF64", "RF64\xff\xff\xff\xffWAVE" + chunk("ds64", u64(100)+u64(8)+u64(2)+u32(0)) + format(1, 2, 8000, 16) + "data\xff\xff\xff\xff" + stereo16[8:] + "LISTrest", heard16, 2, tags.Tags{}},
	{"BW64 that is a stream", "BW64\xff\xff\xff\xffWAVE" + chunk("ds64", u64(-1)+u64(-1)+u64(0)+u32(0)) + format(1, 2, 8000, 16) + "data\xff\xff\xff\xff" + stereo16[8:], heard16, -1, tags.Tags{}},
	{"tags in front", riff(chunk("LIST", info), chunk("junk", "odd"), format(1, 2, 8000, 16), chunk("id3 ", id3), stereo16), heard16, 2, tags.Tags{Title: "ID3", Artist: "Me"}},
	{"padding forgotten", riff(chunk("bext", "odd")[:11], format(1, 2, 8000, 16), stereo16), heard16, 2, tags.Tags{}},
	{"padding with rubbish", riff(chunk("bext", "odd")[:11]+"\x20", format(1, 2, 8000, 16), stereo16), heard16, 2, tags.Tags{}},
	{"two formats", riff(format(1, 2, 8000, 16), format(1, 1, 11025, 8), stereo16), heard16, 2, tags.Tags{}},
	{"a long fmt chunk", riff(chunk("fmt ", format(1, 2, 8000, 16)[8:]+strings.Repeat("\x00", 100)), stereo16), heard16, 2, tags.Tags{}},
	{"a short fmt chunk of G.711", riff(chunk("fmt ", format(7, 1, 8000, 8)[8:22]), chunk("data", "\xff")), frames{{0, 0}}, 1, tags.Tags{}},
	{"an alignment that cannot be", riff(chunk("fmt ", u16(1)+u16(2)+u32(8000)+u32(0)+u16(0)+u16(16)), stereo16), heard16, 2, tags.Tags{}},
	{"truncated", riff(format(1, 2, 8000, 16), stereo16)[:51], heard16[:1], 2, tags.Tags{}},
}

func decode(t testing.TB, r io.Reader) *wav.Decoder {
	t.Helper()
	return audiotest.Open(t, r, wav.NewDecoder)
}

// drain decodes what it can in every way.
func drain(b []byte) { audiotest.Try(b, 1<<20, wav.NewDecoder, nil) }

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
			if piped := audiotest.ReadAll(t, d, 1000); len(piped) != len(f.want) {
				t.Errorf("pipe: got %d frames, want %d", len(piped), len(f.want))
			}
		})
	}
}

func TestTheDecoderTellsTheFormat(t *testing.T) {
	d := decode(t, strings.NewReader(riff(extensible(1, 6, 24, 20, 0x3f), chunk("data", ""))))
	got := fmt.Sprintln(d.Codec(), d.Rate(), d.Bits(), d.Channels())
	if want := "pcm 8000 20 6\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for tag, want := range map[int]string{3: "float", 6: "alaw", 7: "mulaw"} {
		d := decode(t, strings.NewReader(riff(format(tag, 1, 8000, 32), chunk("data", ""))))
		if got := d.Codec(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTagsBehindTheSamplesAreRead(t *testing.T) {
	data := riff(format(1, 1, 8000, 8), chunk("data", "\x80\x80\x80"), chunk("junk", "x"), chunk("LIST", info), chunk("id3 ", id3))
	d := decode(t, strings.NewReader(data))
	if got, want := d.Tags(), (tags.Tags{Title: "ID3", Artist: "Me"}); !cmp.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := audiotest.ReadAll(t, d, 10); len(got) != 3 {
		t.Errorf("got %d frames, want 3", len(got))
	}
}

func TestOtherCodecsAreNamed(t *testing.T) {
	for tag, name := range map[int]string{2: "Microsoft ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x55: "MP3", 0x1234: "an unknown codec"} {
		_, err := wav.NewDecoder(strings.NewReader(riff(format(tag, 1, 8000, 4), stereo16)))
		var codec *wav.CodecError
		if !errors.As(err, &codec) || codec.Name != name || int(codec.Tag) != tag || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("format %#x: got %v, want a CodecError for %s", tag, err, name)
		}
	}
	for name, data := range map[string]string{
		"float of 16 bits": riff(format(3, 1, 8000, 16), stereo16),
		"RIFX":             "RIFX" + riff(format(1, 1, 8000, 16), stereo16)[4:],
		"a GUID of others": riff(strings.Replace(extensible(1, 1, 16, 16, 4), "\x71", "\x00", 1), stereo16),
	} {
		if _, err := wav.NewDecoder(strings.NewReader(data)); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: got %v, want errors.ErrUnsupported", name, err)
		}
	}
}

var broken = map[string]string{
	"nothing":               "",
	"a text":                "This is not a sound at all.",
	"another RIFF":          "RIFF\x04\x00\x00\x00AVI ",
	"no chunks":             riff(),
	"no samples":            riff(format(1, 2, 8000, 16)),
	"no format":             riff(stereo16),
	"a short format":        riff(chunk("fmt ", "short"), stereo16),
	"half a format":         riff(format(1, 2, 8000, 16))[:30],
	"a short extension":     riff(chunk("fmt ", extensible(1, 2, 16, 16, 3)[8:40]), stereo16),
	"no channels":           riff(format(1, 0, 8000, 16), stereo16),
	"65535 channels":        riff(format(1, 65535, 8000, 16), stereo16),
	"no rate":               riff(format(1, 2, 0, 16), stereo16),
	"a rate of 4 GHz":       riff(format(1, 2, -1, 16), stereo16),
	"no bits":               riff(chunk("fmt ", u16(1)+u16(2)+u32(8000)+u32(0)+u16(0)+u16(0)), stereo16),
	"65535 bits":            riff(format(1, 2, 8000, 65535), stereo16),
	"a cut ds64":            "RF64\xff\xff\xff\xffWAVEds64" + u32(28) + "123",
	"a cut LIST":            riff() + "LIST" + u32(1000) + "INFO",
	"a LIST of 4 GiB":       riff() + "LIST\xff\xff\xff\xffINFO",
	"an unknown of 4 GiB":   riff() + "abcd\xff\xff\xff\xffabcd",
	"a tag larger than all": riff() + "id3 \x00\x00\xff\x00" + id3,
}

func TestWhatIsBrokenIsRefused(t *testing.T) {
	for name, data := range broken {
		for _, r := range []io.Reader{strings.NewReader(data), audiotest.Pipe(strings.NewReader(data))} {
			if _, err := wav.NewDecoder(r); !errors.Is(err, wav.ErrFormat) {
				t.Errorf("%s: got %v, want ErrFormat", name, err)
			}
		}
	}
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAnEndlessHeaderEnds(t *testing.T) {
	for _, head := range []string{riff(), riff() + "abcd\xff\xff\xff\x03", riff() + "id3 \xff\xff\xff\x03"} {
		r := audiotest.Pipe(io.MultiReader(strings.NewReader(head), zeros{}))
		if _, err := wav.NewDecoder(r); !errors.Is(err, wav.ErrFormat) {
			t.Errorf("got %v, want ErrFormat", err)
		}
	}
}

func TestAHostileHeaderTakesNoMemory(t *testing.T) {
	n := audiotest.Allocated(func() {
		for _, data := range broken {
			wav.NewDecoder(audiotest.Pipe(strings.NewReader(data)))
		}
	})
	if n > 8<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func TestAReadThatFailsIsReported(t *testing.T) {
	lost := errors.New("the line is dead")
	data := riff(format(1, 2, 8000, 16), stereo16)
	for n := range len(data) {
		d, err := wav.NewDecoder(io.MultiReader(strings.NewReader(data[:n]), iotest.ErrReader(lost)))
		if err == nil {
			for err == nil {
				_, err = d.Read(make(frames, 10))
			}
		}
		if !errors.Is(err, lost) {
			t.Fatalf("after %d bytes: got %v, want %v", n, err, lost)
		}
	}
}

// long is 20000 frames of noise, larger than every buffer.
func long(channels, bits, tag int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 20000*channels*bits/8)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return riff(format(tag, channels, 44100, bits), chunk("data", string(b)), chunk("LIST", info))
}

func TestSeeksAreExact(t *testing.T) {
	for _, f := range []struct{ channels, bits, tag int }{{2, 16, 1}, {2, 24, 1}, {1, 8, 1}, {1, 8, 6}, {2, 32, 3}, {6, 24, 1}} {
		data := long(f.channels, f.bits, f.tag)
		all := audiotest.ReadAll(t, decode(t, strings.NewReader(data)), 777)
		if len(all) != 20000 {
			t.Fatalf("got %d frames, want 20000", len(all))
		}
		audiotest.Seeks(t, fmt.Sprintf("%+v", f), []byte(data), all, 50, wav.NewDecoder)
	}
}

func TestAPipeCannotSeek(t *testing.T) {
	d := decode(t, audiotest.Pipe(strings.NewReader(files[0].data)))
	if err := d.SeekFrame(0); !errors.Is(err, wav.ErrNotSeekable) {
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
	for _, f := range []string{format(1, 2, 8000, 16), format(1, 3, 8000, 16)} {
		r, w := io.Pipe()
		go io.WriteString(w, "RIFF\xff\xff\xff\xffWAVE"+f+"data\xff\xff\xff\xff"+strings.Repeat("\x00", 60))
		d := decode(t, r)
		for got := 0; got < 10; {
			n, err := d.Read(make(frames, 4096))
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
		w.Close()
	}
}

// What go-wav decodes it also allocates; the rest does not.
func TestReadingFloatsDoesNotAllocate(t *testing.T) {
	d := decode(t, strings.NewReader(long(2, 32, 3)))
	buf := make(frames, 352)
	if got := testing.AllocsPerRun(50, func() { d.Read(buf) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func TestMutatedFilesNeverPanic(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, f := range files {
		for range 300 {
			b := audiotest.Damage(rng, []byte(f.data), len(f.data), 6)
			drain(b[:1+rng.IntN(len(b))])
		}
	}
}

func FuzzDecoder(f *testing.F) {
	for _, file := range files {
		f.Add([]byte(file.data))
	}
	for _, data := range broken {
		f.Add([]byte(data))
	}
	f.Fuzz(func(_ *testing.T, b []byte) { drain(b) })
}

func BenchmarkDecode(b *testing.B) {
	for _, f := range []struct {
		name                string
		channels, bits, tag int
	}{{"go-wav 16", 2, 16, 1}, {"go-wav 24", 2, 24, 1}, {"go-wav mulaw", 2, 8, 7}, {"own float32", 2, 32, 3}, {"own float64", 2, 64, 3}, {"own 16x3", 3, 16, 1}, {"own 24x6", 6, 24, 1}} {
		data := long(f.channels, f.bits, f.tag)
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

package ffmpeg_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio/ffmpeg"
	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/tags"
)

var be = binary.BigEndian

func u16(v int) string   { return string(be.AppendUint16(nil, uint16(v))) }
func u32(v int) string   { return string(be.AppendUint32(nil, uint32(v))) }
func u64(v int64) string { return string(be.AppendUint64(nil, uint64(v))) }

func box(kind string, body ...string) string {
	b := strings.Join(body, "")
	return u32(8+len(b)) + kind + b
}

// largeBox has a size of 64 bits.
func largeBox(kind string, body ...string) string {
	b := strings.Join(body, "")
	return u32(1) + kind + u64(int64(16+len(b))) + b
}

// openBox goes on to the end of the file.
func openBox(kind string, body ...string) string { return u32(0) + kind + strings.Join(body, "") }

func stco(offsets ...int64) string {
	s := u32(0) + u32(len(offsets))
	for _, o := range offsets {
		s += u64(o)[4:]
	}
	return box("stco", s)
}

func co64(offsets ...int64) string {
	s := u32(0) + u32(len(offsets))
	for _, o := range offsets {
		s += u64(o)
	}
	return box("co64", s)
}

// trak is a track of sound with a table of offsets.
func trak(table string, more ...string) string {
	return box("trak", strings.Join(more, ""), box("mdia", box("hdlr", u32(0)+u32(0)+"soun"+u32(0)), box("minf", box("smhd", u64(0)), box("stbl", box("stts", u64(0)), table))))
}

var ftyp = box("ftyp", "M4A \x00\x00\x02\x00M4A isom")

// noise is what cannot be mistaken for other noise.
func noise(n int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return string(b)
}

func fed(t *testing.T, r io.Reader) string {
	t.Helper()
	r, err := ffmpeg.Faststart(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(iotest.OneByteReader(r))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheIndexComesToTheFront(t *testing.T) {
	// Every chunk of a file with samples at 36 is found after the move: what it
	// points to is the same as before.
	data := noise(500)
	samples := box("mdat", data)
	at := int64(len(ftyp) + 8)
	for _, tt := range []struct {
		name   string
		in     string
		tables []string // as they are in the file
	}{
		{"32 bits", ftyp + samples + box("moov", box("mvhd"), trak(stco(at, at+100, at+499))), []string{"stco"}},
		{"64 bits", ftyp + samples + box("moov", trak(co64(at+7, at+400))), []string{"co64"}},
		{"two tracks", ftyp + samples + box("moov", trak(stco(at+1, at+2)), trak(co64(at+3)), trak(stco())), []string{"stco", "co64"}},
		{"something between", ftyp + box("free", "1234") + samples + box("moov", trak(stco(at+12, at+13))), []string{"stco"}},
		{"QuickTime without ftyp", box("wide") + samples + box("moov", trak(stco(16, 17))), []string{"stco"}},
		{"samples behind the index too", ftyp + box("mdat", data[:100]) + box("moov", trak(stco(at, at+216+int64(len(trak(stco(0, 0)))), at+3))) + box("mdat", data[100:]), []string{"stco"}},
		{"an index up to the end", ftyp + samples + openBox("moov", trak(stco(at, at+3))), []string{"stco"}},
		{"a large index", ftyp + samples + largeBox("moov", trak(stco(at, at+3))), []string{"stco"}},
		{"large samples", ftyp + largeBox("mdat", data) + box("moov", trak(stco(at+8, at+11))), []string{"stco"}},
		{"an offset out of place", ftyp + samples + box("moov", trak(stco(3, at+3))), []string{"stco"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{"file": strings.NewReader(tt.in), "pipe": audiotest.Pipe(iotest.HalfReader(strings.NewReader(tt.in)))} {
				out := fed(t, r)
				if m, d := strings.Index(out, "moov"), strings.Index(out, "mdat"); m > d {
					t.Errorf("%s: the index is at %d, the samples at %d", name, m, d)
				}
				for _, kind := range tt.tables {
					before, after := chunks(t, tt.in, kind), chunks(t, out, kind)
					if len(before) == 0 || !slices.Equal(before, after) {
						t.Errorf("%s: %s: the chunks were %x, and are %x", name, kind, before, after)
					}
				}
			}
		})
	}
}

// chunks are the bytes at the places that the first table of a kind names.
func chunks(t *testing.T, file, kind string) []string {
	t.Helper()
	var found []string
	b := []byte(file[strings.Index(file, kind)+8:])
	width := map[string]int{"stco": 4, "co64": 8}[kind]
	for i := range int(be.Uint32(b)) {
		field := b[4+width*i:]
		at := uint64(be.Uint32(field))
		if width == 8 {
			at = be.Uint64(field)
		}
		found = append(found, file[min(int(at), len(file)):min(int(at)+1, len(file))])
	}
	return found
}

func TestWhatNeedsNoMoveIsLeftAlone(t *testing.T) {
	samples := box("mdat", noise(100))
	index := box("moov", trak(stco(36, 40)))
	for name, in := range map[string]string{
		"faststart":         ftyp + index + samples,
		"fragments":         ftyp + index + box("moof", "1") + samples + box("moof", "2") + samples,
		"fragments alone":   box("styp", "1234") + box("moof", "1") + samples,
		"a large index":     ftyp + largeBox("moov", trak(stco(1))) + openBox("mdat", "endless"),
		"no index":          ftyp + samples,
		"no index, endless": ftyp + openBox("mdat", noise(50)),
		"nothing":           "",
		"one byte":          "\x00",
		"a text":            "This is not a film at all, but some text.",
		"AAC":               "\xff\xf1\x50\x80\x2e\x7f\xfc" + noise(300),
		"WMA":               "\x30\x26\xb2\x75\x8e\x66\xcf\x11" + noise(300),
		"zeros":             strings.Repeat("\x00", 100),
		"a box too small":   ftyp + u32(7) + "free" + noise(100),
		"a huge box":        ftyp + u32(-1) + "uuid" + noise(100),
		"a huger box":       ftyp + u32(1) + "uuid" + u64(-1) + noise(100),
		"a large box cut":   ftyp + u32(1) + "uuid",
		"a cut index":       ftyp + index[:40],
		"half a head":       ftyp + "\x00\x00\x00",
	} {
		for _, r := range []io.Reader{strings.NewReader(in), audiotest.Pipe(strings.NewReader(in))} {
			if got := fed(t, r); got != in {
				t.Errorf("%s: got %d other bytes, want the same %d", name, len(got), len(in))
			}
		}
	}
}

func TestAFileMayBeginWithinAReader(t *testing.T) {
	in := ftyp + box("mdat", noise(100)) + box("moov", trak(stco(int64(len(ftyp)+8))))
	r := strings.NewReader("0123456789" + in)
	r.Seek(10, io.SeekStart)
	if got, want := fed(t, r), fed(t, strings.NewReader(in)); got != want {
		t.Errorf("got %d other bytes, want %d", len(got), len(want))
	}
}

// A hole reads as a few bytes, very many zeros, and some more bytes.
type hole struct {
	front, back string
	at, size    int64
}

func (h *hole) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += h.at
	case io.SeekEnd:
		offset += h.size
	}
	h.at = offset
	return offset, nil
}

func (h *hole) Read(p []byte) (int, error) {
	if h.at >= h.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), h.size-h.at)]
	clear(p)
	if h.at < int64(len(h.front)) {
		copy(p, h.front[h.at:])
	}
	back := h.size - int64(len(h.back))
	if from := max(h.at, back); from < h.at+int64(len(p)) {
		copy(p[from-h.at:], h.back[from-back:])
	}
	h.at += int64(len(p))
	return len(p), nil
}

func TestOffsetsThatBecomeTooLargeGet64Bits(t *testing.T) {
	const data int64 = 1<<32 - 100 // bytes of samples, with their head
	begin := int64(len(ftyp))
	front := ftyp + u32(1) + "mdat" + u64(data)
	last := begin + data - 1
	index := box("moov", box("mvhd"), trak(stco(begin+16, 1<<32-200)), trak(co64(last)), box("udta"), "junk")
	size := begin + data + int64(len(index))
	r, err := ffmpeg.Faststart(&hole{front: front, back: index, size: size})
	if err != nil {
		t.Fatal(err)
	}
	// The index grows by four bytes for each of two offsets, and loses the junk.
	shift := int64(len(index) + 2*4 - len("junk"))
	want := ftyp + box("moov", box("mvhd"), trak(co64(begin+16+shift, 1<<32-200+shift)), trak(co64(last+shift)), box("udta"))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%x, want\n%x", got, want)
	}
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestALongStreamWithItsIndexBehindIsRefused(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, head := range []string{u32(1<<30) + "mdat", openBox("mdat"), largeBox("mdat")} {
		_, err := ffmpeg.Faststart(audiotest.Pipe(io.MultiReader(strings.NewReader(ftyp+head), zeros{})))
		if !errors.Is(err, ffmpeg.ErrFormat) || !strings.Contains(err.Error(), "at its end") {
			t.Errorf("got %v, want ErrFormat and why", err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 3*8*ffmpeg.MaxKept {
		t.Errorf("%d bytes were allocated", n)
	}
}

func TestAnIndexThatCannotBeMovedIsRefused(t *testing.T) {
	samples := box("mdat", noise(100))
	for name, in := range map[string]string{
		"compressed": ftyp + samples + box("moov", box("cmov", noise(50))),
		"encrypted":  ftyp + samples + box("moov", entry("drms", 16)),
	} {
		for _, r := range []io.Reader{strings.NewReader(in), audiotest.Pipe(strings.NewReader(in))} {
			if _, err := ffmpeg.Faststart(r); !errors.Is(err, ffmpeg.ErrFormat) {
				t.Errorf("%s: got %v, want ErrFormat", name, err)
			}
		}
	}
	for _, large := range []io.Reader{
		&hole{front: ftyp + samples + u32(1<<30) + "moov", size: 1<<30 + int64(len(ftyp+samples))},
		audiotest.Pipe(strings.NewReader(ftyp + u32(30<<20) + "moov" + noise(100))),
		audiotest.Pipe(strings.NewReader(ftyp + openBox("moov", noise(100)))),
	} {
		if _, err := ffmpeg.Faststart(large); !errors.Is(err, ffmpeg.ErrFormat) {
			t.Errorf("a large index: got %v, want ErrFormat", err)
		}
	}
}

func TestAReaderThatFailsIsReported(t *testing.T) {
	lost := errors.New("the line is dead")
	in := ftyp + box("mdat", noise(100)) + box("moov", trak(stco(int64(len(ftyp)+8))))
	for n := range len(in) {
		r, err := ffmpeg.Faststart(io.MultiReader(strings.NewReader(in[:n]), iotest.ErrReader(lost)))
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if !errors.Is(err, lost) {
			t.Fatalf("after %d bytes: got %v, want %v", n, err, lost)
		}
	}
}

// entry is a track of sound in a format.
func entry(format string, bits int) string {
	e := box(format, u32(0)+u16(0)+u16(1)+u64(0)+u16(2)+u16(bits)+u32(0)+"\xac\x44\x00\x00")
	return trak(box("stsd", u32(0)+u32(1)+e))
}

func edits(version int, entries ...string) string {
	return box("edts", box("elst", u32(version<<24)+u32(len(entries))+strings.Join(entries, "")))
}

func mvhd(version int, fields ...string) string {
	return box("mvhd", u32(version<<24)+strings.Join(fields, ""))
}

func item(kind string, form int, value string) string {
	return box(kind, box("data", u32(form)+u32(0)+value))
}

func ilst(items ...string) string {
	return box("udta", box("meta", u32(0), box("hdlr", noise(25)), box("ilst", items...)))
}

func film() string {
	return box("trak", box("mdia", box("hdlr", u32(0)+u32(0)+"vide"+u32(0))))
}

var indexes = []struct {
	name string
	moov string
	want ffmpeg.Index
}{
	{"nothing", box("moov"), ffmpeg.Index{}},
	{"AAC", box("moov", mvhd(0, u32(1), u32(2), u32(600), u32(900)), entry("mp4a", 16)), ffmpeg.Index{Indexed: true, Tags: tags.Tags{Duration: 1500 * time.Millisecond}}},
	{"a long time", box("moov", mvhd(1, u64(1), u64(2), u32(44100), u64(44100*3600*20)), entry("mp4a", 16)), ffmpeg.Index{Indexed: true, Tags: tags.Tags{Duration: 20 * time.Hour}}},
	{"an absurd time", box("moov", mvhd(1, u64(1), u64(2), u32(1), u64(-1)), entry("mp4a", 16)), ffmpeg.Index{Indexed: true}},
	{"an unknown time", box("moov", mvhd(0, u32(1), u32(2), u32(600), u32(-1))), ffmpeg.Index{}},
	{"no timescale", box("moov", mvhd(0, u32(1), u32(2), u32(0), u32(900))), ffmpeg.Index{}},
	{"Apple Lossless", box("moov", entry("alac", 24)), ffmpeg.Index{Indexed: true, Bits: 24}},
	{"encrypted", box("moov", entry("drms", 16)), ffmpeg.Index{Indexed: true, Protected: true}},
	{"fragments", box("moov", entry("mp4a", 16), box("mvex")), ffmpeg.Index{}},
	{"a film", box("moov", film(), entry("mp4a", 16)), ffmpeg.Index{}},
	{"two sounds", box("moov", entry("alac", 16), entry("mp4a", 16)), ffmpeg.Index{Bits: 16}},
	{"an edit", box("moov", trak(stco(), edits(0, u32(900)+u32(1024)+u32(1<<16)))), ffmpeg.Index{Indexed: true}},
	{"an edit of 64 bits", box("moov", trak(stco(), edits(1, u64(900)+u64(1024)+u32(1<<16)))), ffmpeg.Index{Indexed: true}},
	{"silence in front", box("moov", trak(stco(), edits(0, u32(900)+u32(-1)+u32(1<<16)))), ffmpeg.Index{}},
	{"silence of 64 bits", box("moov", trak(stco(), edits(1, u64(900)+u64(-1)+u32(1<<16)))), ffmpeg.Index{}},
	{"two edits", box("moov", trak(stco(), edits(0, u32(9)+u32(0)+u32(1<<16), u32(9)+u32(90)+u32(1<<16)))), ffmpeg.Index{}},
	{"tags", box("moov", ilst(item("\xa9nam", 1, "T"), item("\xa9ART", 1, "A"), item("aART", 1, "B"), item("\xa9alb", 1, "C"), item("\xa9gen", 1, "G"),
		item("\xa9day", 1, "1999-05-01T00:00:00Z"), item("trkn", 0, u16(0)+u16(7)+u16(12)+u16(0)), item("covr", 13, "\xff\xd8\xffJPEG"), item("covr", 14, "second"))),
		ffmpeg.Index{Tags: tags.Tags{Title: "T", Artist: "A", Album: "C", Genre: "G", Year: 1999, Track: 7, Artwork: []byte("\xff\xd8\xffJPEG")}}},
	{"tags of QuickTime's kind", box("moov", box("udta", box("meta", box("hdlr", noise(25)), box("ilst", item("\xa9nam", 1, "T"))))), ffmpeg.Index{Tags: tags.Tags{Title: "T"}}},
	{"an artist of an album only", box("moov", ilst(item("aART", 1, "B"))), ffmpeg.Index{Tags: tags.Tags{Artist: "B"}}},
	{"tags that are none", box("moov", ilst(item("\xa9day", 1, "May"), item("\xa9day", 1, "1"), item("trkn", 0, "\x00"), item("covr", 0, "no picture"), box("\xa9nam", box("data")), box("\xa9nam", "x"))), ffmpeg.Index{}},
}

func TestTheIndexTellsWhatTheSoundIs(t *testing.T) {
	for _, tt := range indexes {
		if diff := cmp.Diff(tt.want, ffmpeg.ParseIndex([]byte(tt.moov))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func FuzzFaststart(f *testing.F) {
	samples := box("mdat", noise(100))
	for _, in := range []string{
		ftyp + samples + box("moov", trak(stco(36, 40)), trak(co64(50))),
		ftyp + box("moov", trak(stco(36, 40))) + samples,
		ftyp + samples + openBox("moov", trak(stco(-1, -2))),
		ftyp + largeBox("mdat", "samples") + largeBox("moov", trak(stco(1))),
	} {
		f.Add([]byte(in))
	}
	for _, index := range indexes {
		f.Add([]byte(ftyp + samples + index.moov))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, r := range []io.Reader{bytes.NewReader(in), audiotest.Pipe(bytes.NewReader(in))} {
			r, err := ffmpeg.Faststart(r)
			if err != nil {
				continue
			}
			out, err := io.ReadAll(r)
			if err != nil || len(out) > 2*len(in)+16 {
				t.Fatalf("got %d bytes of %d, %v", len(out), len(in), err)
			}
		}
	})
}

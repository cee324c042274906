package ogg_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/ogg"
)

// near is how many frames next to a hole may be silent as well: the two blocks
// that overlap it, or for Opus, none.
const near = 4096

func TestDamageIsSilence(t *testing.T) {
	wav := sound(t, 44100, 2, 4)
	wav48 := sound(t, 48000, 2, 4)
	for _, codec := range []struct {
		name string
		data []byte
		same bool // what is not lost is the same as without damage
	}{
		{"vorbis", vorbis(t, wav, "-q", "10"), true},
		{"flac", oggFLAC(t, wav), true},
		{"opus", opus(t, wav48, "--bitrate", "256"), false},
	} {
		want := all(t, decoder(t, bytes.NewReader(codec.data)))
		half := len(codec.data) / 2
		for _, tt := range []struct {
			name   string
			damage func([]byte) []byte
			lost   int // bytes, at most
		}{
			{"a changed bit", func(b []byte) []byte { b[half] ^= 0x10; return b }, 1},
			{"a hole of 40 kB", func(b []byte) []byte { return slices.Delete(b, half, half+40<<10) }, 40 << 10},
			{"40 kB of zeros", func(b []byte) []byte { clear(b[half : half+40<<10]); return b }, 40 << 10},
			{"40 kB too much", func(b []byte) []byte { return slices.Insert(b, half, make([]byte, 40<<10)...) }, 1},
			{"garbage in front", func(b []byte) []byte { return slices.Insert(b, 0, junk(5000)...) }, 0},
			{"garbage behind", func(b []byte) []byte { return append(b, junk(5000)...) }, 0},
		} {
			t.Run(codec.name+"/"+tt.name, func(t *testing.T) {
				broken := tt.damage(slices.Clone(codec.data))
				for _, r := range []io.Reader{bytes.NewReader(broken), audiotest.Trickle(bytes.NewReader(broken))} {
					got := all(t, decoder(t, r))
					if len(got) != len(want) {
						t.Fatalf("got %d frames, want %d", len(got), len(want))
					}
					allowed := 0
					if tt.lost > 0 { // the pages that it lies on, too
						allowed = int(float64(tt.lost+2*65307)/float64(len(codec.data))*float64(len(want))) + near
					}
					if silent := silence(t, got, want, codec.same); silent > allowed {
						t.Errorf("%d frames are silent, want at most %d", silent, allowed)
					}
				}
			})
		}
	}
}

// silence counts the frames that are silent in got but not in want. If the
// others are the same is checked if same is true.
func silence(t *testing.T, got, want []frame, same bool) (silent int) {
	t.Helper()
	for i := range got {
		switch {
		case got[i] == want[i]:
		case got[i] == frame{}:
			silent++
		case same:
			t.Fatalf("frame %d is %v, want %v or silence", i, got[i], want[i])
		}
	}
	return silent
}

// junk is bytes that look like the beginnings of pages now and then.
func junk(n int) (b []byte) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for len(b) < n {
		b = append(b, byte(rnd.Uint32()))
		if rnd.IntN(100) == 0 {
			b = append(b, "OggS\x00"...)
		}
	}
	return b[:n]
}

func TestTruncatedStreamPlaysWhatIsThere(t *testing.T) {
	wav := sound(t, 48000, 2, 3)
	for name, data := range map[string][]byte{"vorbis": vorbis(t, wav), "opus": opus(t, wav), "flac": oggFLAC(t, wav)} {
		want := all(t, decoder(t, bytes.NewReader(data)))
		cut := data[:len(data)*2/3]
		file := decoder(t, bytes.NewReader(cut))
		got := all(t, file)
		if len(got) < len(want)/4 || len(got) > len(want) || differ(got, want[:len(got)], 0) != "" || file.Len() != int64(len(got)) {
			t.Errorf("%s: got %d frames of %d, length %d", name, len(got), len(want), file.Len())
		}
		if diff := differ(all(t, decoder(t, audiotest.Trickle(bytes.NewReader(cut)))), got, 0); diff != "" {
			t.Errorf("%s from a pipe: %s", name, diff)
		}
	}
}

// VLC ends streams with a page without a packet.
func TestEmptyLastPage(t *testing.T) {
	data := vorbis(t, sound(t, 44100, 2, 1))
	want := all(t, decoder(t, bytes.NewReader(data)))
	for _, lacing := range [][]byte{nil, {0}} {
		pages := pagesOf(data)
		last := &pages[len(pages)-1]
		empty := oggPage{flags: 4, granule: last.granule, serial: last.serial, sequence: last.sequence + 1, lacing: lacing}
		d := decoder(t, bytes.NewReader(join(append(pages, empty))))
		if diff := differ(all(t, d), want, 0); diff != "" {
			t.Errorf("lacing %v: %s", lacing, diff)
		}
		checkSeeks(t, d, want, 0, 5)
	}
}

func TestEmptyPagesInside(t *testing.T) {
	data := vorbis(t, sound(t, 44100, 2, 1))
	want := all(t, decoder(t, bytes.NewReader(data)))
	var pages []oggPage
	for i, p := range pagesOf(data) {
		p.sequence = uint32(2 * i)
		pages = append(pages, p, oggPage{granule: -1, serial: p.serial, sequence: p.sequence + 1})
	}
	pages[1].flags = 0
	if diff := differ(all(t, decoder(t, bytes.NewReader(join(pages)))), want, 0); diff != "" {
		t.Error(diff)
	}
}

// The beginning and the end of a stream may lie inside a packet.
func TestGranulesCutTheEnds(t *testing.T) {
	data := vorbis(t, sound(t, 44100, 2, 3))
	whole := all(t, decoder(t, bytes.NewReader(data)))
	pages := pagesOf(data)
	for i := range pages {
		if pages[i].granule > 0 {
			pages[i].granule -= 500
		}
	}
	pages[len(pages)-1].granule -= 300
	d := decoder(t, bytes.NewReader(join(pages)))
	if diff := differ(all(t, d), whole[500:len(whole)-300], 0); diff != "" {
		t.Error(diff)
	}
	checkSeeks(t, d, whole[500:len(whole)-300], 0, 10)
}

// A recording of a radio begins at any granule.
func TestStreamThatBeginsLate(t *testing.T) {
	for name, data := range map[string][]byte{
		"vorbis": vorbis(t, sound(t, 44100, 2, 3)),
		"opus":   opus(t, sound(t, 48000, 2, 3)),
	} {
		want := all(t, decoder(t, bytes.NewReader(data)))
		pages := pagesOf(data)
		for i := range pages {
			if pages[i].granule > 0 {
				pages[i].granule += 1 << 40
			}
		}
		d := decoder(t, bytes.NewReader(join(pages)))
		if diff := differ(all(t, d), want, 0); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if d.Len() != int64(len(want)) {
			t.Errorf("%s: got length %d, want %d", name, d.Len(), len(want))
		}
		checkSeeks(t, d, want, 1e-6, 10)
	}
}

func TestWhatIsNotASoundIsRefused(t *testing.T) {
	speex := join([]oggPage{{flags: 2, serial: 7, lacing: []byte{80}, body: append([]byte("Speex   "), make([]byte, 72)...)}, {serial: 7, sequence: 1}})
	theora := join([]oggPage{{flags: 2, serial: 7, lacing: []byte{42}, body: append([]byte("\x80theora"), make([]byte, 35)...)}, {serial: 7, sequence: 1}})
	for _, tt := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, ogg.ErrMalformed},
		{"text", []byte("This is not a sound at all, is it?"), ogg.ErrMalformed},
		{"junk", junk(200 << 10), ogg.ErrMalformed},
		{"speex", speex, ogg.ErrUnsupported},
		{"theora", theora, ogg.ErrUnsupported},
		{"no beginning", join([]oggPage{{serial: 7, sequence: 5, lacing: []byte{5}, body: []byte("hello")}}), ogg.ErrMalformed},
	} {
		for _, r := range []io.Reader{bytes.NewReader(tt.data), audiotest.Trickle(bytes.NewReader(tt.data))} {
			if _, err := ogg.NewDecoder(r); !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			}
		}
	}
}

func TestReadErrorIsReturned(t *testing.T) {
	data := vorbis(t, sound(t, 44100, 2, 3))
	broken := errors.New("the cable was pulled")
	d := decoder(t, io.MultiReader(bytes.NewReader(data[:len(data)/2]), failing{broken}))
	if _, err := audiotest.Drain(d, 700); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// The comments of a stream may ask for 4 billion fields. They are ignored and
// the sound is played.
func TestCommentsThatAskForTooMuch(t *testing.T) {
	data := vorbis(t, sound(t, 44100, 2, 0.5))
	want := all(t, decoder(t, bytes.NewReader(data)))
	for _, comments := range [][]byte{
		[]byte("\x03vorbis\x00\x00\x00\x00\xff\xff\xff\xff\x01"),
		[]byte("\x03vorbis\xff\xff\xff\xff\x00\x00\x00\x00\x01"),
		[]byte("\x03vorbis\x00\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\x7fTITLE=x\x01"),
		[]byte("\x03vorbis"),
	} {
		asked := audiotest.Allocated(func() {
			d := decoder(t, bytes.NewReader(replacePacket(data, 1, comments)))
			if diff := differ(all(t, d), want, 0); diff != "" {
				t.Error(diff)
			}
		})
		if asked > 16<<20 {
			t.Errorf("%q asked for %d bytes", comments, asked)
		}
	}
}

// replacePacket puts another packet in the place of one of a Vorbis stream.
func replacePacket(data []byte, n int, packet []byte) []byte {
	pages := pagesOf(data)
	packets := packetsOf(data)
	packets[n] = packet
	out := paginate(pages[0].serial, packets[:3], []int64{0, 0, 0})
	out[len(out)-1].flags = 0
	for _, p := range pages {
		if p.granule > 0 {
			p.sequence = uint32(len(out))
			out = append(out, p)
		}
	}
	return join(out)
}

func TestVorbisHeadersThatWouldKillAreRefused(t *testing.T) {
	ident := func(channels byte, blocks byte) []byte {
		b := []byte("\x01vorbis\x00\x00\x00\x00")
		b = append(b, channels)
		b = binary.LittleEndian.AppendUint32(b, 44100)
		b = append(b, make([]byte, 12)...)
		return append(b, blocks, 1)
	}
	for _, tt := range []struct {
		name  string
		ident []byte
		setup func(*lowBits)
	}{
		{"no channel", ident(0, 0xb8), func(w *lowBits) { w.small() }},
		{"255 channels", ident(255, 0xb8), func(w *lowBits) { w.small() }},
		{"block of 32768", ident(2, 0xf8), func(w *lowBits) { w.small() }},
		{"blocks upside down", ident(2, 0x8b), func(w *lowBits) { w.small() }},
		{"no entry: 17 GB", ident(2, 0xb8), func(w *lowBits) {
			w.add(0, 8).add(0x564342, 24).add(1, 16).add(0, 24).pad(1000)
		}},
		{"16 million entries", ident(2, 0xb8), func(w *lowBits) {
			w.add(0, 8).add(0x564342, 24).add(1, 16).add(0xffffff, 24).add(1, 1).add(23, 5).add(0xffffff, 24).pad(1000)
		}},
		{"ordered without an end", ident(2, 0xb8), func(w *lowBits) {
			w.add(0, 8).add(0x564342, 24).add(1, 16).add(1000, 24).add(1, 1).add(1, 5)
		}},
		{"vectors of 65535", ident(2, 0xb8), func(w *lowBits) {
			w.add(0, 8).add(0x564342, 24).add(0xffff, 16).add(65000, 24).add(0, 1).add(1, 1).pad(100000)
		}},
		{"values of 4 GB", ident(2, 0xb8), func(w *lowBits) {
			w.add(0, 8).add(0x564342, 24).add(256, 16).add(1<<17, 24).add(1, 1).add(16, 5).add(1<<17, 18)
			w.add(1, 4).add(0, 32).add(0, 32).add(0, 4).add(0, 1).pad(1000)
		}},
		{"vectors without a dimension: a loop", ident(2, 0xb8), func(w *lowBits) {
			w.add(0, 8).add(0x564342, 24).add(0, 16).add(2, 24).add(0, 1).add(0, 1).add(0, 5).add(0, 5).add(0, 4).pad(1000)
		}},
		{"no entry used: a loop", ident(2, 0xb8), func(w *lowBits) {
			w.add(0, 8).add(0x564342, 24).add(1, 16).add(2, 24).add(0, 1).add(1, 1).add(0, 2).add(0, 4).pad(1000)
		}},
		{"residue that ends before it begins: 16 GB", ident(2, 0xb8), func(w *lowBits) { w.stream(10, 5) }},
		{"cut", ident(2, 0xb8), func(w *lowBits) { w.add(3, 8).add(0x564342, 24) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &lowBits{b: []byte("\x05vorbis"), n: 56}
			tt.setup(w)
			packets := [][]byte{tt.ident, smallComments, w.b, {0, 0, 0, 0}, {0, 0, 0, 0}}
			data := join(paginate(5, packets, []int64{0, 0, 0, 100, 200}))
			var err error
			asked := audiotest.Allocated(func() {
				var d *ogg.Decoder
				if d, err = ogg.NewDecoder(audiotest.Trickle(bytes.NewReader(data))); err == nil {
					_, err = audiotest.Drain(d, 700)
				}
			})
			if err == nil || asked > 8<<20 {
				t.Errorf("got error %v after asking for %d bytes", err, asked)
			}
		})
	}
}

// The smallest headers that are right are accepted, and yield silence.
func TestSmallestVorbisHeaders(t *testing.T) {
	got := all(t, decoder(t, bytes.NewReader(smallest())))
	if len(got) != 250 || got[0] != (frame{}) || got[200] != (frame{}) {
		t.Errorf("got %d frames, want 250 of silence", len(got))
	}
}

// The first two headers of a small stream: two channels at 44.1 kHz.
var (
	smallIdent    = []byte("\x01vorbis\x00\x00\x00\x00\x02\x44\xac\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xb8\x01")
	smallComments = []byte("\x03vorbis\x00\x00\x00\x00\x00\x00\x00\x00\x01")
)

// lowBits writes the lowest bits first.
type lowBits struct {
	b []byte
	n int
}

func (w *lowBits) add(v uint64, n int) *lowBits {
	for i := range n {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
	return w
}

func (w *lowBits) pad(bytes int) { w.b = append(w.b, make([]byte, bytes)...) }

// small is a setup of one of everything.
func (w *lowBits) small() { w.stream(0, 0) }

// stream is a setup whose residue goes from begin to end.
func (w *lowBits) stream(begin, end uint64) {
	w.add(0, 8)                                                               // one codebook
	w.add(0x564342, 24).add(1, 16).add(2, 24)                                 // of two entries
	w.add(0, 1).add(0, 1).add(0, 5).add(0, 5).add(0, 4)                       // one bit each, no vectors
	w.add(0, 6).add(0, 16)                                                    // time
	w.add(0, 6).add(1, 16).add(1, 5).add(0, 4)                                // a floor of one partition
	w.add(0, 3).add(0, 2).add(0, 8).add(0, 2).add(4, 4).add(3, 4)             // of one point
	w.add(0, 6).add(0, 16).add(begin, 24).add(end, 24).add(0, 24).add(0, 6)   // a residue of one class
	w.add(0, 8).add(0, 3).add(0, 1)                                           // without stages
	w.add(0, 6).add(0, 16).add(0, 1).add(0, 1).add(0, 2).add(0, 8).add(0, 16) // a mapping
	w.add(0, 6).add(0, 1).add(0, 32).add(0, 8).add(1, 1)                      // a mode
}

package ogg_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/ogg"
)

// try decodes a part of what may be anything, in all ways.
func try(data []byte, most int) int {
	return audiotest.Try(data, most, ogg.NewDecoder, func(d *ogg.Decoder, err error) bool {
		if !errors.Is(err, ogg.ErrRateChanged) {
			return false
		}
		d.Next()
		return true
	})
}

// seeds is streams of each codec, if their encoders are installed.
func seeds(f testing.TB) (all [][]byte) {
	f.Helper()
	if !audiotest.Installed("sox", "oggenc", "opusenc", "flac") {
		return nil
	}
	wav := sound(f, 48000, 2, 0.2)
	return [][]byte{
		vorbis(f, wav), vorbis(f, sound(f, 8000, 1, 0.2)),
		opus(f, wav), opus(f, wav, "--bitrate", "16", "--speech"),
		oggFLAC(f, wav),
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add(smallest())
	f.Add(join([]oggPage{{flags: 2, lacing: []byte{19}, body: []byte("OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00")}, {sequence: 1, granule: 960, lacing: []byte{3}, body: []byte{0xfc, 1, 2}}}))
	for _, data := range seeds(f) {
		f.Add(data)
	}
	f.Fuzz(func(_ *testing.T, data []byte) { try(resumIfPages(data), 100_000) })
}

// resumIfPages sets the sums right, because no fuzzer would.
func resumIfPages(data []byte) []byte {
	out := bytes.Clone(data)
	for from := 0; ; {
		i := bytes.Index(out[from:], []byte("OggS"))
		if i < 0 {
			return out
		}
		from += i
		end := pageEnd(out, from)
		if end > 0 {
			clear(out[from+22 : from+26])
			sum := oggSum(out[from:end])
			out[from+22], out[from+23], out[from+24], out[from+25] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		}
		from += 4
	}
}

// pageEnd is where the page that begins at from ends; 0 if it is cut.
func pageEnd(b []byte, from int) int {
	if from+27 > len(b) {
		return 0
	}
	end := from + 27 + int(b[from+26])
	if end > len(b) {
		return 0
	}
	for _, n := range b[from+27 : end] {
		end += int(n)
	}
	if end > len(b) {
		return 0
	}
	return end
}

// smallest is a Vorbis stream of the smallest headers.
func smallest() []byte {
	w := &lowBits{b: []byte("\x05vorbis"), n: 56}
	w.small()
	packets := [][]byte{smallIdent, smallComments, w.b, {0, 0}, {0, 0}, {0, 0}}
	return join(paginate(5, packets, []int64{0, 0, 0, 0, 128, 250}))
}

func FuzzVorbisSetup(f *testing.F) {
	w := &lowBits{b: []byte("\x05vorbis"), n: 56}
	w.small()
	f.Add(w.b, []byte{0, 0})
	for _, data := range seeds(f) {
		packets := packetsOf(data)
		if bytes.HasPrefix(packets[2], []byte("\x05vorbis")) {
			f.Add(packets[2], packets[4])
		}
	}
	f.Fuzz(func(t *testing.T, setup, sound []byte) {
		packets := [][]byte{smallIdent, smallComments, setup, sound, sound, sound}
		data := join(paginate(5, packets, []int64{0, 0, 0, 0, 128, 250}))
		if asked := audiotest.Allocated(func() { try(data, 100_000) }); asked > 256<<20 {
			t.Errorf("asked for %d bytes", asked)
		}
	})
}

// Every stream with a few changed bytes gives sound or an error.
func TestMutationsNeverPanic(t *testing.T) {
	all := append(seeds(t), smallest())
	rnd := rand.New(rand.NewPCG(5, 6))
	times := 200
	if testing.Short() {
		times = 40
	}
	heard := 0
	for range times {
		data := all[rnd.IntN(len(all))]
		reach := len(data)
		if rnd.IntN(2) == 0 {
			reach = 5000 // the headers
		}
		data = audiotest.Damage(rnd, data, reach, 8)
		if rnd.IntN(3) > 0 {
			data = resumIfPages(data)
		}
		if asked := audiotest.Allocated(func() { heard += try(data, 50_000) }); asked > 256<<20 {
			t.Errorf("asked for %d bytes", asked)
		}
	}
	if heard == 0 {
		t.Error("nothing was heard of any")
	}
}

func BenchmarkDecode(b *testing.B) {
	wav := sound(b, 48000, 2, 10)
	for _, codec := range []struct {
		name string
		data []byte
	}{
		{"vorbis", vorbis(b, wav)}, {"opus", opus(b, wav)}, {"flac", oggFLAC(b, wav)},
	} {
		b.Run(codec.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]frame, 4096)
			for b.Loop() {
				d, err := ogg.NewDecoder(bytes.NewReader(codec.data))
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = d.Read(buf)
				}
			}
			b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "x")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	data := vorbis(b, sound(b, 48000, 2, 30))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ogg.NewDecoder(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeek(b *testing.B) {
	wav := sound(b, 48000, 2, 30)
	for _, codec := range []struct {
		name string
		data []byte
	}{
		{"vorbis", vorbis(b, wav)}, {"opus", opus(b, wav)}, {"flac", oggFLAC(b, wav)},
	} {
		b.Run(codec.name, func(b *testing.B) {
			d := decoder(b, bytes.NewReader(codec.data))
			buf := make([]frame, 1)
			for n := int64(0); b.Loop(); n = (n + 777777) % d.Len() {
				if err := d.SeekFrame(n); err != nil {
					b.Fatal(err)
				}
				if _, err := d.Read(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package flac_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	mewkiz "github.com/mewkiz/flac"

	"airplay2mqtt/audio/flac"
	"airplay2mqtt/audio/internal/audiotest"
)

// try decodes a part of what may be anything, in all ways.
func try(data []byte, most int) int { return audiotest.Try(data, most, flac.NewDecoder, nil) }

// small is a stream of three blocks.
func small() []byte {
	data := streamOf(16, 48)
	for i := range 3 {
		var w bitWriter
		w.add(0b00000000, 8) // constant
		w.add(uint64(i*1000), 16)
		w.add(0b00000010, 8) // verbatim
		for j := range 16 {
			w.add(uint64(j*77), 16)
		}
		data = append(data, verbatim(byte(i), 16, w.b)...)
	}
	return data
}

// seeds is streams of all kinds, if the encoder is installed.
func seeds(f testing.TB) (all [][]byte) {
	f.Helper()
	if !audiotest.Installed("sox", "flac") {
		return nil
	}
	wav := audiotest.Noise(f, 44100, 16, 2, 0.1)
	return [][]byte{
		encode(f, wav, "--no-padding", "-T", "TITLE=x"),
		encode(f, wav, "--no-padding", "--no-seektable", "-b", "192"),
		encode(f, audiotest.Noise(f, 24000, 24, 1, 0.1), "--no-padding"),
		encode(f, audiotest.Noise(f, 8000, 8, 6, 0.1), "--no-padding", "--channel-map=none"),
	}
}

func TestSmallestStream(t *testing.T) {
	var want [][2]int32
	for i := range 3 {
		for j := range 16 {
			want = append(want, [2]int32{int32(i*1000) << 16, int32(j*77) << 16})
		}
	}
	d := decoder(t, bytes.NewReader(small()))
	if got := fixed(all(t, d)); !slices.Equal(got, want) {
		t.Error(difference(got, want))
	}
	checkSeeks(t, d, want, 5)
}

func FuzzDecoder(f *testing.F) {
	f.Add(small())
	f.Add(noFrames())
	for _, data := range seeds(f) {
		f.Add(data)
	}
	f.Fuzz(func(_ *testing.T, data []byte) { try(data, 100_000) })
}

func FuzzPacketDecoder(f *testing.F) {
	f.Add(small()[4:42], verbatim(0, 16, make([]byte, 66)))
	for _, data := range seeds(f) {
		f.Add(data[4:42], data[len(data)-2000:])
	}
	f.Fuzz(func(t *testing.T, info, packet []byte) {
		d, err := flac.NewPacketDecoder(info)
		if err != nil {
			return
		}
		d.AddMetadata(packet)
		n := d.Frames(packet)
		if got, err := d.Decode(packet); err == nil && len(got) != n {
			t.Errorf("got %d frames, %d were promised", len(got), n)
		}
	})
}

// Every stream with a few changed bytes gives sound or an error, and asks for
// no more memory than it should.
func TestMutationsNeverPanic(t *testing.T) {
	all := append(seeds(t), small())
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
			reach = 200 // the metadata
		}
		data = audiotest.Damage(rnd, data, reach, 8)
		if asked := audiotest.Allocated(func() { heard += try(data, 50_000) }); asked > 256<<20 {
			t.Errorf("asked for %d bytes", asked)
		}
	}
	if heard == 0 {
		t.Error("nothing was heard of any")
	}
}

// A block may say that it is 16 MiB long, and be the end of the file.
func TestBlockLengthsAreNotBelieved(t *testing.T) {
	data := slices.Concat(small()[:42], []byte("\x86\xff\xff\xff\x00\x00\x00\x03\xff\xff\xff\xff"))
	data[4] = 0 // not the last block
	var err error
	asked := audiotest.Allocated(func() { _, err = flac.NewDecoder(bytes.NewReader(data)) })
	if err == nil || asked > 1<<20 {
		t.Errorf("got error %v after asking for %d bytes", err, asked)
	}
}

// Each header of this stream promises a long frame, and none is one. To try
// them all to the end would take hours.
func TestHeadersWithoutFramesEnd(t *testing.T) {
	head := []byte{0xff, 0xf8, 0x70, 0x10, 0, 0xff, 0xfe} // 65535 frames
	head = append(head, sum(head, 8, 0x07)[1], 0b00000010)
	data := slices.Concat(streamOf(16, 0), bytes.Repeat(head, 30_000))
	d := decoder(t, bytes.NewReader(data))
	if frames, err := audiotest.Drain(d, 700); len(frames) > 0 || !errors.Is(err, flac.ErrMalformed) {
		t.Errorf("got %d frames, %v, want ErrMalformed", len(frames), err)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, tt := range []struct {
		name       string
		rate, bits int
	}{{"16 bits at 44.1k", 44100, 16}, {"24 bits at 44.1k", 44100, 24}, {"24 bits at 96k", 96000, 24}} {
		b.Run(tt.name, func(b *testing.B) {
			data := encode(b, audiotest.Noise(b, tt.rate, tt.bits, 2, 10))
			b.ReportAllocs()
			buf := make([][2]float32, 4096)
			for b.Loop() {
				d := decoder(b, bytes.NewReader(data))
				for err := error(nil); err == nil; {
					_, err = d.Read(buf)
				}
			}
			b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "x")
		})
	}
}

// BenchmarkLibraryAlone decodes without making frames of it.
func BenchmarkLibraryAlone(b *testing.B) {
	data := encode(b, audiotest.Noise(b, 44100, 16, 2, 10))
	b.ReportAllocs()
	for b.Loop() {
		s, err := mewkiz.New(bytes.NewReader(data))
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = s.ParseNext()
		}
	}
	b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "x")
}

func BenchmarkOpen(b *testing.B) {
	data := encode(b, audiotest.Noise(b, 44100, 16, 2, 10))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := flac.NewDecoder(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeek(b *testing.B) {
	data := encode(b, audiotest.Noise(b, 44100, 16, 2, 30), "--no-seektable")
	d := decoder(b, bytes.NewReader(data))
	buf := make([][2]float32, 1)
	for n := int64(0); b.Loop(); n = (n + 777777) % d.Len() {
		if err := d.SeekFrame(n); err != nil {
			b.Fatal(err)
		}
		if _, err := d.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}

package mp3_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	gomp3 "github.com/hajimehoshi/go-mp3"

	"airplay2mqtt/audio/internal/audiotest"
)

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	buf := make(frames, 4096)
	for b.Loop() {
		d := decode(b, audiotest.Pipe(bytes.NewReader(joint)))
		for {
			if _, err := d.Read(buf); err != nil {
				break
			}
		}
	}
	b.ReportMetric(0.8*float64(b.N)/b.Elapsed().Seconds(), "x_realtime")
}

// BenchmarkLibrary is go-mp3 alone on the same frames.
func BenchmarkLibrary(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		d, err := gomp3.NewDecoder(audiotest.Pipe(bytes.NewReader(joint)))
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, d)
	}
	b.ReportMetric(0.8*float64(b.N)/b.Elapsed().Seconds(), "x_realtime")
}

// long is an hour.
func long() []byte {
	at := offsets(joint)
	return bytes.Repeat(joint[at[1]:], 4500)
}

func BenchmarkLenOfAnHour(b *testing.B) {
	file := long()
	for b.Loop() {
		d := decode(b, bytes.NewReader(file))
		if d.Len() < 3600*44100 {
			b.Fatal(d.Len())
		}
	}
}

func BenchmarkSeekInAnHour(b *testing.B) {
	d := decode(b, bytes.NewReader(long()))
	n := d.Len()
	rng := rand.New(rand.NewPCG(1, 2))
	buf := make(frames, 1)
	for b.Loop() {
		if err := d.SeekFrame(rng.Int64N(n)); err != nil {
			b.Fatal(err)
		}
		d.Read(buf)
	}
}

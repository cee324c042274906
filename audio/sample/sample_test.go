package sample_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"airplay2mqtt/audio/sample"
)

func TestSamplesAreWhatTheirBitsMean(t *testing.T) {
	nan, huge, limit := math.Float32bits(float32(math.NaN())), math.Float32bits(65537), math.Float32bits(-65536)
	for _, c := range []struct {
		format sample.Format
		src    []byte
		want   []float32
	}{
		{sample.Format{Kind: sample.Unsigned, Width: 1}, []byte{0, 0x80, 0xff}, []float32{-1, 0, 127. / 128}},
		{sample.Format{Kind: sample.Signed, Width: 1}, []byte{0, 0x80, 0x7f}, []float32{0, -1, 127. / 128}},
		{sample.Format{Kind: sample.Signed, Width: 2}, []byte{0, 0x80, 0, 0x40, 1, 0, 0xff, 0xff, 0, 0xc0}, []float32{-1, 0.5, 0x1p-15, -0x1p-15, -0.5}},
		{sample.Format{Kind: sample.Signed, Width: 2, BigEndian: true}, []byte{0x80, 0, 0x40, 0, 0, 1, 0xff, 0xff, 0xc0, 0}, []float32{-1, 0.5, 0x1p-15, -0x1p-15, -0.5}},
		{sample.Format{Kind: sample.Unsigned, Width: 2}, []byte{0, 0, 0, 0xc0}, []float32{-1, 0.5}},
		{sample.Format{Kind: sample.Unsigned, Width: 2, BigEndian: true}, []byte{0, 0, 0xc0, 0}, []float32{-1, 0.5}},
		{sample.Format{Kind: sample.Signed, Width: 3}, []byte{0, 0, 0x80, 1, 0, 0, 0xff, 0xff, 0xff}, []float32{-1, 0x1p-23, -0x1p-23}},
		{sample.Format{Kind: sample.Signed, Width: 3, BigEndian: true}, []byte{0x80, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff}, []float32{-1, 0x1p-23, -0x1p-23}},
		{sample.Format{Kind: sample.Signed, Width: 4}, []byte{0, 0, 0, 0x80, 0, 1, 0, 0}, []float32{-1, 0x1p-23}},
		{sample.Format{Kind: sample.Signed, Width: 4, BigEndian: true}, []byte{0x80, 0, 0, 0, 0, 0, 1, 0}, []float32{-1, 0x1p-23}},
		{sample.Format{Kind: sample.Signed, Width: 5}, []byte{0, 0, 0, 0, 0xc0}, []float32{-0.5}},
		{sample.Format{Kind: sample.Signed, Width: 8}, []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, []float32{-1}},
		{sample.Format{Kind: sample.Float, Width: 4}, words(binary.LittleEndian, math.Float32bits(-0.25), nan, huge, limit), []float32{-0.25, 0, 0, -65536}},
		{sample.Format{Kind: sample.Float, Width: 4, BigEndian: true}, words(binary.BigEndian, math.Float32bits(-0.25), nan, huge, limit), []float32{-0.25, 0, 0, -65536}},
		{sample.Format{Kind: sample.Float, Width: 8}, binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.75)), []float32{0.75}},
		{sample.Format{Kind: sample.Float, Width: 8, BigEndian: true}, binary.BigEndian.AppendUint64(nil, math.Float64bits(math.Inf(-1))), []float32{0}},
		// G.711's table 1 and 2: the loudest, the quietest.
		{sample.Format{Kind: sample.ALaw, Width: 1}, []byte{0xaa, 0x2a, 0xd5, 0x55}, []float32{32256. / 32768, -32256. / 32768, 8. / 32768, -8. / 32768}},
		{sample.Format{Kind: sample.MuLaw, Width: 1}, []byte{0x80, 0x00, 0xff, 0x7f}, []float32{32124. / 32768, -32124. / 32768, 0, 0}},
	} {
		t.Run(fmt.Sprintf("%+v", c.format), func(t *testing.T) {
			got := make([]float32, len(c.want))
			c.format.Converter()(got, c.src)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func words(order binary.AppendByteOrder, values ...uint32) (b []byte) {
	for _, v := range values {
		b = order.AppendUint32(b, v)
	}
	return b
}

// The fast ways for the usual widths agree with what is said in general, at any
// length.
func TestEveryLengthIsConvertedWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, width := range []int{2, 3, 4} {
		for _, big := range []bool{false, true} {
			for n := range 20 {
				src, flipped := make([]byte, n*width), make([]byte, n*width)
				for i := range src {
					src[i] = byte(rng.Uint32())
					flipped[i] = src[i]
				}
				for i := range n {
					top := (i + 1) * width
					if big {
						top -= width
					} else {
						top--
					}
					flipped[top] ^= 0x80
				}
				got, want := make([]float32, n), make([]float32, n)
				sample.Format{Kind: sample.Signed, Width: width, BigEndian: big}.Converter()(got, src)
				sample.Format{Kind: sample.Unsigned, Width: width, BigEndian: big}.Converter()(want, flipped)
				if !slices.Equal(got, want) {
					t.Fatalf("%d samples of %d bytes, big end first %v: got %v, want %v", n, width, big, got, want)
				}
			}
		}
	}
}

func BenchmarkConverter(b *testing.B) {
	src := make([]byte, 4096*8)
	for _, f := range []sample.Format{
		{Kind: sample.Signed, Width: 2}, {Kind: sample.Signed, Width: 2, BigEndian: true}, {Kind: sample.Signed, Width: 3},
		{Kind: sample.Signed, Width: 4}, {Kind: sample.Float, Width: 4}, {Kind: sample.Float, Width: 8}, {Kind: sample.ALaw, Width: 1},
	} {
		b.Run(fmt.Sprintf("%+v", f), func(b *testing.B) {
			convert, dst := f.Converter(), make([]float32, 4096)
			for b.Loop() {
				convert(dst, src[:4096*f.Width])
			}
			b.ReportMetric(4096/2/44100.*float64(b.N)/b.Elapsed().Seconds(), "x-realtime")
		})
	}
}

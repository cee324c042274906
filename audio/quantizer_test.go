package audio_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"airplay2mqtt/audio"
)

func quantize(f ...audio.Frame) []int16 {
	var q audio.Quantizer
	dst := make([]int16, 2*len(f))
	q.Quantize(dst, f)
	return dst
}

func TestSixteenBitSamplesComeOutAsTheyAre(t *testing.T) {
	var frames []audio.Frame
	var want []int16
	for v := math.MinInt16; v <= math.MaxInt16; v++ {
		frames = append(frames, audio.Frame{float32(v) / 0x8000, float32(-1-v) / 0x8000})
		want = append(want, int16(v), int16(-1-v))
	}
	if got := quantize(frames...); !slices.Equal(got, want) {
		t.Error("got other samples")
	}
}

func TestWhatIsTooLoudIsCut(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	got := quantize(audio.Frame{1, -1.5}, audio.Frame{3e38, -3e38}, audio.Frame{inf, -inf}, audio.Frame{nan, 0.9999999})
	want := []int16{32767, -32768, 32767, -32768, 32767, -32768, 0, got[7]}
	if !slices.Equal(got, want) || got[7] < 32766 {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestShortBuffersAreFilledAsFarAsTheyGo(t *testing.T) {
	var q audio.Quantizer
	dst := []int16{7, 7, 7}
	q.Quantize(dst, []audio.Frame{{0.5, 0.5}, {0.5, 0.5}})
	if want := []int16{16384, 16384, 7}; !slices.Equal(dst, want) {
		t.Errorf("got %v, want %v", dst, want)
	}
	q.Quantize(dst, nil)
}

// With TPDF dither the error has no mean, is as large for any input, and does
// not know the input: what lies between two steps survives as a mean.
func TestWhatLiesBetweenTwoStepsSurvivesInTheMean(t *testing.T) {
	const n = 100000
	for _, level := range []float64{0.1, 0.25, 0.5, 0.9, 1000.3, -77.7} {
		frames := make([]audio.Frame, n)
		for i := range frames {
			frames[i] = audio.Frame{float32(level / 0x8000), float32(-level / 0x8000)}
		}
		var sum, square float64
		for i, s := range quantize(frames...) {
			e := float64(s) - level
			if i%2 == 1 {
				e = -float64(s) - level
			}
			sum += e
			square += e * e
		}
		mean, power := sum/(2*n), square/(2*n)
		if math.Abs(mean) > 0.01 {
			t.Errorf("%v steps: got %v more in the mean, want 0", level, mean)
		}
		if math.Abs(power-0.25) > 0.01 { // a step of rounding, two of dither: 1/12 + 2/12
			t.Errorf("%v steps: got noise of %v steps², want 0.25", level, power)
		}
	}
}

func TestQuantizingDoesNotAllocate(t *testing.T) {
	var q audio.Quantizer
	dst, src := make([]int16, 704), make([]audio.Frame, 352)
	for i := range src {
		src[i] = audio.Frame{rand.Float32() - 0.5, rand.Float32() - 0.5}
	}
	if got := testing.AllocsPerRun(100, func() { q.Quantize(dst, src) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func TestBothWaysToFindTheGridAgree(t *testing.T) {
	off := []float32{
		0x1p-16, 1, -1.00004, 0.9999999, 1e-30, -1e-40, 65535. / 0x8000, 0x1p16, -0x1p16, 3e38, -3e38,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
	}
	on := []float32{0, float32(math.Copysign(0, -1)), -1, 32767. / 0x8000, 0x1p-15, -0x1p-15, 0.5}
	for frames := range 13 {
		src := make([]audio.Frame, 4*frames)
		for i := range src {
			src[i] = audio.Frame{on[i%len(on)], on[(i/3)%len(on)]}
		}
		got, want := make([]int16, 2*len(src)), make([]int16, 2*len(src))
		if !audio.Grid(got, src) || !audio.GridGo(want, src) || !slices.Equal(got, want) {
			t.Errorf("%d frames: got %v, want %v", len(src), got, want)
		}
		for i := range src {
			for side := range 2 {
				for _, v := range off {
					kept := src[i][side]
					src[i][side] = v
					if a, b := audio.Grid(got, src), audio.GridGo(want, src); a || b {
						t.Errorf("%v in frame %d of %d: got %v and %v, want false", v, i, len(src), a, b)
					}
					src[i][side] = kept
				}
			}
		}
	}
}

// Every 16-bit value is on the grid.
func TestAllValuesOfSixteenBitsPass(t *testing.T) {
	src, want := make([]audio.Frame, 0x8000), make([]int16, 0x10000)
	for i := range want {
		want[i] = int16(i)
		src[i/2][i%2] = float32(int16(i)) / 0x8000
	}
	if got := quantize(src...); !slices.Equal(got, want) {
		t.Error("some values changed")
	}
}

package loudness_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"airplay2mqtt/audio/loudness"
)

var rates = []int{8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 176400, 192000}

func meter(t testing.TB, rate int) *loudness.Meter {
	t.Helper()
	m, err := loudness.NewMeter(rate)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func limiter(t testing.TB, rate int, ceiling float64) *loudness.Limiter {
	t.Helper()
	l, err := loudness.NewLimiter(rate, ceiling)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func measure(t testing.TB, frames [][2]float32, rate int) loudness.Reading {
	t.Helper()
	r, err := loudness.Measure(frames, rate)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// near fails the test where got is further than tolerance from want.
func near(t testing.TB, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %.3f, want %.3f ± %v", what, got, want, tolerance)
	}
}

// ratio is what a level in decibels is as a factor.
func ratio(decibels float64) float64 { return math.Pow(10, decibels/20) }

// decibels is the opposite.
func decibels(ratio float64) float64 { return 20 * math.Log10(ratio) }

// tone is a sine on both sides.
func tone(rate int, seconds, frequency, amplitude float64) [][2]float32 {
	frames := make([][2]float32, int(math.Round(seconds*float64(rate))))
	for i := range frames {
		x := float32(amplitude * math.Sin(2*math.Pi*frequency*float64(i)/float64(rate)))
		frames[i] = [2]float32{x, x}
	}
	return frames
}

// gusts is noise that comes and goes, each side for itself, always the same.
func gusts(rate int, seconds float64) [][2]float32 {
	random := rand.New(rand.NewPCG(1, 2))
	frames := make([][2]float32, int(seconds*float64(rate)))
	var low [2]float64
	for i := range frames {
		t := float64(i) / float64(rate)
		for side := range low {
			wind := math.Pow(math.Abs(math.Sin(2*math.Pi*(0.31+0.1*float64(side))*t)), 3)
			low[side] += (random.Float64() - 0.5 - low[side]) * 0.3
			frames[i][side] = float32(wind * low[side])
		}
	}
	return frames
}

// noise is white, each side for itself.
func noise(frames int, amplitude float64, seed uint64) [][2]float32 {
	random := rand.New(rand.NewPCG(seed, 3))
	out := make([][2]float32, frames)
	for i := range out {
		for side := range out[i] {
			out[i][side] = float32(amplitude * (2*random.Float64() - 1))
		}
	}
	return out
}

// times makes all frames louder by a factor.
func times(frames [][2]float32, factor float64) [][2]float32 {
	out := make([][2]float32, len(frames))
	for i, f := range frames {
		out[i] = [2]float32{float32(factor * float64(f[0])), float32(factor * float64(f[1]))}
	}
	return out
}

// join puts sounds behind each other.
func join(sounds ...[][2]float32) (all [][2]float32) {
	for _, s := range sounds {
		all = append(all, s...)
	}
	return all
}

package loudness_test

import (
	"fmt"
	"math"
	"testing"
)

// The signals of EBU Tech 3341 (2016), table 1, made here. Those that are stereo
// and ask for the integrated loudness: case 6 is of five channels, 7 and 8 are
// film, 9 to 14 ask for other loudnesses.
func TestLoudnessIsThatOfTech3341(t *testing.T) {
	type part struct{ seconds, level float64 }
	cases := []struct {
		name  string
		parts []part
		want  float64
	}{
		{"1", []part{{20, -23}}, -23},
		{"2", []part{{20, -33}}, -33},
		{"3", []part{{10, -36}, {60, -23}, {10, -36}}, -23},
		{"4", []part{{10, -72}, {10, -36}, {60, -23}, {10, -36}, {10, -72}}, -23},
		{"5", []part{{20, -26}, {20.1, -20}, {20, -26}}, -23},
	}
	for _, rate := range []int{44100, 48000} {
		for _, c := range cases {
			t.Run(fmt.Sprint(c.name, " at ", rate), func(t *testing.T) {
				m := meter(t, rate)
				for _, p := range c.parts {
					second := tone(rate, 1, 1000, ratio(p.level))
					for left := int(p.seconds * float64(rate)); left > 0; left -= rate {
						m.Add(second[:min(left, rate)])
					}
				}
				near(t, "LUFS", m.Integrated(), c.want, 0.1)
			})
		}
	}
}

// Cases 15 to 19: tones of which the samples miss the crests. They begin and end
// gently, as those of the EBU do, because a step has overshoots of its own.
func TestTruePeakIsThatOfTech3341(t *testing.T) {
	cases := []struct {
		name                   string
		frequency, phase, full float64
		want                   float64
	}{
		{"15", 1. / 4, 0, 0.50, -6},
		{"16", 1. / 4, 45, 0.50, -6},
		{"17", 1. / 6, 60, 0.50, -6},
		{"18", 1. / 8, 67.5, 0.50, -6},
		{"19", 1. / 4, 45, 1.41, 3},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			frames := make([][2]float32, 48000)
			for i := range frames {
				fade := min(1, float64(i)/4800, float64(len(frames)-i)/4800)
				x := float32(c.full * fade * math.Sin(2*math.Pi*(c.frequency*float64(i)+c.phase/360)))
				frames[i] = [2]float32{x, x}
			}
			truePeak(t, frames, c.want)
		})
	}
}

// Cases 20 to 23: a tone of a sixth of the rate at half of full scale, with one
// cycle of a quarter of the rate at full scale in it, made at four times the
// rate. Of that, every fourth sample is taken, from the first, second, third or
// fourth on.
func TestTruePeakDoesNotDependOnWhereTheSamplesLie(t *testing.T) {
	const before, cycle = 24 * 200, 16
	fine := make([]float64, 2*before+cycle)
	for i := range fine {
		switch n := i - before; {
		case n >= 0 && n < cycle:
			fine[i] = math.Sin(2 * math.Pi * float64(n) / cycle)
		default:
			fade := min(1, float64(i)/2400, float64(len(fine)-i)/2400)
			fine[i] = 0.5 * fade * math.Sin(2*math.Pi*float64(n-max(0, min(n, cycle)))/24)
		}
	}
	fine = lowPass(fine)
	for offset := range 4 {
		t.Run(fmt.Sprint(20+offset), func(t *testing.T) {
			var frames [][2]float32
			for i := offset; i < len(fine); i += 4 {
				frames = append(frames, [2]float32{float32(fine[i]), 0})
			}
			truePeak(t, frames, 0)
		})
	}
}

// truePeak holds the true peak to the tolerance of Tech 3341.
func truePeak(t *testing.T, frames [][2]float32, want float64) {
	t.Helper()
	got := measure(t, frames, 48000).Peak
	if got > want+0.2 || got < want-0.4 {
		t.Errorf("got %.3f dBTP, want %v +0.2/-0.4", got, want)
	}
}

// lowPass takes away what a quarter of the rate cannot hold.
func lowPass(x []float64) []float64 {
	const reach = 128
	y := make([]float64, len(x))
	for i := range y {
		for k := -reach; k <= reach; k++ {
			if i+k < 0 || i+k >= len(x) {
				continue
			}
			h := 0.25
			if k != 0 {
				h = math.Sin(math.Pi*float64(k)/4) / (math.Pi * float64(k))
			}
			hann := 0.5 + 0.5*math.Cos(math.Pi*float64(k)/(reach+1))
			y[i] += h * hann * x[i+k]
		}
	}
	return y
}

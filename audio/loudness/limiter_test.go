package loudness_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"airplay2mqtt/audio/loudness"
)

// limited is all that comes out for frames, which go in by pieces of that many.
func limited(l *loudness.Limiter, frames [][2]float32, piece int) (out [][2]float32) {
	p := make([][2]float32, piece)
	for rest := frames; len(rest) > 0; {
		n := copy(p, rest)
		rest = rest[n:]
		out = append(out, p[:l.Process(p[:n])]...)
	}
	for {
		n := l.Flush(p)
		if n == 0 {
			return out
		}
		out = append(out, p[:n]...)
	}
}

// nasty are sounds that ask much of a limiter.
func nasty(rate int) map[string][][2]float32 {
	square := tone(rate, 0.5, 440, 1)
	for i, f := range square {
		if square[i] = [2]float32{3, -3}; f[0] < 0 {
			square[i] = [2]float32{-3, 3}
		}
	}
	clicks := make([][2]float32, rate/2)
	random := rand.New(rand.NewPCG(11, 12))
	for range 50 {
		clicks[random.IntN(len(clicks))][random.IntN(2)] = float32(20 * (random.Float64() - 0.5))
	}
	return map[string][][2]float32{
		"tone":       tone(rate, 0.5, 997, 2),
		"high tone":  tone(rate, 0.5, 0.31*float64(rate), 1.5),
		"low tone":   tone(rate, 0.5, 40, 4),
		"half rate":  tone(rate, 0.5, float64(rate)/2-30, 1.2),
		"square":     square,
		"noise":      noise(rate/2, 1.7, 13),
		"loud noise": noise(rate/2, 1000, 14),
		"gusts":      times(gusts(rate, 2), 8),
		"clicks":     clicks,
		"absurd":     join(noise(rate/10, 0.5, 15), [][2]float32{{1e29, -1e30}}, noise(rate/2, 0.5, 16)),
		"burst":      join(noise(rate/10, 0.1, 17), noise(rate/100, 3, 18), noise(rate/2, 0.1, 19)),
		"short":      noise(30, 3, 20),
		"one frame":  {{2, -3}},
	}
}

func TestNothingComesOutAboveTheCeiling(t *testing.T) {
	for rate, ceilings := range map[int][]float64{
		8000: {0, -1, -6, -60, 3, math.Inf(-1)}, 44100: {-1, -20}, 192000: {-1},
	} {
		sounds := nasty(rate)
		for _, ceiling := range ceilings {
			for name, frames := range sounds {
				out := limited(limiter(t, rate, ceiling), frames, 352)
				if len(out) != len(frames) {
					t.Fatalf("%s: got %d frames, want %d", name, len(out), len(frames))
				}
				for i, f := range out {
					if high := math.Max(math.Abs(float64(f[0])), math.Abs(float64(f[1]))); !(high <= ratio(ceiling)) {
						t.Fatalf("%s at %d Hz, frame %d: got %v, want at most %v", name, rate, i, f, ratio(ceiling))
					}
				}
			}
		}
	}
}

// Peaks are looked for at 8 times the rate with a filter of 128 taps here, so
// that what the limiter overlooks is seen: its four points for each frame miss
// the crests of high notes, and close to half the rate its filter ends. White
// noise is the worst there is. Music has hardly anything up there.
func TestTruePeaksComeOutNearTheCeiling(t *testing.T) {
	sounds := nasty(44100)
	sounds["music"] = music(44100, 1)
	for name, frames := range sounds {
		over := 0.2
		switch name {
		case "noise", "loud noise", "burst", "absurd", "gusts", "short":
			over = 1
		case "half rate":
			over = 3 // it lies where the filter hears nothing
		}
		out := limited(limiter(t, 44100, -1), frames[:min(len(frames), 15000)], 352)
		near(t, name+", by the meter", max(measure(t, out, 44100).Peak, -1), -1, 0.01)
		got := closePeak(out)
		near(t, name+", closely", max(got, -1), -1, over)
		t.Logf("%s: %.2f dBTP", name, got)
	}
}

// music is as bright as music is: noise that falls by 6 dB per octave from 500 Hz
// on, with drums, far too loud.
func music(rate int, seconds float64) [][2]float32 {
	frames := noise(int(seconds*float64(rate)), 20, 71)
	var low [2]float64
	for i := range frames {
		drum := 0.3 + math.Exp(-float64(i%(rate/5))/float64(rate)*20)
		for side := range low {
			low[side] += (float64(frames[i][side])*drum - low[side]) * 0.07
			frames[i][side] = float32(low[side])
		}
	}
	return frames
}

// closePeak is the true peak in dBTP, slowly.
func closePeak(frames [][2]float32) float64 {
	const reach, fine = 64, 8
	padded := join(make([][2]float32, reach), frames, make([][2]float32, reach))
	highest := 0.0
	for phase := range fine {
		var h [2 * reach]float64
		for k := range h {
			h[k] = 0
			if x := float64(k-reach+1) - float64(phase)/fine; x != 0 {
				h[k] = math.Sin(math.Pi*x) / (math.Pi * x) * math.Pow(math.Cos(math.Pi*x/2/(reach+1)), 2)
			} else {
				h[k] = 1
			}
		}
		for i := range len(frames) + 1 {
			var l, r float64
			for k, f := range padded[i:][:min(2*reach, len(padded)-i)] {
				l += h[k] * float64(f[0])
				r += h[k] * float64(f[1])
			}
			highest = max(highest, math.Abs(l), math.Abs(r))
		}
	}
	return decibels(highest)
}

func TestSoundBelowTheCeilingPassesBitForBit(t *testing.T) {
	for _, rate := range []int{8000, 44100, 192000} {
		for name, frames := range map[string][][2]float32{
			"gusts":    gusts(rate, 0.5),
			"tone":     tone(rate, 0.5, 440, ratio(-1.1)),
			"noise":    noise(rate/10, 0.4, 21),
			"tiny":     noise(1000, 1e-40, 22),
			"negative": {{float32(math.Copysign(0, -1)), 1e-45}, {-0.5, 0.25}},
			"nothing":  nil,
		} {
			for _, piece := range []int{5, 352, 5000} {
				same(t, fmt.Sprint(name, " at ", rate), limited(limiter(t, rate, -1), frames, piece), frames)
			}
		}
	}
	loud := noise(5000, 1e20, 23)
	same(t, "without a ceiling", limited(limiter(t, 44100, math.Inf(1)), loud, 352), loud)
}

func same(t *testing.T, what string, got, want [][2]float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d frames, want %d", what, len(got), len(want))
	}
	for i := range got {
		for side := range 2 {
			if math.Float32bits(got[i][side]) != math.Float32bits(want[i][side]) {
				t.Fatalf("%s: frame %d: got %v, want %v", what, i, got[i], want[i])
			}
		}
	}
}

func TestPiecesMakeNoDifferenceToTheLimiter(t *testing.T) {
	for name, frames := range nasty(44100) {
		want := limited(limiter(t, 44100, -1), frames, 352)
		for _, piece := range []int{1, 7, 219, 256, 257, 100000} {
			same(t, fmt.Sprint(name, " by ", piece), limited(limiter(t, 44100, -1), frames, piece), want)
		}
	}
}

// gains are those that a limiter has used, read from a pilot on the right side
// that is too soft to matter.
func gains(t *testing.T, l *loudness.Limiter, left []float64) []float64 {
	t.Helper()
	const pilot = 1. / 1024
	frames := make([][2]float32, len(left))
	for i, x := range left {
		frames[i] = [2]float32{float32(x), pilot}
	}
	g := make([]float64, len(left))
	for i, f := range limited(l, frames, 352) {
		g[i] = float64(f[1]) / pilot
		near(t, "the other side", float64(f[0]), g[i]*float64(frames[i][0]), 1e-6)
	}
	return g
}

// A reduction comes and goes without a step (first difference) and without a
// corner (second difference): both are bound by how wide the averages are.
func TestGainIsSmooth(t *testing.T) {
	const rate = 44100
	averaged := float64(limiter(t, rate, -1).Delay()-11) / 2
	for name, frames := range nasty(rate) {
		left := make([]float64, len(frames))
		for i, f := range frames {
			left[i] = float64(f[0])
		}
		g := gains(t, limiter(t, rate, -1), left)
		for i := 2; i < len(g); i++ {
			if d := math.Abs(g[i] - g[i-1]); d > 1.01/averaged {
				t.Fatalf("%s: frame %d: the gain steps by %v", name, i, d)
			}
			if d := math.Abs(g[i] - 2*g[i-1] + g[i-2]); d > 2.02/averaged/averaged {
				t.Fatalf("%s: frame %d: the gain bends by %v", name, i, d)
			}
		}
	}
}

func TestGainFallsBeforeAPeakHoldsAndReturns(t *testing.T) {
	const rate, at = 44100, 20000
	left := make([]float64, 4*rate)
	left[at] = 2
	g := gains(t, limiter(t, rate, 0), left)
	ms := func(after float64) float64 { return g[at+int(after*rate/1000)] }
	for _, c := range []struct{ after, want, tolerance float64 }{
		{-400, 1, 0}, {-5, 1, 0}, {-2.5, 0.75, 0.05}, {0, 0.5, 1e-3}, {7, 0.5, 1e-3}, {15, 0.5, 1e-3},
		{15 + 102.5, 1 - 0.5/math.E, 0.01}, {15 + 302.5, 1 - 0.5/math.Exp(3), 0.01}, {2000, 1, 0}, {3500, 1, 0},
	} {
		near(t, fmt.Sprint(c.after, " ms after the peak"), ms(c.after), c.want, c.tolerance)
	}
	if !slices.IsSortedFunc(g[at:], compare) {
		t.Error("the gain falls again without a peak")
	}
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// The gain does not follow the wave: a tone that is too loud comes out as a tone.
func TestSteadyToneStaysPure(t *testing.T) {
	const rate = 44100
	for _, note := range []float64{35, 60, 100, 440, 1000, 5000, 12345} {
		in := tone(rate, 1.5, note, 3)
		out := limited(limiter(t, rate, -1), in, 352)
		var least, most float64 = 1, 0
		for i := rate / 2; i < len(in)-rate/2; i++ {
			if math.Abs(float64(in[i][0])) > 0.5 {
				g := float64(out[i][0]) / float64(in[i][0])
				least, most = min(least, g), max(most, g)
			}
		}
		if decibels(most/least) > 0.01 {
			t.Errorf("%v Hz: the gain goes from %.2f to %.2f dB", note, decibels(least), decibels(most))
		}
		near(t, fmt.Sprint(note, " Hz"), decibels(most*3), -1, 0.1)
	}
}

func TestSoundComesBackBitForBitAfterAPeak(t *testing.T) {
	const rate = 44100
	in := join(noise(rate, 0.3, 31), noise(100, 5, 32), noise(3*rate, 0.3, 33))
	out := limited(limiter(t, rate, -1), in, 352)
	same(t, "before", out[:rate-300], in[:rate-300])
	same(t, "after", out[3*rate:], in[3*rate:])
}

func TestDelayIsFiveMilliseconds(t *testing.T) {
	for _, rate := range rates {
		l := limiter(t, rate, -1)
		if got, want := l.Delay(), rate*5/1000; got != want {
			t.Errorf("%d Hz: got %d frames, want %d", rate, got, want)
		}
		if got := l.Process(make([][2]float32, l.Delay())); got != 0 {
			t.Errorf("%d Hz: got %d frames at once, want none", rate, got)
		}
		if got := l.Process(make([][2]float32, 10)); got != 10 {
			t.Errorf("%d Hz: got %d frames for 10", rate, got)
		}
	}
}

func TestFlushedOrResetLimiterIsAsNew(t *testing.T) {
	l := limiter(t, 44100, -1)
	for name, frames := range nasty(44100) {
		want := limited(limiter(t, 44100, -1), frames, 352)
		same(t, name, limited(l, frames, 352), want)
		l.Process(noise(1000, 4, 41))
		l.Reset()
		same(t, name, limited(l, frames, 352), want)
		if got := l.Flush(make([][2]float32, 10)); got != 0 {
			t.Errorf("%s: got %d frames more", name, got)
		}
	}
}

func TestWhatIsNoNumberComesOutAsSilence(t *testing.T) {
	in := noise(3000, 0.3, 51)
	want := slices.Clone(in)
	for i, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat32} {
		in[100*i+50][i%2], want[100*i+50][i%2] = float32(bad), 0
	}
	same(t, "out", limited(limiter(t, 44100, -1), in, 352), want)
}

func TestCeilingThatIsNoNumberIsRefused(t *testing.T) {
	if _, err := loudness.NewLimiter(44100, math.NaN()); err == nil {
		t.Error("got no error")
	}
}

func TestLimitingDoesNotAllocate(t *testing.T) {
	l, frames, p := limiter(t, 44100, -1), times(gusts(44100, 1), 8), make([][2]float32, 352)
	at := 0
	got := testing.AllocsPerRun(500, func() {
		at += copy(p, frames[at%(len(frames)-352):])
		l.Process(p)
	})
	if got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
	if got := testing.AllocsPerRun(10, func() { l.Process(p); l.Flush(p); l.Reset() }); got != 0 {
		t.Errorf("got %v allocations of the end, want 0", got)
	}
}

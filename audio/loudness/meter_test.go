package loudness_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"airplay2mqtt/audio/loudness"
)

func TestFiltersAt48kHzAreThoseOfTheStandard(t *testing.T) {
	first, second := loudness.Filters(48000)
	want := [2][5]float64{
		{1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585},
		{1, -2, 1, -1.99004745483398, 0.99007225036621},
	}
	for i, got := range [2][5]float64{first, second} {
		for k := range got {
			near(t, fmt.Sprint("filter ", i, " factor ", k), got[k], want[i][k], 1e-12)
		}
	}
}

// bend is how far the filters may stray at a rate: the bilinear transform bends
// what is near half of it.
func bend(rate int) float64 {
	switch {
	case rate >= 32000:
		return 0.03
	case rate >= 16000:
		return 0.1
	}
	return 0.25
}

// BS.1770-4, annex 1: a tone of 997 Hz at full scale on one side is -3.01 LUFS.
func TestFullToneOnOneSideIsThreeBelowZeroAtAnyRate(t *testing.T) {
	for _, rate := range rates {
		for side := range 2 {
			frames := tone(rate, 1, 997, 1)
			for i := range frames {
				frames[i][1-side] = 0
			}
			near(t, fmt.Sprint(rate, " side ", side), measure(t, frames, rate).Loudness, -3.01, bend(rate))
		}
	}
}

func TestNotesAreAsLoudAtAnyRate(t *testing.T) {
	for _, note := range []float64{40, 100, 500, 1500, 3000, 6000, 10000, 15000} {
		want := measure(t, tone(192000, 0.8, note, 0.5), 192000).Loudness
		for _, rate := range rates {
			if note < float64(rate)/2.5 {
				got := measure(t, tone(rate, 0.8, note, 0.5), rate).Loudness
				near(t, fmt.Sprint(note, " Hz at ", rate), got, want, bend(rate))
			}
		}
	}
}

// integrated is BS.1770-4 said plainly, for 48 kHz: a list of all blocks, the gates
// one after the other. The second is that many LU below what is left by the first.
func integrated(frames [][2]float32, below float64) float64 {
	const step = 4800
	power := make([]float64, len(frames))
	for side := range 2 {
		x := make([]float64, len(frames))
		for i := range x {
			x[i] = float64(frames[i][side])
		}
		x = filter(x, 1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585)
		x = filter(x, 1, -2, 1, -1.99004745483398, 0.99007225036621)
		for i := range x {
			power[i] += x[i] * x[i]
		}
	}
	var blocks []float64
	for i := 0; i+4*step <= len(power); i += step {
		blocks = append(blocks, mean(power[i:i+4*step]))
	}
	above := func(gate float64) float64 {
		blocks = slices.DeleteFunc(blocks, func(b float64) bool { return -0.691+10*math.Log10(b) <= gate })
		return -0.691 + 10*math.Log10(mean(blocks))
	}
	return above(above(-70) - below)
}

func filter(x []float64, b0, b1, b2, a1, a2 float64) []float64 {
	y := make([]float64, len(x)+2) // y[i+2] belongs to x[i]
	x = append(make([]float64, 2), x...)
	for i := 2; i < len(x); i++ {
		y[i] = b0*x[i] + b1*x[i-1] + b2*x[i-2] - a1*y[i-1] - a2*y[i-2]
	}
	return y[2:]
}

func mean(x []float64) (sum float64) {
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// It may be wrong only by the blocks that lie within 0.01 LU of the gate.
func TestHistogramKnowsWhatAListOfAllBlocksWould(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	sounds := [][][2]float32{gusts(48000, 10)}
	for range 10 {
		var frames [][2]float32
		for range 12 {
			level := -10 - 50*random.Float64()
			frames = append(frames, noise(random.IntN(40000), ratio(level), random.Uint64())...)
		}
		sounds = append(sounds, frames)
	}
	for i, frames := range sounds {
		got := measure(t, frames, 48000).Loudness
		most, least := integrated(frames, 10-0.01), integrated(frames, 10+0.01)
		if got > most+1e-4 || got < least-1e-4 {
			t.Errorf("sound %d: got %v LUFS, want %v to %v", i, got, least, most)
		}
	}
}

func TestShortChimeIsABlockThatEndsInSilence(t *testing.T) {
	for _, rate := range rates {
		for _, seconds := range []float64{0.01, 0.05, 0.1, 0.25, 0.3, 0.333, 0.399} {
			chime := tone(rate, seconds, 900, 0.5)
			padded := append(slices.Clone(chime), make([][2]float32, 4*rate/10-len(chime))...)
			want := measure(t, padded, rate).Loudness
			near(t, fmt.Sprint(seconds, " s at ", rate), measure(t, chime, rate).Loudness, want, 1e-6)
		}
	}
	whole, short := measure(t, tone(44100, 0.4, 900, 0.5), 44100), measure(t, tone(44100, 0.2, 900, 0.5), 44100)
	near(t, "half a block", short.Loudness, whole.Loudness-3.01, 0.05)
}

func TestSoundInTheLastMomentIsHeard(t *testing.T) {
	for _, silence := range []float64{0.35, 0.45, 3.05} {
		frames := join(make([][2]float32, int(silence*44100)), tone(44100, 0.04, 900, 0.5))
		if got := measure(t, frames, 44100).Loudness; !(got > -25) {
			t.Errorf("after %v s: got %v LUFS, want it measured", silence, got)
		}
	}
}

func TestSilenceHasNoLoudness(t *testing.T) {
	for name, frames := range map[string][][2]float32{
		"nothing":          nil,
		"a frame":          make([][2]float32, 1),
		"two seconds":      make([][2]float32, 88200),
		"below the gate":   tone(44100, 2, 1000, ratio(-75)),
		"short, below it":  tone(44100, 0.2, 1000, ratio(-75)),
		"hardly any sound": tone(44100, 2, 1000, 1e-38),
	} {
		r := measure(t, frames, 44100)
		if !math.IsInf(r.Loudness, -1) {
			t.Errorf("%s: got %v LUFS, want -Inf", name, r.Loudness)
		}
		if got := r.GainTo(-16, -1); got != 1 {
			t.Errorf("%s: got a factor of %v, want 1", name, got)
		}
	}
	if got := measure(t, nil, 44100).Peak; !math.IsInf(got, -1) {
		t.Errorf("got a peak of %v dBTP of nothing, want -Inf", got)
	}
}

func TestPeakIsThereForASingleSample(t *testing.T) {
	near(t, "dBTP", measure(t, [][2]float32{{0, -0.5}}, 44100).Peak, decibels(0.5), 1e-6)
	// Two equal ones have a crest between them, and the last of them has nothing
	// behind it.
	near(t, "dBTP", measure(t, [][2]float32{{0.5, 0}, {0.5, 0}}, 44100).Peak, decibels(0.5*4/math.Pi), 0.15)
}

func TestPiecesMakeNoDifference(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for _, rate := range []int{8000, 11025, 44100} {
		for range 20 {
			frames := noise(rate*2/5, 1, random.Uint64())
			want := measure(t, frames, rate)
			m := meter(t, rate)
			for rest := frames; len(rest) > 0; {
				n := min(random.IntN(700), len(rest))
				m.Add(rest[:n])
				rest = rest[n:]
				m.Reading() // looking changes nothing
			}
			if got := m.Reading(); got != want {
				t.Errorf("%d Hz: got %v, want %v", rate, got, want)
			}
		}
	}
}

func TestWhatIsNoNumberIsSilence(t *testing.T) {
	frames := gusts(44100, 2)
	broken := slices.Clone(frames)
	bad := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, -2e30}
	for i := range bad {
		at := 5000 * (i + 1)
		frames[at], broken[at] = [2]float32{0, 0.1}, [2]float32{bad[i], 0.1}
		frames[at+1], broken[at+1] = [2]float32{}, [2]float32{bad[i], bad[i]}
	}
	if got, want := measure(t, broken, 44100), measure(t, frames, 44100); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAbsurdlyLoudSamplesHaveALoudness(t *testing.T) {
	r := measure(t, tone(44100, 1, 1000, 0.9e30), 44100)
	near(t, "LUFS", r.Loudness, 600, 2)
	near(t, "dBTP", r.Peak, 600, 2)
}

func TestFiltersForgetWhatHasDiedAway(t *testing.T) {
	m := meter(t, 44100)
	m.Add(tone(44100, 1, 1000, 1))
	if m.Settled() {
		t.Error("the filters forgot sound that is there")
	}
	m.Add(make([][2]float32, 3*44100))
	if !m.Settled() {
		t.Error("the filters remember after 3 s, want them at rest")
	}
}

func TestOddRatesAreRefused(t *testing.T) {
	for _, rate := range []int{-1, 0, 7999, 192001, math.MaxInt} {
		_, err := loudness.NewMeter(rate)
		_, err2 := loudness.Measure(nil, rate)
		_, err3 := loudness.NewLimiter(rate, -1)
		for _, err := range []error{err, err2, err3} {
			if !errors.Is(err, loudness.ErrRate) {
				t.Errorf("%d: got %v, want %v", rate, err, loudness.ErrRate)
			}
		}
	}
}

func TestGainMeetsTheTargetOrTheCeiling(t *testing.T) {
	inf := math.Inf(1)
	cases := []struct {
		is              loudness.Reading
		target, ceiling float64
		want            float64 // in decibels
	}{
		{loudness.Reading{Loudness: -23, Peak: -10}, -16, -1, 7},
		{loudness.Reading{Loudness: -23, Peak: -4}, -16, -1, 3},
		{loudness.Reading{Loudness: -23, Peak: -4}, -16, inf, 7},
		{loudness.Reading{Loudness: -10, Peak: 0}, -16, -1, -6},
		{loudness.Reading{Loudness: -16, Peak: 0.5}, -16, -1, -1.5},
		{loudness.Reading{Loudness: -16, Peak: -1}, -16, -1, 0},
		{loudness.Reading{Loudness: -inf, Peak: -inf}, -16, -1, 0},
		{loudness.Reading{Loudness: -20, Peak: -3}, inf, inf, 0},
		{loudness.Reading{Loudness: -20, Peak: -3}, math.NaN(), -1, 0},
		{loudness.Reading{Loudness: -20, Peak: math.NaN()}, -16, -1, 0},
	}
	for _, c := range cases {
		near(t, fmt.Sprint(c.is, " to ", c.target, " below ", c.ceiling),
			decibels(c.is.GainTo(c.target, c.ceiling)), c.want, 1e-9)
	}
	if got := (loudness.Reading{Loudness: -20, Peak: -3}).GainTo(-inf, -1); got != 0 {
		t.Errorf("got a factor of %v to silence, want 0", got)
	}
}

func TestSoundBroughtToALevelIsAsLoudAsThat(t *testing.T) {
	for _, sound := range [][][2]float32{gusts(44100, 5), tone(44100, 0.2, 800, 0.1), noise(44100, 0.01, 9)} {
		factor := measure(t, sound, 44100).GainTo(-23, -1)
		near(t, "LUFS", measure(t, times(sound, factor), 44100).Loudness, -23, 0.01)
	}
}

func TestMeasuringDoesNotAllocate(t *testing.T) {
	m, frames := meter(t, 44100), gusts(44100, 1)
	if got := testing.AllocsPerRun(10, func() { m.Add(frames); m.Reading() }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

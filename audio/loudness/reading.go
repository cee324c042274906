package loudness

import "math"

// A Reading is what a meter tells of a sound.
type Reading struct {
	Loudness float64 // integrated, in LUFS; -Inf for silence
	Peak     float64 // the highest true peak, in dBTP; -Inf for silence
}

// Measure measures frames of this rate, all at once. Its error can only wrap
// [ErrRate].
func Measure(frames [][2]float32, rate int) (Reading, error) {
	m, err := NewMeter(rate)
	if err != nil {
		return Reading{}, err
	}
	m.Add(frames)
	return m.Reading(), nil
}

// GainTo is the factor for all samples that makes the sound as loud as target,
// in LUFS, or as near to it as its peaks may rise: up to ceiling, in dBTP. With
// a [Limiter] behind, ceiling can be +Inf. It is 1 for silence, which nothing
// makes louder, and never negative, infinite, or not a number.
//
// There is no other bound: a recording of nothing much becomes loud noise. Take
// the smaller of the factor and the greatest that makes sense.
func (r Reading) GainTo(target, ceiling float64) float64 {
	decibels := math.Min(target-r.Loudness, ceiling-r.Peak)
	factor := math.Pow(10, decibels/20)
	if math.IsInf(r.Loudness, -1) || math.IsNaN(factor) || math.IsInf(factor, 1) {
		return 1
	}
	return factor
}

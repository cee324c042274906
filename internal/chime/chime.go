// Package chime makes the sound of bells, so that there is one to ring where
// nobody has brought a file.
package chime

import "math"

// Rate is in frames per second.
const Rate = 44100

// A strike is one blow on one bell.
type strike struct {
	at, pitch, level float64 // seconds, hertz, 0 to 1
}

// partials are those of a tubular bell, relative to its pitch: how high, how
// strong, and in how many seconds it falls to a third.
var partials = []struct{ ratio, level, decay float64 }{
	{1, 1, 0.9},
	{2, 0.45, 0.55},
	{2.76, 0.25, 0.32},
	{5.4, 0.12, 0.14},
}

// Doorbell is the two tones that everybody knows, E and C, two seconds long:
// interleaved 16-bit samples, left and right.
func Doorbell() []int16 {
	return ring(2*Rate, []strike{{0, 659.26, 0.5}, {0.55, 523.25, 0.55}})
}

func ring(frames int, strikes []strike) []int16 {
	pcm := make([]int16, 2*frames)
	for i := range frames {
		t := float64(i) / Rate
		var v float64
		for _, s := range strikes {
			if t >= s.at {
				v += s.level * bell(t-s.at, s.pitch)
			}
		}
		end := float64(frames-1-i) / (0.05 * Rate) // no click at the end
		sample := int16(math.Round(20000 * v * min(end, 1)))
		pcm[2*i], pcm[2*i+1] = sample, sample
	}
	return pcm
}

// bell is a bell t seconds after it was struck.
func bell(t, pitch float64) (v float64) {
	attack := min(t/0.003, 1)
	for _, p := range partials {
		v += p.level * math.Exp(-t/p.decay) * math.Sin(2*math.Pi*pitch*p.ratio*t)
	}
	return v * attack / 1.82
}

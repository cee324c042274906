package loudness

import "math"

// A biquad is a filter of the second order, as BS.1770 writes it:
//
//	y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2]
type biquad struct{ b0, b1, b2, a1, a2 float64 }

// standardRate is the rate that BS.1770 gives its filters for.
const standardRate = 48000

// The filters of BS.1770-4, tables 1 and 2: what the head does to sound that
// comes from everywhere, and how little the ear makes of low notes.
var (
	head = biquad{1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585}
	ear  = biquad{1, -2, 1, -1.99004745483398, 0.99007225036621}
)

// at makes the same filter for another rate. It goes back to the analog filter
// by the bilinear transform, and by the same transform to the new rate, with the
// frequency of the filter's pole held where it is. What it does to a note stays
// what it does at 48 kHz, to 0.03 dB from 32 kHz up and to 0.25 dB at 8 kHz, where
// the transform bends high notes most.
func (f biquad) at(rate int) biquad {
	num, den := analog(f.b0, f.b1, f.b2), analog(1, f.a1, f.a2)
	pole := math.Sqrt(den[0] / den[2]) // tan(pi f / rate)
	moved := math.Tan(math.Atan(pole) * standardRate / float64(rate))
	b, a := digital(num, pole/moved), digital(den, pole/moved)
	return biquad{b[0] / a[0], b[1] / a[0], b[2] / a[0], a[1] / a[0], a[2] / a[0]}
}

// analog puts z^-1 = (1-s)/(1+s) into c0 + c1 z^-1 + c2 z^-2. What comes out are
// the factors of 1, s and s², with the common denominator left out.
func analog(c0, c1, c2 float64) [3]float64 {
	return [3]float64{c0 + c1 + c2, 2 * (c0 - c2), c0 - c1 + c2}
}

// digital is the way back, with s made longer by scale.
func digital(p [3]float64, scale float64) [3]float64 {
	p0, p1, p2 := p[0], p[1]*scale, p[2]*scale*scale
	return [3]float64{p0 + p1 + p2, 2 * (p0 - p2), p0 - p1 + p2}
}

// weighting is both filters, with what they remember of both sides.
type weighting struct {
	head, ear biquad
	sides     [2]memory
}

// memory is that of the two filters, each in the transposed direct form II.
type memory struct{ h1, h2, e1, e2 float64 }

func newWeighting(rate int) weighting {
	return weighting{head: head.at(rate), ear: ear.at(rate)}
}

// energy adds the squares of the weighted frames, of both sides, to sum: one by
// one, so that it is the same to the last bit in whatever pieces they come.
func (w *weighting) energy(sum float64, frames [][2]float32) float64 {
	h, e, l, r := w.head, w.ear, w.sides[0], w.sides[1]
	for _, f := range frames {
		x := float64(f[0])
		y := h.b0*x + l.h1
		l.h1 = h.b1*x - h.a1*y + l.h2
		l.h2 = h.b2*x - h.a2*y
		z := e.b0*y + l.e1
		l.e1 = e.b1*y - e.a1*z + l.e2
		l.e2 = e.b2*y - e.a2*z
		sum += z * z

		x = float64(f[1])
		y = h.b0*x + r.h1
		r.h1 = h.b1*x - h.a1*y + r.h2
		r.h2 = h.b2*x - h.a2*y
		z = e.b0*y + r.e1
		r.e1 = e.b1*y - e.a1*z + r.e2
		r.e2 = e.b2*y - e.a2*z
		sum += z * z
	}
	w.sides = [2]memory{l, r}
	return sum
}

// settle forgets what has died away. Otherwise a filter would carry on silence
// as ever smaller numbers, and some processors take a hundred times as long for
// the smallest ones.
func (w *weighting) settle() {
	const inaudible = 1e-30
	for i := range w.sides {
		s := &w.sides[i]
		if max(math.Abs(s.h1), math.Abs(s.h2), math.Abs(s.e1), math.Abs(s.e2)) < inaudible {
			*s = memory{}
		}
	}
}

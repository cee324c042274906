package loudness

// Filters are the factors b0, b1, b2, a1, a2 of both filters for a rate.
func Filters(rate int) (first, second [5]float64) {
	w := newWeighting(rate)
	h, e := w.head, w.ear
	return [5]float64{h.b0, h.b1, h.b2, h.a1, h.a2}, [5]float64{e.b0, e.b1, e.b2, e.a1, e.a2}
}

// Settled tells whether the filters have forgotten all sound.
func (m *Meter) Settled() bool { return m.weighting.sides == [2]memory{} }

package audio

// dotGo is the inner product of x and h, which have the same length, a
// multiple of 8. It is where a resampler's time goes: eight sums, so that no
// addition waits for the one before.
func dotGo(x []Frame, h []float32) (l, r float32) {
	var l0, l1, l2, l3, r0, r1, r2, r3 float32
	for len(h) >= 8 && len(x) >= 8 {
		c, f := (*[8]float32)(h), (*[8]Frame)(x)
		l0 += c[0] * f[0][0]
		r0 += c[0] * f[0][1]
		l1 += c[1] * f[1][0]
		r1 += c[1] * f[1][1]
		l2 += c[2] * f[2][0]
		r2 += c[2] * f[2][1]
		l3 += c[3] * f[3][0]
		r3 += c[3] * f[3][1]
		l0 += c[4] * f[4][0]
		r0 += c[4] * f[4][1]
		l1 += c[5] * f[5][0]
		r1 += c[5] * f[5][1]
		l2 += c[6] * f[6][0]
		r2 += c[6] * f[6][1]
		l3 += c[7] * f[7][0]
		r3 += c[7] * f[7][1]
		h, x = h[8:], x[8:]
	}
	return (l0 + l1) + (l2 + l3), (r0 + r1) + (r2 + r3)
}

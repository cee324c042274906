package audio

// A Quantizer makes 16-bit samples of frames. Its zero value works; use one
// for each stream, because its noise goes on from block to block.
//
// A block whose samples all are 16-bit values already comes out as exactly
// these. Otherwise noise of a triangular distribution (TPDF dither, two steps
// wide) is added before rounding, so that what is lost is a constant hiss
// below hearing instead of distortion.
type Quantizer struct{ seed uint64 }

// Quantize puts the samples of src into dst, left and right in turn. Both have
// as many frames as the shorter of them has. What is beyond full scale is cut
// to it. It does not allocate.
func (q *Quantizer) Quantize(dst []int16, src []Frame) {
	src = src[:min(len(src), len(dst)/2)]
	dst = dst[:2*len(src)]
	if exactly(dst, src) {
		return
	}
	for i, f := range src {
		u := q.random()
		dst[2*i] = round(f[0], triangle(u))
		dst[2*i+1] = round(f[1], triangle(u>>32))
	}
}

// exactly fills dst if all of src are 16-bit values.
func exactly(dst []int16, src []Frame) bool {
	whole := len(src) &^ 3
	return grid(dst[:2*whole], src[:whole]) && gridGo(dst[2*whole:], src[whole:])
}

// gridGo puts the samples of src into dst until one is no 16-bit value, and tells
// whether all were.
func gridGo(dst []int16, src []Frame) bool {
	for i, f := range src {
		l, r := f[0]*0x8000, f[1]*0x8000
		a, b := int16(int32(l)), int16(int32(r))
		if float32(a) != l || float32(b) != r {
			return false
		}
		dst[2*i], dst[2*i+1] = a, b
	}
	return true
}

// triangle is the difference of two numbers from 0 to 1, each of 16 bits.
func triangle(u uint64) float64 {
	return float64(int32(u&0xffff)-int32(u>>16&0xffff)) / 0x10000
}

func round(x float32, noise float64) int16 {
	v := float64(x)*0x8000 + noise
	switch {
	case v >= 0x7fff:
		return 0x7fff
	case v <= -0x8000:
		return -0x8000
	case v != v: // a file of floats may hold what is no number
		return 0
	}
	return int16(int32(v+0x8000+0.5) - 0x8000) // the sum is positive, so this rounds
}

// random is SplitMix64, which may begin with any seed, 0 too.
func (q *Quantizer) random() uint64 {
	q.seed += 0x9e3779b97f4a7c15
	z := q.seed
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

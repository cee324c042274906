package loudness

import "math"

const (
	// taps is how many frames a point between two frames is computed from. With
	// 24, and this window, what is below 0.44 of the rate keeps its height to
	// 0.06 dB; the filter in BS.1770-4, annex 2, has 12, and strays by 0.4 dB.
	taps   = 24
	half   = taps / 2
	window = 4.0 // beta of the Kaiser window
	// batch is how many frames are looked at in one go.
	batch = 256
	// absurd is what no sample exceeds, 600 dB above full scale. From there on sums
	// could be infinite.
	absurd = 1e30
)

// An oversampler finds how high a sound rises between its frames, by three
// points between any two: four times the rate. It holds the newest frames, and
// looks at a frame once half the taps lie behind it.
type oversampler struct {
	frames  [taps - 1 + batch][2]float32 // those in front are from the batch before
	louder  [taps - 1 + batch]float32    // of the two sides of each
	heights [batch]float32
	n       int // how many of them are new
}

// take goes on to the next frames, at most batch of them, and returns its copy of
// them, in which what is no sound is silence.
func (o *oversampler) take(frames [][2]float32) [][2]float32 {
	copy(o.frames[:taps-1], o.frames[o.n:])
	copy(o.louder[:taps-1], o.louder[o.n:])
	o.n = len(frames)
	own := o.frames[taps-1:][:len(frames)]
	louder := o.louder[taps-1:][:len(frames)]
	for i, f := range frames {
		f[0], f[1] = sound(f[0]), sound(f[1])
		own[i] = f
		louder[i] = higher(abs(f[0]), abs(f[1]))
	}
	return own
}

// peaks returns, for each new frame, how high the sound is at the frame half
// before it and from there to the next. What does not exceed floor may come out
// lower than it is, because it is not looked at closely.
func (o *oversampler) peaks(floor float32) []float32 {
	const stretch = 32
	heights := o.heights[:o.n]
	copy(heights, o.louder[half-1:])
	for begin := 0; begin < o.n; begin += stretch {
		end := min(begin+stretch, o.n)
		if highest(o.louder[begin:end+taps-1])*between.most <= floor {
			continue
		}
		for i := begin; i < end; i++ {
			heights[i] = higher(heights[i], between.peak((*[taps][2]float32)(o.frames[i:])))
		}
	}
	return heights
}

// interpolation is the filter that computes the points between two frames: a
// sinc behind a Kaiser window. A frame and the one as far on the other side are
// taken together: the point in the middle needs only their sum, the two beside
// it are the sum and the difference of the same two numbers.
type interpolation struct {
	middle, even, odd [half]float32
	most              float32 // how much higher than all frames a point can be
}

var between = newInterpolation()

func newInterpolation() *interpolation {
	var p interpolation
	quarter, middle, rest := weights(0.25), weights(0.5), weights(0.75)
	for k := range half {
		p.middle[k] = float32(middle[half-1-k])
		near, far := quarter[half-1-k], rest[half-1-k]
		p.even[k], p.odd[k] = float32((near+far)/2), float32((near-far)/2)
	}
	for _, w := range [][taps]float64{quarter, middle} {
		sum := 0.001 // for what rounding adds
		for _, v := range w {
			sum += math.Abs(v)
		}
		p.most = max(p.most, float32(sum))
	}
	return &p
}

// weights are those of the frames for the point that lies so far from the frame
// left of it.
func weights(from float64) (w [taps]float64) {
	sum := 0.0
	for k := range w {
		t := float64(k-half+1) - from
		w[k] = math.Sin(math.Pi*t) / (math.Pi * t) * bessel(window*math.Sqrt(1-t*t/half/half))
		sum += w[k]
	}
	for k := range w {
		w[k] /= sum
	}
	return w
}

// bessel is the modified Bessel function of order 0.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / 2 / k) * (x / 2 / k)
		sum += term
	}
	return sum
}

// peak is how high the sound is between the two frames in the middle of w, on
// the louder side.
func (p *interpolation) peak(w *[taps][2]float32) float32 {
	var ml, el, ol, mr, er, or float32
	for k := range half {
		a, b := w[half-1-k], w[half+k]
		m, e, o := p.middle[k], p.even[k], p.odd[k]
		sum, diff := a[0]+b[0], a[0]-b[0]
		ml += m * sum
		el += e * sum
		ol += o * diff
		sum, diff = a[1]+b[1], a[1]-b[1]
		mr += m * sum
		er += e * sum
		or += o * diff
	}
	// |e+o| and |e-o|: the greater is |e|+|o|.
	return higher(higher(abs(ml), abs(el)+abs(ol)), higher(abs(mr), abs(er)+abs(or)))
}

// higher and highest are max without its care for what is not a number.
func higher(a, b float32) float32 {
	if a > b {
		return a
	}
	return b
}

func highest(x []float32) (h float32) {
	for _, v := range x {
		h = higher(h, v)
	}
	return h
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// sound makes silence of what is none.
func sound(x float32) float32 {
	if abs(x) <= absurd {
		return x
	}
	return 0
}

package mp3

import "math"

// A converter changes the rate of a part that has another than the first. That
// is rare, a jingle in front of a song, and must only not be heard as a wrong
// pitch: a windowed sinc of 48 zero crossings, 80 dB, is far beyond that.
type converter struct {
	up, down int         // output frame j lies at j*down/up of the input
	half     int         // input frames on each side of it that count
	bank     [][]float32 // weights of 2*half input frames, for each phase
	in       [][2]float32
	base     int64 // the input frame that in begins with
	end      int64 // the input frame behind the last that was pushed
	next     int64 // the output frame that is due
}

const (
	crossings = 24   // of zero, on each side
	beta      = 8.0  // of the Kaiser window: 80 dB
	passBand  = 0.95 // of what both rates allow
)

// converted is how many frames of the output there are when n frames of a part
// have come in.
func converted(n int64, from, to int) int64 {
	if from == to || n == 0 {
		return n
	}
	up, down := ratio(from, to)
	return (n*int64(up) + int64(down) - 1) / int64(down)
}

// ratio is to/from in lowest terms.
func ratio(from, to int) (up, down int) {
	a, b := from, to
	for b != 0 {
		a, b = b, a%b
	}
	return to / a, from / a
}

// newConverter converts from input frame number start on. What comes before is
// taken for silence.
func newConverter(from, to int, start int64) *converter {
	c := &converter{base: start, end: start, next: converted(start, from, to)}
	c.up, c.down = ratio(from, to)
	cutoff := passBand * min(1, float64(to)/float64(from))
	c.half = int(math.Ceil(crossings / cutoff))
	c.bank = make([][]float32, c.up)
	for phase := range c.bank {
		c.bank[phase] = sinc(c.half, cutoff, float64(phase)/float64(c.up))
	}
	c.in = make([][2]float32, c.half) // silence
	c.base -= int64(c.half)
	return c
}

// sinc is a low-pass filter around the point half-1+shift.
func sinc(half int, cutoff, shift float64) []float32 {
	weights := make([]float64, 2*half)
	sum := 0.0
	for k := range weights {
		x := float64(k-half+1) - shift
		w := x / float64(half)
		weights[k] = bessel0(beta * math.Sqrt(max(0, 1-w*w)))
		if a := math.Pi * cutoff * x; a != 0 {
			weights[k] *= math.Sin(a) / a
		}
		sum += weights[k]
	}
	out := make([]float32, len(weights))
	for k, w := range weights {
		out[k] = float32(w / sum)
	}
	return out
}

// bessel0 is the modified Bessel function of order 0, of which a Kaiser window
// is made.
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-12*sum; k++ {
		term *= x * x / (4 * k * k)
		sum += term
	}
	return sum
}

// push appends to dst what the input gives.
func (c *converter) push(dst, in [][2]float32) [][2]float32 {
	c.in = append(c.in, in...)
	c.end += int64(len(in))
	return c.run(dst)
}

// flush ends the input and appends to dst what is left in the filter.
func (c *converter) flush(dst [][2]float32) [][2]float32 {
	c.in = append(c.in, make([][2]float32, c.half)...)
	return c.run(dst)
}

func (c *converter) run(dst [][2]float32) [][2]float32 {
	up, down := int64(c.up), int64(c.down)
	for {
		middle := c.next * down / up
		first := int(middle - c.base - int64(c.half) + 1)
		if middle >= c.end || first+2*c.half > len(c.in) {
			break
		}
		dst = append(dst, dot(c.bank[c.next*down%up], c.in[max(0, first):first+2*c.half]))
		c.next++
	}
	done := min(max(c.next*down/up-c.base-int64(c.half)+1, 0), int64(len(c.in)))
	c.base += done
	c.in = append(c.in[:0], c.in[done:]...)
	return dst
}

func dot(weights []float32, in [][2]float32) [2]float32 {
	var l, r float32
	weights = weights[len(weights)-len(in):]
	for k, w := range weights {
		l += w * in[k][0]
		r += w * in[k][1]
	}
	return [2]float32{l, r}
}

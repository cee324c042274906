package audio

import (
	"math"
	"sync"
)

// A bank is a low-pass filter cut into phases: row p holds its taps for an
// output frame that lies p/phases of the way between two input frames.
type bank struct {
	taps   int // in a row, a multiple of 8
	before int // how many of them lie before the frame that the phase counts from
	rows   []float32
	finely float32 // 0: a phase is a row; else rows per phase, and rows are blended
}

const (
	// tapsAtLeast is the width of the filter in frames, where the new rate is
	// the higher one. The longer, the steeper between 20 and 22.05 kHz.
	tapsAtLeast = 128
	// attenuation of what is not to be heard, in decibels.
	attenuation = 100.5
	// rowsAtMost bounds the memory. Rates of which the quotient is simpler than
	// that (all usual ones) get a row for each phase that occurs; for others, two
	// neighbours of rowsAtMost rows are blended, which is good to 115 dB.
	rowsAtMost = 1024
)

// usualBanks are the filters from the rates that sound has mostly to Rate. Each is
// made when it is first needed, and then shared: that takes nearly a millisecond.
var usualBanks = func() map[[2]int]func() *bank {
	banks := map[[2]int]func() *bank{}
	for _, rate := range []int{48000, 96000, 192000, 88200, 32000, 24000, 22050} {
		d := int(gcd(int64(rate), Rate))
		up, down := Rate/d, rate/d
		banks[[2]int{up, down}] = sync.OnceValue(func() *bank { return newBank(up, down) })
	}
	return banks
}()

// bankFor returns the filter for up/down times the rate.
func bankFor(up, down int) *bank {
	if make, ok := usualBanks[[2]int{up, down}]; ok {
		return make()
	}
	return newBank(up, down)
}

// newBank makes the filter for up/down times the rate.
func newBank(up, down int) *bank {
	narrow := min(1, float64(up)/float64(down)) // of the input's band
	half := 4 * int(math.Ceil(tapsAtLeast/narrow/8))
	b := &bank{taps: 2 * half, before: half - 1}
	rows := up
	if rows > rowsAtMost {
		rows = rowsAtMost
		b.finely = float32(float64(rows) / float64(up))
	}
	b.rows = make([]float32, (rows+1)*b.taps)
	h := newKaiser(half, narrow/2)
	taps := make([]float64, b.taps)
	// A row and the one as far from the other end are mirror images.
	for p := 0; 2*p <= rows; p++ {
		sum := 0.0
		for k := range taps {
			taps[k] = h.at(float64(p)/float64(rows) + float64(half-1-k))
			sum += taps[k]
		}
		row, mirror := b.row(p), b.row(rows-p)
		for k := range row {
			row[k] = float32(taps[k] / sum) // so that a constant stays what it is
			mirror[len(row)-1-k] = row[k]
		}
	}
	return b
}

func (b *bank) row(p int) []float32 { return b.rows[p*b.taps : (p+1)*b.taps] }

// at is the frame that lies phase away from the one in the middle of x.
func (b *bank) at(x []Frame, phase int) Frame {
	if b.finely == 0 {
		l, r := dot(x, b.row(phase))
		return Frame{l, r}
	}
	where := float32(phase) * b.finely
	p := int(where)
	f := where - float32(p)
	l, r := dot(x, b.row(p))
	l1, r1 := dot(x, b.row(p+1))
	return Frame{l + f*(l1-l), r + f*(r1-r)}
}

// kaiser is a low-pass filter: a sinc behind a Kaiser window.
type kaiser struct {
	half   float64 // its width to either side, in frames
	cutoff float64 // cycles per frame, where it has fallen by 6 dB
	beta   float64
}

// newKaiser makes a filter that lets nothing through from edge (in cycles per
// frame) on.
func newKaiser(half int, edge float64) kaiser {
	// Kaiser's own formulas for the window and for how wide the slope is.
	slope := (attenuation - 7.95) / (14.36 * 2 * float64(half))
	return kaiser{half: float64(half), cutoff: edge - slope/2, beta: 0.1102 * (attenuation - 8.7)}
}

func (k kaiser) at(t float64) float64 {
	if math.Abs(t) >= k.half {
		return 0
	}
	w := bessel(k.beta * math.Sqrt(1-(t/k.half)*(t/k.half)))
	if t == 0 {
		return w * 2 * k.cutoff
	}
	return w * math.Sin(2*math.Pi*k.cutoff*t) / (math.Pi * t)
}

// bessel is the modified Bessel function of order 0.
func bessel(x float64) float64 {
	sum, term, square := 1.0, 1.0, x*x/4
	for k := 1.0; term > sum*1e-12; k++ {
		term *= square / (k * k)
		sum += term
	}
	return sum
}

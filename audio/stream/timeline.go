package stream

import (
	"math/bits"
	"time"
)

// A Timeline ties frames to time: frame Frame is heard at Time, and every
// other frame as far from it as Rate says. It is a value; sinks that were
// given the same one are in step.
type Timeline struct {
	Rate  int // frames per second, above zero
	Frame int64
	Time  time.Time
}

// IsZero tells whether the timeline was never set.
func (tl Timeline) IsZero() bool { return tl.Rate == 0 }

// At returns when frame is heard: the first nanosecond at which FrameAt says
// frame.
func (tl Timeline) At(frame int64) time.Time { return tl.Time.Add(lasts(frame-tl.Frame, tl.Rate)) }

// FrameAt returns the frame that is being heard at t: the last one that began
// at or before it.
func (tl Timeline) FrameAt(t time.Time) int64 {
	return tl.Frame + scale(int64(t.Sub(tl.Time)), int64(tl.Rate), int64(time.Second))
}

// lasts returns how long so many frames last, rounded up to a nanosecond.
func lasts(frames int64, rate int) time.Duration {
	return time.Duration(-scale(-frames, int64(time.Second), int64(rate)))
}

// scale returns n*mul/div rounded towards negative infinity, by 128 bits, so
// that no product overflows. mul and div are above zero.
func scale(n, mul, div int64) int64 {
	if n >= 0 {
		hi, lo := bits.Mul64(uint64(n), uint64(mul))
		q, _ := bits.Div64(hi%uint64(div), lo, uint64(div))
		return int64(q)
	}
	hi, lo := bits.Mul64(uint64(-n), uint64(mul))
	q, rest := bits.Div64(hi%uint64(div), lo, uint64(div))
	if rest > 0 {
		q++
	}
	return -int64(q)
}

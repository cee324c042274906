package stream

import (
	"math/bits"
	"time"
)

// A Timeline ties frames to time: frame Frame is heard at Time, and every
// other frame as far from it as Rate says. It is a value; two sinks that were
// given the same one are in step.
type Timeline struct {
	Rate  int // frames per second, above zero
	Frame int64
	Time  time.Time
}

// IsZero tells whether the timeline was never set.
func (tl Timeline) IsZero() bool { return tl.Rate == 0 }

// At returns when frame is heard, rounded down to a nanosecond, so that
// FrameAt gives the same frame again or, by that nanosecond, the one before.
func (tl Timeline) At(frame int64) time.Time {
	return tl.Time.Add(time.Duration(scale(frame-tl.Frame, int64(time.Second), int64(tl.Rate))))
}

// FrameAt returns the frame that is being heard at t: the last one that began
// at or before it.
func (tl Timeline) FrameAt(t time.Time) int64 {
	return tl.Frame + scale(int64(t.Sub(tl.Time)), int64(tl.Rate), int64(time.Second))
}

// Advance returns the same timeline, tied at another frame.
func (tl Timeline) Advance(frame int64) Timeline {
	return Timeline{Rate: tl.Rate, Frame: frame, Time: tl.At(frame)}
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
	q, rem := bits.Div64(hi%uint64(div), lo, uint64(div))
	if rem > 0 {
		q++
	}
	return -int64(q)
}

package loudness

import (
	"fmt"
	"math"
	"time"
)

// lookAhead is how long before a peak the limiter begins to turn the sound down.
const lookAhead = 5 * time.Millisecond

// A Limiter turns a sound down where its peaks would be too high, and up again
// after them. No sample that comes out is above the ceiling, and no true peak between
// them is by more than 0.2 dB, unless it is made of what lies above 0.44 of the rate
// (19 kHz), of which the limiter does not see all: in white noise, 1 dB. Both sides are turned alike, so that
// nothing moves to a side. Where no peak is too high and none was lately, frames
// come out as they went in, bit for bit.
//
// It looks ahead: it turns down over 5 ms before a peak, without a corner that
// could be heard, holds for 15 ms, and comes back within some 100 ms. Its
// latency is made up for: the frames that come out are those that went in, from
// the first to the last, as many and in order, some of them softer.
//
//	n, err := src.Read(p)
//	n = l.Process(p[:n])
//	if err == io.EOF {
//		// more := l.Flush(q), until it is 0
//	}
//
// It is made by [NewLimiter] and used by one goroutine at a time.
type Limiter struct {
	ceiling  float32
	over     oversampler
	envelope envelope
	line     [][2]float32 // the frames of the look-ahead
	at       int          // where in it the oldest is
	skip     int          // frames of silence to come out, from before the sound
	inside   int          // frames of the sound to come out
}

// NewLimiter makes a limiter for frames of this rate that lets nothing above
// ceiling, in dBTP (-1 is usual). With +Inf all passes. The error wraps
// [ErrRate], or says that the ceiling is not a number.
func NewLimiter(rate int, ceiling float64) (*Limiter, error) {
	if err := check(rate); err != nil {
		return nil, err
	}
	if math.IsNaN(ceiling) {
		return nil, fmt.Errorf("loudness: a limiter's ceiling of %v dBTP", ceiling)
	}
	delay := frames(lookAhead, rate)
	l := &Limiter{
		ceiling:  atMost(math.Pow(10, ceiling/20)),
		envelope: newEnvelope(delay-half+1, rate),
		line:     make([][2]float32, delay),
		skip:     delay,
	}
	return l, nil
}

// atMost is the greatest float32 that is not above x.
func atMost(x float64) float32 {
	f := float32(x)
	if float64(f) > x {
		return math.Nextafter32(f, 0)
	}
	return f
}

// Delay is how many frames go in before the first comes out.
func (l *Limiter) Delay() int { return len(l.line) }

// Process takes all of frames and puts those that come out at their beginning. It
// returns how many: none until Delay frames went in, and from then on as many as
// went in. It does not allocate.
func (l *Limiter) Process(frames [][2]float32) int {
	for rest := frames; len(rest) > 0; {
		n := min(len(rest), batch)
		l.process(rest[:n])
		rest = rest[n:]
	}
	skip := min(l.skip, len(frames))
	l.skip -= skip
	l.inside += skip
	return copy(frames, frames[skip:])
}

// Flush puts the frames that are still inside into dst and returns how many. Once
// all are out, it returns 0, and the limiter is as new. Between its first call and
// that, nothing may go in.
func (l *Limiter) Flush(dst [][2]float32) int {
	var silence [batch][2]float32
	for l.skip > 0 && l.inside > 0 {
		n := min(l.skip, batch)
		l.process(silence[:n])
		l.skip -= n
	}
	n := min(len(dst), l.inside)
	for rest := dst[:n]; len(rest) > 0; {
		k := min(len(rest), batch)
		clear(rest[:k])
		l.process(rest[:k])
		rest = rest[k:]
	}
	if l.inside -= n; l.inside == 0 {
		l.Reset()
	}
	return n
}

// Reset drops the frames inside and forgets what was, for a sound that goes on
// elsewhere.
func (l *Limiter) Reset() {
	l.over = oversampler{}
	l.envelope.reset()
	clear(l.line)
	l.at, l.skip, l.inside = 0, len(l.line), 0
}

// process puts in the place of up to batch frames those that went in Delay frames
// before them.
func (l *Limiter) process(frames [][2]float32) {
	fresh := l.over.take(frames)
	heights := l.over.peaks(l.ceiling)
	if l.envelope.idle() && highest(heights) <= l.ceiling {
		for i, f := range fresh {
			frames[i] = l.exchange(f)
		}
		return
	}
	for i, f := range fresh {
		gain := l.envelope.next(needed(heights[i], l.ceiling))
		frames[i] = l.turn(l.exchange(f), gain)
	}
}

// exchange gives the oldest frame of the line for the newest.
func (l *Limiter) exchange(f [2]float32) (oldest [2]float32) {
	oldest, l.line[l.at] = l.line[l.at], f
	if l.at++; l.at == len(l.line) {
		l.at = 0
	}
	return oldest
}

// turn makes a frame softer. The gain suffices already, rounding aside.
func (l *Limiter) turn(f [2]float32, gain float64) [2]float32 {
	for i, x := range f {
		x = float32(float64(x) * gain)
		f[i] = max(-l.ceiling, min(l.ceiling, x))
	}
	return f
}

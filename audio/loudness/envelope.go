package loudness

import (
	"math"
	"time"
)

const (
	// hold is how long a gain stays after the peak that asked for it. It is longer
	// than from one crest of a low note to the next (33 Hz has one each 15 ms), so
	// that the gain does not follow the wave, which would be distortion.
	hold = 15 * time.Millisecond
	// release is how long the reduction then takes to fall to 1/e.
	release = 100 * time.Millisecond
	// unit is all of the sound, where a reduction is counted: 0 takes away nothing,
	// unit takes away everything. Sums of whole numbers do not drift, so that the
	// gain comes back to exactly 1.
	unit = 1 << 30
	// audible is the least reduction that is kept up: -120 dB.
	audible = unit / 1e6
)

// An envelope makes of the reduction that each frame needs one that is smooth:
// the greatest of the near future and of what is held, released exponentially,
// then averaged twice. An average of numbers that all suffice suffices too.
type envelope struct {
	span     int64 // frames that a reduction holds, those of the averages among them
	now      int64
	wanted   queue
	level    float64 // the reduction held or released
	fall     float64 // what is left of it a frame later
	averages [2]average
	whole    float64 // what the averages make of unit
}

// newEnvelope makes an envelope of which the gain for a frame comes out width-1
// frames after what the frame needs went in.
func newEnvelope(width, rate int) envelope {
	span := width + frames(hold, rate)
	e := envelope{
		span:   int64(span),
		wanted: queue{ring: make([]wish, span)},
		fall:   math.Exp(-1 / (release.Seconds() * float64(rate))),
	}
	first := (width + 1) / 2
	second := width + 1 - first
	e.averages = [2]average{{ring: make([]int64, first)}, {ring: make([]int64, second)}}
	e.whole = float64(first) * float64(second) * unit
	return e
}

// frames is how many of them sound in a time.
func frames(d time.Duration, rate int) int {
	return int(d * time.Duration(rate) / time.Second)
}

// needed is the reduction that brings height down to ceiling.
func needed(height, ceiling float32) int64 {
	if height <= ceiling {
		return 0
	}
	return int64(math.Ceil((1 - float64(ceiling)/float64(height)) * unit))
}

// next takes what one more frame needs and gives the gain for the frame width-1
// before it.
func (e *envelope) next(reduction int64) float64 {
	e.now++
	e.wanted.drop(e.now - e.span)
	if reduction > 0 {
		e.wanted.push(wish{e.now, reduction})
	}
	e.level *= e.fall
	if e.level < audible {
		e.level = 0
	}
	e.level = max(e.level, float64(e.wanted.greatest()))
	sum := e.averages[1].next(e.averages[0].next(int64(math.Ceil(e.level))))
	return 1 - float64(sum)/e.whole
}

// idle tells whether all gains will be 1 for as long as no frame needs less.
func (e *envelope) idle() bool {
	return e.level == 0 && e.averages[0].sum == 0 && e.averages[1].sum == 0
}

func (e *envelope) reset() {
	e.now, e.level, e.wanted.n = 0, 0, 0
	for i := range e.averages {
		a := &e.averages[i]
		a.sum = 0
		clear(a.ring)
	}
}

// A wish is for a reduction, from some frame on.
type wish struct{ frame, reduction int64 }

// A queue holds those wishes that may still become the greatest: each is smaller
// than the one before.
type queue struct {
	ring     []wish
	first, n int
}

// drop forgets the wishes up to this frame.
func (q *queue) drop(frame int64) {
	for q.n > 0 && q.ring[q.first].frame <= frame {
		q.first, q.n = q.index(1), q.n-1
	}
}

func (q *queue) push(w wish) {
	for q.n > 0 && q.ring[q.index(q.n-1)].reduction <= w.reduction {
		q.n--
	}
	q.ring[q.index(q.n)] = w
	q.n++
}

func (q *queue) greatest() int64 {
	if q.n == 0 {
		return 0
	}
	return q.ring[q.first].reduction
}

// index is where the wish stands that is so far behind the first.
func (q *queue) index(i int) int {
	if i += q.first; i >= len(q.ring) {
		i -= len(q.ring)
	}
	return i
}

// An average is the sum of the newest numbers.
type average struct {
	ring []int64
	at   int
	sum  int64
}

func (a *average) next(v int64) int64 {
	a.sum += v - a.ring[a.at]
	a.ring[a.at] = v
	if a.at++; a.at == len(a.ring) {
		a.at = 0
	}
	return a.sum
}

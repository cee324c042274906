package loudness

import "math"

// stepsPerBlock is how many steps of 100 ms make a block of 400 ms. A block ends
// with each step, so that they overlap by three quarters.
const stepsPerBlock = 4

// A Meter measures a sound while it comes in. It takes 170 kB, however long
// that lasts. It is made by [NewMeter] and used by one goroutine at a time.
type Meter struct {
	rate      int64
	weighting weighting
	over      oversampler
	highest   float32
	blocks    histogram

	// The newest steps. The one that is being filled is steps[number%4].
	steps  [stepsPerBlock]step
	number int64
	left   int // frames that it still needs
}

type step struct {
	frames int
	energy float64 // of all of them
}

// NewMeter makes a meter for frames of this rate, of which the error can only
// wrap [ErrRate].
func NewMeter(rate int) (*Meter, error) {
	if err := check(rate); err != nil {
		return nil, err
	}
	m := &Meter{rate: int64(rate), weighting: newWeighting(rate)}
	m.left = m.length(0)
	return m, nil
}

// length is how many frames a step has. Where the rate is no multiple of 10, some
// have one more, so that none is early or late by a frame.
func (m *Meter) length(number int64) int {
	return int((number+1)*m.rate/10 - number*m.rate/10)
}

// Add measures more frames. How they are cut in pieces makes no difference. It
// does not allocate.
func (m *Meter) Add(frames [][2]float32) {
	for len(frames) > 0 {
		n := min(len(frames), m.left, batch)
		m.add(m.over.take(frames[:n]))
		frames = frames[n:]
	}
}

func (m *Meter) add(frames [][2]float32) {
	m.highest = higher(m.highest, highest(m.over.peaks(m.highest)))
	s := &m.steps[m.number%stepsPerBlock]
	s.energy = m.weighting.energy(s.energy, frames)
	s.frames += len(frames)
	if m.left -= len(frames); m.left == 0 {
		m.endStep()
	}
}

func (m *Meter) endStep() {
	m.weighting.settle()
	if m.number >= stepsPerBlock-1 {
		block := m.block()
		m.blocks.add(block.energy / float64(block.frames))
	}
	m.number++
	m.steps[m.number%stepsPerBlock] = step{}
	m.left = m.length(m.number)
}

// block is all that the newest steps hold.
func (m *Meter) block() (b step) {
	for _, s := range m.steps {
		b.frames += s.frames
		b.energy += s.energy
	}
	return b
}

// Integrated is the loudness of all that came in so far, in LUFS. Blocks that are
// not whole do not count, except where no other does, in a sound shorter than a
// block say: then it is the loudness of the newest one, filled up with silence.
// It is -Inf for silence, and for what is not louder than -70 LUFS.
func (m *Meter) Integrated() float64 {
	if mean := m.blocks.mean(); mean > 0 {
		return lufs(mean)
	}
	if l := lufs(m.padded()); l > gate {
		return l
	}
	return math.Inf(-1)
}

// padded is the mean energy of the newest block if only silence followed.
func (m *Meter) padded() float64 {
	var silence [batch][2]float32
	b, w := m.block(), m.weighting
	size := int(m.rate * stepsPerBlock / 10)
	for b.frames < size {
		n := min(size-b.frames, batch)
		b.energy = w.energy(b.energy, silence[:n]) // the filters ring on
		b.frames += n
	}
	return b.energy / float64(b.frames)
}

// Peak is the highest true peak of all that came in so far, in dBTP: decibels
// above full scale. It is -Inf for silence.
func (m *Meter) Peak() float64 {
	var silence [half][2]float32
	over := m.over
	over.take(silence[:]) // for what lies behind the last frame
	peak := higher(m.highest, highest(over.peaks(m.highest)))
	return 20 * math.Log10(float64(peak))
}

// Reading is both that the meter tells.
func (m *Meter) Reading() Reading {
	return Reading{Loudness: m.Integrated(), Peak: m.Peak()}
}

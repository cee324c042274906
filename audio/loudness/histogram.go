package loudness

import "math"

const (
	// gate is what a block must exceed to count at all, in LUFS.
	gate = -70
	// belowMean is how much quieter than the mean a block may be, as a ratio of
	// energies: 10 LU.
	belowMean = 0.1
	// loudest is where the histogram ends. Louder blocks go into its last bin.
	loudest = 30
	// perUnit is how many bins there are in one LU.
	perUnit = 100
)

// A histogram keeps the blocks that a sound has had, however many: of those that
// are equally loud, to 0.05 LU, how many there were and their energy together.
// The mean is exact therefore, and the gate is wrong only for blocks in the one
// bin that it cuts in two.
type histogram struct {
	bins [(loudest - gate) * perUnit]bin
}

type bin struct {
	blocks float64
	energy float64 // of all of them
}

// add counts a block of which this is the mean energy.
func (h *histogram) add(energy float64) {
	above := lufs(energy) - gate
	if above <= 0 {
		return
	}
	b := &h.bins[int(min(above*perUnit, float64(len(h.bins)-1)))]
	b.blocks++
	b.energy += energy
}

// mean is the mean energy of the blocks that count. It is 0 if none does.
func (h *histogram) mean() float64 {
	return h.above(h.above(0) * belowMean)
}

// above is the mean energy of the blocks that have more than this.
func (h *histogram) above(energy float64) float64 {
	var sum bin
	for _, b := range h.bins {
		if b.energy > energy*b.blocks {
			sum.blocks += b.blocks
			sum.energy += b.energy
		}
	}
	if sum.blocks == 0 {
		return 0
	}
	return sum.energy / sum.blocks
}

// lufs is the loudness of a mean energy.
func lufs(energy float64) float64 { return -0.691 + 10*math.Log10(energy) }

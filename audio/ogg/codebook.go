package ogg

import (
	"fmt"
	"math"
	"math/bits"
)

// What a setup header may ask for. Those of libvorbis ask for less than a
// tenth of it.
const (
	maxDimensions = 256
	maxEntries    = 1 << 18 // of all codebooks together
	maxValues     = 1 << 21 // likewise; each is a float
)

// A budget is what codebooks may still ask for.
type budget struct{ entries, values int }

// A codebook is how a setup header describes one: a prefix code and, for most,
// a vector of floats for each of its entries.
type codebook struct {
	dimensions int
	lengths    []byte // of the codewords; 0: not used
	lookup     int    // 0: no vectors, 1: on a lattice, 2: each for itself
	minimum    uint32
	delta      uint32
	valueBits  int
	sequence   bool
	values     []uint32
}

const codebookSync = 0x564342

// readCodebook reads a codebook and refuses what would cost the engine more
// than the budget, or its life: it makes a table of 17 GB where there is no
// entry, and loops for ever where none is used or a vector has no dimension.
func readCodebook(r *bitReader, left *budget) (codebook, error) {
	if r.read(24) != codebookSync {
		return codebook{}, fmt.Errorf("codebook without its mark: %w", ErrMalformed)
	}
	c := codebook{dimensions: int(r.read(16))}
	entries := int(r.read(24))
	if c.dimensions < 1 || c.dimensions > maxDimensions || entries < 1 || entries > left.entries {
		return codebook{}, fmt.Errorf("codebook of %d by %d: %w", entries, c.dimensions, ErrMalformed)
	}
	left.entries -= entries
	c.lengths = make([]byte, entries)
	if r.flag() {
		c.readOrdered(r)
	} else {
		c.readLengths(r)
	}
	if r.over || !c.isPrefixCode() {
		return codebook{}, fmt.Errorf("codebook that is no prefix code: %w", ErrMalformed)
	}
	if err := c.readValues(r, left); err != nil {
		return codebook{}, err
	}
	return c, nil
}

// readLengths reads one length after another.
func (c *codebook) readLengths(r *bitReader) {
	sparse := r.flag()
	for i := range c.lengths {
		if !sparse || r.flag() {
			c.lengths[i] = byte(r.read(5)) + 1
		}
		if r.over {
			return
		}
	}
}

// readOrdered reads how many entries have each length.
func (c *codebook) readOrdered(r *bitReader) {
	length := r.read(5) + 1
	for rest := c.lengths; len(rest) > 0; length++ {
		n := int(r.read(bits.Len(uint(len(rest)))))
		if n > len(rest) || length > 32 || r.over {
			r.over = true
			return
		}
		for i := range n {
			rest[i] = byte(length)
		}
		rest = rest[n:]
	}
}

// isPrefixCode tells whether there are codewords of these lengths none of which
// begins another.
func (c *codebook) isPrefixCode() bool {
	var sum uint64
	for _, n := range c.lengths {
		if n > 0 {
			sum += 1 << (32 - n)
		}
	}
	return sum > 0 && sum <= 1<<32
}

// readValues reads what the vectors are made of.
func (c *codebook) readValues(r *bitReader, left *budget) error {
	c.lookup = int(r.read(4))
	if c.lookup == 0 {
		return nil
	}
	c.minimum, c.delta = r.read(32), r.read(32)
	c.valueBits = int(r.read(4)) + 1
	c.sequence = r.flag()
	floats := len(c.lengths) * c.dimensions
	n := floats
	if c.lookup == 1 {
		n = lattice(len(c.lengths), c.dimensions)
	}
	if c.lookup > 2 || floats > left.values || n*c.valueBits > r.left() || r.over {
		return fmt.Errorf("codebook of %d by %d values: %w", len(c.lengths), c.dimensions, ErrMalformed)
	}
	left.values -= floats
	c.values = make([]uint32, n)
	for i := range c.values {
		c.values[i] = r.read(c.valueBits)
	}
	return nil
}

// lattice is the largest n whose power is not above entries.
func lattice(entries, power int) int {
	n := 1
	for fits(n+1, power, entries) {
		n++
	}
	return n
}

// fits tells whether n to the power is not above most.
func fits(n, power, most int) bool {
	v := 1
	for range power {
		if v *= n; v > most {
			return false
		}
	}
	return true
}

// misread tells whether the engine would misread the book: it takes the root of
// 27 to the third for 2, and has no place for a code of one entry.
func (c *codebook) misread() bool {
	entries := float64(len(c.lengths))
	root := int(math.Floor(math.Pow(entries, 1/float64(c.dimensions))))
	return len(c.lengths) == 1 || c.lookup == 1 && root != len(c.values)
}

// write writes the book in the way that the engine reads right: each vector for
// itself, and at least two entries.
func (c *codebook) write(w *bitWriter) {
	entries := max(2, len(c.lengths))
	w.write(codebookSync, 24)
	w.write(uint32(c.dimensions), 16)
	w.write(uint32(entries), 24)
	w.write(0, 1) // not ordered
	w.write(1, 1) // but sparse
	for i := range entries {
		used := i < len(c.lengths) && c.lengths[i] > 0
		w.flag(used)
		if used {
			w.write(uint32(c.lengths[i]-1), 5)
		}
	}
	if c.lookup == 0 {
		w.write(0, 4)
		return
	}
	w.write(2, 4)
	w.write(c.minimum, 32)
	w.write(c.delta, 32)
	w.write(uint32(c.valueBits-1), 4)
	w.flag(c.sequence)
	for i := range entries {
		for d, step := 0, 1; d < c.dimensions; d++ {
			w.write(c.value(i, d, step), c.valueBits)
			step = min(step*len(c.values), maxEntries) // beyond it, entries/step is 0 anyway
		}
	}
}

// value is what dimension d of an entry is made of, where step is the number
// of values to the power of d.
func (c *codebook) value(entry, d, step int) uint32 {
	switch {
	case entry >= len(c.lengths):
		return 0
	case c.lookup == 1:
		return c.values[entry/step%len(c.values)]
	}
	return c.values[entry*c.dimensions+d]
}

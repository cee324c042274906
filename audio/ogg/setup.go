package ogg

import (
	"fmt"
	"math/bits"
)

// A setup is what we need to know of a Vorbis setup header.
type setup struct {
	long     []bool // of each mode: its blocks are long ones
	modeBits int    // in which a packet names its mode
	header   []byte // for the engine
}

// A setupReader walks through a setup header bit by bit, like the engine does
// afterwards, and refuses what the engine would not survive: it does not check
// a single number, and makes tables of any size and loops without an end.
type setupReader struct {
	bitReader
	channels int
	books    []codebook
	rewrites []rewrite
	floors   int
	residues int
}

// A rewrite is what the engine would misread, and how it reads it right.
type rewrite struct {
	from, to int // in bits
	with     bitWriter
}

// checkSetup reads a setup packet of a stream with so many channels.
func checkSetup(packet []byte, channels int) (setup, error) {
	r := &setupReader{bitReader: bitReader{b: packet, pos: 8 * vorbisMark}, channels: channels}
	var s setup
	for _, read := range []func() error{r.readBooks, r.readTimes, r.readFloors, r.readResidues} {
		if err := read(); err != nil {
			return setup{}, err
		}
	}
	mappings, err := r.readMappings()
	if err != nil {
		return setup{}, err
	}
	if s.long, err = r.readModes(mappings); err != nil {
		return setup{}, err
	}
	if !r.flag() || r.over {
		return setup{}, malformed("setup header without an end")
	}
	s.modeBits = bits.Len(uint(len(s.long) - 1))
	s.header = r.rewritten()
	return s, nil
}

// malformed says what is.
func malformed(what string) error { return fmt.Errorf("%s: %w", what, ErrMalformed) }

func (r *setupReader) readBooks() error {
	left := budget{entries: maxEntries, values: maxValues}
	r.books = make([]codebook, r.read(8)+1)
	for i := range r.books {
		from := r.pos
		book, err := readCodebook(&r.bitReader, &left)
		if err != nil {
			return err
		}
		if book.misread() {
			change := rewrite{from: from, to: r.pos}
			book.write(&change.with)
			r.rewrites = append(r.rewrites, change)
		}
		book.lengths, book.values = nil, nil // not needed again
		r.books[i] = book
	}
	return nil
}

// readTimes reads what the format has no use for.
func (r *setupReader) readTimes() error {
	for range r.read(6) + 1 {
		if r.read(16) != 0 || r.over {
			return malformed("time transform")
		}
	}
	return nil
}

func (r *setupReader) readFloors() error {
	r.floors = int(r.read(6)) + 1
	for range r.floors {
		var ok bool
		switch kind := r.read(16); kind {
		case 0:
			ok = r.readFloor0()
		case 1:
			ok = r.readFloor1()
		}
		if !ok || r.over {
			return malformed("floor")
		}
	}
	return nil
}

// readFloor0 reads a floor of the first kind, which hardly any file has.
func (r *setupReader) readFloor0() bool {
	order, rate, barks := r.read(8), r.read(16), r.read(16)
	amplitudeBits, _ := r.read(6), r.read(8)
	if order == 0 || rate == 0 || barks == 0 || amplitudeBits == 0 || amplitudeBits > 32 {
		return false
	}
	for range r.read(4) + 1 {
		if !r.isVectorBook(r.read(8)) {
			return false
		}
	}
	return true
}

// readFloor1 reads a floor of the second kind. Where one has no partitions, as
// that of the LFE channel of 5.1, the engine looks for a class all the same.
func (r *setupReader) readFloor1() bool {
	partitions := make([]uint32, r.read(5))
	if len(partitions) == 0 {
		change := rewrite{from: r.pos, to: r.pos}
		change.with.write(0, 3+2+8)
		r.rewrites = append(r.rewrites, change)
	}
	var classes uint32
	for i := range partitions {
		partitions[i] = r.read(4)
		classes = max(classes, partitions[i]+1)
	}
	dimensions := make([]int, classes)
	for i := range dimensions {
		dimensions[i] = int(r.read(3)) + 1
		if !r.readClass() {
			return false
		}
	}
	r.read(2) // multiplier
	return r.readPoints(partitions, dimensions)
}

// readClass reads which books a class of a floor uses.
func (r *setupReader) readClass() bool {
	subclasses := r.read(2)
	if subclasses > 0 && !r.isBook(r.read(8)) {
		return false
	}
	for range 1 << subclasses {
		if book := r.read(8); book > 0 && !r.isBook(book-1) {
			return false
		}
	}
	return true
}

// readPoints reads where a floor bends. No two places may be the same: the
// engine divides by their distance.
func (r *setupReader) readPoints(partitions []uint32, dimensions []int) bool {
	size := int(r.read(4))
	seen := map[uint32]bool{0: true, 1 << size: true}
	points := 2
	for _, class := range partitions {
		for range dimensions[class] {
			seen[r.read(size)] = true
			points++
		}
	}
	return points <= 65 && len(seen) == points
}

func (r *setupReader) readResidues() error {
	r.residues = int(r.read(6)) + 1
	for range r.residues {
		if !r.readResidue() || r.over {
			return malformed("residue")
		}
	}
	return nil
}

// readResidue reads a residue. One that ends before it begins would make the
// engine ask for 16 GB at the first packet.
func (r *setupReader) readResidue() bool {
	kind, begin, end := r.read(16), r.read(24), r.read(24)
	r.read(24) // partition size
	classes := r.read(6) + 1
	if kind > 2 || begin > end || !r.isBook(r.read(8)) {
		return false
	}
	books := 0
	for range classes {
		stages := r.read(3)
		if r.flag() {
			stages |= r.read(5) << 3
		}
		books += bits.OnesCount32(stages)
	}
	for range books {
		if !r.isVectorBook(r.read(8)) {
			return false
		}
	}
	return true
}

func (r *setupReader) readMappings() (int, error) {
	mappings := int(r.read(6)) + 1
	for range mappings {
		if !r.readMapping() || r.over {
			return 0, malformed("mapping")
		}
	}
	return mappings, nil
}

func (r *setupReader) readMapping() bool {
	if r.read(16) != 0 {
		return false
	}
	submaps := 1
	if r.flag() {
		submaps = int(r.read(4)) + 1
	}
	if r.flag() && !r.readCoupling() {
		return false
	}
	if r.read(2) != 0 {
		return false
	}
	if submaps > 1 {
		for range r.channels {
			if int(r.read(4)) >= submaps {
				return false
			}
		}
	}
	for range submaps {
		r.read(8) // a time transform
		if int(r.read(8)) >= r.floors || int(r.read(8)) >= r.residues {
			return false
		}
	}
	return true
}

// readCoupling reads which channels belong together.
func (r *setupReader) readCoupling() bool {
	size := bits.Len(uint(r.channels - 1))
	for range r.read(8) + 1 {
		magnitude, angle := int(r.read(size)), int(r.read(size))
		if magnitude == angle || max(magnitude, angle) >= r.channels {
			return false
		}
	}
	return true
}

func (r *setupReader) readModes(mappings int) (long []bool, err error) {
	long = make([]bool, r.read(6)+1)
	for i := range long {
		long[i] = r.flag()
		if r.read(32) != 0 || int(r.read(8)) >= mappings || r.over {
			return nil, malformed("mode")
		}
	}
	return long, nil
}

func (r *setupReader) isBook(n uint32) bool { return int(n) < len(r.books) }

func (r *setupReader) isVectorBook(n uint32) bool {
	return r.isBook(n) && r.books[n].lookup != 0
}

// rewritten is the packet as the engine reads it right.
func (r *setupReader) rewritten() []byte {
	if len(r.rewrites) == 0 {
		return r.b
	}
	var w bitWriter
	done := 0
	for _, change := range r.rewrites {
		w.copy(r.b, done, change.from)
		w.copy(change.with.b, 0, change.with.bits)
		done = change.to
	}
	w.copy(r.b, done, r.pos)
	return w.b
}

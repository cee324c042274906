package ogg

// A bitReader reads the lowest bits first, as Vorbis writes them. Behind the
// end it reads zeros and remembers that it did.
type bitReader struct {
	b    []byte
	pos  int // in bits
	over bool
}

// left is how many bits there are.
func (r *bitReader) left() int { return 8*len(r.b) - r.pos }

// read reads up to 32 bits.
func (r *bitReader) read(n int) uint32 {
	if n > r.left() {
		r.pos, r.over = 8*len(r.b), true
		return 0
	}
	var v uint64
	for got := 0; got < n; {
		shift := r.pos & 7
		step := min(8-shift, n-got)
		v |= uint64(r.b[r.pos>>3]>>shift) & (1<<step - 1) << got
		got += step
		r.pos += step
	}
	return uint32(v)
}

func (r *bitReader) flag() bool { return r.read(1) != 0 }

// A bitWriter writes the lowest bits first.
type bitWriter struct {
	b    []byte
	bits int
}

func (w *bitWriter) write(v uint32, n int) {
	for i := range n {
		if w.bits&7 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.bits>>3] |= byte(v>>i&1) << (w.bits & 7)
		w.bits++
	}
}

func (w *bitWriter) flag(v bool) {
	if v {
		w.write(1, 1)
		return
	}
	w.write(0, 1)
}

// copy writes the bits of b from one position up to before another.
func (w *bitWriter) copy(b []byte, from, to int) {
	r := bitReader{b: b, pos: from}
	for ; from < to; from += 8 {
		n := min(8, to-from)
		w.write(r.read(n), n)
	}
}

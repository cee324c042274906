package mp3

// A sideInfo is what a frame says of its main data. It consists of a head and of
// a block for each granule and channel.
//
//	MPEG-1  begin 9 bits, private 5 (mono) or 3, scfsi 4 per channel, blocks of 59 bits
//	MPEG-2  begin 8 bits, private 1 (mono) or 2, blocks of 63 bits
//
//	block   0       12         21    29        33 or 38  then        …  last
//	        length  big values gain  compress  switched  block type  …  count1 table
type sideInfo struct {
	header header
	b      []byte
}

// blocks is how many blocks there are.
func (s sideInfo) blocks() int {
	if s.header.version() == mpeg1 {
		return 2 * s.header.channels()
	}
	return s.header.channels()
}

func (s sideInfo) blockSize() int {
	if s.header.version() == mpeg1 {
		return 59
	}
	return 63
}

// block is where block i begins, in bits.
func (s sideInfo) block(i int) int {
	head := 8 + s.header.channels()
	if s.header.version() == mpeg1 {
		head = 16 + 2*s.header.channels()
	}
	return head + i*s.blockSize()
}

func (s sideInfo) mainDataBegin() int {
	if s.header.version() == mpeg1 {
		return int(s.b[0])<<1 | int(s.b[1])>>7
	}
	return int(s.b[0])
}

func (s sideInfo) setMainDataBegin(n int) {
	if s.header.version() != mpeg1 {
		s.b[0] = byte(n)
		return
	}
	s.b[0] = byte(n >> 1)
	s.b[1] = s.b[1]&0x7f | byte(n<<7)
}

// length is how many bits of main data belong to the frame.
func (s sideInfo) length() int {
	n := 0
	for i := range s.blocks() {
		n += s.blockLength(i)
	}
	return n
}

func (s sideInfo) blockLength(i int) int { return bitsAt(s.b, s.block(i), 12) }

// short tells whether a block consists of three short ones.
func (s sideInfo) short(i int) bool {
	at := s.block(i) + 33
	if s.header.version() != mpeg1 {
		at = s.block(i) + 38
	}
	return bitsAt(s.b, at, 3) == 0b110 // switched, block type 2
}

// missingLines is how many bits code that all lines behind the big values of a
// block are zero. In both tables for small values, ones mean four zeros: one bit
// in table A, four bits in table B.
func (s sideInfo) missingLines(i int) int {
	quads := (576 - 2*bitsAt(s.b, s.block(i)+12, 9)) / 4
	if bitsAt(s.b, s.block(i)+s.blockSize()-1, 1) == 1 {
		return 4 * quads
	}
	return quads
}

// maxStretch is how many bytes a granule can take more when it is stretched.
const maxStretch = 576 / 8

// stretch appends the main data to dst, which has room for them, such that in each granule one block is
// coded up to its last line, where it is zero.
func (s sideInfo) stretch(dst, main []byte) []byte {
	w := bitWriter{out: dst}
	at := 0
	for i := range s.blocks() {
		n := s.blockLength(i)
		w.copy(main, at, n)
		at += n
		if more := s.missingLines(i); i == s.cheapest(i&^1) && n+more < 1<<12 {
			w.ones(more)
			s.setBlockLength(i, n+more)
		}
	}
	return w.out
}

// cheapest is which of the two channels whose blocks begin with i takes fewer
// bits to stretch. A block without any main data cannot be stretched.
func (s sideInfo) cheapest(i int) int {
	switch {
	case s.blockLength(i+1) == 0:
		return i
	case s.blockLength(i) == 0 || s.missingLines(i+1) < s.missingLines(i):
		return i + 1
	}
	return i
}

func (s sideInfo) setBlockLength(i, n int) {
	at := s.block(i)
	for k := range 12 {
		setBit(s.b, at+k, n>>(11-k)&1)
	}
}

// bitsAt reads up to 12 bits from bit number at on.
func bitsAt(b []byte, at, n int) int {
	b = b[at/8:]
	v := uint32(b[0]) << 16
	if len(b) > 1 {
		v |= uint32(b[1]) << 8
	}
	if len(b) > 2 {
		v |= uint32(b[2])
	}
	return int(v >> (24 - at%8 - n) & (1<<n - 1))
}

func setBit(b []byte, at, bit int) {
	mask := byte(0x80) >> (at % 8)
	b[at/8] &^= mask
	if bit == 1 {
		b[at/8] |= mask
	}
}

// A bitWriter appends bits, the first at the top of a byte.
type bitWriter struct {
	out  []byte
	free int // bits of the last byte
}

func (w *bitWriter) bit(bit byte) {
	if w.free == 0 {
		w.out, w.free = append(w.out, 0), 8
	}
	w.free--
	w.out[len(w.out)-1] |= bit << w.free
}

// copy appends n bits of b, from bit number at on.
func (w *bitWriter) copy(b []byte, at, n int) {
	for ; n > 0; n, at = n-1, at+1 {
		w.bit(b[at/8] >> (7 - at%8) & 1)
	}
}

func (w *bitWriter) ones(n int) {
	for range n {
		w.bit(1)
	}
}

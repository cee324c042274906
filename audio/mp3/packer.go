package mp3

// A packer makes of the frames of a stream frames that the engine decodes right.
//
// The main data of a frame may begin in the frames before it, up to 511 bytes
// back: the bit reservoir. The engine keeps only the last frame's share of it,
// fails where it misses some, and reads padded frames of MPEG-2 one byte short
// if their bit rate makes an even length of two of them. So the packer keeps the
// reservoir itself. A frame that the engine would get wrong is given to it in a
// larger frame that holds all of its main data; and one whose main data are
// lost, after a cut or where a radio stream was joined, is silenced, so that
// the sound fades out of the frames before and into the frames behind.
type packer struct {
	reservoir []byte // the last bytes of main data
	shared    int    // how many of them the engine has too
	room      [maxReservoir + maxFrame]byte
	main      []byte // all main data of a frame
	out       []byte // never longer than space
	space     [maxFrame + 2*maxStretch]byte
}

const (
	maxReservoir = 511
	maxFrame     = 1441 + 1 // 320 kbit/s at 32 kHz, padded
)

// keep remembers the main data of a frame that is not decoded.
func (p *packer) keep(f frame) {
	if f.cut {
		p.reset()
	}
	p.shared = 0
	p.remember(f.data[f.mainStart():])
}

// prime returns the frame for the engine, silenced: the engine then has its main
// data.
func (p *packer) prime(f frame) []byte {
	if f.cut {
		p.reset()
	}
	main := f.data[f.mainStart():]
	p.silence(f, main)
	p.remember(main)
	return p.out
}

// pack returns the frame for the engine, valid until the next call, and false
// if it was silenced because its main data are not there.
func (p *packer) pack(f frame) ([]byte, bool) {
	if f.cut {
		p.reset()
	}
	back := f.mainDataBegin()
	main := f.data[f.mainStart():]
	defer p.remember(main)
	switch {
	case f.needsStretch() && p.stretch(f, back, main):
		return p.out, true
	case back <= p.shared && f.fits():
		p.shared = back + len(main)
		return f.data, true
	case back <= p.shared && p.splice(f, back, main):
		return p.out, true
	case p.repack(f, back, main):
		return p.out, true
	case back <= p.shared && f.version() == mpeg2:
		p.shared = 0 // the engine leaves out the last byte, which belongs to the next frame
		return f.data, true
	}
	p.silence(f, main)
	return p.out, false
}

// reset forgets what came before a cut.
func (p *packer) reset() {
	p.reservoir, p.shared = p.room[:0], 0
}

// engineLost tells that the engine begins anew.
func (p *packer) engineLost() { p.shared = 0 }

// remember puts main data into the reservoir.
func (p *packer) remember(main []byte) {
	keep := max(0, min(len(p.reservoir), maxReservoir-len(main)))
	tail := p.reservoir[len(p.reservoir)-keep:]
	p.reservoir = append(append(p.room[:0], tail...), main[max(0, len(main)-maxReservoir):]...)
}

// stretch puts all main data of a frame, stretched, into one of the highest bit
// rate. It returns false if they are not there, do not fit, or leave no place
// for what the next frame needs: its silence would be worse.
func (p *packer) stretch(f frame, back int, main []byte) bool {
	side, ok := p.gather(f, back, main)
	if !ok {
		return false
	}
	p.out = side.stretch(p.out, p.main)
	space := side.header.size() - len(p.out)
	if next, ok := f.following(); space < 0 || ok && !next.packable(min(space, f.maxBack())) {
		return false
	}
	p.fill(side.header, main)
	return true
}

// packable tells whether a frame can be decoded by an engine that has so much of
// the reservoir.
func (f *frame) packable(shared int) bool {
	h := f.carrier()
	return f.mainDataBegin() <= shared || (f.side().length()+7)/8 <= h.size()-h.mainStart()
}

// repack puts all main data of a frame into one of the highest bit rate. It
// returns false if they are not there or do not fit.
func (p *packer) repack(f frame, back int, main []byte) bool {
	side, ok := p.gather(f, back, main)
	if !ok {
		return false
	}
	p.out = append(p.out, p.main[:(side.length()+7)/8]...)
	if len(p.out) > side.header.size() {
		return false
	}
	p.fill(side.header, main)
	return true
}

// gather collects all main data of a frame and begins a large frame for them.
func (p *packer) gather(f frame, back int, main []byte) (sideInfo, bool) {
	if back > len(p.reservoir) {
		return sideInfo{}, false
	}
	p.main = append(p.main[:0], p.reservoir[len(p.reservoir)-back:]...)
	p.main = append(p.main, main...)
	side := p.begin(f)
	side.setMainDataBegin(0)
	return side, side.length() <= 8*len(p.main)
}

// splice puts the main data of a frame that the engine does not have yet into one
// of the highest bit rate. It returns false if they do not fit.
func (p *packer) splice(f frame, back int, main []byte) bool {
	side := p.begin(f)
	need := max(0, (side.length()+7)/8-back)
	space := side.header.size() - len(p.out) - need
	if need > len(main) || space < 0 {
		return false
	}
	last := side.blocks() - 1
	if next, ok := f.following(); ok && next.mainDataBegin() == space+1 && need > 0 && side.blockLength(last) >= 8 {
		side.setBlockLength(last, side.blockLength(last)-8) // a few of the highest lines go, or all of the next frame
		need--
	}
	p.out = append(p.out, main[:need]...)
	p.fill(side.header, main)
	return true
}

// silence makes a frame without sound that leaves the reservoir as it is.
func (p *packer) silence(f frame, main []byte) {
	if !f.fits() {
		side := p.begin(f)
		clear(side.b)
		p.fill(side.header, main)
		return
	}
	back := min(p.shared, f.maxBack())
	p.out = append(p.space[:0], f.data...)
	side := sideInfo{f.header, p.out[f.sideStart():f.mainStart()]}
	clear(side.b)
	side.setMainDataBegin(back)
	p.shared = back + len(main)
}

// begin begins the largest frame that is decoded like f.
func (p *packer) begin(f frame) sideInfo {
	h := f.carrier()
	p.out = append(p.space[:0], byte(h>>24), byte(h>>16), byte(h>>8), byte(h))
	p.out = append(p.out, f.side().b...)
	return sideInfo{h, p.out[4:]}
}

// fill ends a frame with the end of the reservoir, as it is after this frame.
func (p *packer) fill(h header, main []byte) {
	space := h.size() - len(p.out)
	p.shared = min(space, h.maxBack(), len(p.reservoir)+len(main))
	p.out = append(p.out, make([]byte, space-p.shared)...)
	old := max(0, p.shared-len(main))
	p.out = append(p.out, p.reservoir[len(p.reservoir)-old:]...)
	p.out = append(p.out, main[len(main)-(p.shared-old):]...)
}

// fits tells whether the engine reads as many bytes as the frame has.
func (h header) fits() bool {
	switch h.version() {
	case mpeg25:
		return false
	case mpeg2:
		return h.padding() == 0 || 144*h.bitrate()/h.rate()%2 == 1
	}
	return true
}

// carrier is the header of the largest frame that is decoded like f: without CRC
// and padding. MPEG-2.5 at 11 and 12 kHz has the scale factor bands of MPEG-2 at
// 16 kHz, and so has MPEG-2 at 22 kHz in long blocks.
func (f *frame) carrier() header {
	h := f.header&^(15<<12|1<<9) | 1<<16 | 14<<12
	switch {
	case h.version() == mpeg25:
		return h&^(3<<10) | mpeg2<<19 | 2<<10
	case h.version() == mpeg2 && h.rateIndex() == 0 && !f.hasShort():
		return h | 2<<10
	}
	return h
}

// maxBack is how far back main data may begin.
func (h header) maxBack() int {
	if h.version() == mpeg1 {
		return maxReservoir
	}
	return 255
}

// mainDataBegin is how many bytes before this frame its main data begin.
func (f *frame) mainDataBegin() int { return f.side().mainDataBegin() }

// needsStretch tells whether the engine gets the stereo of the frame wrong. It
// undoes mid/side stereo up to the last line that is coded; but the lines of
// short blocks have been reordered then, and some lie beyond.
func (f *frame) needsStretch() bool {
	const jointStereo, midSide = 1, 2
	return f.header>>6&3 == jointStereo && f.header>>4&midSide != 0 && f.hasShort()
}

// hasShort tells whether there are short blocks.
func (f *frame) hasShort() bool {
	side := f.side()
	for i := range side.blocks() {
		if side.short(i) {
			return true
		}
	}
	return false
}

func (f *frame) side() sideInfo {
	return sideInfo{f.header, f.data[f.sideStart():f.mainStart()]}
}

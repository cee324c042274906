package flac

import "io"

// A point is where a frame stands.
type point struct {
	offset int64 // in bytes
	frame  int64 // its first sample
	block  int64 // how many it has
}

// measure finds out how long the stream is, as far as that can be known
// without reading it all.
func (d *Decoder) measure() error {
	if d.meta.info.frames > 0 {
		d.length = d.meta.info.frames
	}
	if d.seeker == nil {
		return nil
	}
	end, err := d.seeker.Seek(0, io.SeekEnd)
	if err != nil {
		d.seeker = nil // it cannot, after all; and this reader has not moved
		return nil
	}
	d.end = end - d.base
	if d.length < 0 && d.numbering.known {
		d.length = d.lastFrame()
	}
	return d.rewind(d.start)
}

// lastFrame is the end of the last frame, found from the end of the stream; -1
// if it is not there.
func (d *Decoder) lastFrame() int64 {
	for back := int64(64 << 10); ; back *= 8 {
		if last := d.lastFrameFrom(max(d.end-back, d.start)); last >= 0 {
			return last
		}
		if d.end-back <= d.start || d.lost >= maxLost {
			return -1
		}
	}
}

// lastFrameFrom looks for the end of the last frame from an offset.
func (d *Decoder) lastFrameFrom(offset int64) (last int64) {
	last = -1
	if d.rewind(offset) != nil {
		return last
	}
	for {
		h, err := d.sync()
		if err != nil {
			return last
		}
		_, size, err := d.engine.decode(d.in, h)
		if err != nil {
			d.refuse(size)
			continue
		}
		last = d.numbering.start(h) + int64(h.blockSize)
		d.in.skip(int64(size))
		d.lost = 0
	}
}

// rewind moves to an offset, as if nothing had been decoded.
func (d *Decoder) rewind(offset int64) error {
	d.block, d.silence = nil, 0
	d.damaged, d.lost = false, 0
	return d.in.seek(d.seeker, d.base, offset)
}

// SeekFrame makes the next Read begin at frame n, exactly. At the end of the
// stream and beyond, the next Read returns io.EOF.
func (d *Decoder) SeekFrame(n int64) error {
	if d.seeker == nil {
		return ErrNotSeekable
	}
	n = max(n, 0)
	offset := d.end
	if d.length < 0 || n < d.length {
		offset = d.search(n)
	}
	d.pos, d.seeking = n, true
	return d.rewind(offset)
}

// maxProbes bounds a search: it halves what is left at least every other time.
const maxProbes = 64

// nearEnough is how many bytes are decoded rather than searched.
const nearEnough = 16 << 10

// search finds a frame that begins at n or not far before it. The seek table
// is not asked: it may be missing or wrong, and this is as fast.
func (d *Decoder) search(n int64) (offset int64) {
	lo, hi := point{offset: d.start}, point{offset: d.end, frame: d.length}
	for i := 0; i < maxProbes && hi.offset-lo.offset > nearEnough; i++ {
		guess := lo.offset + (hi.offset-lo.offset)/2
		if span := hi.frame - lo.frame; i%2 == 0 && span > 0 {
			share := float64(n-lo.frame) / float64(span)
			guess = lo.offset + int64(share*float64(hi.offset-lo.offset)) - nearEnough/2
		}
		guess = min(max(guess, lo.offset+1), hi.offset-1)
		p, ok := d.probe(guess, hi.offset)
		switch {
		case !ok || p.frame < lo.frame:
			hi.offset = guess
		case p.frame > n:
			hi = point{offset: guess, frame: p.frame}
		case n < p.frame+p.block:
			return p.offset
		default:
			lo = p
		}
	}
	return lo.offset
}

// probe finds the first whole frame that begins at one of the offsets from
// from, up to before to.
func (d *Decoder) probe(from, to int64) (point, bool) {
	if d.rewind(from) != nil {
		return point{}, false
	}
	for d.in.offset < to {
		h, err := d.sync()
		if err != nil || d.in.offset >= to {
			break
		}
		_, size, err := d.engine.decode(d.in, h)
		if err == nil {
			return point{d.in.offset, d.numbering.start(h), int64(h.blockSize)}, true
		}
		d.refuse(size)
	}
	return point{}, false
}

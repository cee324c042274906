package mp3

// A part is a stretch of a stream that has one rate and one gapless trim. Most
// streams are one part; joined files are several, and so is what goes on behind
// the frames that an info frame counted.
type part struct {
	rate      int
	skip      int64 // samples at its beginning that are not heard
	end, over int64 // nor are those from end to over
	at        int64 // samples walked
	kept      int64 // of these, how many are heard
	start     int64 // the frame of the output at which the part begins
}

// newPart trims a part by what its info frame tells.
func newPart(h header, i info, start int64) part {
	p := part{rate: h.rate(), start: start}
	if !i.gapless {
		return p
	}
	p.skip = int64(i.delay + decoderDelay)
	if i.frames > 0 {
		p.over = i.frames * int64(h.samples())
		p.end = min(max(p.over-int64(i.pad)+decoderDelay, p.skip), p.over)
	}
	return p
}

// walk goes on by a frame of n samples and returns which of them are heard.
func (p *part) walk(n int) (lo, hi int) {
	first := p.at
	p.at += int64(n)
	lo, hi = 0, n
	if p.skip > first {
		lo = int(min(p.skip-first, int64(n)))
	}
	if first < p.over && p.at > p.end {
		hi = int(max(p.end-first, 0))
	}
	hi = max(lo, hi)
	p.kept += int64(hi - lo)
	return lo, hi
}

// A place lies between two frames, and has all that must be known to go on from
// there.
type place struct {
	offset int64  // in the stream, of what comes next
	frames int64  // that were passed
	like   header // the last of them; 0: none
	part   part
	rate   int // of the output: that of the first frame
}

// out is how many frames of the output come before.
func (p *place) out() int64 {
	return p.part.start + converted(p.part.kept, p.part.rate, p.rate)
}

// A walker goes over the frames that hold sound and knows where in the output
// they are heard. It does not decode.
type walker struct {
	framer framer
	place  place
	start  int64 // in the stream, of the first frame or what comes before it

	// What the stream says of itself before its first frame, and the frame that
	// said it and where.
	first       info
	firstHeader header
	infoAt      int64
}

// A block is a frame and what of it is heard.
type block struct {
	frame
	part   part // before the frame
	lo, hi int  // the samples that are heard
}

func newWalker(in *input) *walker {
	return &walker{framer: framer{in: in}}
}

// next returns the next frame with sound in it.
func (w *walker) next() (block, error) {
	for {
		f, err := w.framer.next()
		if err != nil {
			return block{}, err
		}
		if i, ok := parseInfo(f.header, f.data); ok {
			w.begin(f, i)
			continue
		}
		if f.rate() != w.place.part.rate {
			w.begin(f, info{})
		}
		b := block{frame: f, part: w.place.part}
		b.lo, b.hi = w.place.part.walk(f.samples())
		w.place.frames++
		w.place.like = f.header
		w.place.offset = w.framer.in.pos
		return b, nil
	}
}

// begin begins a new part.
func (w *walker) begin(f frame, i info) {
	if w.place.frames == 0 {
		w.first, w.firstHeader = i, f.header
		w.infoAt = w.framer.in.pos - int64(len(f.data))
		w.place.rate = f.rate()
	}
	w.place.part = newPart(f.header, i, w.place.out())
}

// restart goes to the beginning.
func (w *walker) restart() error {
	return w.restore(place{offset: w.start})
}

// restore goes to a place where the walker has been.
func (w *walker) restore(p place) error {
	if err := w.framer.in.seek(p.offset); err != nil {
		return err
	}
	w.framer = framer{in: w.framer.in, like: p.like, inStep: p.like != 0}
	w.place = p
	return nil
}

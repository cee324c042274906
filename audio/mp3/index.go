package mp3

import (
	"fmt"
	"io"
	"sort"
)

// An index remembers places in a stream, one every 32 frames, as far as the
// stream was walked: 150 kB for an hour.
type index struct {
	places []place
	whole  bool  // the stream was walked to its end
	length int64 // in frames of the output, once it is whole
}

const spacing = 32

// note remembers where a walker is, if it is time.
func (x *index) note(w *walker, in *input) {
	if in.src.Seekable() && w.place.frames == int64(len(x.places)*spacing)+1 {
		x.places = append(x.places, w.place)
	}
}

// before finds the last place at which frame n of the output was still to come;
// -1 if there is none.
func (x *index) before(n int64) int {
	return sort.Search(len(x.places), func(i int) bool { return x.places[i].out() > n }) - 1
}

// Len is how many frames there are, -1 if that is not known. Where only a walk
// over the whole stream can tell, the first call does it: about 100 ms for an
// hour in a file, never in a stream that cannot seek.
func (d *Decoder) Len() int64 {
	if n := d.told(); n >= 0 {
		return n
	}
	if !d.Seekable() {
		return -1
	}
	here := d.walker.place
	err := d.scan(1 << 62)
	if back := d.walker.restore(here); back != nil {
		d.err = back
	}
	if err != nil {
		return -1
	}
	return d.index.length
}

// told is the length as the stream tells it in front, if that can be true.
func (d *Decoder) told() int64 {
	if d.index.whole {
		return d.index.length
	}
	first := d.walker.first
	if first.frames == 0 || first.bytes > 0 && first.frames > first.bytes/minFrame {
		return -1
	}
	if d.Seekable() {
		behind := d.in.src.Size() - d.walker.infoAt - first.bytes
		if first.bytes == 0 || behind < 0 || behind > maxBehind {
			return -1 // truncated, or something was appended
		}
	}
	samples := int64(d.walker.firstHeader.samples())
	p := newPart(d.walker.firstHeader, first, 0)
	if p.over == 0 {
		return first.frames * samples
	}
	return p.end - p.skip
}

// minFrame is the size of the smallest frame, 8 kbit/s at 24 kHz.
const minFrame = 24

// maxBehind is how many bytes of tags may follow the last frame before we look
// whether they are sound.
const maxBehind = 4 << 10

// scan walks on from the last place of the index until frame n was passed.
func (d *Decoder) scan(n int64) error {
	if d.index.whole || len(d.index.places) == 0 {
		return nil
	}
	w := d.walker
	if err := w.restore(d.index.places[len(d.index.places)-1]); err != nil {
		return err
	}
	for w.place.out() <= n {
		_, err := w.next()
		if err == io.EOF {
			d.index.whole, d.index.length = true, w.place.out()
			return nil
		}
		if err != nil {
			return err
		}
		d.index.note(w, d.in)
	}
	return nil
}

// SeekFrame makes the next Read begin at frame n, exactly: what is read is what
// would have been read there from the beginning. Behind the last frame there is
// only the end.
func (d *Decoder) SeekFrame(n int64) error {
	if !d.Seekable() {
		return ErrNotSeekable
	}
	if n < 0 {
		return fmt.Errorf("mp3: seek to frame %d", n)
	}
	d.ready, d.err = nil, nil
	if err := d.seek(n); err != nil {
		d.err = err
		return err
	}
	return nil
}

func (d *Decoder) seek(n int64) error {
	if err := d.scan(n); err != nil {
		return err
	}
	target, err := d.frameOf(n)
	if err != nil {
		return err
	}
	for back := 1; ; back *= 4 {
		enough, err := d.approach(n, target, back)
		if enough || err != nil {
			return err
		}
	}
}

// frameOf counts the frames of the stream that come before the one in which
// frame n of the output is.
func (d *Decoder) frameOf(n int64) (int64, error) {
	w := d.walker
	if i := d.index.before(n); i >= 0 {
		if err := w.restore(d.index.places[i]); err != nil {
			return 0, err
		}
	} else if err := w.restart(); err != nil {
		return 0, err
	}
	for w.place.out() <= n {
		if _, err := w.next(); err == io.EOF {
			return w.place.frames, nil
		} else if err != nil {
			return 0, err
		}
	}
	return w.place.frames - 1, nil
}

// overlap is how many frames before the one that is heard must be decoded: their
// transforms overlap, and the filter bank remembers a frame.
const overlap = 4

// primed is how many frames before those the engine gets silenced, for its own
// reservoir. With the large frames for which that matters, they fill it.
const primed = 2

// approach goes to a place some way before the target and on to the frames that
// must be decoded, filling the reservoir, and decodes these. It returns false if
// that was not far enough for the reservoir.
func (d *Decoder) approach(n, target int64, back int) (bool, error) {
	w := d.walker
	i := int((target-overlap-primed)/spacing) - back
	var err error
	if i >= 0 && i < len(d.index.places) {
		err = w.restore(d.index.places[i])
	} else {
		err = w.restart()
	}
	if err != nil {
		return false, err
	}
	d.engine.reset()
	d.packer.reset()
	d.convert, d.rate, d.mode = nil, 0, 0
	for w.place.frames < target-overlap {
		b, err := w.next()
		if err != nil {
			return false, err
		}
		if w.place.frames > target-overlap-primed {
			d.prime(b.frame)
		} else {
			d.packer.keep(b.frame)
		}
	}
	d.drop = n - w.place.out()
	d.weak = overlap
	for w.place.frames < target {
		if err := d.step(); err != nil {
			return false, err
		}
	}
	return d.weak >= overlap || i <= 0 || back > maxApproach, nil
}

// maxApproach is how many places back to go at most for the reservoir. In the
// worst stream, 255 bytes take 85 frames.
const maxApproach = 4

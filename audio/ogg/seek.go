package ogg

import (
	"fmt"
	"io"
	"sort"
)

// A file is a stream that can seek.
type file struct {
	r     io.ReadSeeker
	base  int64 // where the stream began in the reader
	end   int64 // offset of the end of the stream
	probe *pageReader
	spans []span
}

// A span is where a link lies.
type span struct {
	start, end int64 // offsets of its first page, and of what is behind it
	first      int64 // frame, counted from the beginning of the stream
	frames     int64
}

// newFile returns nil if r cannot seek.
func newFile(r io.Reader) *file {
	s, ok := r.(io.ReadSeeker)
	if !ok {
		return nil
	}
	base, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil
	}
	end, err := s.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	if _, err := s.Seek(base, io.SeekStart); err != nil {
		return nil
	}
	return &file{r: s, base: base, end: end - base, probe: newPageReader(s)}
}

// length is in frames.
func (f *file) length() int64 {
	last := f.spans[len(f.spans)-1]
	return last.first + last.frames
}

// pageAt is the first page at an offset or behind it, but before to, that
// satisfies ok.
func (f *file) pageAt(offset, to int64, ok func(page) bool) (page, bool) {
	if f.probe.seek(f.r, f.base, offset) != nil {
		return page{}, false
	}
	for {
		p, err := f.probe.next()
		if err != nil || p.offset >= to {
			return page{}, false
		}
		if ok(p) {
			return p, true
		}
	}
}

// measure finds out where the links lie and how long they are. A chain whose
// rates differ is no file any more: its frames cannot be numbered.
func (d *Decoder) measure() error {
	if err := d.findSound(); err != nil && err != io.EOF {
		return err
	}
	f := d.file
	last, lastOurs, found := f.lastPage(d.link)
	if found && d.link.serials[last.serial] && f.ascends(d.link, last) {
		f.spans = []span{{start: d.link.start, end: f.end, frames: max(0, lastOurs-d.link.origin)}}
		return f.restore(d.pages)
	}
	if err := d.measureChain(); err != nil || d.file == nil {
		return err
	}
	return d.reopen(0)
}

// restore puts the reader where r left it before the probe moved it.
func (f *file) restore(r *pageReader) error {
	_, err := f.r.Seek(f.base+r.offset+int64(r.br.Buffered()), io.SeekStart)
	return err
}

// findSound reads until the origin of the link is known.
func (d *Decoder) findSound() error {
	for !d.link.begun {
		p, err := d.nextPage()
		if err != nil {
			return err
		}
		if p.has(flagFirst) {
			d.held = &p
			return io.EOF
		}
		if p.serial == d.link.serial {
			d.packets = d.link.packets.add(p, d.packets[:0])
			d.plan(p, d.packets)
		}
	}
	return nil
}

// lastPage is the last page of the stream, and the last granule that the link
// has if it is the last one.
func (f *file) lastPage(l *link) (last page, granule int64, found bool) {
	for back := int64(2 * maxPageSize); ; back *= 4 {
		granule = unknown
		from := max(0, f.end-back)
		f.pageAt(from, f.end, func(p page) bool {
			last = page{serial: p.serial, sequence: p.sequence, offset: p.offset}
			if p.serial == l.serial && p.granule >= 0 {
				granule = p.granule
			}
			return false
		})
		if granule >= 0 || from == 0 || back > maxLost {
			return last, granule, granule >= 0
		}
	}
}

// ascends tells whether the pages between the first and the last are numbered
// as those of one link are. Serials ought to differ between links, but those
// of files that were joined need not. The places looked at are half as far again
// from the beginning each time: behind a border between two of them, the
// numbers are smaller than before it.
func (f *file) ascends(l *link, last page) bool {
	var before uint32
	for offset := int64(4 << 10); offset < last.offset; offset += offset / 2 {
		strange := false
		p, ok := f.pageAt(offset, f.end, func(p page) bool {
			strange = !l.serials[p.serial]
			return strange || p.serial == l.serial
		})
		if !ok {
			return true
		}
		if strange || p.sequence < before {
			return false
		}
		before = p.sequence
	}
	return last.serial != l.serial || last.sequence >= before
}

// maxLinks is how many links of a chain are counted.
const maxLinks = 1 << 12

// A part is a link as it looks from outside.
type part struct {
	start    int64
	granules map[uint32]int64 // the last of each logical stream
}

// parts walks through the whole stream.
func (f *file) parts() (all []part) {
	first := false
	f.pageAt(0, f.end, func(p page) bool {
		if p.has(flagFirst) && !first {
			all = append(all, part{start: p.offset, granules: make(map[uint32]int64)})
		}
		first = p.has(flagFirst)
		if len(all) == 0 {
			return false
		}
		granules := all[len(all)-1].granules
		if _, known := granules[p.serial]; p.granule >= 0 && (known || len(granules) < maxStreams) {
			granules[p.serial] = p.granule
		}
		return len(all) > maxLinks
	})
	return all
}

// measureChain opens one link after the other.
func (d *Decoder) measureChain() error {
	f := d.file
	var next int64 // frame
	for _, part := range f.parts() {
		if n := len(f.spans); n > 0 && f.spans[n-1].end > part.start {
			f.spans[n-1].end = part.start
		}
		if d.open(part.start) != nil {
			continue
		}
		if d.link.codec.rate() != d.rate {
			return d.notAFile()
		}
		if err := d.findSound(); err != nil && err != io.EOF {
			return err
		}
		frames := int64(0)
		if last, ok := part.granules[d.link.serial]; ok && d.link.begun {
			frames = max(0, last-d.link.origin)
		}
		f.spans = append(f.spans, span{start: part.start, end: f.end, first: next, frames: frames})
		next += frames
	}
	if len(f.spans) == 0 {
		return d.notAFile()
	}
	return nil
}

// notAFile goes on as if the stream could not seek, from its beginning.
func (d *Decoder) notAFile() error {
	d.file.spans = nil
	f := d.file
	d.file = nil
	d.count = 0
	d.clear()
	if err := d.pages.seek(f.r, f.base, 0); err != nil {
		return err
	}
	return d.firstLink()
}

// open opens the link that begins at an offset.
func (d *Decoder) open(offset int64) error {
	d.clear()
	if err := d.pages.seek(d.file.r, d.file.base, offset); err != nil {
		return err
	}
	p, err := d.pages.next()
	if err != nil {
		return err
	}
	if p.offset != offset || !p.has(flagFirst) {
		return malformed("link")
	}
	return d.openLink(p)
}

// reopen opens the link of a span.
func (d *Decoder) reopen(i int) error {
	if err := d.open(d.file.spans[i].start); err != nil {
		return err
	}
	d.count = i + 1
	return nil
}

// SeekFrame makes the next Read begin at frame n. At the end of the stream and
// beyond, the next Read returns io.EOF.
func (d *Decoder) SeekFrame(n int64) error {
	if d.file == nil {
		return ErrNotSeekable
	}
	if err := d.seek(max(n, 0)); err != nil {
		return fmt.Errorf("ogg: seek: %w", err)
	}
	return nil
}

func (d *Decoder) seek(n int64) error {
	f := d.file
	if n >= f.length() {
		d.clear()
		return d.pages.seek(f.r, f.base, f.end)
	}
	i := sort.Search(len(f.spans), func(i int) bool { return n < f.spans[i].first+f.spans[i].frames })
	if i != d.Link() || !d.link.begun {
		if err := d.reopen(i); err != nil {
			return err
		}
		if err := d.findSound(); err != nil {
			return err
		}
	}
	return d.seekGranule(d.link.origin+n-f.spans[i].first, f.spans[i])
}

// seekGranule goes to a granule of the current link. If what is found begins
// too late, which happens where packets are larger than pages, it looks further
// ahead.
func (d *Decoder) seekGranule(target int64, s span) error {
	margin := d.link.codec.preroll()
	for {
		offset := d.search(target-margin, s)
		d.clear()
		d.link.packets.reset()
		d.link.codec.reset()
		d.link.begun = d.link.begun && offset != d.link.sound
		d.target = target
		if err := d.pages.seek(d.file.r, d.file.base, offset); err != nil {
			return err
		}
		for len(d.queue) == 0 {
			if err := d.turn(); err == io.EOF {
				return nil // the rest is missing
			} else if err != nil {
				return err
			}
		}
		if !d.late || offset == d.link.sound {
			return nil
		}
		margin = 2*margin + int64(d.link.codec.rate())/2
	}
}

// nearEnough is how many bytes are decoded rather than searched.
const nearEnough = 8 << 10

// search finds the last page of the link that ends at a granule or not far
// before it; if there is none, the first one.
func (d *Decoder) search(granule int64, s span) (offset int64) {
	lo, hi := d.link.sound, s.end
	for hi-lo > nearEnough {
		middle := lo + (hi-lo)/2
		p, ok := d.file.pageAt(middle, hi, func(p page) bool {
			return p.serial == d.link.serial && p.granule >= 0
		})
		if ok && p.granule <= granule {
			lo = p.offset
			continue
		}
		hi = middle
	}
	return lo
}

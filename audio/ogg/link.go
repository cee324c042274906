package ogg

import "fmt"

// A link is one or more logical streams that begin together, of which one is
// played.
type link struct {
	codec   codec
	serial  uint32 // of the stream that is played
	packets assembler
	serials map[uint32]bool // all serials
	start   int64           // offset of its first page

	begun  bool  // sound has been found
	sound  int64 // offset of the first page of sound
	origin int64 // granule of the first frame that is heard
}

// maxStreams is how many logical streams are looked at.
const maxStreams = 64

// nextLink begins the link whose first page is p, or if that cannot be played,
// the first one after it that can.
func (d *Decoder) nextLink(p page) error {
	before := d.link
	for {
		if p.has(flagFirst) && d.openLink(p) == nil {
			return nil
		}
		d.link = before
		var err error
		if p, err = d.nextPage(); err != nil {
			return err
		}
	}
}

// openLink reads the headers of the link whose first page is p.
func (d *Decoder) openLink(p page) error {
	l := &link{start: p.offset, serials: make(map[uint32]bool)}
	p, err := d.chooseStream(l, p)
	if err != nil {
		return err
	}
	d.clear()
	d.link = l
	for {
		if p.serial == l.serial {
			d.packets = l.packets.add(p, d.packets[:0])
			done, err := d.addHeaders(p, d.packets)
			if err != nil {
				return err
			}
			if done {
				d.count++
				return nil
			}
		}
		if p, err = d.nextPage(); err != nil {
			return fmt.Errorf("headers: %w", err)
		}
		if p.has(flagFirst) || p.offset-l.start > maxLost {
			d.held = &p
			return malformed("headers without an end")
		}
	}
}

// chooseStream reads the first pages of all logical streams of a link, and
// settles for the first with sound that can be played. It returns the page
// behind them.
func (d *Decoder) chooseStream(l *link, p page) (page, error) {
	var problem error
	for p.has(flagFirst) && len(l.serials) < maxStreams {
		l.serials[p.serial] = true
		if l.codec == nil {
			if err := l.play(p); err != nil && problem == nil {
				problem = err
			}
		}
		var err error
		if p, err = d.nextPage(); err != nil {
			if problem != nil {
				err = problem
			}
			return page{}, err
		}
	}
	switch {
	case l.codec != nil:
		return p, nil
	case problem == nil:
		problem = fmt.Errorf("no sound: %w", ErrUnsupported)
	}
	d.held = &p
	return page{}, problem
}

// play settles for the stream that begins with p, if it is sound.
func (l *link) play(p page) error {
	var a assembler
	packets := a.add(p, nil)
	if len(packets) == 0 {
		return nil
	}
	c, err := newCodec(packets[0])
	if err != nil || c == nil {
		return err
	}
	a.serial = p.serial
	l.codec, l.serial, l.packets = c, p.serial, a
	return nil
}

// addHeaders gives the packets of a page to the codec. It returns true if the
// headers are complete; what is sound on the page is then planned.
func (d *Decoder) addHeaders(p page, packets [][]byte) (bool, error) {
	for i, packet := range packets {
		taken, err := d.link.codec.addHeader(packet)
		if err != nil {
			return false, err
		}
		if !taken {
			d.plan(p, packets[i:])
			return true, nil
		}
	}
	return d.link.codec.headersRead(), nil
}

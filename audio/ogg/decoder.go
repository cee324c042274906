// Package ogg decodes Ogg Vorbis, Opus and FLAC, from anything that can be read,
// to stereo frames of floats.
//
//	d, err := ogg.NewDecoder(r)
//	if err != nil {
//		return err
//	}
//	n, err := d.Read(frames) // at d.Rate() frames per second
//
// Of several logical streams at once, the first with sound is played. Streams
// one behind the other, the links of a chain, are what internet radio sends when
// the song changes: they play without a gap, and Link and Tags tell which is
// being played. If the next link has another rate, Read returns ErrRateChanged
// until Next is called; then Rate is the new one:
//
//	n, err := d.Read(frames)
//	if errors.Is(err, ogg.ErrRateChanged) {
//		d.Next()
//		resampler = newResampler(d.Rate())
//		continue
//	}
//
// Links of different codecs or numbers of channels need nothing of that sort.
//
// The end is where the last granule position says it is, to the frame. What is
// lost to damage is replaced by silence of the same length. A reader that can
// seek makes a decoder that can, to any frame: exactly for Vorbis and FLAC; Opus
// begins a second earlier, after which no more than a rounding error is left of
// its having begun elsewhere.
//
// The container is read by our own demuxer: the one of jfreymuth/oggvorbis
// panics on empty pages and ends at the first wrong sum and at every new link.
// Vorbis is decoded by that module's engine, jfreymuth/vorbis, behind a check of
// its headers; see setup.go. Opus is decoded by pion/opus, FLAC by audio/flac.
package ogg

import (
	"errors"
	"fmt"
	"io"
	"time"

	"airplay2mqtt/audio/flac"
	"airplay2mqtt/audio/tags"
)

var (
	// ErrMalformed is wrapped by errors for what is not Ogg, or broken beyond
	// playing. It is the same as flac.ErrMalformed.
	ErrMalformed = flac.ErrMalformed
	// ErrUnsupported is wrapped by errors for what is Ogg but cannot be played:
	// without sound, or of a kind that is not decoded. It is the same as
	// flac.ErrUnsupported.
	ErrUnsupported = flac.ErrUnsupported
	// ErrNotSeekable is returned by SeekFrame where the reader cannot seek, or
	// where links of different rates leave no meaning to the number of a frame.
	ErrNotSeekable = errors.New("ogg: this stream cannot seek")
	// ErrRateChanged is returned by Read before a link with another rate.
	ErrRateChanged = errors.New("ogg: the rate changes; call Next")
)

// A Decoder decodes one physical stream. Its methods are for one goroutine at a
// time.
type Decoder struct {
	pages *pageReader
	held  *page // was read too early; comes again
	link  *link
	rate  int // what Read gives; the link's, except before Next
	count int // of links begun

	queue   []planned // packets of the current page
	packets [][]byte  // the same, before they are planned
	block   [][2]float32
	silence int64 // frames that stand for what is lost, before block
	drop    int64 // frames to be decoded but not heard
	limit   int64 // frames that the page may still give; negative: all
	at      int64 // granule at the end of the page; unknown if negative
	target  int64 // granule to begin at; negative: at the beginning
	late    bool  // the target was passed over
	hole    bool  // packets are missing before the next

	file *file // nil: the reader cannot seek
}

// A planned packet is one of which it is known how many frames it makes.
type planned struct {
	packet []byte
	frames int
}

const unknown = -1

// NewDecoder reads up to the first sound. If r can seek, the stream begins
// where r stands.
func NewDecoder(r io.Reader) (*Decoder, error) {
	d := &Decoder{pages: newPageReader(r)}
	d.clear()
	d.file = newFile(r)
	err := d.firstLink()
	if err == nil && d.file != nil {
		err = d.measure()
	}
	if err != nil {
		return nil, fmt.Errorf("ogg: %w", noEOF(err))
	}
	return d, nil
}

// firstLink opens the first link, which must be one that can be played.
func (d *Decoder) firstLink() error {
	for {
		p, err := d.nextPage()
		if err != nil {
			return fmt.Errorf("no beginning: %w", err)
		}
		if !p.has(flagFirst) {
			if p.offset > maxLost {
				return malformed("no beginning")
			}
			continue
		}
		if err := d.openLink(p); err != nil {
			return err
		}
		d.rate = d.link.codec.rate()
		return nil
	}
}

// noEOF is err, but an end of the stream is one that came too soon.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, ErrMalformed)
	}
	return err
}

// Rate is in frames per second.
func (d *Decoder) Rate() int { return d.rate }

// Channels is how many there were before they were mixed to two.
func (d *Decoder) Channels() int { return d.link.codec.channels() }

// Bits is the size of a sample, 0 for Vorbis and Opus, which have none.
func (d *Decoder) Bits() int { return d.link.codec.bits() }

// Codec is "vorbis", "opus" or "flac".
func (d *Decoder) Codec() string { return d.link.codec.name() }

// Link is the number of the link that is being played, from 0. A new number
// means that there are new tags.
func (d *Decoder) Link() int { return d.count - 1 }

// Len is in frames, of all links together, -1 where it is not known.
func (d *Decoder) Len() int64 {
	if d.file == nil {
		return -1
	}
	return d.file.length()
}

// Seekable tells whether SeekFrame works.
func (d *Decoder) Seekable() bool { return d.file != nil }

// Tags is what the current link says of itself.
func (d *Decoder) Tags() tags.Tags {
	t := d.link.codec.tags()
	if d.file != nil && d.Link() < len(d.file.spans) {
		t.Duration = duration(d.file.spans[d.Link()].frames, d.rate)
	}
	return t
}

func duration(frames int64, rate int) time.Duration {
	r := int64(rate)
	return time.Duration(frames/r)*time.Second + time.Duration(frames%r)*time.Second/time.Duration(r)
}

// Close lets go of what was decoded. It does not close the reader.
func (d *Decoder) Close() error {
	d.clear()
	d.pages, d.file = newPageReader(eof{}), nil
	return nil
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// Read fills p from the beginning and returns how many frames it put there,
// all of the same link. At the end it returns io.EOF.
func (d *Decoder) Read(p [][2]float32) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for d.silence == 0 && len(d.block) == 0 {
		if d.rate != d.link.codec.rate() {
			return 0, ErrRateChanged
		}
		if err := d.advance(); err != nil {
			if err != io.EOF {
				err = fmt.Errorf("ogg: %w", err)
			}
			return 0, err
		}
	}
	n := int(min(d.silence, int64(len(p))))
	clear(p[:n])
	d.silence -= int64(n)
	m := copy(p[n:], d.block)
	d.block = d.block[m:]
	return n + m, nil
}

// Next goes on with the link that Read announced with ErrRateChanged.
func (d *Decoder) Next() { d.rate = d.link.codec.rate() }

// advance decodes the next packet of the page, or takes the next page.
func (d *Decoder) advance() error {
	if len(d.queue) == 0 {
		return d.turn()
	}
	next := d.queue[0]
	d.queue = d.queue[1:]
	frames, err := d.link.codec.decode(next.packet)
	n := int64(next.frames)
	if d.limit >= 0 {
		n = min(n, d.limit)
		d.limit -= n
	}
	drop := min(n, d.drop)
	d.drop -= drop
	if err != nil || len(frames) != next.frames {
		d.silence = n - drop
		return nil
	}
	d.block = frames[drop:n]
	return nil
}

// turn takes the next page of the link, or begins the next link.
func (d *Decoder) turn() error {
	p, err := d.nextPage()
	switch {
	case err != nil:
		return err
	case p.has(flagFirst):
		return d.nextLink(p)
	case p.serial == d.link.serial:
		d.packets = d.link.packets.add(p, d.packets[:0])
		d.plan(p, d.packets)
	}
	return nil
}

// nextPage is the next page of the stream.
func (d *Decoder) nextPage() (page, error) {
	if p := d.held; p != nil {
		d.held = nil
		return *p, nil
	}
	return d.pages.next()
}

// maxSilence is how much may be lost, in seconds, before the sound goes on
// without a gap: beyond it the positions are not believed.
const maxSilence = 10

// plan reckons which frames the packets of a page will make. The page tells
// where the last of them ends.
func (d *Decoder) plan(p page, packets [][]byte) {
	if d.link.packets.takeLost() {
		d.link.codec.gap()
		d.hole = true
	}
	if len(packets) == 0 {
		return
	}
	var total int64
	d.queue = d.queue[:0]
	for _, packet := range packets {
		n := d.link.codec.plan(packet)
		d.queue = append(d.queue, planned{packet, n})
		total += int64(n)
	}
	begin := d.begin(p, total)
	switch {
	case d.at < 0:
		d.aim(begin)
	case d.hole:
		d.mute(begin - d.at)
	}
	d.at, d.hole, d.limit = max(begin+total, 0), false, -1
	if p.has(flagLast) && p.granule >= 0 {
		d.limit = max(0, p.granule-begin)
	}
}

// begin is the granule at which a page of so many frames begins.
func (d *Decoder) begin(p page, total int64) int64 {
	first := !d.link.begun
	if first {
		d.link.begun, d.link.sound = true, p.offset
	}
	begin := p.granule - total
	switch {
	case p.granule < 0 || d.at >= 0 && !d.hole && p.has(flagLast):
		begin = max(d.at, 0)
	case p.has(flagLast) && (d.at >= 0 || first):
		begin = max(begin, d.at, 0) // it is the end that is cut
	}
	if first {
		d.link.origin = max(begin, 0) + d.link.codec.delay()
	}
	return begin
}

// aim begins to be heard at the target, of which begin is not far.
func (d *Decoder) aim(begin int64) {
	want := d.target
	if want < 0 {
		want = d.link.origin
	}
	d.target, d.late = unknown, begin > want
	d.drop = max(0, want-begin)
	d.mute(begin - want)
}

// mute puts silence before what comes.
func (d *Decoder) mute(frames int64) {
	if frames > 0 && frames <= maxSilence*int64(d.link.codec.rate()) {
		d.silence = frames
	}
}

// clear forgets all that has been read and not been heard.
func (d *Decoder) clear() {
	d.held, d.queue, d.block = nil, nil, nil
	d.silence, d.drop, d.limit = 0, 0, -1
	d.at, d.target = unknown, unknown
	d.late, d.hole = false, false
}

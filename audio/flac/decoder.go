// Package flac decodes FLAC, from anything that can be read, to stereo frames
// of floats.
//
//	d, err := flac.NewDecoder(r)
//	if err != nil {
//		return err
//	}
//	n, err := d.Read(frames) // at d.Rate() frames per second
//
// The samples are exact for mono and stereo of up to 24 bits. A reader that can
// seek makes a decoder that can, to any frame, with or without a seek table.
// Where a stream is damaged there is silence; where it is cut short, it ends.
// For FLAC that is wrapped in something else, use a [PacketDecoder].
//
// The frames are decoded by github.com/mewkiz/flac; metadata, seeking and what
// is done about damage are ours, because that library stops at the first wrong
// sum, seeks by decoding the whole stream and trusts the lengths of pictures.
package flac

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mewkiz/flac/frame"

	"airplay2mqtt/audio/tags"
)

var (
	// ErrMalformed is wrapped by errors for what is not FLAC.
	ErrMalformed = errors.New("malformed")
	// ErrUnsupported is wrapped by errors for FLAC that is not decoded: samples
	// of more than 24 bits.
	ErrUnsupported = errors.New("not supported")
	// ErrNotSeekable is returned by SeekFrame where the reader cannot seek.
	ErrNotSeekable = errors.New("flac: this stream cannot seek")
)

// A Decoder decodes one stream. Its methods are for one goroutine at a time.
type Decoder struct {
	in     *input
	engine engine
	meta   metadata

	seeker io.Seeker // nil: the reader cannot seek
	base   int64     // where the stream began in the reader
	start  int64     // offset of the first frame
	end    int64     // offset of the end, where the reader can seek
	length int64     // frames; -1: unknown

	numbering numbering
	pos       int64 // the frame that Read gives next, before block and silence
	seeking   bool  // frames before pos are passed over
	damaged   bool  // bytes have been passed over since the last frame
	lost      int64 // how many; see maxLost
	decoded   bool  // at least one frame

	silence int64 // frames that stand for what is lost, before block
	block   [][2]float32
	mix     *mixer
}

// NewDecoder reads the metadata and finds the first frame. If r can seek, the
// stream begins where r stands.
func NewDecoder(r io.Reader) (*Decoder, error) {
	d := &Decoder{in: newInput(r), length: -1}
	if err := d.open(r); err != nil {
		return nil, fmt.Errorf("flac: %w", err)
	}
	return d, nil
}

func (d *Decoder) open(r io.Reader) error {
	var err error
	if s, ok := r.(io.Seeker); ok {
		if d.base, err = s.Seek(0, io.SeekCurrent); err == nil {
			d.seeker = s
		}
	}
	if d.meta, err = readMetadata(d.in); err != nil {
		return err
	}
	d.start = d.in.offset
	d.engine.info = d.meta.info
	if d.mix, err = newMixer(d.meta.info); err != nil {
		return err
	}
	first, err := d.sync()
	switch {
	case err == nil:
		d.numbering = newNumbering(d.meta.info, first)
		d.damaged, d.lost = false, 0
	case err != io.EOF || d.lost > 0:
		return fmt.Errorf("no frame: %w", noEOF(err))
	}
	d.pos = d.numbering.start(first)
	return d.measure()
}

// Rate is in frames per second.
func (d *Decoder) Rate() int { return d.meta.info.rate }

// Channels is how many there were before they were mixed to two.
func (d *Decoder) Channels() int { return d.meta.info.channels }

// Bits is the size of a sample.
func (d *Decoder) Bits() int { return d.meta.info.bits }

// Codec is "flac".
func (d *Decoder) Codec() string { return "flac" }

// Len is in frames, -1 where it is not known.
func (d *Decoder) Len() int64 { return d.length }

// Seekable tells whether SeekFrame works.
func (d *Decoder) Seekable() bool { return d.seeker != nil }

// Tags is what the stream says of itself.
func (d *Decoder) Tags() tags.Tags {
	t := d.meta.tags
	t.Duration = duration(d.length, d.Rate())
	return t
}

func duration(frames int64, rate int) time.Duration {
	if frames <= 0 || rate <= 0 {
		return 0
	}
	r := int64(rate)
	return time.Duration(frames/r)*time.Second + time.Duration(frames%r)*time.Second/time.Duration(r)
}

// Close lets go of what was decoded. It does not close the reader.
func (d *Decoder) Close() error {
	d.in = &input{err: io.EOF}
	d.block, d.silence, d.seeker = nil, 0, nil
	return nil
}

// Read fills p from the beginning and returns how many frames it put there. At
// the end it returns io.EOF.
func (d *Decoder) Read(p [][2]float32) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for d.silence == 0 && len(d.block) == 0 {
		if err := d.next(); err != nil {
			return 0, err
		}
	}
	n := int(min(d.silence, int64(len(p))))
	clear(p[:n])
	d.silence -= int64(n)
	m := copy(p[n:], d.block)
	d.block = d.block[m:]
	d.pos += int64(n + m)
	return n + m, nil
}

// next decodes the next frame that is whole.
func (d *Decoder) next() error {
	for {
		h, err := d.sync()
		if err == io.EOF {
			return d.finish()
		}
		if err != nil {
			return fmt.Errorf("flac: %w", err)
		}
		f, size, err := d.engine.decode(d.in, h)
		if err != nil {
			d.refuse(size)
			continue
		}
		d.in.skip(int64(size))
		d.accept(d.numbering.start(h), f)
		return nil
	}
}

// finish is io.EOF, unless there was a stream but nothing in it was a frame.
func (d *Decoder) finish() error {
	if !d.decoded && d.lost > 0 {
		return fmt.Errorf("flac: no frame: %w", ErrMalformed)
	}
	return io.EOF
}

// maxSilence is how much may be lost, in seconds, before the sound goes on
// without a gap: beyond it the numbers are not believed.
const maxSilence = 10

// accept takes a decoded frame that begins at start.
func (d *Decoder) accept(start int64, f *frame.Frame) {
	d.block = d.mix.frames(f.Subframes)
	gap := start - d.pos
	switch {
	case d.seeking && gap < 0:
		drop := min(-gap, int64(len(d.block)))
		d.block = d.block[drop:]
		d.seeking = len(d.block) == 0
	case gap > 0 && (d.damaged || d.seeking) && gap <= maxSilence*int64(d.Rate()):
		d.silence = gap
		d.seeking = false
	default:
		d.pos = start
		d.seeking = false
	}
	d.decoded, d.damaged, d.lost = true, false, 0
}

// maxLost is how many bytes in a row may be no frame. One that was decoded in
// vain counts for four, because that takes longer.
const maxLost = 32 << 20

// refuse passes over the beginning of what proved to be no frame after size
// bytes of it were decoded.
func (d *Decoder) refuse(size int) {
	d.lose(1)
	d.lost += 4 * int64(size)
}

// lose passes over n bytes of the window that are no frame.
func (d *Decoder) lose(n int) {
	d.in.skip(int64(n))
	d.damaged = true
	d.lost += int64(n)
}

// sync moves the window to the next header that can belong to the stream.
func (d *Decoder) sync() (header, error) {
	for d.lost < maxLost {
		if !d.in.need(2) {
			if n := len(d.in.window()); n > 0 {
				d.lose(n)
			}
			return header{}, d.in.end()
		}
		if n := findSync(d.in.window()); n > 0 {
			d.lose(n)
			continue
		}
		d.in.need(maxHeader) // there are fewer at the very end
		h, ok := parseHeader(d.in.window())
		if ok && d.meta.info.agrees(h) && d.numbering.agrees(h) {
			return h, nil
		}
		d.lose(1)
	}
	return header{}, fmt.Errorf("%d bytes without a frame: %w", d.lost, ErrMalformed)
}

// findSync is how many bytes of w stand before what looks like the beginning
// of a frame, of which one byte may not be there yet.
func findSync(w []byte) int {
	for i := 0; i+1 < len(w); i++ {
		if w[i] == 0xff && w[i+1]&0xfe == 0xf8 {
			return i
		}
	}
	return len(w) - 1
}

// numbering says where frames begin. Those of a stream are either all numbered
// by sample or, if they are of one size, by frame.
type numbering struct {
	known    bool
	variable bool
	block    int64 // of a frame that is not the last, where they are of one size
	length   int64 // of the stream; 0: unknown
}

func newNumbering(info streamInfo, first header) numbering {
	n := numbering{known: true, variable: first.variable, block: int64(info.fixedBlock()), length: info.frames}
	if n.block == 0 {
		n.block = int64(first.blockSize)
	}
	return n
}

// start is the first sample of a frame.
func (n numbering) start(h header) int64 {
	if h.variable {
		return int64(h.number)
	}
	return int64(h.number) * n.block
}

// agrees tells whether a frame is numbered like the others.
func (n numbering) agrees(h header) bool {
	return !n.known || n.variable == h.variable && (n.length == 0 || n.start(h) < n.length)
}

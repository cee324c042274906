// Package mp3 decodes MPEG-1, MPEG-2 and MPEG-2.5 Layer III from any reader: with
// tags, garbage and cuts anywhere, without gaps where the encoder told its delay,
// and, if the reader can seek, exactly from any frame.
//
//	d, err := mp3.NewDecoder(r)
//	if err != nil {
//		return err
//	}
//	defer d.Close()
//	n, err := d.Read(frames)
//
// Frames are found by this package and decoded by hajimehoshi/go-mp3, which
// gives 16 bits. What cannot be decoded is heard as silence of the same length.
// The rate is that of the first frame; where a stream changes it, what follows
// is converted, so that joined files keep their pitch.
package mp3

import (
	"errors"
	"fmt"
	"io"

	"airplay2mqtt/audio/tags"
)

var (
	// ErrFormat is wrapped by errors for what holds no Layer III frames.
	ErrFormat = errors.New("mp3: not an MP3 stream")
	// ErrNotSeekable is returned by SeekFrame where the reader cannot seek.
	ErrNotSeekable = errors.New("mp3: the stream cannot seek")
)

// A CodecError tells that a stream is well-formed MPEG audio of a kind that this
// package does not know. It is errors.ErrUnsupported.
type CodecError struct {
	Name string // "MPEG-1 Layer II, 44100 Hz"
}

func (e *CodecError) Error() string { return "mp3: " + e.Name + " is not supported" }

// Is makes errors.Is(e, errors.ErrUnsupported) true.
func (e *CodecError) Is(target error) bool { return target == errors.ErrUnsupported }

// A Decoder reads the frames of one stream. It is used by one goroutine at a
// time.
type Decoder struct {
	in     *input
	walker *walker
	packer packer
	engine engine
	index  index
	tags   tags.Tags

	channels int        // of the first frame
	mode     header     // of the last frame that was decoded
	rate     int        // of what the converter takes; 0: nothing was decoded yet
	convert  *converter // nil: the rate is the first
	block    [][2]float32
	room     [][2]float32
	ready    [][2]float32 // decoded and not read, a part of room
	drop     int64        // frames that come before the one that was sought
	failed   int          // frames in a row that the engine did not take
	weak     int          // frames decoded since the last that was silenced
	err      error        // what Read returns when nothing is ready
}

// tolerance is how many frames in a row may be undecodable, 1.3 s.
const tolerance = 50

// NewDecoder reads tags and the first frame. If r is an io.Seeker that works,
// the decoder can seek and finds the ID3v1 tag at the end.
func NewDecoder(r io.Reader) (*Decoder, error) {
	in := newInput(r)
	d := &Decoder{in: in, walker: newWalker(in)}
	d.packer.reset()
	if err := d.readTags(); err != nil {
		return nil, err
	}
	d.walker.start = in.pos
	if err := d.step(); err != nil {
		return nil, openError(err)
	}
	return d, nil
}

// openError is why there is no first frame.
func openError(err error) error {
	if err == io.EOF {
		return fmt.Errorf("%w: no frames", ErrFormat)
	}
	return err
}

// readTags reads the tags in front, and the one behind.
func (d *Decoder) readTags() error {
	for {
		n, ok := tags.ID3Size(d.in.peek(tags.ID3HeaderSize))
		if !ok || d.in.pos+n > maxTagged {
			break
		}
		if n > tags.MaxID3 {
			if err := d.in.skip(n); err != nil {
				return err
			}
			continue
		}
		b, err := tags.ReadBody(d.in, int(n))
		if err != nil && err != io.ErrUnexpectedEOF {
			return fmt.Errorf("mp3: read tag: %w", err)
		}
		found, _ := tags.ParseID3(b)
		d.tags = d.tags.Or(found)
	}
	return d.readID3v1()
}

func (d *Decoder) readID3v1() error {
	here := d.in.pos
	if !d.in.src.Seekable() || d.in.src.Size()-here < tags.ID3v1Size {
		return nil
	}
	if err := d.in.seek(d.in.src.Size() - tags.ID3v1Size); err != nil {
		return err
	}
	if found, ok := tags.ParseID3v1(d.in.peek(tags.ID3v1Size)); ok {
		d.tags = d.tags.Or(found)
	}
	return d.in.seek(here)
}

// Rate is in frames per second: that of the stream's first frame.
func (d *Decoder) Rate() int { return d.walker.place.rate }

// Channels is how many channels the first frame has; what Read returns has two.
func (d *Decoder) Channels() int { return d.channels }

// Bits is 0: a lossy codec has none.
func (d *Decoder) Bits() int { return 0 }

// Codec is "mp3".
func (d *Decoder) Codec() string { return "mp3" }

// Tags is what the file says of itself, in ID3v2 and ID3v1.
func (d *Decoder) Tags() tags.Tags { return d.tags }

// Seekable tells whether SeekFrame works.
func (d *Decoder) Seekable() bool { return d.in.src.Seekable() }

// Close lets go of what was decoded. The reader belongs to the caller.
func (d *Decoder) Close() error {
	d.engine.reset()
	d.ready, d.room, d.err = nil, nil, io.EOF
	return nil
}

// Read fills p with frames and returns how many, fewer than p holds where
// another frame would have to be decoded. At the end it returns io.EOF.
func (d *Decoder) Read(p [][2]float32) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(d.ready) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.err = d.step()
	}
	n := copy(p, d.ready)
	d.ready = d.ready[n:]
	return n, nil
}

// step decodes the next frame of the stream into ready, which is empty.
func (d *Decoder) step() error {
	b, err := d.walker.next()
	if err != nil {
		d.room = d.flush(d.room[:0])
		d.ready = d.skipDropped(d.room)
		return err
	}
	if d.channels == 0 {
		d.channels = b.channels()
	}
	d.index.note(d.walker, d.in)
	return d.decode(b)
}

// decode decodes a block into ready.
func (d *Decoder) decode(b block) error {
	out := d.room[:0]
	if b.part.rate != d.rate || b.part.at == 0 {
		out = d.changePart(out, b.part)
	}
	d.setMode(b.header)
	if err := d.run(b); err != nil {
		return err
	}
	heard := d.block[b.lo:b.hi]
	if d.convert != nil {
		out = d.convert.push(out, heard)
	} else {
		out = append(out, heard...)
	}
	d.room = out
	d.ready = d.skipDropped(out)
	return nil
}

// setMode begins with a new engine where the rate or the channels change. It
// would not notice.
func (d *Decoder) setMode(h header) {
	if !h.agrees(d.mode) || h.channels() != d.mode.channels() {
		d.engine.reset()
		d.packer.engineLost()
	}
	d.mode = h
}

// prime gives a frame to the engine for the frames that come.
func (d *Decoder) prime(f frame) {
	d.setMode(f.header)
	data := d.packer.prime(f)
	var err error
	if d.block, err = d.engine.decode(d.block[:0], data, f.samples()); err != nil {
		d.packer.engineLost()
	}
}

// run decodes a frame into block, or makes silence of it.
func (d *Decoder) run(b block) error {
	data, whole := d.packer.pack(b.frame)
	d.weak++
	if !whole {
		d.weak = 0
	}
	var err error
	d.block, err = d.engine.decode(d.block[:0], data, b.samples())
	if err == nil {
		d.failed = 0
		return nil
	}
	d.packer.engineLost()
	d.weak = 0
	if d.failed++; d.failed > tolerance {
		return fmt.Errorf("mp3: %d frames in a row: %w", d.failed, err)
	}
	d.block = append(d.block[:0], make([][2]float32, b.samples())...)
	return nil
}

// changePart ends what is in the converter and begins the next part.
func (d *Decoder) changePart(out [][2]float32, p part) [][2]float32 {
	out = d.flush(out)
	d.rate, d.convert = p.rate, nil
	if p.rate != d.Rate() {
		d.convert = newConverter(p.rate, d.Rate(), p.kept)
	}
	return out
}

// flush appends to out what is left in the converter.
func (d *Decoder) flush(out [][2]float32) [][2]float32 {
	if d.convert == nil {
		return out
	}
	out = d.convert.flush(out)
	d.convert = nil
	return out
}

// skipDropped leaves out what comes before the frame that was sought.
func (d *Decoder) skipDropped(out [][2]float32) [][2]float32 {
	n := min(d.drop, int64(len(out)))
	d.drop -= n
	return out[n:]
}

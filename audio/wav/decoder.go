// Package wav decodes WAVE files and streams: RIFF, RF64 and BW64 with integer
// samples of 8 to 64 bits, floats of 32 and 64, A-law and µ-law, of any number
// of channels, from any reader.
//
//	d, err := wav.NewDecoder(r)
//	if err != nil {
//		return err
//	}
//	defer d.Close()
//	n, err := d.Read(frames)
//
// The chunks are walked by this package, which believes no length. Mono and
// stereo samples of 8 and 32 bits and of G.711 are decoded by youpy/go-wav, the
// others here: those that it does not know, and those of 16 and 24 bits, for
// which it takes too long.
package wav

import (
	"errors"
	"fmt"
	"io"

	"airplay2mqtt/audio/cursor"
	"airplay2mqtt/audio/downmix"
	"airplay2mqtt/audio/tags"
)

var (
	// ErrFormat is wrapped by errors for what is no WAVE file, or one whose
	// header contradicts itself.
	ErrFormat = errors.New("wav: not a WAVE file")
	// ErrNotSeekable is returned by SeekFrame where the reader cannot seek.
	ErrNotSeekable = errors.New("wav: the stream cannot seek")
)

// A CodecError tells that a file is well-formed and its samples are in a
// compression that this package does not know. It is errors.ErrUnsupported.
type CodecError struct {
	Tag  uint16 // the wFormatTag
	Name string // "Microsoft ADPCM"
}

func (e *CodecError) Error() string {
	return fmt.Sprintf("wav: %s (format %#x) is not supported", e.Name, e.Tag)
}

// Is makes errors.Is(e, errors.ErrUnsupported) true.
func (e *CodecError) Is(target error) bool { return target == errors.ErrUnsupported }

// A Decoder reads the frames of one WAVE file. It is used by one goroutine at a
// time.
type Decoder struct {
	header  header
	body    *cursor.Section
	samples sampler
	mixer   *downmix.Mixer
	buf     []float32 // samples on their way to the mixer
}

// A sampler decodes interleaved samples. It fills dst, whose length is a
// multiple of the channels, with at least one frame, and returns how many
// samples those are.
type sampler interface {
	read(dst []float32) (int, error)
}

// block is how many frames are decoded at once.
const block = 2048

// NewDecoder reads the header. If r is an io.Seeker that works, the decoder can
// seek, knows the length even of streams whose header does not tell, and finds
// tags behind the samples.
func NewDecoder(r io.Reader) (*Decoder, error) {
	in := cursor.New(r)
	h, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	mixer, err := downmix.NewMask(h.format.channels, h.format.mask)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	d := &Decoder{
		header: h,
		body:   cursor.NewSection(in, h.start, h.size, h.format.align()),
		mixer:  mixer,
		buf:    make([]float32, block*h.format.channels),
	}
	if err := d.readTrailer(in); err != nil {
		return nil, err
	}
	d.start()
	return d, nil
}

// readTrailer collects the tags behind the samples, and returns to them.
func (d *Decoder) readTrailer(in *cursor.Cursor) error {
	if !in.Seekable() || d.header.size < 0 {
		return nil
	}
	d.header.readTrailer(in)
	if err := in.GoTo(d.header.start); err != nil {
		return fmt.Errorf("wav: %w", err)
	}
	return nil
}

// start makes the sampler for what comes next from the body.
func (d *Decoder) start() {
	if f := d.header.format; f.forEngine() {
		d.samples = newEngine(d.body, f)
		return
	}
	d.samples = newPlain(d.body, d.header.format)
}

// Rate is in frames per second.
func (d *Decoder) Rate() int { return d.header.format.rate }

// Channels is how many channels the file has; what Read returns has two.
func (d *Decoder) Channels() int { return d.header.format.channels }

// Bits is how many bits of a sample the file says are used.
func (d *Decoder) Bits() int { return d.header.format.bits }

// Codec is "pcm", "float", "alaw" or "mulaw".
func (d *Decoder) Codec() string { return codecs[d.header.format.tag] }

// Len is how many frames there are, -1 if that is not known.
func (d *Decoder) Len() int64 { return d.body.Frames() }

// Tags is what the file says of itself, in ID3 and LIST INFO chunks.
func (d *Decoder) Tags() tags.Tags { return d.header.tags }

// Seekable tells whether SeekFrame works.
func (d *Decoder) Seekable() bool { return d.body.Seekable() }

// Read fills p with frames and returns how many. At the end, of the samples or
// of what is left of a truncated file, it returns io.EOF. It returns fewer than
// p holds where waiting would be the alternative.
func (d *Decoder) Read(p [][2]float32) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	channels := d.header.format.channels
	n, err := d.samples.read(d.buf[:min(len(p), block)*channels])
	return d.mixer.Mix(p, d.buf[:n]), err
}

// SeekFrame makes the next Read begin at frame n. Behind the last frame there
// is only the end.
func (d *Decoder) SeekFrame(n int64) error {
	if !d.Seekable() {
		return ErrNotSeekable
	}
	if n < 0 {
		return fmt.Errorf("wav: seek to frame %d", n)
	}
	if err := d.body.SeekFrame(n); err != nil {
		return fmt.Errorf("wav: %w", err)
	}
	d.start()
	return nil
}

// Close does nothing but keep to the convention: there is nothing to free, and
// the reader belongs to the caller.
func (d *Decoder) Close() error { return nil }

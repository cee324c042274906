// Package aiff decodes AIFF and AIFF-C files and streams: integer samples of 1
// to 32 bits with either end first, floats of 32 and 64 bits, A-law and µ-law,
// of any number of channels, from any reader.
//
//	d, err := aiff.NewDecoder(r)
//	if err != nil {
//		return err
//	}
//	defer d.Close()
//	n, err := d.Read(frames)
//
// The chunks may come in any order where the reader can seek. One that cannot
// must bring the format (COMM) before the samples (SSND), as nearly all writers
// do. No length is believed.
//
// Frames of more than two channels are mixed by the channel mask of Apple's CHAN
// chunk, if there is one, else in the order of WAVE, which is what today's
// writers mean; AIFF's own document of 1989 has other orders, and files of that
// kind are not known to exist.
package aiff

import (
	"errors"
	"fmt"
	"io"

	"airplay2mqtt/audio/cursor"
	"airplay2mqtt/audio/downmix"
	"airplay2mqtt/audio/sample"
	"airplay2mqtt/audio/tags"
)

var (
	// ErrFormat is wrapped by errors for what is no AIFF file, or one whose
	// header contradicts itself.
	ErrFormat = errors.New("aiff: not an AIFF file")
	// ErrNotSeekable is returned by SeekFrame where the reader cannot seek, and
	// wrapped by NewDecoder's error for a file that only a reader that seeks
	// could read: its format stands behind its samples.
	ErrNotSeekable = errors.New("aiff: the stream cannot seek")
)

// A CodecError tells that a file is well-formed and its samples are in a
// compression that this package does not know. It is errors.ErrUnsupported.
type CodecError struct {
	Type string // the four characters of the compression type
	Name string // "IMA ADPCM"
}

func (e *CodecError) Error() string {
	return fmt.Sprintf("aiff: %s (compression %q) is not supported", e.Name, e.Type)
}

// Is makes errors.Is(e, errors.ErrUnsupported) true.
func (e *CodecError) Is(target error) bool { return target == errors.ErrUnsupported }

// A Decoder reads the frames of one AIFF file. It is used by one goroutine at a
// time.
type Decoder struct {
	header  header
	body    *cursor.Section
	mixer   *downmix.Mixer
	convert sample.Converter
	raw     []byte    // samples as they are stored
	buf     []float32 // samples on their way to the mixer
}

// block is how many frames are decoded at once.
const block = 2048

// NewDecoder reads the header. If r is an io.Seeker that works, the decoder can
// seek, knows the length even of streams whose header does not tell, and finds
// what stands behind the samples.
func NewDecoder(r io.Reader) (*Decoder, error) {
	in := cursor.New(r)
	h, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	f := h.format
	mixer, err := downmix.NewMask(f.channels, h.mask)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return &Decoder{
		header:  h,
		body:    cursor.NewSection(in, h.start, h.size, f.align()),
		mixer:   mixer,
		convert: f.stored().Converter(),
		raw:     make([]byte, block*f.align()),
		buf:     make([]float32, block*f.channels),
	}, nil
}

// Rate is in frames per second.
func (d *Decoder) Rate() int { return d.header.format.rate }

// Channels is how many channels the file has; what Read returns has two.
func (d *Decoder) Channels() int { return d.header.format.channels }

// Bits is how many bits of a sample the file says are used.
func (d *Decoder) Bits() int { return d.header.format.bits }

// Codec is "pcm", "float", "alaw" or "mulaw".
func (d *Decoder) Codec() string { return d.header.format.codec }

// Len is how many frames there are, -1 if that is not known.
func (d *Decoder) Len() int64 { return d.body.Frames() }

// Tags is what the file says of itself, in ID3, NAME and AUTH chunks. There is
// no place in it for what annotations (ANNO) and copyrights say.
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
	f := d.header.format
	n, err := d.body.Read(d.raw[:min(len(p), block)*f.align()])
	d.convert(d.buf, d.raw[:n])
	return d.mixer.Mix(p, d.buf[:n/f.width]), err
}

// SeekFrame makes the next Read begin at frame n. Behind the last frame there
// is only the end.
func (d *Decoder) SeekFrame(n int64) error {
	if !d.Seekable() {
		return ErrNotSeekable
	}
	if n < 0 {
		return fmt.Errorf("aiff: seek to frame %d", n)
	}
	if err := d.body.SeekFrame(n); err != nil {
		return fmt.Errorf("aiff: %w", err)
	}
	return nil
}

// Close does nothing but keep to the convention: there is nothing to free, and
// the reader belongs to the caller.
func (d *Decoder) Close() error { return nil }

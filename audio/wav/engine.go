package wav

import (
	"encoding/binary"
	"fmt"
	"io"

	gowav "github.com/youpy/go-wav"

	"airplay2mqtt/audio/cursor"
)

// An engine decodes mono and stereo of 8 and 32 bits and of G.711 by
// youpy/go-wav. That library panics on
// streams and on many a damaged header, and wants an io.ReaderAt. So it sees a
// header of ours, which is always right, and behind it the samples, which it
// reads in order. Its 8-bit samples are unsigned, its G.711 has 16 bits.
type engine struct {
	body   *cursor.Section
	format format
	reader *gowav.Reader
	left   int // frames that the header of the reader still promises
	offset int // of a value, to make it signed
	scale  float32
}

// span is how many frames one header of ours promises. They fit 32 bits.
const span = 1 << 26

// forEngine tells what go-wav decodes right, and nothing else decodes faster.
func (f format) forEngine() bool {
	return f.channels <= 2 && f.tag != tagFloat && (f.container == 1 || f.container == 4)
}

func newEngine(b *cursor.Section, f format) *engine {
	e := &engine{body: b, format: f, scale: 1 / float32(int64(1)<<(8*f.container-1))}
	switch {
	case f.tag != tagPCM:
		e.scale = 1. / 0x8000
	case f.container == 1:
		e.offset = -0x80
	}
	return e
}

func (e *engine) read(dst []float32) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("wav: go-wav: %v", r)
		}
	}()
	if e.left == 0 {
		e.left = span
		e.reader = gowav.NewReader(&canonical{body: e.body, header: e.format.header()})
	}
	samples, err := e.reader.ReadSamples(uint32(min(len(dst)/e.format.channels, e.left)))
	e.left -= len(samples)
	return e.floats(dst, samples), err
}

// floats converts what go-wav returns, and returns how many values that is.
func (e *engine) floats(dst []float32, samples []gowav.Sample) int {
	if e.format.channels == 1 {
		for i := range samples {
			dst[i] = float32(samples[i].Values[0]+e.offset) * e.scale
		}
		return len(samples)
	}
	for i := range samples {
		v := &samples[i].Values
		dst[2*i] = float32(v[0]+e.offset) * e.scale
		dst[2*i+1] = float32(v[1]+e.offset) * e.scale
	}
	return 2 * len(samples)
}

// header is a WAVE header as simple as can be, for span frames.
func (f format) header() []byte {
	size := uint32(span * f.align())
	b := append([]byte(nil), "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, 36+size)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, f.tag)
	b = binary.LittleEndian.AppendUint16(b, uint16(f.channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.rate*f.align()))
	b = binary.LittleEndian.AppendUint16(b, uint16(f.align()))
	b = binary.LittleEndian.AppendUint16(b, uint16(8*f.container))
	b = append(b, "data"...)
	return binary.LittleEndian.AppendUint32(b, size)
}

// A canonical is a file as go-wav likes it. Its samples are read in order,
// whatever offset they are asked for at, and in whole frames: go-wav would lose
// the part of one at the end of a read.
type canonical struct {
	header []byte
	body   *cursor.Section
}

// ReadAt reads from the header what lies there, and the next samples otherwise.
func (c *canonical) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(c.header)) {
		return c.body.Read(p)
	}
	n := copy(p, c.header[off:])
	if n < len(p) {
		return n, io.EOF // go-wav asks for no more than a field at a time
	}
	return n, nil
}

// Read is there because go-wav's interface has it; it is not used.
func (c *canonical) Read([]byte) (int, error) { return 0, io.EOF }

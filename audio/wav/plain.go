package wav

import (
	"airplay2mqtt/audio/cursor"
	"airplay2mqtt/audio/sample"
)

// A plain sampler decodes without go-wav what that library cannot: more than two
// channels, floats, and integers of sizes that it does not know. And 16 and 24
// bits, which nearly all files have: it makes an object of each frame.
type plain struct {
	body    *cursor.Section
	convert sample.Converter
	width   int // bytes of a sample
	buf     []byte
}

func newPlain(b *cursor.Section, f format) *plain {
	return &plain{
		body:    b,
		convert: f.stored().Converter(),
		width:   f.container,
		buf:     make([]byte, block*f.align()),
	}
}

func (p *plain) read(dst []float32) (int, error) {
	n, err := p.body.Read(p.buf[:len(dst)*p.width])
	p.convert(dst, p.buf[:n])
	return n / p.width, err
}

// stored says how samples are stored, in other words.
func (f format) stored() sample.Format {
	s := sample.Format{Width: f.container}
	switch {
	case f.tag == tagALaw:
		s.Kind = sample.ALaw
	case f.tag == tagMuLaw:
		s.Kind = sample.MuLaw
	case f.tag == tagFloat:
		s.Kind = sample.Float
	case f.container == 1:
		s.Kind = sample.Unsigned
	}
	return s
}

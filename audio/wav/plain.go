package wav

import (
	"encoding/binary"
	"math"
)

// A plain sampler decodes what go-wav cannot: more than two channels, floats,
// and integers of sizes that it does not know.
type plain struct {
	body    *body
	convert func(dst []float32, src []byte)
	width   int // bytes of a sample
	buf     []byte
}

func newPlain(b *body, f format) *plain {
	return &plain{
		body:    b,
		convert: converter(f),
		width:   f.container,
		buf:     make([]byte, block*f.align()),
	}
}

func (p *plain) read(dst []float32) (int, error) {
	n, err := p.body.read(p.buf[:len(dst)*p.width])
	p.convert(dst, p.buf[:n])
	return n / p.width, err
}

// converter returns what turns src into as many floats as it holds samples.
func converter(f format) func(dst []float32, src []byte) {
	switch {
	case f.tag == tagALaw:
		return companded(expandALaw)
	case f.tag == tagMuLaw:
		return companded(expandMuLaw)
	case f.tag == tagFloat && f.container == 4:
		return float32s
	case f.tag == tagFloat:
		return float64s
	case f.container == 1:
		return unsigned8
	case f.container == 2:
		return signed16
	case f.container == 3:
		return signed24
	}
	return signed(f.container)
}

func unsigned8(dst []float32, src []byte) {
	for i, c := range src {
		dst[i] = float32(int(c)-0x80) / 0x80
	}
}

func signed16(dst []float32, src []byte) {
	for i := range len(src) / 2 {
		dst[i] = float32(int16(binary.LittleEndian.Uint16(src[2*i:]))) / 0x8000
	}
}

func signed24(dst []float32, src []byte) {
	for i := range len(src) / 3 {
		c := src[3*i : 3*i+3]
		dst[i] = float32(int32(uint32(c[0])<<8|uint32(c[1])<<16|uint32(c[2])<<24)) * 0x1p-31
	}
}

// signed converts integers of any width. They are moved to the top of 64 bits,
// where all have the same full scale.
func signed(width int) func(dst []float32, src []byte) {
	return func(dst []float32, src []byte) {
		for i := range len(src) / width {
			var v uint64
			for k, c := range src[i*width : (i+1)*width] {
				v |= uint64(c) << (8 * (8 - width + k))
			}
			dst[i] = float32(int64(v)) * 0x1p-63
		}
	}
}

func float32s(dst []float32, src []byte) {
	for i := range len(src) / 4 {
		dst[i] = finite(math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:])))
	}
}

func float64s(dst []float32, src []byte) {
	for i := range len(src) / 8 {
		dst[i] = finite(float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:]))))
	}
}

// maxSample is far above full scale, and far below where a filter overflows.
const maxSample = 1 << 16

// finite makes silence of what is no number and of what can be no sound, before
// a filter spreads it.
func finite(v float32) float32 {
	if v >= -maxSample && v <= maxSample {
		return v
	}
	return 0
}

// companded converts by a table of all 256 samples.
func companded(expand func(byte) int) func(dst []float32, src []byte) {
	var table [256]float32
	for c := range table {
		table[c] = float32(expand(byte(c))) / 0x8000
	}
	return func(dst []float32, src []byte) {
		for i, c := range src {
			dst[i] = table[c]
		}
	}
}

// expandALaw is G.711's A-law at 16 bits: sign, three bits of exponent, four of
// mantissa, every other bit inverted.
func expandALaw(c byte) int {
	c ^= 0x55
	v := int(c&0x0f)<<4 + 8
	if exponent := int(c>>4) & 7; exponent > 0 {
		v = (v + 0x100) << (exponent - 1)
	}
	if c&0x80 == 0 {
		return -v
	}
	return v
}

// expandMuLaw is G.711's µ-law at 16 bits: like A-law, with a bias of 33 and
// every bit inverted.
func expandMuLaw(c byte) int {
	c = ^c
	v := (int(c&0x0f)<<3+0x84)<<(int(c>>4)&7) - 0x84
	if c&0x80 != 0 {
		return -v
	}
	return v
}

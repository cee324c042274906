package aiff

import (
	"encoding/binary"
	"math"
)

// converter returns what turns src into as many floats as it holds samples.
// Samples of fewer bits than their bytes hold stand at the top of them, so that
// all have the same full scale.
func (f format) converter() func(dst []float32, src []byte) {
	switch {
	case f.codec == "alaw":
		return companded(expandALaw)
	case f.codec == "mulaw":
		return companded(expandMuLaw)
	case f.codec == "float" && f.width == 4:
		return float32s
	case f.codec == "float":
		return float64s
	case f.width == 2 && !f.little && !f.offset:
		return signed16
	case f.width == 3 && !f.little && !f.offset:
		return signed24
	}
	return integers(f.width, f.little, f.offset)
}

func signed16(dst []float32, src []byte) {
	for i := range len(src) / 2 {
		dst[i] = float32(int16(binary.BigEndian.Uint16(src[2*i:]))) / 0x8000
	}
}

func signed24(dst []float32, src []byte) {
	for i := range len(src) / 3 {
		c := src[3*i : 3*i+3]
		dst[i] = float32(int32(uint32(c[0])<<24|uint32(c[1])<<16|uint32(c[2])<<8)) * 0x1p-31
	}
}

// integers converts those of any width up to 4, with either end first, signed
// or not. They are moved to the top of 32 bits.
func integers(width int, little, offset bool) func(dst []float32, src []byte) {
	var flip uint32
	if offset {
		flip = 1 << 31
	}
	return func(dst []float32, src []byte) {
		for i := range len(src) / width {
			var v uint32
			for k, c := range src[i*width : (i+1)*width] {
				if little {
					v |= uint32(c) << (8 * (4 - width + k))
				} else {
					v |= uint32(c) << (8 * (3 - k))
				}
			}
			dst[i] = float32(int32(v^flip)) * 0x1p-31
		}
	}
}

func float32s(dst []float32, src []byte) {
	for i := range len(src) / 4 {
		dst[i] = finite(math.Float32frombits(binary.BigEndian.Uint32(src[4*i:])))
	}
}

func float64s(dst []float32, src []byte) {
	for i := range len(src) / 8 {
		dst[i] = finite(float32(math.Float64frombits(binary.BigEndian.Uint64(src[8*i:]))))
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

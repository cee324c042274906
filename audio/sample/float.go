package sample

import (
	"encoding/binary"
	"math"
)

func float32s(dst []float32, src []byte) {
	dst = dst[:len(src)/4]
	for i := range dst {
		dst[i] = finite32(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func float32sBig(dst []float32, src []byte) {
	dst = dst[:len(src)/4]
	for i := range dst {
		dst[i] = finite32(binary.BigEndian.Uint32(src[4*i:]))
	}
}

func float64s(dst []float32, src []byte) {
	for i := range len(src) / 8 {
		dst[i] = finite64(binary.LittleEndian.Uint64(src[8*i:]))
	}
}

func float64sBig(dst []float32, src []byte) {
	for i := range len(src) / 8 {
		dst[i] = finite64(binary.BigEndian.Uint64(src[8*i:]))
	}
}

// loudest is far above full scale, and far below where a filter overflows.
const loudest = 1 << 16

// finite32 makes silence of what is no number and of what can be no sound,
// before a filter spreads it. Bits of floats without their sign are in the order
// of the floats, and compare faster.
func finite32(bits uint32) float32 {
	if bits&0x7fffffff > loudestBits {
		return 0
	}
	return math.Float32frombits(bits)
}

// loudestBits is loudest as a float32: an exponent of 16.
const loudestBits = (127 + 16) << 23

func finite64(bits uint64) float32 {
	return finite32(math.Float32bits(float32(math.Float64frombits(bits))))
}

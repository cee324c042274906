package sample

import "encoding/binary"

func signed16(dst []float32, src []byte) {
	dst = dst[:len(src)/2]
	for len(dst) >= 4 && len(src) >= 8 {
		v := binary.LittleEndian.Uint64(src)
		dst[0] = float32(int16(v)) / 0x8000
		dst[1] = float32(int16(v>>16)) / 0x8000
		dst[2] = float32(int16(v>>32)) / 0x8000
		dst[3] = float32(int16(v>>48)) / 0x8000
		dst, src = dst[4:], src[8:]
	}
	for i := range dst {
		dst[i] = float32(int16(binary.LittleEndian.Uint16(src[2*i:]))) / 0x8000
	}
}

func signed16Big(dst []float32, src []byte) {
	dst = dst[:len(src)/2]
	for len(dst) >= 4 && len(src) >= 8 {
		v := binary.BigEndian.Uint64(src)
		dst[0] = float32(int16(v>>48)) / 0x8000
		dst[1] = float32(int16(v>>32)) / 0x8000
		dst[2] = float32(int16(v>>16)) / 0x8000
		dst[3] = float32(int16(v)) / 0x8000
		dst, src = dst[4:], src[8:]
	}
	for i := range dst {
		dst[i] = float32(int16(binary.BigEndian.Uint16(src[2*i:]))) / 0x8000
	}
}

func signed24(dst []float32, src []byte) {
	for i := range len(src) / 3 {
		c := (*[3]byte)(src[3*i:])
		dst[i] = float32(int32(uint32(c[0])<<8|uint32(c[1])<<16|uint32(c[2])<<24)) * 0x1p-31
	}
}

func signed24Big(dst []float32, src []byte) {
	for i := range len(src) / 3 {
		c := (*[3]byte)(src[3*i:])
		dst[i] = float32(int32(uint32(c[2])<<8|uint32(c[1])<<16|uint32(c[0])<<24)) * 0x1p-31
	}
}

func signed32(dst []float32, src []byte) {
	dst = dst[:len(src)/4]
	for i := range dst {
		dst[i] = float32(int32(binary.LittleEndian.Uint32(src[4*i:]))) * 0x1p-31
	}
}

func signed32Big(dst []float32, src []byte) {
	dst = dst[:len(src)/4]
	for i := range dst {
		dst[i] = float32(int32(binary.BigEndian.Uint32(src[4*i:]))) * 0x1p-31
	}
}

// integers converts those of any width. They are moved to the top of 64 bits,
// where all have the same full scale.
func (f Format) integers() Converter {
	var flip uint64
	if f.Kind == Unsigned {
		flip = 1 << 63
	}
	width, big := f.Width, f.BigEndian
	return func(dst []float32, src []byte) {
		for i := range len(src) / width {
			var v uint64
			for k, c := range src[i*width : (i+1)*width] {
				if big {
					v |= uint64(c) << (8 * (7 - k))
				} else {
					v |= uint64(c) << (8 * (8 - width + k))
				}
			}
			dst[i] = float32(int64(v^flip)) * 0x1p-63
		}
	}
}

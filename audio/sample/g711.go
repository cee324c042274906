package sample

// companded converts by a table of all 256 samples.
func companded(expand func(byte) int) Converter {
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

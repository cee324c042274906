package flac

import "math/bits"

// A header begins every frame.
//
//	11111111 1111100v  v: numbered by sample (1) or by frame (0)
//	bbbbrrrr cccc sss0 block size, rate, channels, sample size
//	number             1 to 7 bytes, like UTF-8
//	block size, rate   0 to 4 bytes, where their codes say so
//	sum                CRC-8 of all that
type header struct {
	variable  bool
	blockSize int    // frames
	rate      int    // 0: as in the stream's info
	channels  int    // 1 to 8
	bits      int    // 0: as in the stream's info
	number    uint64 // of the first sample, or of the frame
	size      int    // of the header, in bytes
}

// maxHeader is the size of the longest header.
const maxHeader = 16

// parseHeader reads the header that b begins with. It refuses what is reserved
// and what does not bear its sum.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < 6 || b[0] != 0xff || b[1]&0xfe != 0xf8 || b[3]&1 != 0 {
		return header{}, false
	}
	h.variable = b[1]&1 != 0
	blockCode, rateCode := b[2]>>4, b[2]&0xf
	if h.channels = channelCount[b[3]>>4]; h.channels == 0 || blockCode == 0 || rateCode == 15 {
		return header{}, false
	}
	if h.bits = sampleSize[b[3]>>1&7]; h.bits < 0 {
		return header{}, false
	}
	var n int
	if h.number, n = parseNumber(b[4:]); n == 0 {
		return header{}, false
	}
	rest := b[4+n:]
	h.blockSize, n = blockSize(blockCode, rest)
	rest = rest[n:]
	h.rate, n = sampleRate(rateCode, rest)
	rest = rest[n:]
	if len(rest) == 0 {
		return header{}, false
	}
	h.size = len(b) - len(rest) + 1
	if crc8(b[:h.size]) != 0 || h.blockSize == 0 {
		return header{}, false
	}
	return h, true
}

// channelCount is by code; the last three before the reserved ones are stereo
// with a side channel.
var channelCount = [16]int{1, 2, 3, 4, 5, 6, 7, 8, 2, 2, 2}

// sampleSize is by code; -1 is reserved.
var sampleSize = [8]int{0, 8, 12, -1, 16, 20, 24, 32}

// sampleRates is by code, up to where b says it.
var sampleRates = [12]int{0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000}

// blockSize is what a block size code says, with the help of n bytes of b.
// It is 0 where these bytes are missing.
func blockSize(code byte, b []byte) (frames, n int) {
	switch {
	case code == 1:
		return 192, 0
	case code <= 5:
		return 576 << (code - 2), 0
	case code == 6 && len(b) >= 1:
		return int(b[0]) + 1, 1
	case code == 7 && len(b) >= 2:
		return int(b[0])<<8 + int(b[1]) + 1, 2
	case code >= 8:
		return 256 << (code - 8), 0
	}
	return 0, 0
}

// sampleRate is what a rate code says, with the help of n bytes of b.
func sampleRate(code byte, b []byte) (rate, n int) {
	switch {
	case code < 12:
		return sampleRates[code], 0
	case code == 12 && len(b) >= 1:
		return int(b[0]) * 1000, 1
	case code == 13 && len(b) >= 2:
		return int(b[0])<<8 + int(b[1]), 2
	case code == 14 && len(b) >= 2:
		return (int(b[0])<<8 + int(b[1])) * 10, 2
	}
	return 0, 0
}

// parseNumber reads a number of up to 36 bits, written like a rune in UTF-8.
// Its length is 0 where there is none.
func parseNumber(b []byte) (v uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = bits.LeadingZeros8(^b[0]) // ones that begin the first byte
	switch {
	case n == 0:
		return uint64(b[0]), 1
	case n == 1 || n == 8 || len(b) < n:
		return 0, 0
	}
	v = uint64(b[0] & (0x7f >> n))
	for _, c := range b[1:n] {
		if c&0xc0 != 0x80 {
			return 0, 0
		}
		v = v<<6 | uint64(c&0x3f)
	}
	return v, n
}

// crc8 is the sum of headers: x⁸+x²+x+1. It is 0 over bytes that end with
// their sum.
func crc8(b []byte) byte {
	var sum byte
	for _, c := range b {
		sum ^= c
		for range 8 {
			carry := sum >> 7
			sum = sum<<1 ^ carry*0x07
		}
	}
	return sum
}

// crc16 is the sum of frames: x¹⁶+x¹⁵+x²+1. It is 0 over bytes that end with
// their sum.
func crc16(b []byte) uint16 {
	var sum uint16
	for _, c := range b {
		sum ^= uint16(c) << 8
		for range 8 {
			carry := sum >> 15
			sum = sum<<1 ^ carry*0x8005
		}
	}
	return sum
}

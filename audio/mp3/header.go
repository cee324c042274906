package mp3

import (
	"encoding/binary"
	"fmt"
)

// A header is what every frame begins with.
//
//	11          2        2      1    4        2     1    1        2     2         1  1  2
//	sync, ones  version  layer  crc  bitrate  rate  pad  private  mode  mode ext  …  …  emphasis
type header uint32

// Versions of MPEG audio, as the header has them.
const (
	mpeg25 = 0
	mpeg2  = 2
	mpeg1  = 3
)

// sameStream are the bits that frames of one stream have in common: sync,
// version, layer and rate.
const sameStream = 0xfffe0c00

// parseHeader reads a header of any version and layer; false if b begins with
// none.
func parseHeader(b []byte) (header, bool) {
	if len(b) < 4 {
		return 0, false
	}
	h := header(binary.BigEndian.Uint32(b))
	ok := h>>21 == 0x7ff && h.version() != 1 && h.layer() != 0 &&
		h.bitrateIndex() != 15 && h.rateIndex() != 3 && h&3 != 2
	return h, ok
}

func (h header) version() int      { return int(h >> 19 & 3) }
func (h header) crc() bool         { return h>>16&1 == 0 }
func (h header) bitrateIndex() int { return int(h >> 12 & 15) }
func (h header) rateIndex() int    { return int(h >> 10 & 3) }
func (h header) padding() int      { return int(h >> 9 & 1) }

// layer is 1 to 3, or 0 for none.
func (h header) layer() int { return (4 - int(h>>17&3)) % 4 }

func (h header) channels() int {
	if h>>6&3 == 3 {
		return 1
	}
	return 2
}

// agrees tells whether o can be of the same stream.
func (h header) agrees(o header) bool { return (h^o)&sameStream == 0 }

// rate is in samples per second.
func (h header) rate() int {
	rate := [3]int{44100, 48000, 32000}[h.rateIndex()]
	switch h.version() {
	case mpeg2:
		return rate / 2
	case mpeg25:
		return rate / 4
	}
	return rate
}

// bitrate is in bits per second, 0 for the free format.
func (h header) bitrate() int {
	table := &bitrates[h.layer()-1]
	if h.version() != mpeg1 {
		table = &lowBitrates[min(h.layer(), 2)-1]
	}
	return 1000 * table[h.bitrateIndex()]
}

var (
	bitrates = [3][15]int{
		{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
		{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	}
	lowBitrates = [2][15]int{
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
	}
)

// samples is how many samples of each channel the frame holds.
func (h header) samples() int {
	switch {
	case h.layer() == 1:
		return 384
	case h.layer() == 3 && h.version() != mpeg1:
		return 576
	}
	return 1152
}

// size is that of the whole frame in bytes.
func (h header) size() int {
	if h.layer() == 1 {
		return 4 * (12*h.bitrate()/h.rate() + h.padding())
	}
	return h.samples()/8*h.bitrate()/h.rate() + h.padding()
}

// sideSize is that of the side information of a Layer III frame.
func (h header) sideSize() int {
	switch {
	case h.version() == mpeg1 && h.channels() == 2:
		return 32
	case h.version() != mpeg1 && h.channels() == 1:
		return 9
	}
	return 17
}

// sideStart is where in the frame the side information is.
func (h header) sideStart() int {
	if h.crc() {
		return 6
	}
	return 4
}

// mainStart is where in the frame its main data begin.
func (h header) mainStart() int { return h.sideStart() + h.sideSize() }

// playable tells whether the frame can be decoded: Layer III, with a bit rate.
// The lowest rate of MPEG-2.5, 8 kHz, has scale factor bands that the engine
// does not know.
func (h header) playable() bool {
	return h.layer() == 3 && h.bitrateIndex() != 0 &&
		!(h.version() == mpeg25 && h.rateIndex() == 2) && h.size() > h.mainStart()
}

// String names the kind of stream, for errors.
func (h header) String() string {
	name := fmt.Sprintf("MPEG-%s Layer %s", [...]string{"2.5", "?", "2", "1"}[h.version()],
		[...]string{"?", "I", "II", "III"}[h.layer()])
	if h.bitrateIndex() == 0 {
		name += ", free format"
	}
	return fmt.Sprintf("%s, %d Hz", name, h.rate())
}

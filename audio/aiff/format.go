package aiff

import (
	"encoding/binary"
	"fmt"
	"math"

	"airplay2mqtt/audio/downmix"
	"airplay2mqtt/audio/sample"
)

// A compression is a way in which AIFF-C stores samples.
type compression struct {
	codec  string
	width  int // bytes of a sample; 0: what the bits need
	little bool
	offset bool // unsigned
}

// compressions are those that are decoded, by their types in the COMM chunk.
var compressions = map[string]compression{
	"NONE": {codec: "pcm"},
	"twos": {codec: "pcm"},
	"sowt": {codec: "pcm", little: true},
	"raw ": {codec: "pcm", offset: true},
	"in24": {codec: "pcm", width: 3},
	"in32": {codec: "pcm", width: 4},
	"42ni": {codec: "pcm", width: 3, little: true},
	"23ni": {codec: "pcm", width: 4, little: true},
	"fl32": {codec: "float", width: 4},
	"FL32": {codec: "float", width: 4},
	"fl64": {codec: "float", width: 8},
	"FL64": {codec: "float", width: 8},
	"alaw": {codec: "alaw", width: 1},
	"ALAW": {codec: "alaw", width: 1},
	"ulaw": {codec: "mulaw", width: 1},
	"ULAW": {codec: "mulaw", width: 1},
}

// others are compressions that there are files of.
var others = map[string]string{
	"ima4": "IMA ADPCM", "MAC3": "MACE 3:1", "MAC6": "MACE 6:1", "ACE2": "ACE 2:1", "ACE8": "ACE 8:3",
	"GSM ": "GSM 6.10", "agsm": "GSM 6.10", "G722": "G.722", "G726": "G.726", "G728": "G.728",
	"DWVW": "Delta with variable word width", "ADP4": "Dialogic ADPCM", "SDX2": "SDX2", "rt24": "RT24", "rt29": "RT29",
	"QDM2": "QDesign Music", "QDMC": "QDesign Music", "Qclp": "QCELP", ".mp3": "MP3",
}

// A format says how a sample is stored.
type format struct {
	compression
	channels int
	rate     int
	bits     int
}

const minRate, maxRate = 1000, 768000

// parseFormat reads the body of a COMM chunk, which in AIFF ends with the rate.
//
//	0         2       6     8                     18           22
//	channels  frames  bits  rate (80-bit float)   compression  its name (Pascal string)
func parseFormat(b []byte, compressed bool) (f format, frames int64, err error) {
	need := 18
	if compressed {
		need = 22
	}
	if len(b) < need {
		return format{}, 0, fmt.Errorf("%w: a COMM chunk of %d bytes", ErrFormat, len(b))
	}
	kind := "NONE"
	if compressed {
		kind = string(b[18:22])
	}
	c, ok := compressions[kind]
	if !ok {
		return format{}, 0, codecError(kind)
	}
	f = format{compression: c, channels: int(binary.BigEndian.Uint16(b)), bits: int(binary.BigEndian.Uint16(b[6:]))}
	if f.rate, ok = parseRate([10]byte(b[8:18])); !ok {
		return format{}, 0, fmt.Errorf("%w: a rate of %x", ErrFormat, b[8:18])
	}
	if f.channels < 1 || f.channels > downmix.MaxChannels {
		return format{}, 0, fmt.Errorf("%w: %d channels", ErrFormat, f.channels)
	}
	return f, int64(binary.BigEndian.Uint32(b[2:])), f.setWidth()
}

// setWidth finds how many bytes a sample takes. Where the compression says it,
// writers put all sorts of numbers of bits beside it.
func (f *format) setWidth() error {
	switch {
	case f.width == 0 && (f.bits < 1 || f.bits > 32):
		return fmt.Errorf("%w: samples of %d bits", ErrFormat, f.bits)
	case f.width == 0:
		f.width = (f.bits + 7) / 8
	case f.codec != "pcm", f.bits < 1, f.bits > 8*f.width, f.bits <= 16:
		f.bits = 8 * f.width
	}
	return nil
}

// stored says how samples are stored, in other words.
func (f format) stored() sample.Format {
	s := sample.Format{Width: f.width, BigEndian: !f.little}
	switch {
	case f.codec == "alaw":
		s.Kind = sample.ALaw
	case f.codec == "mulaw":
		s.Kind = sample.MuLaw
	case f.codec == "float":
		s.Kind = sample.Float
	case f.offset:
		s.Kind = sample.Unsigned
	}
	return s
}

// align is how many bytes a frame takes.
func (f format) align() int { return f.channels * f.width }

// parseRate reads a number in the 80 bits of Apple's SANE, and rounds it.
//
//	sign 1, exponent 15 | mantissa 64, its first bit is the whole one
func parseRate(b [10]byte) (rate int, ok bool) {
	const bias = 16383
	exponent := int(binary.BigEndian.Uint16(b[:])) - bias // a sign makes it huge
	mantissa := binary.BigEndian.Uint64(b[2:])
	if exponent < 0 || exponent > 30 {
		return 0, false
	}
	v := math.Ldexp(float64(mantissa), exponent-63)
	if v < minRate || v > maxRate {
		return 0, false
	}
	return int(math.Round(v)), true
}

// codecError names a compression that is not decoded.
func codecError(kind string) error {
	name, ok := others[kind]
	if !ok {
		name = "an unknown codec"
	}
	return &CodecError{Type: kind, Name: name}
}

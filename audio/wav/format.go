package wav

import (
	"encoding/binary"
	"fmt"
	"slices"

	"airplay2mqtt/audio/downmix"
)

// Format tags (mmreg.h).
const (
	tagPCM        = 0x0001
	tagFloat      = 0x0003
	tagALaw       = 0x0006
	tagMuLaw      = 0x0007
	tagExtensible = 0xfffe
)

// codecs are the formats that are decoded.
var codecs = map[uint16]string{tagPCM: "pcm", tagFloat: "float", tagALaw: "alaw", tagMuLaw: "mulaw"}

// others are formats that people have and that need another decoder.
var others = map[uint16]string{
	0x0002: "Microsoft ADPCM", 0x0010: "OKI ADPCM", 0x0011: "IMA ADPCM", 0x0014: "G.723 ADPCM",
	0x0017: "Dialogic ADPCM", 0x0020: "Yamaha ADPCM", 0x0022: "TrueSpeech", 0x0031: "GSM 6.10",
	0x0040: "G.721 ADPCM", 0x0042: "G.723.1", 0x0045: "G.726 ADPCM", 0x0050: "MPEG audio", 0x0055: "MP3",
	0x0064: "G.726 ADPCM", 0x0065: "G.722", 0x0069: "IMA ADPCM (Xbox)", 0x0092: "AC-3 (S/PDIF)",
	0x00ff: "AAC", 0x0130: "Sipro ACELP", 0x0160: "Windows Media Audio 1",
	0x0161: "Windows Media Audio 2", 0x0162: "Windows Media Audio Pro",
	0x0163: "Windows Media Audio Lossless", 0x0270: "ATRAC3", 0x1600: "AAC (ADTS)", 0x1610: "AAC",
	0x2000: "AC-3", 0x2001: "DTS", 0x566f: "Vorbis", 0x674f: "Vorbis", 0x6750: "Vorbis", 0x6751: "Vorbis",
	0x676f: "Vorbis", 0x6770: "Vorbis", 0x6771: "Vorbis", 0x704f: "Opus", 0xa106: "AAC", 0xa109: "Speex", 0xf1ac: "FLAC",
}

// A format says how a sample is stored.
type format struct {
	tag       uint16
	channels  int
	rate      int
	container int // bytes that a sample takes
	bits      int // of these that are used, the upper ones
	valid     int // the same if the file is extensible, 0 if it is not
	mask      uint32
}

const minRate, maxRate = 1000, 768000

// parseFormat reads the body of a fmt chunk.
//
//	0    2         4     8            12     14    16     18          20    24
//	tag  channels  rate  bytes per s  align  bits  extra  valid bits  mask  GUID
func parseFormat(b []byte) (format, error) {
	if len(b) < 14 {
		return format{}, fmt.Errorf("%w: a fmt chunk of %d bytes", ErrFormat, len(b))
	}
	f := format{
		tag:      binary.LittleEndian.Uint16(b),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
	}
	align := int(binary.LittleEndian.Uint16(b[12:]))
	if len(b) >= 16 {
		f.bits = int(binary.LittleEndian.Uint16(b[14:]))
	}
	if f.tag == tagExtensible {
		if err := f.extend(b); err != nil {
			return format{}, err
		}
	}
	if _, ok := codecs[f.tag]; !ok {
		return format{}, codecError(f.tag)
	}
	if f.channels < 1 || f.channels > downmix.MaxChannels {
		return format{}, fmt.Errorf("%w: %d channels", ErrFormat, f.channels)
	}
	if f.rate < minRate || f.rate > maxRate {
		return format{}, fmt.Errorf("%w: %d frames per second", ErrFormat, f.rate)
	}
	return f, f.setContainer(align)
}

// pcmGUID is how the GUIDs end whose first two bytes are a format tag
// (KSDATAFORMAT_SUBTYPE_PCM and its relatives).
var pcmGUID = []byte{0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71}

// extend reads what WAVE_FORMAT_EXTENSIBLE adds.
func (f *format) extend(b []byte) error {
	if len(b) < 40 {
		return fmt.Errorf("%w: an extensible fmt chunk of %d bytes", ErrFormat, len(b))
	}
	if !slices.Equal(b[26:40], pcmGUID) {
		return &CodecError{Tag: f.tag, Name: fmt.Sprintf("the codec with the GUID %x", b[24:40])}
	}
	f.tag = binary.LittleEndian.Uint16(b[24:])
	f.valid = int(binary.LittleEndian.Uint16(b[18:]))
	f.mask = binary.LittleEndian.Uint32(b[20:])
	return nil
}

// setContainer finds how many bytes a sample takes: what the frames are aligned
// to if that can be, else what the bits need.
func (f *format) setContainer(align int) error {
	if f.tag == tagALaw || f.tag == tagMuLaw {
		f.bits, f.container = 8, 1
		return nil
	}
	f.container = (f.bits + 7) / 8
	if per := align / f.channels; align%f.channels == 0 && per >= f.container && per <= 8 {
		f.container = per
	}
	if f.bits == 0 {
		f.bits = 8 * f.container
	}
	switch {
	case f.container < 1 || f.container > 8:
		return fmt.Errorf("%w: samples of %d bits", ErrFormat, f.bits)
	case f.tag == tagFloat && f.container != 4 && f.container != 8:
		return &CodecError{Tag: f.tag, Name: fmt.Sprintf("float of %d bits", f.bits)}
	}
	if f.valid > 0 && f.valid < f.bits {
		f.bits = f.valid
	}
	return nil
}

// align is how many bytes a frame takes.
func (f format) align() int { return f.channels * f.container }

// codecError names a format that is not decoded.
func codecError(tag uint16) error {
	name, ok := others[tag]
	if !ok {
		name = "an unknown codec"
	}
	return &CodecError{Tag: tag, Name: name}
}

package ogg

import (
	"airplay2mqtt/audio/flac"
	"airplay2mqtt/audio/tags"
)

const flacMark = "\x7fFLAC"

// A flacCodec decodes FLAC.
type flacCodec struct {
	*flac.PacketDecoder
	ready bool // all headers have been read
}

// newFLAC reads the first packet.
//
//	7f FLAC | version 1.x u8 u8 | header packets u16 | fLaC | STREAMINFO block
func newFLAC(first []byte) (codec, error) {
	const size = len(flacMark) + 2 + 2 + len("fLaC")
	if len(first) < size || string(first[size-4:size]) != "fLaC" {
		return nil, malformed("flac: first packet")
	}
	d, err := flac.NewPacketDecoder(first[size:])
	if err != nil {
		return nil, err
	}
	return &flacCodec{PacketDecoder: d}, nil
}

func (c *flacCodec) name() string    { return "flac" }
func (c *flacCodec) rate() int       { return c.Rate() }
func (c *flacCodec) channels() int   { return c.Channels() }
func (c *flacCodec) bits() int       { return c.Bits() }
func (c *flacCodec) tags() tags.Tags { return c.Tags() }
func (c *flacCodec) delay() int64    { return 0 }
func (c *flacCodec) preroll() int64  { return 0 }

func (c *flacCodec) addHeader(packet []byte) (bool, error) {
	if c.ready || !c.AddMetadata(packet) {
		return false, nil
	}
	c.ready = packet[0]&0x80 != 0 // the last one
	return true, nil
}

func (c *flacCodec) headersRead() bool { return c.ready }

func (c *flacCodec) plan(packet []byte) int { return c.Frames(packet) }

func (c *flacCodec) decode(packet []byte) ([][2]float32, error) { return c.Decode(packet) }

func (c *flacCodec) gap()   {}
func (c *flacCodec) reset() {}

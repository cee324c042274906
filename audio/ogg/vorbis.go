package ogg

import (
	"encoding/binary"
	"fmt"

	"github.com/jfreymuth/vorbis"

	"airplay2mqtt/audio/downmix"
	"airplay2mqtt/audio/tags"
)

// vorbisMark is the size of what every Vorbis header begins with: its kind and
// "vorbis".
const vorbisMark = 7

// Kinds of Vorbis headers.
const (
	vorbisIdentification = 1
	vorbisComment        = 3
	vorbisSetup          = 5
)

func isVorbisHeader(packet []byte, kind byte) bool {
	return len(packet) >= vorbisMark && packet[0] == kind && string(packet[1:vorbisMark]) == "vorbis"
}

// A vorbisCodec decodes Vorbis with the engine of jfreymuth/oggvorbis, which
// sees headers only after they have been checked, and is named in this file
// only.
type vorbisCodec struct {
	engine vorbis.Decoder
	ident  vorbisIdent
	about  tags.Tags
	setup  setup
	ready  bool // all headers have been read
	mix    *downmix.Mixer

	planned int // size of the block that was planned last; 0: none
	wide    []float32
	out     [][2]float32
}

// vorbisIdent is the identification header.
//
//	kind and mark | version u32 | channels u8 | rate u32 | 3 bit rates | block sizes 2 × 4 bits | 1
type vorbisIdent struct {
	channels, rate int
	blocks         [2]int // short and long
}

func parseVorbisIdent(b []byte) (vorbisIdent, error) {
	if len(b) < 30 || binary.LittleEndian.Uint32(b[7:]) != 0 || b[29]&1 == 0 {
		return vorbisIdent{}, malformed("vorbis: identification header")
	}
	v := vorbisIdent{
		channels: int(b[11]),
		rate:     int(binary.LittleEndian.Uint32(b[12:])),
		blocks:   [2]int{1 << (b[28] & 15), 1 << (b[28] >> 4)},
	}
	switch {
	case v.blocks[0] < 64 || v.blocks[1] > 8192 || v.blocks[0] > v.blocks[1] || v.channels == 0:
		return vorbisIdent{}, malformed("vorbis: identification header")
	case v.rate < minRate || v.rate > maxRate:
		return vorbisIdent{}, fmt.Errorf("vorbis: %d Hz: %w", v.rate, ErrUnsupported)
	}
	return v, nil
}

func newVorbis(first []byte) (codec, error) {
	ident, err := parseVorbisIdent(first)
	if err != nil {
		return nil, err
	}
	mix, err := downmix.New(ident.channels, downmix.Vorbis)
	if err != nil {
		return nil, fmt.Errorf("vorbis: %d channels: %w", ident.channels, ErrUnsupported)
	}
	c := &vorbisCodec{ident: ident, mix: mix}
	if err := c.readHeader(first); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *vorbisCodec) name() string    { return "vorbis" }
func (c *vorbisCodec) rate() int       { return c.ident.rate }
func (c *vorbisCodec) channels() int   { return c.ident.channels }
func (c *vorbisCodec) bits() int       { return 0 }
func (c *vorbisCodec) tags() tags.Tags { return c.about }
func (c *vorbisCodec) delay() int64    { return 0 }
func (c *vorbisCodec) preroll() int64  { return 0 }

// addHeader takes the comments, of which a broken part is ignored, and the
// setup.
func (c *vorbisCodec) addHeader(packet []byte) (bool, error) {
	switch {
	case c.ready:
		return false, nil
	case isVorbisHeader(packet, vorbisComment):
		c.about, _ = tags.ParseVorbis(packet[vorbisMark:])
		return true, nil
	case !isVorbisHeader(packet, vorbisSetup):
		return false, malformed("vorbis: setup header is missing")
	}
	var err error
	if c.setup, err = checkSetup(packet, c.ident.channels); err != nil {
		return false, fmt.Errorf("vorbis: %w", err)
	}
	if err := c.readHeader(c.setup.header); err != nil {
		return false, err
	}
	c.setup.header = nil
	c.wide = make([]float32, c.engine.BufferSize())
	c.ready = true
	return true, nil
}

// headersRead tells whether what comes next is sound.
func (c *vorbisCodec) headersRead() bool { return c.ready }

func (c *vorbisCodec) readHeader(packet []byte) (err error) {
	defer guard(&err)
	if err := c.engine.ReadHeader(packet); err != nil {
		return fmt.Errorf("%w: %w", err, ErrMalformed)
	}
	return nil
}

// plan is how many frames decode will make of the packet, from its first bits.
// A block yields sound from the middle of the one before it to its own.
func (c *vorbisCodec) plan(packet []byte) int {
	r := bitReader{b: packet}
	if len(packet) == 0 || r.flag() {
		return 0 // no sound
	}
	mode := int(r.read(c.setup.modeBits))
	if mode >= len(c.setup.long) {
		return 0
	}
	size := c.ident.blocks[0]
	if c.setup.long[mode] {
		size = c.ident.blocks[1]
	}
	before := c.planned
	c.planned = size
	if before == 0 {
		return 0
	}
	return before/4 + size/4
}

func (c *vorbisCodec) decode(packet []byte) (frames [][2]float32, err error) {
	if len(packet) == 0 || packet[0]&1 != 0 {
		return nil, nil
	}
	samples, err := c.run(packet)
	if err != nil {
		c.engine.Clear()
		return nil, err
	}
	n := len(samples) / c.ident.channels
	if cap(c.out) < n {
		c.out = make([][2]float32, n)
	}
	c.out = c.out[:n]
	c.mix.Mix(c.out, samples)
	return c.out, nil
}

// run runs the engine, which panics on some packets that are broken.
func (c *vorbisCodec) run(packet []byte) (samples []float32, err error) {
	defer guard(&err)
	return c.engine.DecodeInto(packet, c.wide)
}

// gap says that packets are missing: the next has nothing to overlap with.
func (c *vorbisCodec) gap() { c.reset() }

func (c *vorbisCodec) reset() {
	c.engine.Clear()
	c.planned = 0
}

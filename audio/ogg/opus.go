package ogg

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/pion/opus"

	"airplay2mqtt/audio/tags"
)

const (
	opusMark     = "OpusHead"
	opusTagsMark = "OpusTags"
)

const (
	opusRate = 48000 // always, whatever went in
	// opusPreroll is how long the decoder needs until it no longer matters where
	// it began. RFC 7845 asks for 80 ms; a second makes the difference inaudible
	// to a comparison, too.
	opusPreroll = opusRate
	maxOpus     = opusRate * 120 / 1000 // frames in a packet
)

// An opusCodec decodes Opus with github.com/pion/opus, which is named in this
// file only.
type opusCodec struct {
	engine opus.Decoder
	head   opusHead
	about  tags.Tags
	ready  bool // all headers have been read
	gain   float32
	wide   []float32
	out    [][2]float32
}

// opusHead is the first packet.
//
//	OpusHead | version u8 | channels u8 | pre-skip u16 | rate u32 | gain i16 | mapping u8 |
//	streams u8 | coupled u8 | channel map, unless mapping is 0
type opusHead struct {
	channels int
	preSkip  int64
	gain     int16 // 256ths of a decibel
}

func parseOpusHead(b []byte) (opusHead, error) {
	if len(b) < 19 || b[8]>>4 != 0 || b[9] == 0 {
		return opusHead{}, malformed("opus: head")
	}
	h := opusHead{
		channels: int(b[9]),
		preSkip:  int64(binary.LittleEndian.Uint16(b[10:])),
		gain:     int16(binary.LittleEndian.Uint16(b[16:])),
	}
	family := b[18]
	switch {
	case h.channels > 2:
		return opusHead{}, fmt.Errorf("opus: %d channels: %w", h.channels, ErrUnsupported)
	case family == 0:
		return h, nil
	case len(b) < 21+h.channels:
		return opusHead{}, malformed("opus: head")
	}
	// One stream whose channels are in order is what family 0 means.
	if b[19] != 1 || int(b[20]) != h.channels-1 || b[21] != 0 || h.channels == 2 && b[22] != 1 {
		return opusHead{}, fmt.Errorf("opus: channel mapping family %d: %w", family, ErrUnsupported)
	}
	return h, nil
}

func newOpus(first []byte) (codec, error) {
	head, err := parseOpusHead(first)
	if err != nil {
		return nil, err
	}
	c := &opusCodec{head: head, wide: make([]float32, maxOpus*head.channels), out: make([][2]float32, maxOpus)}
	c.gain = float32(math.Pow(10, float64(head.gain)/256/20))
	if c.engine, err = opus.NewDecoderWithOutput(opusRate, head.channels); err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	return c, nil
}

func (c *opusCodec) name() string    { return "opus" }
func (c *opusCodec) rate() int       { return opusRate }
func (c *opusCodec) channels() int   { return c.head.channels }
func (c *opusCodec) bits() int       { return 0 }
func (c *opusCodec) tags() tags.Tags { return c.about }
func (c *opusCodec) delay() int64    { return c.head.preSkip }
func (c *opusCodec) preroll() int64  { return opusPreroll }

// addHeader takes the tags, of which a broken part is ignored.
func (c *opusCodec) addHeader(packet []byte) (bool, error) {
	if c.ready || !hasPrefix(packet, opusTagsMark) {
		return false, nil
	}
	c.about, _ = tags.ParseVorbis(packet[len(opusTagsMark):])
	c.ready = true
	return true, nil
}

func (c *opusCodec) headersRead() bool { return c.ready }

// plan reckons from the first two bytes.
//
//	ccccc s nn  configuration, stereo, number of frames: 1, 2, 2, as the next byte says
func (c *opusCodec) plan(packet []byte) int {
	if len(packet) == 0 || hasPrefix(packet, opusTagsMark) {
		return 0
	}
	frames := 2
	switch packet[0] & 3 {
	case 0:
		frames = 1
	case 3:
		if len(packet) < 2 {
			return 0
		}
		frames = int(packet[1] & 63)
	}
	n := frames * opusFrame(packet[0]>>3)
	if n > maxOpus {
		return 0
	}
	return n
}

// opusFrame is how long the frames of a configuration are.
func opusFrame(configuration byte) int {
	const ms = opusRate / 1000
	switch {
	case configuration < 12: // SILK
		return [4]int{10 * ms, 20 * ms, 40 * ms, 60 * ms}[configuration&3]
	case configuration < 16: // hybrid
		return [2]int{10 * ms, 20 * ms}[configuration&1]
	default: // CELT
		return 5 * ms / 2 << (configuration & 3)
	}
}

func (c *opusCodec) decode(packet []byte) ([][2]float32, error) {
	if c.plan(packet) == 0 {
		return nil, malformed("opus: packet")
	}
	n, err := c.run(packet)
	if err != nil {
		return nil, err
	}
	out := c.out[:n]
	for i := range out {
		left, right := c.wide[i*c.head.channels]*c.gain, c.wide[(i+1)*c.head.channels-1]*c.gain
		out[i] = [2]float32{left, right}
	}
	return out, nil
}

func (c *opusCodec) run(packet []byte) (n int, err error) {
	defer guard(&err)
	return c.engine.DecodeToFloat32(packet, c.wide)
}

// gap leaves the decoder as it is: what it knows of the sound before the hole
// is a better guess at what follows than nothing.
func (c *opusCodec) gap() {}

func (c *opusCodec) reset() {
	// It cannot fail with what did not fail before.
	_ = c.engine.Init(opusRate, c.head.channels)
}

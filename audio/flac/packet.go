package flac

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"airplay2mqtt/audio/tags"
)

// A PacketDecoder decodes FLAC whose blocks and frames come as packets, as they
// do in Ogg. Its methods are for one goroutine at a time.
type PacketDecoder struct {
	engine engine
	meta   metadata
	mix    *mixer
}

// NewPacketDecoder takes the first metadata block, STREAMINFO, with its header
// of four bytes. Give the others to AddMetadata.
func NewPacketDecoder(block []byte) (*PacketDecoder, error) {
	if len(block) < 4 || block[0]&0x7f != blockStreamInfo {
		return nil, fmt.Errorf("flac: no stream info: %w", ErrMalformed)
	}
	info, err := parseStreamInfo(block[4:])
	if err != nil {
		return nil, fmt.Errorf("flac: %w", err)
	}
	d := &PacketDecoder{engine: engine{info: info}, meta: metadata{info: info}}
	if d.mix, err = newMixer(info); err != nil {
		return nil, fmt.Errorf("flac: %w", err)
	}
	return d, nil
}

// AddMetadata takes a metadata block with its header of four bytes. It returns
// false, and takes nothing, if packet is a frame or empty. Blocks that are
// malformed or say nothing of interest are passed over.
func (d *PacketDecoder) AddMetadata(packet []byte) bool {
	if len(packet) < 4 || packet[0] == 0xff {
		return false
	}
	kind := int(packet[0] & 0x7f)
	size := int(binary.BigEndian.Uint32(packet) & 0xffffff)
	if kind != blockStreamInfo && size <= len(packet)-4 {
		// Tags keep a part of it. It fails for stream info only.
		_ = d.meta.addBlock(kind, slices.Clone(packet[4:4+size]))
		d.meta.finish()
	}
	return true
}

// Rate is in frames per second.
func (d *PacketDecoder) Rate() int { return d.meta.info.rate }

// Channels is how many there were before they were mixed to two.
func (d *PacketDecoder) Channels() int { return d.meta.info.channels }

// Bits is the size of a sample.
func (d *PacketDecoder) Bits() int { return d.meta.info.bits }

// Tags is what the metadata says.
func (d *PacketDecoder) Tags() tags.Tags { return d.meta.tags }

// Frames is how many frames packet decodes to, according to its header, and 0
// if it has none that belongs to the stream.
func (d *PacketDecoder) Frames(packet []byte) int {
	h, ok := d.header(packet)
	if !ok {
		return 0
	}
	return h.blockSize
}

// Decode decodes one packet. What it returns is valid until the next call.
func (d *PacketDecoder) Decode(packet []byte) ([][2]float32, error) {
	h, ok := d.header(packet)
	if !ok {
		return nil, fmt.Errorf("flac: %w", ErrMalformed)
	}
	f, _, err := d.engine.decode(&input{buf: packet, err: io.EOF}, h)
	if err != nil {
		return nil, fmt.Errorf("flac: %w", err)
	}
	return d.mix.frames(f.Subframes), nil
}

func (d *PacketDecoder) header(packet []byte) (header, bool) {
	h, ok := parseHeader(packet)
	return h, ok && d.meta.info.agrees(h)
}

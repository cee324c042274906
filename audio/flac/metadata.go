package flac

import (
	"encoding/binary"
	"fmt"

	"airplay2mqtt/audio/tags"
)

// Types of metadata blocks that are looked into.
const (
	blockStreamInfo    = 0
	blockVorbisComment = 4
	blockPicture       = 6
)

// What rates are played, in frames per second.
const (
	minRate = 1000
	maxRate = 768000
)

// streamInfoSize is the size of a STREAMINFO block's body.
const streamInfoSize = 34

// streamInfo is the metadata block that every stream begins with.
//
//	min block u16 | max block u16 | min frame u24 | max frame u24 |
//	rate 20 bits | channels-1 3 bits | bits-1 5 bits | frames 36 bits | md5
type streamInfo struct {
	minBlock, maxBlock int
	rate               int
	channels           int
	bits               int
	frames             int64 // 0: unknown
}

// parseStreamInfo reads the body of a STREAMINFO block and refuses what cannot
// be played.
func parseStreamInfo(b []byte) (streamInfo, error) {
	if len(b) < streamInfoSize {
		return streamInfo{}, fmt.Errorf("stream info: %w", ErrMalformed)
	}
	packed := binary.BigEndian.Uint64(b[10:])
	info := streamInfo{
		minBlock: int(binary.BigEndian.Uint16(b)),
		maxBlock: int(binary.BigEndian.Uint16(b[2:])),
		rate:     int(packed >> 44),
		channels: int(packed>>41&7) + 1,
		bits:     int(packed>>36&31) + 1,
		frames:   int64(packed & (1<<36 - 1)),
	}
	switch {
	case info.rate == 0 || info.bits < 4:
		return streamInfo{}, fmt.Errorf("stream info: %w", ErrMalformed)
	case info.rate < minRate || info.rate > maxRate:
		return streamInfo{}, fmt.Errorf("%d Hz: %w", info.rate, ErrUnsupported)
	case info.bits > 24:
		return streamInfo{}, fmt.Errorf("%d bits per sample: %w", info.bits, ErrUnsupported)
	}
	return info, nil
}

// fixedBlock is the size of every block but the last, 0 if the info does not
// say.
func (i streamInfo) fixedBlock() int {
	if i.minBlock != i.maxBlock {
		return 0
	}
	return i.minBlock
}

// agrees tells whether a frame with that header can be a part of the stream.
func (i streamInfo) agrees(h header) bool {
	return h.channels == i.channels &&
		(h.bits == 0 || h.bits == i.bits) &&
		(h.rate == 0 || h.rate == i.rate)
}

// metadata is what stands before the first frame.
type metadata struct {
	info  streamInfo
	tags  tags.Tags
	cover tags.Picture
	read  int // bytes of blocks that were read whole
}

// readAtMost bounds the blocks that are read whole, all together: a stream may
// bring any number of pictures.
const readAtMost = tags.MaxPicture + 1<<20

// readMetadata reads up to the first frame.
func readMetadata(in *input) (metadata, error) {
	if err := skipID3(in); err != nil {
		return metadata{}, err
	}
	if !in.need(4) || string(in.window()[:4]) != "fLaC" {
		return metadata{}, fmt.Errorf("no fLaC signature: %w", ErrMalformed)
	}
	in.skip(4)

	var m metadata
	for first, last := true, false; !last; first = false {
		if !in.need(4) {
			return m, m.cutShort(in)
		}
		head := binary.BigEndian.Uint32(in.window())
		in.skip(4)
		last = head>>31 != 0
		kind, size := int(head>>24&0x7f), int(head&0xffffff)
		if first && kind != blockStreamInfo {
			return m, fmt.Errorf("no stream info: %w", ErrMalformed)
		}
		if err := m.readBlock(in, kind, size); err != nil {
			return m, err
		}
	}
	m.finish()
	return m, nil
}

// skipID3 skips ID3v2 tags, which some programs put before what is not theirs.
func skipID3(in *input) error {
	for in.need(10) && string(in.window()[:3]) == "ID3" {
		w := in.window()
		size := int64(w[6]&0x7f)<<21 | int64(w[7]&0x7f)<<14 | int64(w[8]&0x7f)<<7 | int64(w[9]&0x7f)
		if w[5]&0x10 != 0 {
			size += 10 // a footer
		}
		if !in.skip(10 + size) {
			return in.end()
		}
	}
	return nil
}

// cutShort says why there is no next block. Sound does not follow, so this is
// an error even if the stream ended well.
func (m *metadata) cutShort(in *input) error { return fmt.Errorf("metadata: %w", noEOF(in.end())) }

// readBlock reads the body of one block, or skips it.
func (m *metadata) readBlock(in *input, kind, size int) error {
	wanted := kind == blockStreamInfo || kind == blockVorbisComment || kind == blockPicture
	if !wanted || m.read+size > readAtMost {
		if !in.skip(int64(size)) {
			return m.cutShort(in)
		}
		return nil
	}
	m.read += size
	body, ok := readBytes(in, size)
	if !ok {
		return m.cutShort(in)
	}
	return m.addBlock(kind, body)
}

// addBlock takes one block. Tags that are malformed are no reason not to play.
func (m *metadata) addBlock(kind int, body []byte) error {
	switch kind {
	case blockStreamInfo:
		if m.info.rate != 0 {
			return nil // there is only one; the first holds
		}
		info, err := parseStreamInfo(body)
		m.info = info
		return err
	case blockVorbisComment:
		m.tags, _ = tags.ParseVorbis(body)
	case blockPicture:
		if p, err := tags.ParsePicture(body); err == nil {
			m.cover = m.cover.Or(p)
		}
	}
	return nil
}

// finish puts the cover where it belongs. One from a block comes before one
// from a comment.
func (m *metadata) finish() {
	if m.cover.Data != nil {
		m.tags.Artwork = m.cover.Data
	}
}

// readBytes takes n bytes from the stream. It makes room for what is there,
// not for what is promised.
func readBytes(in *input, n int) ([]byte, bool) {
	b := make([]byte, 0, min(n, inputSize))
	for len(b) < n {
		if !in.need(1) {
			return nil, false
		}
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(n, 2*cap(b))), b...)
		}
		k := min(len(in.window()), cap(b)-len(b))
		b = append(b, in.window()[:k]...)
		in.skip(int64(k))
	}
	return b, true
}

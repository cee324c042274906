package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"airplay2mqtt/audio/cursor"
	"airplay2mqtt/audio/tags"
)

// A header is all that stands around the samples.
type header struct {
	format format
	start  int64 // of the samples
	size   int64 // of the samples in bytes, -1 if it does not tell
	tags   tags.Tags

	riffSize  uint32
	wide      bool // RF64 or BW64
	wideSize  uint64
	hasFormat bool
}

const (
	// maxHeader is how far the samples may be from the beginning. Studio
	// files carry long JUNK and axml chunks; endless ones are attacks.
	maxHeader = 64 << 20
	// maxChunks is how many chunks may stand around the samples.
	maxChunks = 1000
	// maxTag is how large a chunk with tags may be and still be read.
	maxTag = tags.MaxID3
)

// A chunk is the head of one part of a RIFF file.
//
//	0     4     8
//	id    size  size bytes, and one of padding if they are odd
type chunk struct {
	id   string
	size uint32
}

// readHeader walks the chunks up to the first sample.
func readHeader(in *cursor.Cursor) (header, error) {
	h := header{size: -1}
	if err := h.readRIFF(in); err != nil {
		return header{}, err
	}
	odd := false
	for range maxChunks {
		if in.Pos() > maxHeader {
			break
		}
		c, err := readChunk(in, odd)
		if err != nil {
			return header{}, headerError(err)
		}
		if c.id == "data" {
			return h, h.setData(in.Pos(), c.size)
		}
		if err := h.readChunk(in, c); err != nil {
			return header{}, err
		}
		odd = c.size%2 == 1
	}
	return header{}, fmt.Errorf("%w: no samples behind %d bytes of other chunks", ErrFormat, in.Pos())
}

// readRIFF reads what every file begins with.
//
//	0     4     8     12
//	RIFF  size  WAVE  chunks
func (h *header) readRIFF(in *cursor.Cursor) error {
	var b [12]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return headerError(err)
	}
	switch string(b[:4]) {
	case "RIFF":
	case "RF64", "BW64":
		h.wide = true
	case "RIFX":
		return fmt.Errorf("wav: RIFX, samples with the big end first: %w", errors.ErrUnsupported)
	default:
		return fmt.Errorf("%w: it begins with %q", ErrFormat, b[:4])
	}
	if string(b[8:]) != "WAVE" {
		return fmt.Errorf("%w: RIFF of %q", ErrFormat, b[8:])
	}
	h.riffSize = binary.LittleEndian.Uint32(b[4:])
	return nil
}

// readChunk reads the head of the next chunk. Behind an odd chunk a byte of
// padding is due, which some writers forget.
func readChunk(in *cursor.Cursor, odd bool) (chunk, error) {
	var b [9]byte
	if _, err := io.ReadFull(in, b[:8]); err != nil {
		return chunk{}, err
	}
	head := b[:8]
	if odd && (b[0] == 0 || isKnown(b[1:5])) {
		if _, err := io.ReadFull(in, b[8:]); err != nil {
			return chunk{}, err
		}
		head = b[1:]
	}
	return chunk{id: string(head[:4]), size: binary.LittleEndian.Uint32(head[4:])}, nil
}

func isKnown(id []byte) bool {
	switch string(id) {
	case "fmt ", "data", "LIST", "fact", "id3 ", "ID3 ":
		return true
	}
	return false
}

// readChunk reads a chunk other than the samples, or skips it. It ends where
// the chunk does.
func (h *header) readChunk(in *cursor.Cursor, c chunk) error {
	end := in.Pos() + int64(c.size)
	if !in.Seekable() && end > maxHeader {
		return fmt.Errorf("%w: a %q chunk of %d bytes", ErrFormat, c.id, c.size)
	}
	var err error
	switch c.id {
	case "fmt ":
		err = h.readFormat(in, c)
	case "ds64":
		err = h.readWide(in, c)
	case "LIST", "id3 ", "ID3 ":
		err = h.readTags(in, c)
	}
	if err != nil {
		return err
	}
	if err := in.Skip(end - in.Pos()); err != nil {
		return headerError(err)
	}
	return nil
}

// readFormat reads the fmt chunk. Only the first counts.
func (h *header) readFormat(in *cursor.Cursor, c chunk) error {
	var b [40]byte
	n, err := io.ReadFull(in, b[:min(int64(c.size), int64(len(b)))])
	if err != nil {
		return headerError(err)
	}
	if h.hasFormat {
		return nil
	}
	h.format, err = parseFormat(b[:n])
	h.hasFormat = true
	return err
}

// readWide reads the ds64 chunk of files that may exceed 4 GiB.
//
//	0          8          16
//	RIFF size  data size  frames
func (h *header) readWide(in *cursor.Cursor, c chunk) error {
	if c.size < 16 {
		return nil
	}
	var b [16]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return headerError(err)
	}
	h.wideSize = binary.LittleEndian.Uint64(b[8:])
	return nil
}

// readTags reads a chunk that may say what the sound is. Tags never make a file
// unreadable, but a read that fails does.
func (h *header) readTags(in *cursor.Cursor, c chunk) error {
	if c.size > maxTag {
		return nil
	}
	b, err := tags.ReadBody(in, int(c.size))
	if err != nil {
		return headerError(err)
	}
	if c.id == "LIST" {
		found, _ := tags.ParseInfo(b)
		h.tags = h.tags.Or(found)
		return nil
	}
	found, _ := tags.ParseID3(b)
	h.tags = found.Or(h.tags) // it says more than INFO can, and in UTF-8
	return nil
}

// setData notes where the samples are. A writer that could not go back to fill
// in the sizes left them 0 or full, or as large as it dared.
func (h *header) setData(start int64, size uint32) error {
	if !h.hasFormat {
		return fmt.Errorf("%w: samples before their format", ErrFormat)
	}
	h.start, h.size = start, int64(size)
	switch size {
	case 0xffffffff:
		h.size = -1
		if h.wide && h.wideSize > 0 && h.wideSize < 1<<62 {
			h.size = int64(h.wideSize)
		}
	case 0x7ffff000, 0x7fffffff, 0x80000000: // sox, arecord
		h.size = -1
	case 0:
		if h.riffSize == 0 || h.riffSize == 0xffffffff || int64(h.riffSize)+8 <= start {
			h.size = -1
		}
	}
	return nil
}

// readTrailer walks the chunks behind the samples for their tags. Nothing there
// can make the file worse.
func (h *header) readTrailer(in *cursor.Cursor) {
	if h.size > in.Size()-h.start || in.GoTo(h.start+h.size) != nil {
		return
	}
	odd := h.size%2 == 1
	for range maxChunks {
		c, err := readChunk(in, odd)
		if err != nil || in.Size()-in.Pos() < int64(c.size) {
			return
		}
		if isKnown([]byte(c.id)) && c.id != "fmt " && c.id != "data" {
			err = h.readChunk(in, c)
		} else {
			err = in.Skip(int64(c.size))
		}
		if err != nil {
			return
		}
		odd = c.size%2 == 1
	}
}

// headerError makes the end of the input inside a header what it is.
func headerError(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends within its header", ErrFormat)
	}
	return fmt.Errorf("wav: read header: %w", err)
}

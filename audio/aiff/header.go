package aiff

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
	frames int64 // that the format speaks of; 0 may mean unknown
	mask   uint32
	start  int64 // of the samples; 0: not found
	size   int64 // of the samples in bytes, -1 if it does not tell
	tags   tags.Tags

	compressed bool // AIFF-C
	hasFormat  bool
}

const (
	// maxHeader is how far the samples of a stream may be from its beginning.
	maxHeader = 64 << 20
	// maxChunks is how many chunks a file may have.
	maxChunks = 1000
	// maxTag is how large a chunk with tags may be and still be read.
	maxTag = tags.MaxID3
	// maxText is the same for one with a text.
	maxText = 64 << 10
)

// A chunk is the head of one part of the file.
//
//	0     4     8
//	id    size  size bytes, and one of padding if they are odd
type chunk struct {
	id   string
	size uint32
}

// readHeader walks the chunks: up to the first sample, or, where it is possible
// to come back from there, all of them.
func readHeader(in *cursor.Cursor) (header, error) {
	h := header{size: -1}
	if err := h.readForm(in); err != nil {
		return header{}, err
	}
	if err := h.walk(in); err != nil {
		return header{}, err
	}
	switch {
	case h.start == 0:
		return header{}, fmt.Errorf("%w: no samples within %d bytes", ErrFormat, in.Pos())
	case !h.hasFormat && !in.Seekable():
		return header{}, fmt.Errorf("%w: the samples stand before their format: %w", ErrFormat, ErrNotSeekable)
	case !h.hasFormat:
		return header{}, fmt.Errorf("%w: samples without a format", ErrFormat)
	}
	h.settle()
	if !in.Seekable() {
		return h, nil
	}
	if err := in.GoTo(h.start); err != nil {
		return header{}, headerError(err)
	}
	return h, nil
}

// readForm reads what every file begins with.
//
//	0     4     8             12
//	FORM  size  AIFF or AIFC  chunks
func (h *header) readForm(in *cursor.Cursor) error {
	var b [12]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return headerError(err)
	}
	if string(b[:4]) != "FORM" {
		return fmt.Errorf("%w: it begins with %q", ErrFormat, b[:4])
	}
	switch string(b[8:]) {
	case "AIFF":
	case "AIFC":
		h.compressed = true
	default:
		return fmt.Errorf("%w: FORM of %q", ErrFormat, b[8:])
	}
	return nil
}

// walk reads the chunks. Once there are format and samples, nothing that comes
// can make the file worse.
func (h *header) walk(in *cursor.Cursor) error {
	odd := false
	for range maxChunks {
		complete := h.hasFormat && h.start > 0
		if !in.Seekable() && in.Pos() > maxHeader {
			return nil
		}
		c, err := readChunk(in, odd)
		if err == nil {
			err = h.readChunk(in, c)
		}
		switch {
		case err == errHere, complete && err != nil, h.start > 0 && ended(err):
			return nil
		case err != nil:
			return headerError(err)
		}
		odd = c.size%2 == 1
	}
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
	return chunk{id: string(head[:4]), size: binary.BigEndian.Uint32(head[4:])}, nil
}

func isKnown(id []byte) bool {
	switch string(id) {
	case "COMM", "SSND", "NAME", "AUTH", "(c) ", "ANNO", "ID3 ", "CHAN", "MARK":
		return true
	}
	return false
}

// readChunk reads a chunk, or skips it. It ends where the chunk does, except in
// a stream at the first sample.
func (h *header) readChunk(in *cursor.Cursor, c chunk) error {
	end := in.Pos() + int64(c.size)
	if !in.Seekable() && end > maxHeader && c.id != "SSND" {
		return fmt.Errorf("%w: a %q chunk of %d bytes", ErrFormat, c.id, c.size)
	}
	var err error
	switch c.id {
	case "COMM":
		err = h.readFormat(in, c)
	case "SSND":
		err = h.readSamples(in, c)
		if err == nil && (!in.Seekable() || c.size < 8) {
			return errHere
		}
	case "CHAN":
		err = h.readLayout(in, c)
	case "NAME", "AUTH":
		err = h.readText(in, c)
	case "ID3 ", "id3 ":
		err = h.readID3(in, c)
	}
	if err != nil {
		return err
	}
	return in.Skip(end - in.Pos())
}

// readFormat reads the COMM chunk. Only the first counts.
func (h *header) readFormat(in *cursor.Cursor, c chunk) error {
	if h.hasFormat {
		return nil
	}
	var b [22]byte
	n := min(int64(c.size), int64(len(b)))
	if _, err := io.ReadFull(in, b[:n]); err != nil {
		return err
	}
	f, frames, err := parseFormat(b[:n], h.compressed)
	if err != nil {
		return err
	}
	h.format, h.frames, h.hasFormat = f, frames, true
	return nil
}

// readSamples notes where the samples are. Only the first SSND counts.
//
//	0       4           8
//	offset  block size  offset bytes of nothing, samples
func (h *header) readSamples(in *cursor.Cursor, c chunk) error {
	if h.start > 0 {
		return nil
	}
	var b [8]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return err
	}
	offset := int64(binary.BigEndian.Uint32(b[:]))
	if c.size >= 8 && offset > int64(c.size)-8 || c.size < 8 && offset > maxHeader {
		return fmt.Errorf("%w: samples that begin %d bytes into %d", ErrFormat, offset, c.size)
	}
	if !in.Seekable() && h.hasFormat {
		if err := in.Skip(offset); err != nil {
			return err
		}
		h.start = in.Pos()
	} else {
		h.start = in.Pos() + offset
	}
	// A writer that could not go back to fill in the size left it 0 or full, or
	// as large as it dared.
	if c.size >= 8 && c.size < endless {
		h.size = int64(c.size) - 8 - offset
	}
	return nil
}

// endless is where the sizes begin that writers of streams make up: sox rounds
// 0x7f000000 down to whole frames.
const endless = 0x7f000000 - 0x1000

// readLayout reads Apple's CHAN chunk. A layout given by its bitmap has the bits
// of WAVE's mask; those that have a name are in the order of WAVE mostly.
//
//	0    4       8
//	tag  bitmap  descriptions …
func (h *header) readLayout(in *cursor.Cursor, c chunk) error {
	if c.size < 12 {
		return nil
	}
	var b [8]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return err
	}
	const useBitmap = 0x10000
	if binary.BigEndian.Uint32(b[:]) == useBitmap {
		h.mask = binary.BigEndian.Uint32(b[4:])
	}
	return nil
}

// readText reads a title or an author.
func (h *header) readText(in *cursor.Cursor, c chunk) error {
	if c.size > maxText {
		return nil
	}
	b := make([]byte, c.size)
	if _, err := io.ReadFull(in, b); err != nil {
		return err
	}
	text := tags.Clean(string(b))
	if c.id == "NAME" {
		h.tags = h.tags.Or(tags.Tags{Title: text})
		return nil
	}
	h.tags = h.tags.Or(tags.Tags{Artist: text})
	return nil
}

// readID3 reads what says more than the texts, and in a known encoding. Tags
// never make a file unreadable, but a read that fails does.
func (h *header) readID3(in *cursor.Cursor, c chunk) error {
	if c.size > maxTag {
		return nil
	}
	b, err := tags.ReadBody(in, int(c.size))
	if err != nil {
		return err
	}
	found, _ := tags.ParseID3(b)
	h.tags = found.Or(h.tags)
	return nil
}

// settle finds out how long the samples are, from three numbers of which each
// may be wrong: the size of their chunk, the frames in the format, and the size
// of the file, beyond which their section does not go.
func (h *header) settle() {
	align := int64(h.format.align())
	if frames := h.frames; h.size > 0 && frames > 0 && frames <= h.size/align {
		h.size = frames * align // what follows is padding
	}
}

// ended tells whether the input was at its end.
func ended(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }

// errHere ends the walk at samples behind which it cannot go on.
var errHere = errors.New("aiff: the samples are here")

// headerError makes the end of the input inside a header what it is.
func headerError(err error) error {
	var codec *CodecError
	switch {
	case ended(err):
		return fmt.Errorf("%w: it ends within its header", ErrFormat)
	case errors.Is(err, ErrFormat), errors.As(err, &codec):
		return err
	}
	return fmt.Errorf("aiff: read header: %w", err)
}

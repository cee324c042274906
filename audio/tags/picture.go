package tags

import (
	"bytes"
	"encoding/binary"
)

// MaxPicture is the size of the largest picture that is kept, in bytes.
const MaxPicture = 16 << 20

// FrontCover is the picture type that stands for the whole.
const FrontCover = 3

// A Picture is an image that came with a sound.
type Picture struct {
	Type uint32 // FrontCover, or another of ID3v2's APIC types
	MIME string // as written, which need not be true
	Data []byte // JPEG or PNG; nil: none
}

// Or returns q if it represents the sound better than p does: where p is none,
// or q is the first front cover. A Picture's zero value is none.
func (p Picture) Or(q Picture) Picture {
	if p.Data == nil || p.Type != FrontCover && q.Type == FrontCover && q.Data != nil {
		return q
	}
	return p
}

// ParsePicture reads the body of a FLAC PICTURE block. The returned Data is a
// part of b. All lengths are 32 bits, big endian; none is believed.
//
//	type | length | MIME | length | description | width height depth colours | length | data
func ParsePicture(b []byte) (Picture, error) {
	if len(b) < 4 {
		return Picture{}, ErrMalformed
	}
	p := Picture{Type: binary.BigEndian.Uint32(b)}
	mime, b, ok := cutLengthBE(b[4:])
	if !ok {
		return Picture{}, ErrMalformed
	}
	if _, b, ok = cutLengthBE(b); !ok || len(b) < 16 {
		return Picture{}, ErrMalformed
	}
	data, _, ok := cutLengthBE(b[16:])
	if !ok || len(data) > MaxPicture || !isImage(data) {
		return Picture{}, ErrMalformed
	}
	p.MIME, p.Data = text(mime), data
	return p, nil
}

// DecodePicture reads the value of a METADATA_BLOCK_PICTURE field: a PICTURE
// block in base64.
func DecodePicture(value []byte) (Picture, error) {
	block, err := decodeBase64(value)
	if err != nil {
		return Picture{}, err
	}
	return ParsePicture(block)
}

// cutLengthBE splits b behind what its first four bytes say the length of the
// following bytes is.
func cutLengthBE(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

// isImage tells whether data begins like a JPEG or a PNG. A picture block may
// as well hold an address (MIME "-->") or a format that no receiver shows.
func isImage(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xff\xd8\xff")) ||
		bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n"))
}

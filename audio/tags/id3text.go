package tags

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// Encodings of texts in ID3v2.
const (
	latin1 = 0
	utf16M = 1 // with a byte order mark
	utf16B = 2 // big endian
)

// decodeText decodes a text that may hold zeros. Where the encoding cannot be
// what the tag says, it is what it looks like: writers put UTF-8 into Latin-1
// and forget the byte order mark.
func decodeText(encoding byte, b []byte) string {
	switch encoding {
	case utf16M, utf16B:
		return decodeUTF16(b, encoding == utf16B)
	}
	if s := dropCutRune(string(b)); utf8.ValidString(s) {
		return s
	}
	return fromLatin1(b)
}

// decodeUTF16 decodes UTF-16. Each value of a list may have a mark of its own.
// Without one, the order is the one that makes more of the characters ASCII:
// every language has spaces or digits in it.
func decodeUTF16(b []byte, bigEndian bool) string {
	var order binary.ByteOrder = binary.BigEndian
	if !bigEndian && asciiUnits(b, binary.LittleEndian) >= asciiUnits(b, binary.BigEndian) {
		order = binary.LittleEndian
	}
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		switch u := binary.BigEndian.Uint16(b); {
		case u == 0xfeff:
			order = binary.BigEndian
		case u == 0xfffe:
			order = binary.LittleEndian
		default:
			units = append(units, order.Uint16(b))
		}
	}
	return string(utf16.Decode(units))
}

func asciiUnits(b []byte, order binary.ByteOrder) (n int) {
	for ; len(b) >= 2; b = b[2:] {
		if u := order.Uint16(b); u > 0 && u < utf8.RuneSelf {
			n++
		}
	}
	return n
}

// attachedPicture reads an APIC frame.
//
//	encoding | MIME | 0 | type | description | 0 or 00 | image
func attachedPicture(b []byte) Picture {
	if len(b) == 0 {
		return Picture{}
	}
	mime, rest, ok := bytes.Cut(b[1:], []byte{0})
	if !ok || len(rest) == 0 {
		return Picture{}
	}
	return pictureBody(b[0], string(mime), rest)
}

// shortPicture reads a PIC frame of version 2.2.
//
//	encoding | format, 3 letters | type | description | 0 or 00 | image
func shortPicture(b []byte) Picture {
	if len(b) < 5 {
		return Picture{}
	}
	mime := "image/jpeg"
	if string(b[1:4]) == "PNG" {
		mime = "image/png"
	}
	return pictureBody(b[0], mime, b[4:])
}

// pictureBody reads what both kinds end with. The image is looked for by how it
// must begin, because many descriptions are not ended as they should be.
func pictureBody(encoding byte, mime string, b []byte) Picture {
	p := Picture{Type: uint32(b[0]), MIME: Clean(mime)}
	b = b[1:]
	data := b[min(endOfText(encoding, b), len(b)):]
	for n := 0; !isImage(data); n++ {
		if n >= len(b) || n > maxDescription {
			return Picture{}
		}
		data = b[n:]
	}
	if len(data) > MaxPicture {
		return Picture{}
	}
	p.Data = data
	return p
}

// maxDescription is how far behind its description an image is looked for.
const maxDescription = 512

// endOfText is where the text that b begins with is over, its zeros included.
func endOfText(encoding byte, b []byte) int {
	if encoding == utf16M || encoding == utf16B {
		for i := 0; i+1 < len(b); i += 2 {
			if b[i] == 0 && b[i+1] == 0 {
				return i + 2
			}
		}
		return len(b)
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return i + 1
	}
	return len(b)
}

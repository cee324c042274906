package tags

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"strings"
	"time"
)

// MaxID3 is the size of the largest ID3v2 tag that is read, in bytes. It holds
// any cover that a person would make.
const MaxID3 = 16 << 20

// ID3HeaderSize is how many bytes ID3Size needs.
const ID3HeaderSize = 10

// ID3Size tells how many bytes the ID3v2 tag has of which b is the beginning,
// with header and footer; false if b begins otherwise. It may be 256 MiB.
//
//	0    3        5      6     10
//	ID3  version  flags  size  frames
func ID3Size(b []byte) (int64, bool) {
	if len(b) < ID3HeaderSize || string(b[:3]) != "ID3" || b[3] == 0xff || b[4] == 0xff {
		return 0, false
	}
	n, ok := syncSafe(b[6:10])
	if !ok {
		return 0, false
	}
	size := int64(n) + ID3HeaderSize
	if b[3] >= 4 && b[5]&0x10 != 0 {
		size += ID3HeaderSize // the footer repeats the header
	}
	return size, true
}

// ReadBody reads n bytes, or as many as there are: then it returns them with
// io.ErrUnexpectedEOF. It takes memory only for what is really there.
func ReadBody(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, 0, min(n, 64<<10))
	for len(b) < n {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(2*cap(b), n)), b...)
		}
		k, err := io.ReadFull(r, b[len(b):cap(b)])
		b = b[:len(b)+k]
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// ParseID3 reads an ID3v2 tag of version 2.2 to 2.4, from its header to its
// end. A tag that is cut short or damaged gives what could be read of it, and
// ErrMalformed. Artwork is a part of b, or a copy.
//
// It is read here and not by bogem/id3v2, because that knows neither version
// 2.2 nor unsynchronised tags, extended headers, compressed frames, UTF-16
// without byte order mark or the wrong frame sizes of old iTunes, and takes a
// byte from pictures whose description is empty UTF-16.
func ParseID3(b []byte) (Tags, error) {
	size, ok := ID3Size(b)
	if !ok || b[3] < 2 || b[3] > 4 {
		return Tags{}, ErrMalformed
	}
	whole := size <= int64(len(b))
	p := id3{version: b[3], flags: b[5]}
	n, _ := syncSafe(b[6:10])
	body := b[ID3HeaderSize:min(int64(n)+ID3HeaderSize, int64(len(b)))]
	if p.version < 4 && p.flags&0x80 != 0 {
		body = resync(body)
	}
	if body, ok = p.skipExtended(body); !ok {
		return Tags{}, ErrMalformed
	}
	for len(body) > 0 && body[0] != 0 { // zeros are padding
		if body, ok = p.frame(body); !ok {
			return p.tags(), ErrMalformed
		}
	}
	if !whole {
		return p.tags(), ErrMalformed
	}
	return p.tags(), nil
}

// An id3 gathers the frames of a tag.
type id3 struct {
	version, flags byte
	comments       // they mean the same as Vorbis' do
	duration       time.Duration
}

// skipExtended leaves out the extended header. In 2.3 its size does not count
// itself, in 2.4 it does, and is sync-safe.
func (p *id3) skipExtended(b []byte) ([]byte, bool) {
	if p.version < 3 || p.flags&0x40 == 0 {
		return b, true
	}
	if len(b) < 4 {
		return nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b)) + 4
	if p.version == 4 {
		safe, ok := syncSafe(b[:4])
		if !ok {
			return nil, false
		}
		n = uint64(safe)
	}
	if n > uint64(len(b)) {
		return nil, false
	}
	return b[n:], true
}

// frame reads the first frame of b and returns the rest.
//
//	2.2   0   3        6                 2.3, 2.4   0   4     8      10
//	      id  size     body                         id  size  flags  body
func (p *id3) frame(b []byte) (rest []byte, ok bool) {
	if p.version == 2 {
		if len(b) < 6 {
			return nil, false
		}
		n := int(b[3])<<16 | int(b[4])<<8 | int(b[5])
		if n > len(b)-6 {
			return nil, false
		}
		p.take(longName[string(b[:3])], b[6:6+n])
		return b[6+n:], true
	}
	if len(b) < 10 {
		return nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b[4:8]))
	if p.version == 4 {
		n = frameSize(b)
	}
	if n > uint64(len(b)-10) {
		return nil, false
	}
	if body, ok := p.unpack(b[9], b[10:10+n]); ok {
		p.take(string(b[:4]), body)
	}
	return b[10+n:], true
}

// frameSize reads the size of a frame of version 2.4. It should be sync-safe,
// but iTunes long wrote it as in 2.3: then only that leads to another frame.
func frameSize(b []byte) uint64 {
	plain := uint64(binary.BigEndian.Uint32(b[4:8]))
	safe, ok := syncSafe(b[4:8])
	if !ok {
		return plain
	}
	if uint64(safe) != plain && !frameFollows(b, uint64(safe)) && frameFollows(b, plain) {
		return plain
	}
	return uint64(safe)
}

// frameFollows tells whether behind a frame of n bytes there is another, or
// padding, or the end.
func frameFollows(b []byte, n uint64) bool {
	if n > uint64(len(b)-10) {
		return false
	}
	b = b[10+n:]
	if len(b) < 4 || b[0] == 0 {
		return len(b) == 0 || b[0] == 0
	}
	for _, c := range b[:4] {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// Flags of a frame: how its body is packed.
const (
	v3Compressed, v3Encrypted, v3Grouped                = 0x80, 0x40, 0x20
	v4Grouped, v4Compressed, v4Encrypted, v4Unsync, v4N = 0x40, 0x08, 0x04, 0x02, 0x01
)

// unpack undoes what the flags say was done to the body.
func (p *id3) unpack(flags byte, b []byte) ([]byte, bool) {
	extra, compressed, unsync := 0, false, false
	if p.version == 3 {
		compressed = flags&v3Compressed != 0
		extra += 4 * count(flags, v3Compressed) // the size before
		extra += count(flags, v3Encrypted) + count(flags, v3Grouped)
		flags &= v3Encrypted
	} else {
		compressed, unsync = flags&v4Compressed != 0, flags&v4Unsync != 0 || p.flags&0x80 != 0
		extra += 4*count(flags, v4N) + count(flags, v4Encrypted) + count(flags, v4Grouped)
		flags &= v4Encrypted
	}
	if flags != 0 || extra > len(b) {
		return nil, false
	}
	b = b[extra:]
	if unsync {
		b = resync(b)
	}
	if compressed {
		return inflate(b)
	}
	return b, true
}

func count(flags, flag byte) int {
	if flags&flag != 0 {
		return 1
	}
	return 0
}

// inflate decompresses a frame, up to the size of the largest tag.
func inflate(b []byte) ([]byte, bool) {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, false
	}
	out, err := ReadBody(z, MaxID3+1)
	return out, err == io.ErrUnexpectedEOF && len(out) <= MaxID3
}

// resync undoes unsynchronisation: the zero behind every 0xff goes.
func resync(b []byte) []byte {
	if !bytes.Contains(b, []byte{0xff, 0}) {
		return b
	}
	out := make([]byte, 0, len(b))
	for i, c := range b {
		if c == 0 && i > 0 && b[i-1] == 0xff {
			continue
		}
		out = append(out, c)
	}
	return out
}

// syncSafe reads four times seven bits.
func syncSafe(b []byte) (uint32, bool) {
	if (b[0]|b[1]|b[2]|b[3])&0x80 != 0 {
		return 0, false
	}
	return uint32(b[0])<<21 | uint32(b[1])<<14 | uint32(b[2])<<7 | uint32(b[3]), true
}

// longName is what the frames of version 2.2 are called later.
var longName = map[string]string{
	"TT2": "TIT2", "TP1": "TPE1", "TP2": "TPE2", "TAL": "TALB", "TCO": "TCON",
	"TYE": "TYER", "TRK": "TRCK", "TLE": "TLEN", "PIC": "PIC",
}

// take keeps a frame that says something we pass on.
func (p *id3) take(id string, body []byte) {
	switch id {
	case "TIT2":
		p.title = appendTexts(p.title, body)
	case "TPE1":
		p.artist = appendTexts(p.artist, body)
	case "TPE2":
		p.albumArtist = appendTexts(p.albumArtist, body)
	case "TALB":
		p.album = appendTexts(p.album, body)
	case "TCON":
		for _, s := range id3Text(body) {
			p.genre = appendText(p.genre, []byte(genreName(s)))
		}
	case "TDRC", "TYER":
		if s := first(appendTexts(nil, body)); s != "" && (p.date == "" || id == "TDRC") {
			p.date = s
		}
	case "TRCK":
		p.track = first(appendTexts(nil, body))
	case "TLEN":
		p.duration = milliseconds(first(appendTexts(nil, body)))
	case "APIC":
		p.cover = p.cover.Or(attachedPicture(body))
	case "PIC":
		p.cover = p.cover.Or(shortPicture(body))
	}
}

func (p *id3) tags() Tags {
	t := p.comments.tags()
	t.Duration = p.duration
	return t
}

// milliseconds reads what TLEN says, if it can be true.
func milliseconds(s string) time.Duration {
	var n int64
	for _, c := range s {
		if c < '0' || c > '9' || n > 1e10 { // four months
			return 0
		}
		n = 10*n + int64(c-'0')
	}
	return time.Duration(n) * time.Millisecond
}

// appendTexts appends the values of a text frame that say something new.
func appendTexts(list []string, body []byte) []string {
	for _, s := range id3Text(body) {
		list = appendText(list, []byte(s))
	}
	return list
}

// id3Text decodes a text frame: a byte for the encoding, then the values, with
// a zero between each two.
func id3Text(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	if len(b) > 4*maxText {
		b = b[:4*maxText]
	}
	return strings.Split(strings.TrimRight(decodeText(b[0], b[1:]), "\x00"), "\x00")
}

package tags

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// ErrMalformed is returned for tags that contradict themselves. What could be
// read before the contradiction is returned with it.
var ErrMalformed = errors.New("tags: malformed")

// ParseVorbis reads a Vorbis comment: the body of a FLAC VORBIS_COMMENT block,
// of a Vorbis comment header behind its first seven bytes, or of an OpusTags
// packet behind its first eight.
//
//	vendor length | vendor | count | length | NAME=value | length | NAME=value …
//
// All lengths are 32 bits, little endian. None is believed: the memory used is
// bounded by the size of b. An error comes with all tags that were read before.
func ParseVorbis(b []byte) (Tags, error) {
	var c comments
	err := walkVorbis(b, c.add)
	return c.tags(), err
}

// walkVorbis calls add for each field of a Vorbis comment.
func walkVorbis(b []byte, add func(name string, value []byte)) error {
	_, b, ok := cutLength(b)
	if !ok || len(b) < 4 {
		return ErrMalformed
	}
	count := binary.LittleEndian.Uint32(b)
	b = b[4:]
	for ; count > 0; count-- {
		var field []byte
		if field, b, ok = cutLength(b); !ok {
			return ErrMalformed
		}
		name, value, ok := bytes.Cut(field, []byte("="))
		if ok && len(name) <= maxFieldName {
			add(strings.ToUpper(string(name)), value)
		}
	}
	return nil
}

// maxFieldName is longer than the name of any field that means something.
const maxFieldName = 64

// cutLength splits b behind what its first four bytes say the length of the
// following bytes is.
func cutLength(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if n > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

// comments gathers the fields of a Vorbis comment.
type comments struct {
	title, artist, albumArtist, album, genre []string
	date, year, track                        string
	cover                                    Picture
}

// add takes one field. Artists and genres may come more than once.
func (c *comments) add(name string, value []byte) {
	switch name {
	case "TITLE":
		c.title = appendText(c.title, value)
	case "ARTIST":
		c.artist = appendText(c.artist, value)
	case "ALBUMARTIST", "ALBUM ARTIST":
		c.albumArtist = appendText(c.albumArtist, value)
	case "ALBUM":
		c.album = appendText(c.album, value)
	case "GENRE":
		c.genre = appendText(c.genre, value)
	case "DATE":
		c.date = text(value)
	case "YEAR":
		c.year = text(value)
	case "TRACKNUMBER", "TRACK":
		c.track = text(value)
	case "METADATA_BLOCK_PICTURE":
		if p, err := DecodePicture(value); err == nil {
			c.cover = c.cover.Or(p)
		}
	case "COVERART":
		c.addCoverArt(value)
	}
}

// addCoverArt takes the field that was used for covers before
// METADATA_BLOCK_PICTURE: a bare image in base64.
func (c *comments) addCoverArt(value []byte) {
	image, err := decodeBase64(value)
	if err != nil || !isImage(image) {
		return
	}
	c.cover = c.cover.Or(Picture{Data: image})
}

// tags is what the fields amount to.
func (c *comments) tags() Tags {
	t := Tags{
		Title:   first(c.title),
		Artist:  strings.Join(c.artist, ", "),
		Album:   first(c.album),
		Genre:   strings.Join(c.genre, ", "),
		Artwork: c.cover.Data,
	}
	if t.Artist == "" {
		t.Artist = strings.Join(c.albumArtist, ", ")
	}
	if t.Year = leadingNumber(c.date); t.Year == 0 {
		t.Year = leadingNumber(c.year)
	}
	t.Track = leadingNumber(c.track) // "3" or "3/12"
	return t
}

// maxValues bounds how often an artist or a genre is named.
const maxValues = 16

// appendText appends a value that says something new.
func appendText(list []string, value []byte) []string {
	s := text(value)
	if s == "" || len(list) >= maxValues {
		return list
	}
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

// maxText is more, in bytes, than Clean keeps.
const maxText = 8 << 10

// text is a value fit to be shown.
func text(value []byte) string {
	if len(value) > maxText {
		value = value[:maxText]
	}
	return Clean(string(value))
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// leadingNumber reads the digits that s begins with, at most six; 0 if there
// are none.
func leadingNumber(s string) int {
	s = strings.TrimSpace(s)
	end := 0
	for end < len(s) && end < 6 && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(s[:end])
	return n
}

// decodeBase64 decodes what should be standard base64. Some writers break
// lines, forget the padding or leave a zero byte behind it.
func decodeBase64(value []byte) ([]byte, error) {
	value = bytes.TrimRight(value, "= \t\r\n\x00")
	if len(value) > maxEncodedPicture {
		return nil, ErrMalformed
	}
	data := make([]byte, base64.RawStdEncoding.DecodedLen(len(value)))
	n, err := base64.RawStdEncoding.Decode(data, value)
	if err != nil {
		return nil, ErrMalformed
	}
	return data[:n], nil
}

// maxEncodedPicture is MaxPicture in base64, with what stands around the data.
const maxEncodedPicture = (MaxPicture + 1024) / 3 * 4

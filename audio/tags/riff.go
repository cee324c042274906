package tags

import (
	"encoding/binary"
	"strings"
)

// ParseInfo reads the body of a LIST chunk of a RIFF file, if it is of type
// INFO. Other lists hold no tags. A list cut short gives what could be read of
// it, and ErrMalformed.
//
//	0     4    8     12                      (padded to an even length)
//	INFO  id   size  text with a zero  | id  size  text …
func ParseInfo(b []byte) (Tags, error) {
	if len(b) < 4 || string(b[:4]) != "INFO" {
		return Tags{}, nil
	}
	var c comments
	for b = b[4:]; len(b) >= 8; {
		n := uint64(binary.LittleEndian.Uint32(b[4:8]))
		if n > uint64(len(b)-8) {
			return c.tags(), ErrMalformed
		}
		c.addInfo(string(b[:4]), b[8:8+n])
		b = b[8+n:]
		if n%2 == 1 && len(b) > 0 && b[0] == 0 { // the padding, which some forget
			b = b[1:]
		}
	}
	return c.tags(), nil
}

// addInfo takes one entry. The texts are in the code page of whoever wrote
// them: UTF-8, or Windows' if they cannot be that.
func (c *comments) addInfo(id string, value []byte) {
	value = []byte(fixedText(value))
	switch strings.ToUpper(id) {
	case "INAM", "TITL":
		c.title = appendText(c.title, value)
	case "IART":
		c.artist = appendText(c.artist, value)
	case "IPRD", "IALB":
		c.album = appendText(c.album, value)
	case "IGNR":
		c.genre = appendText(c.genre, value)
	case "ICRD":
		c.date = string(value)
	case "ITRK", "IPRT", "TRCK":
		c.track = string(value)
	}
}

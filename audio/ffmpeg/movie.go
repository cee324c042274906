package ffmpeg

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"time"

	"airplay2mqtt/audio/tags"
)

// A movie is what the index of an MP4 file says of its sound.
type movie struct {
	indexed   bool // a time leads to the same frame every time
	protected bool
	bits      int // of a lossless sound
	tags      tags.Tags
}

// parseMovie reads a moov box, with its head.
func parseMovie(index []byte) movie {
	var m movie
	var sound track
	sounds, films, fragments := 0, 0, false
	for _, moov := range boxes(index) {
		for kind, body := range boxes(moov) {
			switch kind {
			case "mvhd":
				m.tags.Duration = parseDuration(body)
			case "mvex":
				fragments = true
			case "trak":
				t := parseTrack(body)
				switch {
				case t.handler == "soun":
					if sounds++; sounds == 1 {
						sound = t
					}
				case t.handler == "vide":
					films++
				}
			case "udta":
				m.tags = m.tags.Or(parseUserData(body))
			}
		}
		break
	}
	m.bits, m.protected = sound.bits, sound.protected
	// With a film beside it, the time of the film decides where the sound begins.
	m.indexed = sounds == 1 && films == 0 && !fragments && sound.plain
	return m
}

// parseDuration reads how long a movie is from its header.
//
//	0        4                    12         16
//	version  created, changed     timescale  duration       version 0
//	version  twice as long        20         24 (64 bits)   version 1
func parseDuration(b []byte) time.Duration {
	var scale, duration uint64
	switch {
	case len(b) >= 20 && b[0] == 0:
		scale, duration = uint64(binary.BigEndian.Uint32(b[12:])), uint64(binary.BigEndian.Uint32(b[16:]))
		if duration == 0xffffffff {
			return 0
		}
	case len(b) >= 32 && b[0] == 1:
		scale, duration = uint64(binary.BigEndian.Uint32(b[20:])), binary.BigEndian.Uint64(b[24:])
	}
	const longest = 1000 * time.Hour // and what says more is wrong
	if scale == 0 || duration/scale > uint64(longest/time.Second) {
		return 0
	}
	hi, lo := bits.Mul64(duration, uint64(time.Second))
	d, _ := bits.Div64(hi, lo, scale) // fits: see above
	return time.Duration(d)
}

// A track is one of a movie's.
type track struct {
	handler   string // "soun", "vide", "text" …
	protected bool
	bits      int
	plain     bool // it begins where the movie does, and plays on from there
}

func parseTrack(b []byte) track {
	t := track{plain: true}
	for kind, body := range boxes(b) {
		switch kind {
		case "edts":
			for kind, body := range boxes(body) {
				if kind == "elst" {
					t.plain = plainEdits(body)
				}
			}
		case "mdia":
			t.parseMedia(body)
		}
	}
	return t
}

func (t *track) parseMedia(b []byte) {
	for kind, body := range boxes(b) {
		switch {
		case kind == "hdlr" && len(body) >= 12:
			t.handler = string(body[8:12])
		case kind == "minf", kind == "stbl":
			t.parseMedia(body)
		case kind == "stsd" && len(body) > 8:
			t.parseEntry(body[8:])
		}
	}
}

// parseEntry reads how the first samples of a sound are coded.
//
//	0         6      8                  16        18    24
//	reserved  index  version, vendor …  channels  bits  rate
func (t *track) parseEntry(b []byte) {
	for kind, body := range boxes(b) {
		switch kind {
		case "drms", "enca", "p608":
			t.protected = true
		case "alac":
			if len(body) >= 20 {
				t.bits = int(binary.BigEndian.Uint16(body[18:]))
			}
		}
		return
	}
}

// plainEdits tells whether an edit list does no more than skip what an encoder
// put in front. An edit is, in version 0 and 1:
//
//	0         4           8                0         8                16
//	duration  media time  rate             duration  media time      rate
func plainEdits(b []byte) bool {
	if len(b) < 8 {
		return true
	}
	n, b, version := binary.BigEndian.Uint32(b[4:]), b[8:], b[0]
	switch {
	case n == 0:
		return true
	case n > 1:
		return false
	case version == 1 && len(b) >= 16:
		return int64(binary.BigEndian.Uint64(b[8:])) >= 0
	}
	return version == 0 && len(b) >= 8 && int32(binary.BigEndian.Uint32(b[4:])) >= 0
}

// parseUserData reads Apple's tags.
func parseUserData(b []byte) tags.Tags {
	for kind, body := range boxes(b) {
		if kind != "meta" {
			continue
		}
		if !bytes.HasPrefix(body[min(4, len(body)):], []byte("hdlr")) && len(body) >= 4 {
			body = body[4:] // version and flags, which QuickTime leaves out
		}
		for kind, body := range boxes(body) {
			if kind == "ilst" {
				return parseItems(body)
			}
		}
	}
	return tags.Tags{}
}

// parseItems reads a list of items, each of which holds data:
//
//	0          4       8
//	0 type     locale  value
func parseItems(b []byte) tags.Tags {
	var t tags.Tags
	for kind, item := range boxes(b) {
		for inner, data := range boxes(item) {
			if inner != "data" || len(data) < 8 {
				continue
			}
			t = t.Or(parseItem(kind, binary.BigEndian.Uint32(data), data[8:]))
			break
		}
	}
	return t
}

func parseItem(kind string, form uint32, value []byte) tags.Tags {
	const jpeg, png = 13, 14
	text := tags.Clean(string(value[:min(len(value), 8<<10)]))
	switch kind {
	case "\xa9nam":
		return tags.Tags{Title: text}
	case "\xa9ART", "aART":
		return tags.Tags{Artist: text}
	case "\xa9alb":
		return tags.Tags{Album: text}
	case "\xa9gen":
		return tags.Tags{Genre: text}
	case "\xa9day":
		return tags.Tags{Year: year(text)}
	case "trkn":
		if len(value) >= 4 {
			return tags.Tags{Track: int(binary.BigEndian.Uint16(value[2:]))}
		}
	case "covr":
		isPicture := form == jpeg || form == png || bytes.HasPrefix(value, []byte("\xff\xd8\xff")) || bytes.HasPrefix(value, []byte("\x89PNG"))
		if isPicture && len(value) > 0 && len(value) <= tags.MaxPicture {
			return tags.Tags{Artwork: bytes.Clone(value)}
		}
	}
	return tags.Tags{}
}

// year is what a date begins with.
func year(date string) int {
	if len(date) < 4 {
		return 0
	}
	y := 0
	for _, c := range date[:4] {
		if c < '0' || c > '9' {
			return 0
		}
		y = 10*y + int(c-'0')
	}
	return y
}

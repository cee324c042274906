package film

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// probeAVI reads the head of an AVI file: lists of chunks, of which strh tells
// what a stream is and strf how it is coded.
func probeAVI(b []byte) Film {
	f := Film{Container: "avi", Type: "video/x-msvideo", Ending: ".avi"}
	f.parseChunks(b[12:], 0)
	return f
}

func (f *Film) parseChunks(b []byte, depth int) {
	stream := ""
	for len(b) >= 8 && depth < 4 {
		kind, size := string(b[:4]), uint64(binary.LittleEndian.Uint32(b[4:]))
		rest := b[8:]
		body := rest[:min(uint64(len(rest)), size)]
		switch {
		case kind == "LIST" && len(body) >= 4 && string(body[:4]) != "movi":
			f.parseChunks(body[4:], depth+1)
		case kind == "LIST":
			return
		case kind == "avih" && len(body) >= 20:
			frame, count := binary.LittleEndian.Uint32(body), binary.LittleEndian.Uint32(body[16:])
			f.Duration = seconds(float64(frame) * float64(count) / 1e6)
		case kind == "strh" && len(body) >= 4:
			stream = string(body[:4])
		case kind == "strf" && stream == "vids" && len(body) >= 20:
			f.Pictures = append(f.Pictures, pictureOf(string(body[16:20])))
		case kind == "strf" && stream == "auds" && len(body) >= 2:
			f.Sounds = append(f.Sounds, Codec{Name: waveSound(binary.LittleEndian.Uint16(body))})
		}
		b = rest[min(uint64(len(rest)), size+size%2):]
	}
}

// waveSound names the formats of Windows.
func waveSound(tag uint16) string {
	switch tag {
	case 1, 3:
		return "pcm"
	case 0x50:
		return "mp2"
	case 0x55:
		return "mp3"
	case 0xff, 0x1600:
		return "aac"
	case 0x160, 0x161, 0x162:
		return "wma"
	case 0x2000:
		return "ac3"
	case 0x2001:
		return "dts"
	}
	return "unknown"
}

// What stands in ASF files, Microsoft's order of bytes.
const (
	asfMagic = "\x30\x26\xb2\x75\x8e\x66\xcf\x11"
	asfVideo = "\xc0\xef\x19\xbc\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b"
	asfAudio = "\x40\x9e\x69\xf8\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b"
)

func probeASF(b []byte) Film {
	f := Film{Container: "asf", Type: "video/x-ms-wmv", Ending: ".wmv"}
	if bytes.Contains(b, []byte(asfVideo)) {
		f.Pictures = []Codec{{Name: "wmv"}}
	}
	if bytes.Contains(b, []byte(asfAudio)) {
		f.Sounds = []Codec{{Name: "wma"}}
	}
	return f
}

// probeFLV reads the flags of a Flash film, and the codec of its first pictures.
//
//	0      3        4                   5      9              13    24
//	"FLV"  version  sound 4, pictures 1  head  size before    tag   …
func probeFLV(b []byte) Film {
	f := Film{Container: "flv", Type: "video/x-flv", Ending: ".flv"}
	if len(b) < 9 {
		return f
	}
	if b[4]&1 != 0 {
		f.Pictures = []Codec{{Name: "h264"}}
	}
	if b[4]&4 != 0 {
		f.Sounds = []Codec{{Name: "aac"}}
	}
	for at := 13; at+12 <= len(b); {
		size := int(b[at+1])<<16 | int(b[at+2])<<8 | int(b[at+3])
		if b[at] == 9 && b[at+11]&15 != 7 && len(f.Pictures) > 0 {
			f.Pictures[0].Name = "sorenson"
		}
		if b[at] == 8 && b[at+11]>>4 == 2 && len(f.Sounds) > 0 {
			f.Sounds[0].Name = "mp3"
		}
		at += 11 + size + 4
	}
	return f
}

// probeOgg looks at the first packets of its streams.
func probeOgg(b []byte) Film {
	f := Film{Container: "ogg", Type: "audio/ogg", Ending: ".ogg"}
	s := string(b[:min(len(b), 4096)])
	if strings.Contains(s, "\x80theora") {
		f.Pictures, f.Type, f.Ending = []Codec{{Name: "theora"}}, "video/ogg", ".ogv"
	}
	for mark, name := range map[string]string{"\x01vorbis": "vorbis", "OpusHead": "opus", "\x7fFLAC": "flac"} {
		if strings.Contains(s, mark) {
			f.Sounds = []Codec{{Name: name}}
		}
	}
	return f
}

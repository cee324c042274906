package film

import "strings"

// parseTS finds the tables of an MPEG transport stream that tell what is in
// it. Packets have size bytes, of which the first skip are not of the stream.
//
//	0  1                   4
//	47 flags, PID (13 bits) adaptation, counter  …
func parseTS(b []byte, size, skip int) Film {
	f := Film{Container: "mpegts", Type: "video/mp2t", Ending: ".ts"}
	programs := map[int]bool{}
	for ; len(b) >= size; b = b[size:] {
		p := b[skip:size]
		if p[0] != 'G' {
			break
		}
		pid := int(p[1]&0x1f)<<8 | int(p[2])
		if pid != 0 && !programs[pid] || p[1]&0x40 == 0 {
			continue
		}
		table := section(p)
		switch {
		case table == nil:
		case pid == 0:
			for ; len(table) >= 4; table = table[4:] {
				if table[0] != 0 || table[1] != 0 { // 0 is the network's
					programs[int(table[2]&0x1f)<<8|int(table[3])] = true
				}
			}
		default:
			f.parseProgram(table)
			return f
		}
	}
	return f
}

// section is what a packet holds of a table, without head and checksum.
func section(p []byte) []byte {
	at := 4
	if p[3]&0x20 != 0 {
		at += 1 + int(p[4])
	}
	if p[3]&0x10 == 0 || at >= len(p) {
		return nil
	}
	at += 1 + int(p[at]) // the pointer
	if at+8 > len(p) {
		return nil
	}
	length := int(p[at+1]&0x0f)<<8 | int(p[at+2])
	end := min(at+3+length-4, len(p))
	if end < at+8 {
		return nil
	}
	return p[at+8 : end]
}

// parseProgram reads the table of a program:
//
//	0        2                 4
//	PCR PID  length of what    …  stream type, PID, length of what, …
func (f *Film) parseProgram(b []byte) {
	if len(b) < 4 {
		return
	}
	skip := 4 + (int(b[2]&0x0f)<<8 | int(b[3]))
	if skip > len(b) {
		return
	}
	for b = b[skip:]; len(b) >= 5; {
		length := int(b[3]&0x0f)<<8 | int(b[4])
		if 5+length > len(b) {
			length = len(b) - 5
		}
		f.addStream(b[0], string(b[5:5+length]))
		b = b[5+length:]
	}
}

func (f *Film) addStream(kind byte, descriptors string) {
	picture := map[byte]string{0x01: "mpeg1", 0x02: "mpeg2", 0x10: "mpeg4", 0x1b: "h264", 0x24: "hevc", 0xea: "vc1"}
	sound := map[byte]string{0x03: "mp3", 0x04: "mp3", 0x0f: "aac", 0x11: "aac", 0x81: "ac3", 0x87: "eac3", 0x82: "dts"}
	switch {
	case picture[kind] != "":
		f.Pictures = append(f.Pictures, Codec{Name: picture[kind]})
	case sound[kind] != "":
		f.Sounds = append(f.Sounds, Codec{Name: sound[kind]})
	case kind == 0x06 && strings.HasPrefix(descriptors, "\x6a"):
		f.Sounds = append(f.Sounds, Codec{Name: "ac3"})
	case kind == 0x06 && strings.HasPrefix(descriptors, "\x7a"):
		f.Sounds = append(f.Sounds, Codec{Name: "eac3"})
	case kind == 0x06 && strings.Contains(descriptors, "Opus"):
		f.Sounds = append(f.Sounds, Codec{Name: "opus"})
	}
}

// parseHLS reads a playlist of HLS: what its variants are made of, or which
// piece to look into for that.
func parseHLS(text string) Film {
	f := Film{Container: "hls", Type: "application/vnd.apple.mpegurl", Ending: ".m3u8", Live: true}
	total := 0.0
	codecs, resolution := "", false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#EXT-X-STREAM-INF:"):
			f.Live = false
			if codecs == "" {
				codecs = quoted(line, "CODECS=\"")
			}
			resolution = resolution || strings.Contains(line, "RESOLUTION=")
		case strings.HasPrefix(line, "#EXT-X-ENDLIST"):
			f.Live = false
		case strings.HasPrefix(line, "#EXTINF:"):
			total += leading(strings.TrimPrefix(line, "#EXTINF:"))
		case line != "" && !strings.HasPrefix(line, "#") && f.Next == "":
			f.Next = line
		}
	}
	if !f.Live {
		f.Duration = seconds(total)
	}
	for c := range strings.SplitSeq(codecs, ",") {
		f.addHLS(strings.TrimSpace(c))
	}
	if resolution && len(f.Pictures) == 0 {
		f.Pictures = []Codec{{Name: "h264"}}
	}
	return f
}

func quoted(line, key string) string {
	_, rest, _ := strings.Cut(line, key)
	value, _, _ := strings.Cut(rest, "\"")
	return value
}

// leading is the number that a text begins with.
func leading(s string) float64 {
	v, unit := 0.0, 0.0
	for _, c := range s {
		switch {
		case c == '.' && unit == 0:
			unit = 1
		case c < '0' || c > '9':
			return v
		case unit == 0:
			v = 10*v + float64(c-'0')
		default:
			unit /= 10
			v += unit * float64(c-'0')
		}
	}
	return v
}

// addHLS takes a codec as RFC 6381 writes it: "avc1.64001f", "mp4a.40.2".
func (f *Film) addHLS(c string) {
	fourcc, _, _ := strings.Cut(c, ".")
	switch fourcc {
	case "":
	case "avc1", "avc3", "hvc1", "hev1", "dvh1", "dvhe", "vp09", "av01", "vp08":
		p := pictureOf(fourcc)
		p.Detail = ""
		f.Pictures = append(f.Pictures, p)
	case "stpp", "wvtt": // texts
	default:
		f.Sounds = append(f.Sounds, Codec{Name: soundOf(fourcc)})
	}
}

package film

import (
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"math"
	"time"
)

const (
	maxIndex = 24 << 20 // bytes
	maxBoxes = 1000
)

// probeMP4 walks the boxes of an MP4 or QuickTime file up to its index.
//
//	0     4     8
//	size  kind  size-8 bytes                   0: to the end of the file
//	1     kind  size (64 bits)  size-16 bytes
func probeMP4(r io.ReaderAt, size int64, head []byte) (Film, error) {
	f := Film{Container: "mp4", Type: "video/mp4", Ending: ".mp4"}
	switch brand := string(head[min(8, len(head)):min(12, len(head))]); {
	case string(head[4:8]) != "ftyp", brand == "qt  ":
		f.Container, f.Type, f.Ending = "mov", "video/quicktime", ".mov"
	case brand == "M4V ":
		f.Type, f.Ending = "video/x-m4v", ".m4v"
	}
	index, err := findIndex(r, size, head)
	if err != nil || index == nil {
		return f, err
	}
	f.parseMovie(index)
	if len(f.Pictures) == 0 && len(f.Sounds) > 0 {
		f.Container, f.Type, f.Ending = "m4a", "audio/mp4", ".m4a"
	}
	return f, nil
}

// findIndex returns the body of the moov box; nil: there is none, or it cannot
// be reached.
func findIndex(r io.ReaderAt, size int64, head []byte) ([]byte, error) {
	at := int64(0)
	for range maxBoxes {
		var b [16]byte
		n := 0
		var err error
		switch {
		case at+16 <= int64(len(head)):
			n = copy(b[:], head[at:])
		case size < 0, size-at < 8:
			return nil, nil
		default:
			n, err = r.ReadAt(b[:min(int64(len(b)), size-at)], at)
		}
		if n < 8 {
			return nil, unlessEOF(err)
		}
		skip, length := int64(8), int64(binary.BigEndian.Uint32(b[:]))
		switch {
		case length == 0 && size >= 0:
			length = size - at
		case length == 1 && n == 16:
			large := binary.BigEndian.Uint64(b[8:])
			skip, length = 16, int64(min(large, math.MaxInt64/4))
		}
		if length < skip || at > math.MaxInt64/4 {
			return nil, nil
		}
		if string(b[4:8]) == "moov" {
			return readBody(r, at+skip, length-skip, size)
		}
		at += length
	}
	return nil, nil
}

func readBody(r io.ReaderAt, at, length, size int64) ([]byte, error) {
	if size >= 0 {
		length = min(length, size-at)
	}
	if length <= 0 || length > maxIndex {
		return nil, nil
	}
	body := make([]byte, length)
	n, err := r.ReadAt(body, at)
	return body[:n], unlessEOF(err)
}

func unlessEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// boxes are those in b: their kinds and their bodies. It ends where b makes no
// sense any more.
func boxes(b []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for len(b) >= 8 {
			head, size := 8, uint64(binary.BigEndian.Uint32(b))
			switch {
			case size == 0:
				size = uint64(len(b))
			case size == 1 && len(b) >= 16:
				head, size = 16, binary.BigEndian.Uint64(b[8:])
			}
			if size < uint64(head) || size > uint64(len(b)) {
				return
			}
			if !yield(string(b[4:8]), b[head:size]) {
				return
			}
			b = b[size:]
		}
	}
}

func (f *Film) parseMovie(b []byte) {
	for kind, body := range boxes(b) {
		switch kind {
		case "mvhd":
			f.Duration = parseHeader(body)
		case "trak":
			f.parseTrack(body)
		}
	}
}

// parseHeader reads how long a movie is. Version 1 has 64 bits for times.
//
//	0        4                    12         16
//	version  created, modified    timescale  duration
func parseHeader(b []byte) time.Duration {
	if len(b) < 20 {
		return 0
	}
	scale, length := binary.BigEndian.Uint32(b[12:]), uint64(binary.BigEndian.Uint32(b[16:]))
	if b[0] == 1 {
		if len(b) < 32 {
			return 0
		}
		scale, length = binary.BigEndian.Uint32(b[20:]), binary.BigEndian.Uint64(b[24:])
	} else if length == math.MaxUint32 {
		return 0
	}
	return seconds(float64(length) / float64(scale))
}

// seconds is a length of time, 0 where it makes no sense.
func seconds(v float64) time.Duration {
	if !(v > 0 && v < 1e6) {
		return 0
	}
	return time.Duration(v * float64(time.Second)).Round(time.Millisecond)
}

func (f *Film) parseTrack(b []byte) {
	handler := ""
	var entries []byte
	var media func(b []byte)
	media = func(b []byte) {
		for kind, body := range boxes(b) {
			switch {
			case kind == "hdlr" && len(body) >= 12 && handler == "":
				handler = string(body[8:12])
			case kind == "minf", kind == "stbl":
				media(body)
			case kind == "stsd" && len(body) > 8:
				entries = body[8:]
			}
		}
	}
	for kind, body := range boxes(b) {
		if kind == "mdia" {
			media(body)
		}
	}
	for kind, body := range boxes(entries) {
		f.parseEntry(handler, kind, body)
		return
	}
}

// parseEntry reads how the samples of a track are coded. What is special to a
// codec stands in boxes behind 78 bytes for pictures and 28 for sound.
func (f *Film) parseEntry(handler, kind string, body []byte) {
	switch kind {
	case "encv", "enca", "drms", "drmi", "p608":
		f.Sealed = true
	}
	switch handler {
	case "vide":
		c := pictureOf(kind)
		if len(body) > 78 {
			for kind, b := range boxes(body[78:]) {
				if kind == "avcC" {
					c.Detail = profileOf(b)
				}
			}
		}
		f.Pictures = append(f.Pictures, c)
	case "soun":
		c := Codec{Name: soundOf(kind)}
		if kind == "mp4a" {
			c.Name = streamType(body)
		}
		f.Sounds = append(f.Sounds, c)
	}
}

func pictureOf(fourcc string) Codec {
	switch fourcc {
	case "avc1", "avc3":
		return Codec{Name: "h264"}
	case "hvc1", "dvh1":
		return Codec{Name: "hevc"}
	case "hev1", "dvhe":
		return Codec{Name: "hevc", Detail: "tagged " + fourcc}
	case "mp4v", "XVID", "DIVX", "xvid", "divx", "DX50", "FMP4", "3IV2":
		return Codec{Name: "mpeg4"}
	case "vp08", "VP80":
		return Codec{Name: "vp8"}
	case "vp09", "VP90":
		return Codec{Name: "vp9"}
	case "av01", "AV01":
		return Codec{Name: "av1"}
	case "jpeg", "mjpa", "MJPG", "mjpg":
		return Codec{Name: "jpeg"}
	case "H264", "h264", "X264", "x264":
		return Codec{Name: "h264"}
	}
	return Codec{Name: printable(fourcc)}
}

func soundOf(fourcc string) string {
	switch fourcc {
	case "mp4a":
		return "aac"
	case "ac-3":
		return "ac3"
	case "ec-3":
		return "eac3"
	case ".mp3":
		return "mp3"
	case "Opus":
		return "opus"
	case "fLaC":
		return "flac"
	case "dtsc", "dtsh", "dtsl", "dtse":
		return "dts"
	case "mlpa":
		return "truehd"
	case "sowt", "twos", "lpcm", "in24", "raw ", "fl32", "ipcm":
		return "pcm"
	}
	return printable(fourcc)
}

func printable(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// profileOf tells from the head of an H.264 track what keeps players from it.
//
//	0        1        2              3
//	version  profile  compatibility  level
func profileOf(b []byte) string {
	if len(b) < 4 {
		return ""
	}
	switch b[1] {
	case 110:
		return "10 bits"
	case 122:
		return "4:2:2"
	case 244, 44:
		return "4:4:4"
	}
	return ""
}

// streamType finds in the esds box of a track tagged mp4a what it holds: the
// first byte of the decoder's description, whose tag is 4.
func streamType(body []byte) string {
	for i := 28; i+8 < len(body); i++ {
		if string(body[i:i+4]) != "esds" {
			continue
		}
		b := body[i+8:]
		for j := 0; j+6 < min(len(b), 40); j++ {
			if b[j] != 4 {
				continue
			}
			for k := j + 1; k < j+5 && k+1 < len(b); k++ {
				if b[k]&0x80 != 0 {
					continue
				}
				switch b[k+1] {
				case 0x69, 0x6b:
					return "mp3"
				case 0xa5:
					return "ac3"
				case 0xa9:
					return "dts"
				}
				break
			}
			break
		}
		break
	}
	return "aac"
}

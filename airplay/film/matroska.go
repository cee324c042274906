package film

import (
	"encoding/binary"
	"io"
	"math"
	"strings"
)

const ebmlMagic = "\x1a\x45\xdf\xa3"

// Elements of Matroska, by their names in its specification.
const (
	idEBML          = 0x1a45dfa3
	idDocType       = 0x4282
	idSegment       = 0x18538067
	idInfo          = 0x1549a966
	idTimecodeScale = 0x2ad7b1
	idDuration      = 0x4489
	idTracks        = 0x1654ae6b
	idTrackEntry    = 0xae
	idTrackType     = 0x83
	idCodecID       = 0x86
	idCodecPrivate  = 0x63a2
	idCluster       = 0x1f43b675
)

// probeMatroska reads what stands before the first cluster, which is where the
// tracks are described in all files but odd ones.
func probeMatroska(r io.ReaderAt, size int64, head []byte) (Film, error) {
	f := Film{Container: "matroska", Type: "video/x-matroska", Ending: ".mkv"}
	const enough = 4 << 20 // fonts and pictures may stand before the tracks
	if size > int64(len(head)) && !strings.Contains(string(head), "\x16\x54\xae\x6b") {
		b := make([]byte, min(size, enough))
		n, err := r.ReadAt(b, 0)
		if err = unlessEOF(err); err != nil {
			return f, err
		}
		head = b[:n]
	}
	f.parseEBML(head, 0)
	return f, nil
}

// parseEBML reads elements: a number, a size, and a body.
func (f *Film) parseEBML(b []byte, depth int) {
	for len(b) > 0 && depth < 4 {
		id, n := vint(b, false)
		size, m := vint(b[n:], true)
		if n == 0 || m == 0 {
			return
		}
		rest := b[n+m:]
		body := rest[:min(uint64(len(rest)), size)]
		switch id {
		case idEBML, idSegment, idTracks:
			f.parseEBML(body, depth+1)
		case idDocType:
			if strings.TrimRight(string(body), "\x00") == "webm" {
				f.Container, f.Type, f.Ending = "webm", "video/webm", ".webm"
			}
		case idInfo:
			f.parseInfo(body)
		case idTrackEntry:
			f.parseTrackEntry(body)
		case idCluster:
			return
		}
		b = rest[len(body):]
	}
}

// vint reads a number whose length stands in its first bits. plain takes these
// away; the largest number then stands for "not known".
func vint(b []byte, plain bool) (v uint64, n int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	n = 1
	for mask := byte(0x80); b[0]&mask == 0; mask >>= 1 {
		n++
	}
	if len(b) < n {
		return 0, 0
	}
	for _, c := range b[:n] {
		v = v<<8 | uint64(c)
	}
	if !plain {
		return v, n
	}
	v &= 1<<(7*n) - 1
	if v == 1<<(7*n)-1 {
		v = math.MaxUint64
	}
	return v, n
}

// elements calls each for the elements of b.
func elements(b []byte, each func(id uint64, body []byte)) {
	for len(b) > 0 {
		id, n := vint(b, false)
		size, m := vint(b[n:], true)
		if n == 0 || m == 0 || size > uint64(len(b)-n-m) {
			return
		}
		each(id, b[n+m:n+m+int(size)])
		b = b[n+m+int(size):]
	}
}

func (f *Film) parseInfo(b []byte) {
	scale, length := uint64(1e6), 0.0
	elements(b, func(id uint64, body []byte) {
		switch {
		case id == idTimecodeScale && len(body) <= 8:
			scale = 0
			for _, c := range body {
				scale = scale<<8 | uint64(c)
			}
		case id == idDuration && len(body) == 4:
			length = float64(math.Float32frombits(binary.BigEndian.Uint32(body)))
		case id == idDuration && len(body) == 8:
			length = math.Float64frombits(binary.BigEndian.Uint64(body))
		}
	})
	f.Duration = seconds(length * float64(scale) / 1e9)
}

func (f *Film) parseTrackEntry(b []byte) {
	var kind byte
	var codec string
	var private []byte
	elements(b, func(id uint64, body []byte) {
		switch {
		case id == idTrackType && len(body) == 1:
			kind = body[0]
		case id == idCodecID:
			codec = strings.TrimRight(string(body), "\x00")
		case id == idCodecPrivate:
			private = body
		}
	})
	switch {
	case kind == 1 && codec == "V_MS/VFW/FOURCC" && len(private) >= 20:
		f.Pictures = append(f.Pictures, pictureOf(string(private[16:20])))
	case kind == 1:
		c := matroskaPicture(codec)
		if c.Name == "h264" {
			c.Detail = profileOf(private)
		}
		f.Pictures = append(f.Pictures, c)
	case kind == 2:
		f.Sounds = append(f.Sounds, Codec{Name: matroskaSound(codec)})
	}
}

func matroskaPicture(id string) Codec {
	switch {
	case id == "V_MPEG4/ISO/AVC":
		return Codec{Name: "h264"}
	case strings.HasPrefix(id, "V_MPEGH/ISO/HEVC"):
		return Codec{Name: "hevc"}
	case strings.HasPrefix(id, "V_MPEG4/"):
		return Codec{Name: "mpeg4"}
	}
	return Codec{Name: lowered(id, "V_")}
}

func matroskaSound(id string) string {
	switch {
	case strings.HasPrefix(id, "A_AAC"):
		return "aac"
	case strings.HasPrefix(id, "A_PCM"):
		return "pcm"
	case strings.HasPrefix(id, "A_DTS"):
		return "dts"
	case id == "A_MPEG/L3":
		return "mp3"
	case id == "A_MPEG/L2":
		return "mp2"
	}
	return lowered(id, "A_")
}

// lowered makes "vp9" of "V_VP9".
func lowered(id, prefix string) string {
	return printable(strings.ToLower(strings.TrimPrefix(id, prefix)))
}

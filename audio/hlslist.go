package audio

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// A variant is one of the qualities that an HLS stream comes in.
type variant struct {
	location  string
	bandwidth int    // bits per second
	soundOnly bool   // by its codecs
	sound     string // where its sound is apart, or ""
}

// parseMaster reads a list of variants:
//
//	#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",URI="sound.m3u8"
//	#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2",AUDIO="a"
//	low.m3u8
func parseMaster(text string) (variants []variant) {
	groups := make(map[string]string)
	for line := range strings.Lines(text) {
		if list, ok := strings.CutPrefix(strings.TrimSpace(line), "#EXT-X-MEDIA:"); ok {
			a := attributes(list)
			if a["TYPE"] == "AUDIO" && a["URI"] != "" && (groups[a["GROUP-ID"]] == "" || a["DEFAULT"] == "YES") {
				groups[a["GROUP-ID"]] = a["URI"]
			}
		}
	}
	var next *variant
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if list, ok := strings.CutPrefix(line, "#EXT-X-STREAM-INF:"); ok {
			a := attributes(list)
			bandwidth, _ := strconv.Atoi(a["BANDWIDTH"])
			next = &variant{bandwidth: bandwidth, soundOnly: soundOnly(a), sound: groups[a["AUDIO"]]}
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") || next == nil || len(variants) == entriesAtMost {
			continue
		}
		next.location = line
		variants = append(variants, *next)
		next = nil
	}
	return variants
}

func soundOnly(a map[string]string) bool {
	if a["RESOLUTION"] != "" || a["CODECS"] == "" {
		return false
	}
	for codec := range strings.SplitSeq(a["CODECS"], ",") {
		kind, _, _ := strings.Cut(strings.TrimSpace(codec), ".")
		switch kind {
		case "mp4a", "ac-3", "ec-3", "opus", "Opus", "fLaC", "flac", "alac", "mp3":
		default:
			return false
		}
	}
	return true
}

// attributes reads KEY=value,KEY="value, with commas".
func attributes(s string) map[string]string {
	a := make(map[string]string)
	for s != "" && len(a) < 100 {
		key, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		var value string
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			value, rest, _ = strings.Cut(quoted, `"`)
			_, rest, _ = strings.Cut(rest, ",")
		} else {
			value, rest, _ = strings.Cut(rest, ",")
		}
		a[strings.TrimSpace(key)] = value
		s = rest
	}
	return a
}

// A piece is what is asked for at once.
type piece struct {
	location string
	part     part
}

func (p piece) String() string { return fmt.Sprint(p.location, "#", p.part.from, "-", p.part.to) }

// A segment is a piece of the stream.
type segment struct {
	piece
	number int64
	length time.Duration
	head   piece // what stands in front of all of its kind; zero: nothing
	key    struct {
		location string // "": not encrypted
		iv       []byte // nil: the number
	}
}

// A mediaList is the segments of a stream that can be had now.
type mediaList struct {
	target   time.Duration // how long segments are
	first    int64         // number of the first one
	segments []segment
	ended    bool
	// protected by more than AES-128, for which there is no key to be had.
	protected bool
}

func (l mediaList) duration() (sum time.Duration) {
	for _, s := range l.segments {
		sum += s.length
	}
	return sum
}

// segmentsAtMost is a day in pieces of six seconds.
const segmentsAtMost = 14_400

// parseMedia reads a list of segments:
//
//	#EXT-X-TARGETDURATION:6
//	#EXT-X-MEDIA-SEQUENCE:17
//	#EXTINF:5.9,
//	17.ts
func parseMedia(text string) mediaList {
	l := mediaList{target: 6 * time.Second}
	var next segment
	var last part // of the piece before
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		tag, value, _ := strings.Cut(line, ":")
		switch tag {
		case "#EXT-X-TARGETDURATION":
			if d := seconds(value); d > 0 {
				l.target = min(d, time.Minute)
			}
		case "#EXT-X-MEDIA-SEQUENCE":
			l.first, _ = strconv.ParseInt(value, 10, 64)
			l.first = min(max(l.first, 0), 1<<52)
		case "#EXT-X-ENDLIST":
			l.ended = true
		case "#EXTINF":
			next.length, _ = parseInfo(value)
		case "#EXT-X-BYTERANGE":
			next.part = byteRange(value, last)
		case "#EXT-X-MAP":
			a := attributes(value)
			next.head = piece{location: a["URI"], part: byteRange(a["BYTERANGE"], part{})}
		case "#EXT-X-KEY":
			a := attributes(value)
			if next.key.location = a["URI"]; a["METHOD"] == "NONE" {
				next.key.location = ""
			}
			l.protected = l.protected || a["METHOD"] != "NONE" && a["METHOD"] != "AES-128"
			next.key.iv = nil
			if iv, err := hex.DecodeString(strings.TrimPrefix(strings.ToLower(a["IV"]), "0x")); err == nil && len(iv) == 16 {
				next.key.iv = iv
			}
		default:
			if line == "" || strings.HasPrefix(line, "#") || len(l.segments) == segmentsAtMost {
				continue
			}
			next.location, next.number = line, l.first+int64(len(l.segments))
			l.segments = append(l.segments, next)
			last, next.part, next.length = next.part, part{}, 0
		}
	}
	return l
}

// byteRange reads "length@from", or "length", which goes on behind last.
func byteRange(s string, last part) part {
	length, from, ok := strings.Cut(s, "@")
	n, err := strconv.ParseInt(length, 10, 48)
	if err != nil || n <= 0 {
		return part{}
	}
	p := part{from: last.to}
	if ok {
		if p.from, err = strconv.ParseInt(from, 10, 48); err != nil || p.from < 0 {
			return part{}
		}
	}
	p.to = p.from + n
	return p
}

func newBytes(b []byte) io.Reader { return bytes.NewReader(b) }

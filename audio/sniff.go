package audio

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// A kind is what bytes turn out to be.
type kind int

const (
	unknown kind = iota // nothing that is decoded here
	waveFile
	mp3File
	flacFile
	oggFile
	aiffFile
	playlist
	hls     // a list of pieces of sound
	foreign // sound that ffmpeg may know
	tagged  // an ID3 tag, so long that what is behind it cannot be seen
)

func (k kind) String() string {
	return [...]string{"unknown", "wav", "mp3", "flac", "ogg", "aiff", "playlist", "hls", "foreign", "id3"}[k]
}

// A finding is what sniff finds.
type finding struct {
	kind   kind
	skip   int64  // bytes of ID3 tags in front
	what   string // if unknown: what it looks like instead
	advice string // and what to do
}

const (
	sniffFirst = 16       // bytes, enough to know most formats
	sniffMost  = 64 << 10 // bytes, after which it gives up
)

// sniff tells what a sound or anything else is that begins with head. If it
// cannot tell yet, more is how many bytes it wants to see; whole says that
// there are no more. name and mime decide between what looks alike.
func sniff(head []byte, whole bool, name, mime string) (f finding, more int) {
	if len(head) < sniffFirst && !whole {
		return finding{}, sniffFirst
	}
	if len(head) == 0 {
		return finding{what: "empty, not a single byte"}, 0
	}
	if bytes.HasPrefix(head, []byte("ID3")) {
		return sniffTagged(head, whole, name, mime)
	}
	if f, ok := byMagic(head); ok {
		return f, 0
	}
	if f, more, ok := sniffText(head, whole, name, mime); ok {
		return f, more
	}
	return sniffFrames(head, whole)
}

// sniffTagged looks behind ID3 tags, which stand before MP3, but also before
// FLAC and AAC.
func sniffTagged(head []byte, whole bool, name, mime string) (f finding, more int) {
	skip := 0
	for {
		b := head[min(skip, len(head)):]
		if !bytes.HasPrefix(b, []byte("ID3")) || len(b) < 10 {
			break
		}
		// Four times seven bits; a footer of ten more bytes if a flag says so.
		skip += 10 + (int(b[6]&0x7f)<<21 | int(b[7]&0x7f)<<14 | int(b[8]&0x7f)<<7 | int(b[9]&0x7f))
		if b[5]&0x10 != 0 {
			skip += 10
		}
	}
	switch {
	case skip == 0:
		return finding{what: "an ID3 tag with no sound behind it"}, 0
	case skip+sniffFirst > sniffMost:
		return finding{kind: tagged, skip: int64(skip)}, 0
	case skip+sniffFirst > len(head) && !whole:
		return finding{}, skip + sniffFirst
	case skip >= len(head):
		return finding{what: "an ID3 tag with no sound behind it"}, 0
	}
	f, more = sniff(head[skip:], whole || len(head) >= sniffMost, name, mime)
	if more > 0 {
		return finding{}, min(skip+more, sniffMost)
	}
	if f.kind == unknown && f.what == noise {
		f = finding{kind: mp3File} // the tag says so; the decoder looks further
	}
	f.skip = int64(skip)
	return f, 0
}

// foreign tells whether what is not decoded here is sound, or may hold some.
func (f finding) foreign() bool {
	return f.advice == convert && f.what != noise && f.what != midi
}

const midi = "a MIDI file, notes and not sound"

const convert = "convert it to MP3, FLAC, Ogg Vorbis or WAV"

// byMagic knows files by what stands at their beginning.
func byMagic(head []byte) (finding, bool) {
	at := func(i int, s string) bool { return len(head) >= i+len(s) && string(head[i:i+len(s)]) == s }
	switch {
	case at(0, "fLaC"):
		return finding{kind: flacFile}, true
	case at(0, "OggS"):
		return finding{kind: oggFile}, true
	case at(0, "RIFF") || at(0, "RF64") || at(0, "BW64"):
		if at(8, "WAVE") {
			return finding{kind: waveFile}, true
		}
		return finding{what: riffs[string(head[min(8, len(head)):min(12, len(head))])], advice: convert}.orElse("a RIFF file, but not of sound"), true
	case at(0, "FORM") && (at(8, "AIFF") || at(8, "AIFC")):
		return finding{kind: aiffFile}, true
	case at(4, "ftyp"):
		return mp4(string(head[min(8, len(head)):min(12, len(head))])), true
	case len(head) > 188 && head[0] == 'G' && head[188] == 'G':
		return finding{what: "an MPEG transport stream", advice: convert}, true
	}
	for _, m := range magics {
		if at(m.at, m.bytes) {
			return finding{what: m.what, advice: m.advice}, true
		}
	}
	return finding{}, false
}

func (f finding) orElse(what string) finding {
	if f.what == "" {
		f.what = what
	}
	return f
}

var riffs = map[string]string{
	"AVI ": "an AVI video", "WEBP": "a WebP picture", "RMID": midi,
}

// mp4 tells the members of the MP4 family apart by their brand.
func mp4(brand string) finding {
	switch brand {
	case "M4A ", "M4B ", "M4P ":
		return finding{what: "M4A sound (AAC or Apple Lossless)", advice: convert}
	case "avif", "avis", "heic", "heix", "mif1":
		return finding{what: "a picture, not a sound"}
	case "qt  ":
		return finding{what: "a QuickTime film", advice: convert}
	}
	return finding{what: "an MP4 file (AAC sound or video)", advice: convert}
}

var magics = []struct {
	at           int
	bytes        string
	what, advice string
}{
	{0, "RIFX", "a big-endian RIFF file", convert},
	{0, "riff\x2e\x91\xcf\x11", "Wave64 sound", convert},
	{0, "caff", "Core Audio sound", convert},
	{0, ".snd", "AU sound", convert},
	{0, "wvpk", "WavPack sound", convert},
	{0, "MAC ", "Monkey's Audio sound", convert},
	{0, "MPCK", "Musepack sound", convert},
	{0, "MP+", "Musepack sound", convert},
	{0, "TTA1", "True Audio sound", convert},
	{0, "DSD ", "DSD sound", convert},
	{0, "FRM8", "DSD sound", convert},
	{0, "#!AMR", "AMR sound", convert},
	{0, "ADIF", "AAC sound", convert},
	{0, "MThd", midi, convert},
	{0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (WMA or WMV)", convert},
	{0, ".RMF", "RealMedia", convert},
	{0, "\x1a\x45\xdf\xa3", "Matroska or WebM", convert},
	{0, "FLV\x01", "a Flash video", convert},
	{0, "\x00\x00\x01\xba", "an MPEG video", convert},
	{0, "\x00\x00\x01\xb3", "an MPEG video", convert},
	{0, "\x89PNG\r\n", "a PNG picture, not a sound", ""},
	{0, "\xff\xd8\xff", "a JPEG picture, not a sound", ""},
	{0, "GIF8", "a GIF picture, not a sound", ""},
	{0, "II*\x00", "a TIFF picture, not a sound", ""},
	{0, "MM\x00*", "a TIFF picture, not a sound", ""},
	{0, "%PDF-", "a PDF document, not a sound", ""},
	{0, "PK\x03\x04", "a ZIP archive, not a sound", "unpack it"},
	{0, "Rar!", "a RAR archive, not a sound", "unpack it"},
	{0, "7z\xbc\xaf", "a 7-Zip archive, not a sound", "unpack it"},
	{0, "\x1f\x8b", "compressed with gzip", "unpack it"},
	{0, "BZh", "compressed with bzip2", "unpack it"},
	{0, "\xfd7zXZ\x00", "compressed with xz", "unpack it"},
	{0, "\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it"},
	{0, "\x7fELF", "a program, not a sound", ""},
	{0, "SQLite format", "a database, not a sound", ""},
}

// sniffText knows what can be read by people: playlists, which are followed,
// and pages, which are not.
func sniffText(head []byte, whole bool, name, mime string) (f finding, more int, ok bool) {
	text := bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if !legible(text[:min(len(text), 512)]) {
		return finding{}, 0, false
	}
	if len(head) < 512 && !whole {
		return finding{}, 512, true
	}
	start := strings.ToLower(string(bytes.TrimSpace(text[:min(len(text), 2048)])))
	begins := func(s string) bool { return strings.HasPrefix(start, s) }
	switch {
	case strings.Contains(start, "#ext-x-"):
		f = finding{kind: hls}
	case begins("<") && strings.Contains(start, "<playlist"):
		f = finding{kind: playlist}
	case begins("#extm3u"), begins("[playlist]"), begins("http://"), begins("https://"), namesPlaylist(name, mime):
		f = finding{kind: playlist}
	case begins("<?xml") && strings.Contains(start, "<rss"), begins("<rss"):
		f = finding{what: "an RSS feed", advice: "use the address of one of its episodes"}
	case strings.Contains(start, "<html"), begins("<!doctype html"), strings.Contains(start, "<body"):
		f = finding{what: "an HTML page, not a sound", advice: "is this the address of a web page?"}
	case begins("<?xml"), begins("<"):
		f = finding{what: "an XML document, not a sound"}
	case begins("{"), begins("["):
		f = finding{what: "JSON, not a sound"}
	default:
		f = finding{what: "a text, not a sound"}
	}
	return f, 0, true
}

// namesPlaylist tells whether something is called a playlist. Those without a
// header cannot be told from any other text.
func namesPlaylist(name, mime string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".m3u", ".m3u8", ".pls", ".xspf":
		return true
	}
	mime, _, _ = strings.Cut(strings.ToLower(mime), ";")
	switch strings.TrimSpace(mime) {
	case "audio/x-mpegurl", "audio/mpegurl", "application/x-mpegurl", "application/vnd.apple.mpegurl",
		"audio/x-scpls", "audio/scpls", "application/pls+xml", "application/xspf+xml":
		return true
	}
	return false
}

// legible tells whether bytes are a text, in UTF-8 or an older encoding.
func legible(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1 && b[0] < 0xa0 && len(b) >= utf8.UTFMax:
			return false
		case r < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1b", r), r == 0x7f:
			return false
		}
		b = b[n:]
	}
	return true
}

// noise is what has no beginning that we know.
const noise = "not a format that is known here"

// sniffFrames looks for frames of MP3, AAC or the layers below MP3, which may
// begin anywhere: a stream is joined in the middle.
func sniffFrames(head []byte, whole bool) (f finding, more int) {
	for i := range head {
		h, ok := parseHeader(head[i:])
		if !ok {
			continue
		}
		// At the very beginning two frames in a row are no chance, and neither is
		// one that is all there is. Elsewhere it takes more.
		few, many := 2, 4
		frames, cut := h.run(head[i:])
		if cut && whole {
			few, many = 1, 2
		}
		switch {
		case i == 0 && frames >= few, frames >= many:
			return h.finding(), 0
		case cut && !whole && len(head) < sniffMost:
			return finding{}, min(sniffMost, max(4096, len(head)*2))
		}
	}
	if !whole && len(head) < sniffMost {
		return finding{}, min(sniffMost, max(4096, len(head)*2))
	}
	return finding{what: noise, advice: convert}, 0
}

// An mpegHeader is that of a frame of MPEG audio.
type mpegHeader struct {
	version, layer int // layer 3 is MP3, 0 is AAC
	rate           byte
	length         int // of the frame
}

// parseHeader reads a header. Its first eleven bits are ones, then:
//
//	version 2, layer 2, unprotected 1 | bitrate 4, rate 2, padding 1, private 1
func parseHeader(b []byte) (mpegHeader, bool) {
	if len(b) < 4 || b[0] != 0xff || b[1]&0xe0 != 0xe0 {
		return mpegHeader{}, false
	}
	version, layer := b[1]>>3&3, 4-int(b[1]>>1&3)
	if layer == 4 {
		return parseADTS(b)
	}
	bitrate, rate := int(b[2]>>4), int(b[2]>>2&3)
	if version == 1 || bitrate == 0 || bitrate == 15 || rate == 3 {
		return mpegHeader{}, false
	}
	hz := [...]int{44100, 48000, 32000}[rate]
	table := layer - 1
	if version != 3 { // MPEG-2, and 2.5 at half of that
		hz /= 2
		table = 3 + min(layer, 2) - 1
	}
	if version == 0 {
		hz /= 2
	}
	bps, padding := bitrates[table][bitrate-1]*1000, int(b[2]>>1&1)
	h := mpegHeader{version: int(version), layer: layer, rate: b[2] & 0x0c}
	switch {
	case layer == 1:
		h.length = (12*bps/hz + padding) * 4
	case layer == 3 && version != 3:
		h.length = 72*bps/hz + padding
	default:
		h.length = 144*bps/hz + padding
	}
	return h, true
}

// bitrates in kbit/s: MPEG-1 layers 1 to 3, MPEG-2 layer 1, layers 2 and 3.
var bitrates = [5][14]int{
	{32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
	{32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
	{32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	{32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
	{8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
}

// parseADTS reads the header of an AAC frame.
func parseADTS(b []byte) (mpegHeader, bool) {
	if len(b) < 6 || b[1]&0xf0 != 0xf0 || b[2]>>2&15 > 12 {
		return mpegHeader{}, false
	}
	length := int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5
	return mpegHeader{layer: 0, rate: b[2] & 0x3c, length: length}, length > 7
}

// run counts the frames that follow one another from the beginning of b on,
// where h stands, up to four. cut says that b ends before it is known whether
// there are more.
func (h mpegHeader) run(b []byte) (frames int, cut bool) {
	for frames = 1; frames < 4; frames++ {
		if len(b) < h.length+6 {
			return frames, true
		}
		b = b[h.length:]
		next, ok := parseHeader(b)
		if !ok || next.version != h.version || next.layer != h.layer || next.rate != h.rate {
			return frames, false
		}
		h = next
	}
	return frames, false
}

func (h mpegHeader) finding() finding {
	switch h.layer {
	case 0:
		return finding{what: "AAC sound", advice: convert}
	case 3:
		return finding{kind: mp3File}
	}
	return finding{what: fmt.Sprintf("MPEG sound of layer %d", h.layer), advice: convert}
}

// Package film tells what a film is made of, from its first bytes and its
// index, and whether the player in an AirPlay receiver plays it.
//
//	f, err := film.Probe(r, size)
//	if err != nil {
//		return err // it could not be read
//	}
//	if verdict, why := f.Playable(); verdict == film.Never {
//		return errors.New(why)
//	}
//
// Nothing is decoded and no program is run. What is no film at all, or only
// sound, is a Film without pictures and not an error.
package film

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
)

// A Film is what Probe finds out. Its zero value is what it does not know.
type Film struct {
	Container string // "mp4", "mov", "matroska", "webm", "avi", "mpegts", "hls" …
	Type      string // the media type that it is served with
	Ending    string // of its name, with the dot

	Pictures []Codec // of the video tracks
	Sounds   []Codec // of the audio tracks
	Duration time.Duration
	// Sealed tells that it is encrypted.
	Sealed bool
	// Next is what an HLS playlist names first, as it names it. What that
	// holds is what the film is made of, where the playlist does not tell.
	Next string
	// Live tells that an HLS playlist has no end.
	Live bool
}

// A Codec is how pictures or sound are coded, and in which variety.
type Codec struct {
	Name string // "h264", "hevc", "aac" …; what the container says where that is not known
	// Detail is what keeps players from playing it although they know the
	// codec, "" if nothing does.
	Detail string
}

// Video tells whether there are moving pictures in it. Where it does not tell
// what it is made of, known is false.
func (f Film) Video() (yes, known bool) {
	if len(f.Pictures) > 0 {
		return true, true
	}
	switch f.Container {
	case "hls", "mp4", "mov", "matroska", "webm", "avi", "mpegts", "m2ts":
		return false, len(f.Sounds) > 0
	}
	return false, true
}

// A Verdict is whether a receiver plays something.
type Verdict int

// Whether a receiver plays something.
const (
	Never   Verdict = iota // it shows nothing, or an error
	Perhaps                // some do
	Always
)

// contained are the containers that players know; false: some of them do.
var contained = map[string]bool{
	"mp4": true, "mov": true, "hls": true, "mp3": true, "wav": true, "m4a": true, "mpegts": false,
}

// pictured and sounded are the codecs that players know.
var (
	pictured = []string{"h264", "hevc", "jpeg"}
	sounded  = []string{"aac", "ac3", "eac3", "alac", "mp3", "pcm"}
)

// Playable tells whether the player in an Apple TV plays the film as it is, and
// why not, as what could follow the film's name: "is a Matroska file, which …".
func (f Film) Playable() (v Verdict, why string) {
	if f.Sealed {
		return Never, "is protected (DRM), which only the shop's own player opens"
	}
	known, ok := contained[f.Container]
	if !ok {
		return Never, "is " + f.called() + ", which AirPlay receivers do not play"
	}
	for _, c := range f.Pictures {
		if !slices.Contains(pictured, c.Name) {
			return Never, "has pictures in " + c.shown() + ", which AirPlay receivers do not play"
		}
		if c.Detail != "" {
			return Perhaps, "has pictures in " + c.shown() + ", which many AirPlay receivers do not play"
		}
	}
	playable := func(c Codec) bool { return slices.Contains(sounded, c.Name) }
	if len(f.Sounds) > 0 && !slices.ContainsFunc(f.Sounds, playable) {
		return Never, "has sound in " + f.Sounds[0].shown() + ", which AirPlay receivers do not play"
	}
	if !known {
		return Perhaps, "is " + f.called() + ", which some AirPlay receivers play only as part of HLS"
	}
	return Always, ""
}

var names = map[string]string{
	"matroska": "a Matroska file (MKV)", "webm": "a WebM file", "avi": "an AVI file", "mpegts": "an MPEG transport stream",
	"m2ts": "a Blu-ray transport stream", "mpeg": "an MPEG program stream", "asf": "a Windows Media file (WMV)", "flv": "a Flash film",
	"ogg": "an Ogg film", "rm": "a RealMedia film", "dash": "a DASH playlist", "mjpeg": "the pictures of a camera (MJPEG)", "": "no film that is known here",
}

func (f Film) called() string {
	if n, ok := names[f.Container]; ok {
		return n
	}
	return f.Container
}

var spelled = map[string]string{
	"h264": "H.264", "hevc": "HEVC", "mpeg4": "MPEG-4 part 2", "vp8": "VP8", "vp9": "VP9", "av1": "AV1", "theora": "Theora",
	"mpeg2": "MPEG-2", "mpeg1": "MPEG-1", "vc1": "VC-1", "wmv": "Windows Media Video", "opus": "Opus", "vorbis": "Vorbis", "flac": "FLAC", "dts": "DTS",
	"truehd": "TrueHD", "wma": "Windows Media Audio", "mp2": "MPEG layer 2", "aac": "AAC", "mp3": "MP3", "jpeg": "JPEG",
}

func (c Codec) shown() string {
	s, ok := spelled[c.Name]
	if !ok {
		s = "the unknown codec " + c.Name
	}
	if c.Detail != "" {
		s += " (" + c.Detail + ")"
	}
	return s
}

// headSize is how many bytes are looked at for what stands at the beginning.
const headSize = 64 << 10

// Probe looks at a film of size bytes; -1: that is not known, and then only the
// beginning is looked at. It reads a few pieces, of 24 MiB at most together.
// The error is one of r.
func Probe(r io.ReaderAt, size int64) (Film, error) {
	head := make([]byte, headSize)
	if size >= 0 {
		head = head[:min(size, headSize)]
	}
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Film{}, err
	}
	head = head[:n]
	at := func(i int, s string) bool { return len(head) >= i+len(s) && string(head[i:i+len(s)]) == s }
	switch {
	case at(4, "ftyp"), at(4, "moov"), at(4, "mdat"), at(4, "wide"), at(4, "skip"), at(4, "free"), at(4, "styp"):
		return probeMP4(r, size, head)
	case at(0, ebmlMagic):
		return probeMatroska(r, size, head)
	case at(0, "RIFF") && at(8, "AVI "):
		return probeAVI(head), nil
	}
	return simple(head, at), nil
}

// simple knows what its beginning tells.
func simple(head []byte, at func(int, string) bool) Film {
	text := strings.ToLower(string(bytes.TrimSpace(bytes.TrimPrefix(head[:min(len(head), 4096)], []byte("\xef\xbb\xbf")))))
	switch {
	case strings.HasPrefix(text, "#extm3u") && strings.Contains(strings.ToLower(string(head)), "#ext-x-"):
		return parseHLS(string(head))
	case at(0, "G") && (at(188, "G") || len(head) == 188):
		return parseTS(head, 188, 0)
	case at(4, "G") && at(196, "G"):
		f := parseTS(head, 192, 4)
		f.Container = "m2ts"
		return f
	case at(0, "\x00\x00\x01\xba"), at(0, "\x00\x00\x01\xb3"):
		return Film{Container: "mpeg", Type: "video/mpeg", Ending: ".mpg", Pictures: []Codec{{Name: "mpeg2"}}}
	case at(0, asfMagic):
		return probeASF(head)
	case at(0, "FLV\x01"):
		return probeFLV(head)
	case at(0, "OggS"):
		return probeOgg(head)
	case at(0, ".RMF"):
		return Film{Container: "rm", Type: "application/vnd.rn-realmedia", Ending: ".rm", Pictures: []Codec{{Name: "realvideo"}}}
	case at(0, "RIFF") && at(8, "WAVE"):
		return Film{Container: "wav", Type: "audio/wav", Ending: ".wav", Sounds: []Codec{{Name: "pcm"}}}
	case at(0, "ID3"), at(0, "\xff\xfb"), at(0, "\xff\xf3"), at(0, "\xff\xfa"):
		return Film{Container: "mp3", Type: "audio/mpeg", Ending: ".mp3", Sounds: []Codec{{Name: "mp3"}}}
	case strings.Contains(text, "<mpd"):
		return Film{Container: "dash", Type: "application/dash+xml", Ending: ".mpd", Pictures: []Codec{{Name: "unknown"}}}
	case at(0, "--") && strings.Contains(text, "image/jpeg"):
		return Film{Container: "mjpeg", Type: "multipart/x-mixed-replace", Ending: ".mjpg", Pictures: []Codec{{Name: "jpeg"}}}
	}
	return Film{}
}

package audio_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"airplay2mqtt/audio"
)

// mp3Frames are empty frames of 128 kbit/s at 44100.
func mp3Frames(n int) []byte {
	frame := make([]byte, 417)
	copy(frame, "\xff\xfb\x90\x00")
	return bytes.Repeat(frame, n)
}

// aacFrames are ADTS frames of 100 bytes.
func aacFrames(n int) []byte {
	frame := make([]byte, 100)
	copy(frame, []byte{0xff, 0xf1, 0x50, 0x80 | 100>>11, 100 >> 3 & 0xff, 100&7<<5 | 0x1f, 0xfc})
	return bytes.Repeat(frame, n)
}

// id3 is a tag with n bytes in it.
func id3(n int) []byte {
	b := []byte{'I', 'D', '3', 4, 0, 0, byte(n >> 21 & 0x7f), byte(n >> 14 & 0x7f), byte(n >> 7 & 0x7f), byte(n & 0x7f)}
	return append(b, make([]byte, n)...)
}

func join(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		b = fmt.Appendf(b, "%s", p)
	}
	return b
}

var zeros = make([]byte, 1000)

var sniffed = []struct {
	bytes      []byte
	name, mime string
	want       string
}{
	{nil, "", "", "empty"},
	{join("RIFF\x24\x00\x00\x00WAVEfmt "), "", "", "wav"},
	{join("RF64\xff\xff\xff\xffWAVEds64"), "", "", "wav"},
	{join("RIFF\x24\x00\x00\x00AVI LIST"), "x.wav", "audio/wav", "AVI video"},
	{join("RIFF\x24\x00\x00\x00WEBPVP8 "), "", "", "WebP picture"},
	{join("fLaC\x00\x00\x00\x22", zeros), "x.mp3", "audio/mpeg", "flac"},
	{join("OggS\x00\x02", zeros), "", "", "ogg"},
	{mp3Frames(3), "x.wav", "", "mp3"},
	{mp3Frames(1), "", "", "mp3"},
	{join(zeros, mp3Frames(10)), "", "", "mp3"},
	{join(strings.Repeat("\x00\xff\xf3garbage", 99), mp3Frames(10)), "", "", "mp3"},
	{join(mp3Frames(1)[200:], mp3Frames(10)), "", "", "mp3"},
	{join(id3(10), mp3Frames(3)), "", "", "mp3"},
	{join(id3(5000), zeros, mp3Frames(3)), "", "", "mp3"},
	{join(id3(10), id3(20), "fLaC\x00\x00\x00\x22", zeros), "", "", "flac"},
	{join(id3(10), aacFrames(5)), "", "", "AAC"},
	{id3(70000), "", "", "id3"},
	{id3(10), "", "", "no sound behind it"},
	{[]byte("ID3"), "", "", "no sound behind it"},
	{aacFrames(5), "x.mp3", "", "AAC"},
	{join("\xff\xfd\x90\x00", make([]byte, 518), "\xff\xfd\x90\x00", make([]byte, 518)), "", "", "layer 2"},
	{join("\x00\x00\x00\x20ftypM4A \x00\x00"), "", "", "M4A"},
	{join("\x00\x00\x00\x20ftypisom\x00\x00"), "", "", "MP4"},
	{join("\x00\x00\x00\x20ftypavif\x00\x00"), "", "", "picture"},
	{join("FORM\x00\x00\x00\x20AIFFCOMM"), "", "", "aiff"},
	{join("\x30\x26\xb2\x75\x8e\x66\xcf\x11", zeros), "", "", "WMA"},
	{join("\x1a\x45\xdf\xa3", zeros), "", "", "Matroska"},
	{join("\x89PNG\r\n\x1a\n", zeros), "x.mp3", "audio/mpeg", "PNG"},
	{join("\xff\xd8\xff\xe0\x00\x10JFIF", zeros), "", "", "JPEG"},
	{join("PK\x03\x04", zeros), "", "", "ZIP"},
	{join("\x7fELF", zeros), "", "", "program"},
	{bytes.Repeat(append([]byte("G"), make([]byte, 187)...), 5), "", "", "transport stream"},
	{[]byte("<!DOCTYPE html><html><body>no</body></html>"), "x.mp3", "audio/mpeg", "HTML"},
	{[]byte("\xef\xbb\xbf\r\n  <HTML>"), "", "", "HTML"},
	{[]byte("<!-- hello -->\n<html>"), "", "", "HTML"},
	{[]byte(`<?xml version="1.0"?><rss version="2.0">`), "", "", "RSS"},
	{[]byte(`<?xml version="1.0"?><svg>`), "", "", "XML"},
	{[]byte(`{"error": "not found"}`), "", "", "JSON"},
	{[]byte("Dear diary, today I heard nothing."), "", "", "text"},
	{[]byte("Liebes Tagebuch, heute h\xf6rte ich nichts."), "", "", "text"},
	{[]byte("hi"), "", "", "text"},
	{[]byte("#EXTM3U\nsong.mp3\n"), "", "", "playlist"},
	{[]byte("#EXTM3U\n#EXT-X-TARGETDURATION:10\n"), "", "", "hls"},
	{[]byte("[playlist]\nFile1=http://a/b\n"), "", "", "playlist"},
	{[]byte("http://radio.example/stream\n"), "", "", "playlist"},
	{[]byte("song.mp3\n"), "x.M3U", "", "playlist"},
	{[]byte("song.mp3\n"), "", "audio/x-mpegurl; charset=utf-8", "playlist"},
	{bytes.Repeat([]byte{1, 2, 3, 0xff, 0xf0}, 20000), "x.mp3", "", "not a format"},
}

func TestBytesAreKnownByWhatTheyAre(t *testing.T) {
	for i, c := range sniffed {
		// As if they came in slowly: never more than are asked for.
		have := 0
		for {
			whole := have >= len(c.bytes)
			got, _, more := audio.Sniff(c.bytes[:min(have, len(c.bytes))], whole, c.name, c.mime)
			if more == 0 {
				if !strings.Contains(got, c.want) {
					t.Errorf("%d: %.20q: after %d bytes got %q, want %q", i, c.bytes, have, got, c.want)
				}
				break
			}
			if more <= have || more > audio.SniffMost {
				t.Fatalf("%d: %.20q: got %d bytes, wants %d", i, c.bytes, have, more)
			}
			have = more
		}
	}
}

func TestARadioIsKnownAfterAFewFrames(t *testing.T) {
	stream := mp3Frames(100)[100:]
	for have := 16; ; {
		got, _, more := audio.Sniff(stream[:have], false, "", "audio/mpeg")
		if more == 0 {
			if got != "mp3" || have > 8192 {
				t.Errorf("got %q after %d bytes", got, have)
			}
			return
		}
		have = more
	}
}

func FuzzSniff(f *testing.F) {
	for _, c := range sniffed {
		f.Add(c.bytes, true, c.name, c.mime)
	}
	f.Fuzz(func(t *testing.T, head []byte, whole bool, name, mime string) {
		what, skip, more := audio.Sniff(head, whole, name, mime)
		switch {
		case more > 0 && (whole || more <= len(head) || more > audio.SniffMost):
			t.Errorf("%d bytes, whole %v: wants %d", len(head), whole, more)
		case more == 0 && what == "":
			t.Error("says nothing")
		case skip < 0:
			t.Errorf("skips %d", skip)
		}
	})
}

func TestPlaylistsAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"":        "",
		"#EXTM3U": "",
		"#EXTM3U\r\n#EXTINF:3,A song\r\n a song.mp3 \r\n\r\nb.mp3":                                   "a song.mp3|b.mp3",
		"\ufeffx.mp3\rh\xf6r.mp3\n":                                                                  "x.mp3|hör.mp3",
		"[Playlist]\nNumberOfEntries=2\nFile2=b\nTitle1=T\nfile1 = http://a/?x=1\nFilex=c\nFile3=\n": "http://a/?x=1|b",
	} {
		if got := strings.Join(parse([]byte(text)), "|"); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := len(parse(bytes.Repeat([]byte("x\n"), 100000))); got != 1000 {
		t.Errorf("got %d entries, want 1000", got)
	}
}

func FuzzPlaylist(f *testing.F) {
	f.Add([]byte("#EXTM3U\na.mp3\n"))
	f.Add([]byte("[playlist]\nFile1=http://a/b\nFile99999999999999999999=x\nFile-1=y"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, e := range parse(text) {
			if e == "" || strings.ContainsAny(e, "\r\n") {
				t.Errorf("got the entry %q", e)
			}
		}
	})
}

// parse is the locations in a playlist.
func parse(text []byte) (locations []string) {
	for _, e := range audio.ParsePlaylist(text) {
		locations = append(locations, e.Location)
	}
	return locations
}

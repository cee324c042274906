package tags_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bogem/id3v2/v2"
	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio/tags"
)

var (
	jpegCover = append([]byte("\xff\xd8\xff\xe0"), bytes.Repeat([]byte{0xff, 0x00, 0xe0, 7}, 25)...)
	pngCover  = append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte{1, 0}, 25)...)
)

func safe(n int) []byte {
	return []byte{byte(n >> 21 & 0x7f), byte(n >> 14 & 0x7f), byte(n >> 7 & 0x7f), byte(n & 0x7f)}
}

// tag puts a header in front of frames.
func tag(version, flags byte, frames ...[]byte) []byte {
	body := bytes.Join(frames, nil)
	b := append([]byte{'I', 'D', '3', version, 0, flags}, safe(len(body))...)
	return append(b, body...)
}

func frame22(id, body string) []byte {
	n := len(body)
	return append([]byte(id), append([]byte{byte(n >> 16), byte(n >> 8), byte(n)}, body...)...)
}

func frame23(id, body string) []byte { return frame23f(id, 0, body) }

func frame23f(id string, flags byte, body string) []byte {
	b := binary.BigEndian.AppendUint32([]byte(id), uint32(len(body)))
	return append(append(b, 0, flags), body...)
}

func frame24(id, body string) []byte { return frame24f(id, 0, body) }

func frame24f(id string, flags byte, body string) []byte {
	b := append([]byte(id), safe(len(body))...)
	return append(append(b, 0, flags), body...)
}

func utf16of(s string, order binary.AppendByteOrder) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func deflated(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}

func unsynced(b []byte) []byte { return bytes.ReplaceAll(b, []byte{0xff, 0}, []byte{0xff, 0, 0}) }

const (
	le, be   = "\xff\xfe", "\xfe\xff"
	apicHead = "\x00image/jpeg\x00\x03\x00"
)

var id3Tags = []struct {
	name string
	tag  []byte
	want tags.Tags
}{
	{"2.3 as most files are", tag(3, 0,
		frame23("TIT2", "\x00Title"), frame23("TPE1", "\x01"+le+utf16of("Küche", binary.LittleEndian)+"\x00\x00"),
		frame23("TALB", "\x01"+be+utf16of("東京", binary.BigEndian)), frame23("TCON", "\x00(17)"),
		frame23("TYER", "\x001999"), frame23("TRCK", "\x003/12"), frame23("TLEN", "\x001500"),
		frame23("APIC", apicHead+string(jpegCover)), make([]byte, 64)),
		tags.Tags{Title: "Title", Artist: "Küche", Album: "東京", Genre: "Rock", Year: 1999, Track: 3,
			Duration: 1500 * time.Millisecond, Artwork: jpegCover}},
	{"2.4 with lists and a date", tag(4, 0,
		frame24("TIT2", "\x03Title\x00"), frame24("TPE1", "\x03One\x00Two\x00One"), frame24("TDRC", "\x032004-05-06T07:08"),
		frame24("TYER", "\x031980"), frame24("TCON", "\x0326\x00Own\x00(4)Disco 2\x00RX")),
		tags.Tags{Title: "Title", Artist: "One, Two", Genre: "Ambient, Own, Disco 2, Remix", Year: 2004}},
	{"2.2", tag(2, 0,
		frame22("TT2", "\x00Title"), frame22("TP1", "\x01"+le+utf16of("Ä", binary.LittleEndian)), frame22("TAL", "\x00Album"),
		frame22("TYE", "\x001981"), frame22("TRK", "\x007"), frame22("TCO", "\x00(9)"), frame22("COM", "\x00engx\x00y"),
		frame22("PIC", "\x00PNG\x03\x00"+string(pngCover))),
		tags.Tags{Title: "Title", Artist: "Ä", Album: "Album", Genre: "Metal", Year: 1981, Track: 7, Artwork: pngCover}},
	{"album artist where there is no other", tag(3, 0, frame23("TPE2", "\x00Various")), tags.Tags{Artist: "Various"}},
	{"Latin-1 that is UTF-8", tag(3, 0, frame23("TIT2", "\x00Küche")), tags.Tags{Title: "Küche"}},
	{"UTF-8 that is Latin-1", tag(4, 0, frame24("TIT2", "\x03K\xfcche")), tags.Tags{Title: "Küche"}},
	{"UTF-8 encoded twice", tag(4, 0, frame24("TIT2", "\x03KÃ¼che")), tags.Tags{Title: "Küche"}},
	{"UTF-16 without a mark", tag(3, 0,
		frame23("TIT2", "\x01"+utf16of("Grüße", binary.LittleEndian)), frame23("TALB", "\x01"+utf16of("Grüße", binary.BigEndian))),
		tags.Tags{Title: "Grüße", Album: "Grüße"}},
	{"UTF-16 big endian", tag(4, 0, frame24("TIT2", "\x02"+utf16of("Größe 😀", binary.BigEndian))), tags.Tags{Title: "Größe 😀"}},
	{"a mark on every value", tag(4, 0, frame24("TPE1", "\x01"+le+"A\x00\x00\x00"+le+"B\x00")), tags.Tags{Artist: "A, B"}},
	{"half a character at the end", tag(3, 0, frame23("TIT2", "\x01"+le+"A\x00B")), tags.Tags{Title: "A"}},
	{"an unknown encoding", tag(3, 0, frame23("TIT2", "\x09Title")), tags.Tags{Title: "Title"}},
	{"control characters", tag(3, 0, frame23("TIT2", "\x00 a\x01\nb\x00")), tags.Tags{Title: "a b"}},
	{"empty frames", tag(3, 0, frame23("TIT2", ""), frame23("TPE1", "\x01"), frame23("APIC", ""), frame23("TALB", "\x00Album")),
		tags.Tags{Album: "Album"}},
	{"a 2.3 tag unsynchronised", tag(3, 0x80, unsynced(frame23("APIC", apicHead+string(jpegCover))), frame23("TIT2", "\x00Title")),
		tags.Tags{Title: "Title", Artwork: jpegCover}},
	{"a 2.4 frame unsynchronised", tag(4, 0, frame24f("APIC", 0x03, "\x00\x00\x00\x00"+string(unsynced([]byte(apicHead+string(jpegCover))))),
		frame24("TIT2", "\x03Title")), tags.Tags{Title: "Title", Artwork: jpegCover}},
	{"a 2.4 tag unsynchronised", tag(4, 0x80, frame24("APIC", string(unsynced([]byte(apicHead+string(jpegCover)))))),
		tags.Tags{Artwork: jpegCover}},
	{"compressed frames", tag(3, 0, frame23f("TIT2", 0x80, "\x00\x00\x00\x06"+deflated("\x00Title"))), tags.Tags{Title: "Title"}},
	{"compressed frames of 2.4", tag(4, 0, frame24f("TIT2", 0x09, "\x00\x00\x00\x06"+deflated("\x03Title"))), tags.Tags{Title: "Title"}},
	{"grouped frames", tag(4, 0, frame24f("TIT2", 0x40, "\x07\x03Title"), frame24f("TALB", 0x04, "\x07secret")), tags.Tags{Title: "Title"}},
	{"an extended header of 2.3", tag(3, 0x40, []byte{0, 0, 0, 6, 0, 0, 0, 0, 0, 0}, frame23("TIT2", "\x00Title")), tags.Tags{Title: "Title"}},
	{"an extended header of 2.4", tag(4, 0x40, []byte{0, 0, 0, 6, 1, 0}, frame24("TIT2", "\x03Title")), tags.Tags{Title: "Title"}},
	{"frame sizes of old iTunes", tag(4, 0, frame23("TIT2", "\x03"+strings.Repeat("x", 199)), frame24("TALB", "\x03Album")),
		tags.Tags{Title: strings.Repeat("x", 199), Album: "Album"}},
	{"the front cover goes before others", tag(3, 0,
		frame23("APIC", "\x00image/png\x00\x04back\x00"+string(pngCover)), frame23("APIC", apicHead+string(jpegCover))),
		tags.Tags{Artwork: jpegCover}},
	{"an empty UTF-16 description", tag(3, 0, frame23("APIC", "\x01image/jpeg\x00\x03\x00\x00"+string(jpegCover))), tags.Tags{Artwork: jpegCover}},
	{"a description in UTF-16", tag(3, 0, frame23("APIC", "\x01image/jpeg\x00\x03"+be+"\x00A\x00\x00"+string(jpegCover))), tags.Tags{Artwork: jpegCover}},
	{"a description with one zero too few", tag(3, 0, frame23("APIC", "\x01image/jpeg\x00\x03\x00"+string(jpegCover))), tags.Tags{Artwork: jpegCover}},
	{"a picture that is a link", tag(3, 0, frame23("APIC", "\x00-->\x00\x03\x00http://example.com/cover.jpg")), tags.Tags{}},
	{"a footer", append(tag(4, 0x10, frame24("TIT2", "\x03Title")), "3DI\x04\x00\x10\x00\x00\x00\x10"...), tags.Tags{Title: "Title"}},
}

func TestID3IsRead(t *testing.T) {
	for _, tt := range id3Tags {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tags.ParseID3(tt.tag)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if size, ok := tags.ID3Size(tt.tag); !ok || size != int64(len(tt.tag)) {
				t.Errorf("got size %d, %v; want %d", size, ok, len(tt.tag))
			}
		})
	}
}

// bogem/id3v2 writes what it understands by a tag; we must understand the same.
func TestTagsOfAnotherWriterAreRead(t *testing.T) {
	encodings := []id3v2.Encoding{id3v2.EncodingUTF8, id3v2.EncodingUTF16, id3v2.EncodingUTF16BE, id3v2.EncodingISO}
	for _, version := range []byte{3, 4} {
		for _, encoding := range encodings {
			w := id3v2.NewEmptyTag()
			w.SetVersion(version)
			w.SetDefaultEncoding(encoding)
			w.SetTitle("Für Elise")
			w.SetArtist("Ludwig")
			w.SetAlbum("Bagatellen")
			w.SetGenre("Classical")
			w.SetYear("1810")
			w.AddAttachedPicture(id3v2.PictureFrame{Encoding: encoding, MimeType: "image/jpeg",
				PictureType: id3v2.PTFrontCover, Description: "Bild", Picture: jpegCover})
			var b bytes.Buffer
			if _, err := w.WriteTo(&b); err != nil {
				t.Fatal(err)
			}
			got, err := tags.ParseID3(b.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			want := tags.Tags{Title: "Für Elise", Artist: "Ludwig", Album: "Bagatellen",
				Genre: "Classical", Year: 1810, Artwork: jpegCover}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("version 2.%d in %s (-want +got):\n%s", version, encoding.Name, diff)
			}
		}
	}
}

func TestACutTagGivesWhatThereIs(t *testing.T) {
	whole := tag(3, 0, frame23("TIT2", "\x00Title"), frame23("TALB", "\x00Album"))
	got, err := tags.ParseID3(whole[:len(whole)-3])
	if want := (tags.Tags{Title: "Title"}); !errors.Is(err, tags.ErrMalformed) || !cmp.Equal(got, want) {
		t.Errorf("got %+v, %v; want the title and ErrMalformed", got, err)
	}
}

func TestWhatIsNoID3IsRefused(t *testing.T) {
	for _, b := range []string{"", "ID3", "ID4\x03\x00\x00\x00\x00\x00\x00", "ID3\x05\x00\x00\x00\x00\x00\x00",
		"ID3\x01\x00\x00\x00\x00\x00\x00", "ID3\x03\x00\x00\x80\x00\x00\x00", "ID3\x03\xff\x00\x00\x00\x00\x00",
		"ID3\x03\x00\x40\x00\x00\x00\x02\x00\x00", "ID3\x04\x00\x40\x00\x00\x00\x04\x80\x00\x00\x00"} {
		if _, err := tags.ParseID3([]byte(b)); !errors.Is(err, tags.ErrMalformed) {
			t.Errorf("%q: got %v, want ErrMalformed", b, err)
		}
	}
}

// A frame of 16 kB that inflates to 16 MiB and more must not be believed.
func TestABombStaysSmall(t *testing.T) {
	bomb := deflated("\x00" + strings.Repeat("\x00", 40<<20))
	b := tag(3, 0, frame23f("TIT2", 0x80, "\x00\x00\x00\x06"+bomb), frame23("TALB", "\x00Album"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := tags.ParseID3(b)
	runtime.ReadMemStats(&after)
	if want := (tags.Tags{Album: "Album"}); err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %+v, %v; want the album only", got, err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func TestABodyTakesNoMoreThanThereIs(t *testing.T) {
	b, err := tags.ReadBody(strings.NewReader("short"), 1<<30)
	if string(b) != "short" || err != io.ErrUnexpectedEOF || cap(b) > 1<<20 {
		t.Errorf("got %q with room for %d, %v; want short, io.ErrUnexpectedEOF", b, cap(b), err)
	}
	long := strings.Repeat("0123456789", 50000)
	b, err = tags.ReadBody(iotest.HalfReader(strings.NewReader(long+"more")), len(long))
	if string(b) != long || err != nil {
		t.Errorf("got %d bytes, %v; want %d", len(b), err, len(long))
	}
	if b, err = tags.ReadBody(strings.NewReader(""), 0); len(b) != 0 || err != nil {
		t.Errorf("got %q, %v; want nothing", b, err)
	}
}

func v1(title, artist, album, year, comment string, genre byte) []byte {
	b := make([]byte, tags.ID3v1Size)
	copy(b, "TAG")
	copy(b[3:33], title)
	copy(b[33:63], artist)
	copy(b[63:93], album)
	copy(b[93:97], year)
	copy(b[97:127], comment)
	b[127] = genre
	return b
}

func TestID3v1IsRead(t *testing.T) {
	for _, tt := range []struct {
		name string
		tag  []byte
		want tags.Tags
	}{
		{"1.0", v1("Title", "Artist   ", "Album\x00junk", "1999", strings.Repeat("c", 30), 17),
			tags.Tags{Title: "Title", Artist: "Artist", Album: "Album", Year: 1999, Genre: "Rock"}},
		{"1.1", v1("K\xfcche", "", "", "", strings.Repeat("c", 28)+"\x00\x07", 255), tags.Tags{Title: "Küche", Track: 7}},
		{"UTF-8 cut in a character", v1(strings.Repeat("ä", 14)+"x\xc3", "", "", "", "", 191),
			tags.Tags{Title: strings.Repeat("ä", 14) + "x", Genre: "Psybient"}},
	} {
		got, ok := tags.ParseID3v1(tt.tag)
		if diff := cmp.Diff(tt.want, got); !ok || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, ok, diff)
		}
	}
	if _, ok := tags.ParseID3v1(make([]byte, tags.ID3v1Size)); ok {
		t.Error("zeros were taken for a tag")
	}
}

func FuzzParseID3(f *testing.F) {
	for _, tt := range id3Tags {
		f.Add(tt.tag)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, _ := tags.ParseID3(b)
		checkTags(t, got)
		if len(b) >= tags.ID3v1Size {
			v1 := append([]byte("TAG"), b[3:tags.ID3v1Size]...)
			got, _ = tags.ParseID3v1(v1)
			checkTags(t, got)
		}
	})
}

// checkTags holds what Tags promises.
func checkTags(t *testing.T, got tags.Tags) {
	t.Helper()
	for _, s := range []string{got.Title, got.Artist, got.Album, got.Genre} {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || s != strings.TrimSpace(s) {
			t.Fatalf("%q is not clean", s)
		}
	}
	if got.Artwork != nil && !bytes.HasPrefix(got.Artwork, jpegCover[:3]) && !bytes.HasPrefix(got.Artwork, pngCover[:8]) {
		t.Fatalf("artwork begins with % x", got.Artwork[:min(8, len(got.Artwork))])
	}
	if got.Year < 0 || got.Track < 0 || got.Duration < 0 {
		t.Fatalf("negative: %+v", got)
	}
}

func BenchmarkParseID3(b *testing.B) {
	cover := append([]byte("\xff\xd8\xff"), bytes.Repeat([]byte{1}, 2400<<10)...)
	data := tag(3, 0, frame23("TIT2", "\x00Title"), frame23("APIC", apicHead+string(cover)))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := tags.ParseID3(data); err != nil {
			b.Fatal(err)
		}
	}
}

package tags_test

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio/tags"
)

// comment is a Vorbis comment with these fields.
func comment(fields ...string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 6)
	b = append(b, "vendor"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(fields)))
	for _, f := range fields {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b
}

// block is a FLAC PICTURE block.
func block(kind uint32, mime string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(mime)))
	b = append(b, mime...)
	b = binary.BigEndian.AppendUint32(b, 5)
	b = append(b, "cover"...)
	b = append(b, make([]byte, 16)...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

var (
	jpeg = []byte("\xff\xd8\xff\xe0 a picture")
	png  = []byte("\x89PNG\r\n\x1a\n another")
)

var vorbisComments = []struct {
	name  string
	bytes []byte
	want  tags.Tags
	err   error
}{
	{"usual", comment("TITLE=T", "ARTIST=A", "ALBUM=B", "GENRE=G", "DATE=2001-02-03", "TRACKNUMBER=7"),
		tags.Tags{Title: "T", Artist: "A", Album: "B", Genre: "G", Year: 2001, Track: 7}, nil},
	{"any case", comment("title=T", "Artist=A"), tags.Tags{Title: "T", Artist: "A"}, nil},
	{"several artists", comment("ARTIST=A", "ARTIST=B", "ARTIST=A"), tags.Tags{Artist: "A, B"}, nil},
	{"only an album artist", comment("ALBUMARTIST=A"), tags.Tags{Artist: "A"}, nil},
	{"track of", comment("TRACKNUMBER=07/12", "YEAR=1984"), tags.Tags{Track: 7, Year: 1984}, nil},
	{"not numbers", comment("TRACKNUMBER=A7", "DATE=yesterday"), tags.Tags{}, nil},
	{"not UTF-8", comment("TITLE=K\xfcche"), tags.Tags{Title: "Küche"}, nil},
	{"no value", comment("TITLE", "=x", "ARTIST="), tags.Tags{}, nil},
	{"no fields", comment(), tags.Tags{}, nil},
	{"nothing", nil, tags.Tags{}, tags.ErrMalformed},
	{"vendor too long", []byte("\xff\xff\xff\xff\x00\x00\x00\x00"), tags.Tags{}, tags.ErrMalformed},
	{"four billion fields", []byte("\x00\x00\x00\x00\xff\xff\xff\xff\x07\x00\x00\x00TITLE=T"), tags.Tags{Title: "T"}, tags.ErrMalformed},
	{"field of 4 GB", []byte("\x00\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\xffTITLE=T"), tags.Tags{}, tags.ErrMalformed},
	{"picture", comment("METADATA_BLOCK_PICTURE=" + base64.StdEncoding.EncodeToString(block(3, "image/jpeg", jpeg))),
		tags.Tags{Artwork: jpeg}, nil},
	{"picture without padding", comment("METADATA_BLOCK_PICTURE=" + base64.RawStdEncoding.EncodeToString(block(3, "image/jpeg", jpeg))),
		tags.Tags{Artwork: jpeg}, nil},
	{"the front cover of two", comment(
		"METADATA_BLOCK_PICTURE="+base64.StdEncoding.EncodeToString(block(4, "image/jpeg", jpeg)),
		"METADATA_BLOCK_PICTURE="+base64.StdEncoding.EncodeToString(block(3, "image/png", png))),
		tags.Tags{Artwork: png}, nil},
	{"old cover", comment("COVERART=" + base64.StdEncoding.EncodeToString(png)), tags.Tags{Artwork: png}, nil},
	{"address for a picture", comment("METADATA_BLOCK_PICTURE=" + base64.StdEncoding.EncodeToString(block(3, "-->", []byte("http://x")))),
		tags.Tags{}, nil},
	{"picture that is none", comment("METADATA_BLOCK_PICTURE=%%%"), tags.Tags{}, nil},
}

func TestVorbisComments(t *testing.T) {
	for _, tt := range vorbisComments {
		got, err := tags.ParseVorbis(tt.bytes)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.name, diff)
		}
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: got error %v, want %v", tt.name, err, tt.err)
		}
	}
}

func TestVorbisCommentsAskForNoMoreThanTheyAre(t *testing.T) {
	fields := make([]string, 200000)
	for i := range fields {
		fields[i] = "ARTIST=" + strings.Repeat("x", i%50)
	}
	for _, b := range [][]byte{
		comment(fields...),
		[]byte("\x00\x00\x00\x00\xff\xff\xff\xff"),
		comment("TITLE=" + strings.Repeat("x", 10<<20)),
		comment("METADATA_BLOCK_PICTURE=" + strings.Repeat("A", 30<<20)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, _ := tags.ParseVorbis(b)
		runtime.ReadMemStats(&after)
		if asked := after.TotalAlloc - before.TotalAlloc; asked > uint64(len(b))+20<<20 {
			t.Errorf("%d bytes asked for %d", len(b), asked)
		}
		if len(got.Title) > 4096 || len(got.Artist) > 4096 {
			t.Errorf("got a title of %d and an artist of %d bytes", len(got.Title), len(got.Artist))
		}
	}
}

var pictures = []struct {
	name  string
	bytes []byte
	want  tags.Picture
	err   error
}{
	{"front cover", block(3, "image/jpeg", jpeg), tags.Picture{Type: tags.FrontCover, MIME: "image/jpeg", Data: jpeg}, nil},
	{"wrong kind", block(3, "image/jpeg", png), tags.Picture{Type: tags.FrontCover, MIME: "image/jpeg", Data: png}, nil},
	{"nothing", nil, tags.Picture{}, tags.ErrMalformed},
	{"only a type", []byte{0, 0, 0, 3}, tags.Picture{}, tags.ErrMalformed},
	{"MIME of 4 GB", []byte("\x00\x00\x00\x03\xff\xff\xff\xffimage"), tags.Picture{}, tags.ErrMalformed},
	{"description of 4 GB", []byte("\x00\x00\x00\x03\x00\x00\x00\x01x\xff\xff\xff\xff"), tags.Picture{}, tags.ErrMalformed},
	{"data of 4 GB", append(block(3, "image/jpeg", nil)[:41], "\xff\xff\xff\xff\xff\xd8\xff"...), tags.Picture{}, tags.ErrMalformed},
	{"not an image", block(3, "image/jpeg", []byte("GIF89a")), tags.Picture{}, tags.ErrMalformed},
	{"too large", block(3, "image/jpeg", append(jpeg, make([]byte, tags.MaxPicture)...)), tags.Picture{}, tags.ErrMalformed},
}

func TestPictures(t *testing.T) {
	for _, tt := range pictures {
		got, err := tags.ParsePicture(tt.bytes)
		if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.err) {
			t.Errorf("%s: got error %v, want %v (-want +got)\n%s", tt.name, err, tt.err, diff)
		}
	}
}

func FuzzParseVorbis(f *testing.F) {
	for _, tt := range vorbisComments {
		f.Add(tt.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, _ := tags.ParseVorbis(b)
		for _, s := range []string{got.Title, got.Artist, got.Album, got.Genre} {
			if s != "" && s != strings.ToValidUTF8(s, "?") {
				t.Errorf("%q is not UTF-8", s)
			}
		}
		if len(got.Artwork) > len(b) {
			t.Errorf("%d bytes hold a picture of %d", len(b), len(got.Artwork))
		}
	})
}

func FuzzParsePicture(f *testing.F) {
	for _, tt := range pictures[:len(pictures)-1] {
		f.Add(tt.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := tags.ParsePicture(b)
		if len(got.Data) > len(b) || err != nil && got.Data != nil {
			t.Errorf("got %d bytes of %d, %v", len(got.Data), len(b), err)
		}
	})
}

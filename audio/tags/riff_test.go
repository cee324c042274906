package tags_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio/tags"
)

func entry(id, value string) string {
	s := id + string(binary.LittleEndian.AppendUint32(nil, uint32(len(value)))) + value
	if len(value)%2 == 1 {
		s += "\x00"
	}
	return s
}

var infoLists = []struct {
	name, list string
	want       tags.Tags
}{
	{"all we know", "INFO" + entry("INAM", "Title\x00") + entry("IART", "Artist") + entry("IPRD", "Album\x00\x00") +
		entry("IGNR", "Jazz\x00") + entry("ICRD", "2001-02-03\x00") + entry("ITRK", "4\x00") + entry("ISFT", "Lavf"),
		tags.Tags{Title: "Title", Artist: "Artist", Album: "Album", Genre: "Jazz", Year: 2001, Track: 4}},
	{"a code page", "INFO" + entry("INAM", "K\xfcche"), tags.Tags{Title: "Küche"}},
	{"padding forgotten", "INFO" + "INAM\x05\x00\x00\x00Title" + entry("IART", "Artist"), tags.Tags{Title: "Title", Artist: "Artist"}},
	{"another list", "adtl" + entry("labl", "a cue"), tags.Tags{}},
	{"nothing", "", tags.Tags{}},
}

func TestInfoIsRead(t *testing.T) {
	for _, tt := range infoLists {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tags.ParseInfo([]byte(tt.list))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestACutListGivesWhatThereIs(t *testing.T) {
	list := "INFO" + entry("INAM", "Title\x00") + entry("IART", "Artist")
	got, err := tags.ParseInfo([]byte(list[:len(list)-1]))
	if want := (tags.Tags{Title: "Title"}); !errors.Is(err, tags.ErrMalformed) || !cmp.Equal(got, want) {
		t.Errorf("got %+v, %v; want the title and ErrMalformed", got, err)
	}
}

func FuzzParseInfo(f *testing.F) {
	for _, tt := range infoLists {
		f.Add([]byte(tt.list))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, _ := tags.ParseInfo(b)
		checkTags(t, got)
	})
}

package fake_test

import (
	"encoding/binary"
	"maps"
	"strings"
	"testing"

	"airplay2mqtt/internal/fake"
)

func item(code, payload string) string {
	return code + string(binary.BigEndian.AppendUint32(nil, uint32(len(payload)))) + payload
}

func TestListingsAreRead(t *testing.T) {
	got, err := fake.DMAP([]byte(item("mlit", item("minm", "Aria")+item("asyr", "\x07\xe2")+item("mlit", item("asar", "Gould")))))
	if want := map[string]string{"minm": "Aria", "asyr": "2018", "asar": "Gould"}; err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	deep := item("minm", "Aria")
	for range 20 {
		deep = item("mlit", deep)
	}
	for name, b := range map[string]string{
		"a code alone": "minm", "more than there is": "minm\xff\xff\xff\xffAria", "too deep": deep, "short within": item("mlit", "minm\x00\x00\x00\x05Aria"),
	} {
		if _, err := fake.DMAP([]byte(b)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func FuzzDMAP(f *testing.F) {
	f.Add([]byte(item("mlit", item("minm", "Aria")+item("asyr", "\x07\xe2"))))
	f.Add([]byte(strings.Repeat("mlit\x00\x00\x00\x08", 9)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if items, err := fake.DMAP(b); err == nil && len(b) > 0 && items == nil {
			t.Error("got nothing")
		}
	})
}

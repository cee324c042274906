package tlv8_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/internal/tlv8"
)

var lists = []struct {
	name, bytes string
	items       tlv8.Items
}{
	{"nothing", "", nil},
	{"M1 of transient pairing", "060101" + "000100" + "130110", tlv8.Items{{6, []byte{1}}, {0, []byte{0}}, {0x13, []byte{0x10}}}},
	{"an empty value", "0b00", tlv8.Items{{0x0b, []byte{}}}},
	{"exactly 255 bytes", "03ff" + ones(255), tlv8.Items{{3, bytes.Repeat([]byte{0x11}, 255)}}},
	{"256 bytes", "03ff" + ones(255) + "030111", tlv8.Items{{3, bytes.Repeat([]byte{0x11}, 256)}}},
	{"384 bytes and another", "03ff" + ones(255) + "0381" + ones(129) + "060103",
		tlv8.Items{{3, bytes.Repeat([]byte{0x11}, 384)}, {6, []byte{3}}}},
}

func ones(n int) string { return hex.EncodeToString(bytes.Repeat([]byte{0x11}, n)) }

func TestListsAreReadAndWritten(t *testing.T) {
	for _, c := range lists {
		b, _ := hex.DecodeString(c.bytes)
		got, err := tlv8.Unmarshal(b)
		if d := cmp.Diff(c.items, got); err != nil || d != "" {
			t.Errorf("%s: %v, want -, got +:\n%s", c.name, err, d)
		}
		if again := c.items.AppendTo(nil); !bytes.Equal(again, b) {
			t.Errorf("%s: got %x, want %x", c.name, again, b)
		}
	}
}

func TestBrokenListsAreRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"a tag alone":       {6},
		"a value too short": {6, 2, 1},
		"64 KiB":            make([]byte, 64<<10),
	} {
		if got, err := tlv8.Unmarshal(b); !errors.Is(err, tlv8.ErrFormat) || got != nil {
			t.Errorf("%s: got %v, %v, want ErrFormat", name, got, err)
		}
	}
}

func TestNumbersHaveTheirLowByteFirst(t *testing.T) {
	l := tlv8.Items{{8, []byte{0x2c, 1}}, {9, nil}, {10, make([]byte, 9)}}
	if n, ok := l.Number(8); n != 300 || !ok {
		t.Errorf("got %d, %v, want 300", n, ok)
	}
	for _, tag := range []byte{9, 10, 11} {
		if n, ok := l.Number(tag); ok {
			t.Errorf("tag %d: got %d, want none", tag, n)
		}
	}
	if !l.Has(9) || l.Has(11) {
		t.Error("got an empty value for a missing one, or the other way round")
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, c := range lists {
		b, _ := hex.DecodeString(c.bytes)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := tlv8.Unmarshal(b)
		if err != nil {
			return
		}
		again, err := tlv8.Unmarshal(l.AppendTo(nil))
		if d := cmp.Diff(l, again); err != nil || d != "" {
			t.Errorf("%v, want -, got +:\n%s", err, d)
		}
	})
}

package plist_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/internal/plist"
)

var everything = plist.Dict{
	"yes": true, "no": false, "nothing": nil,
	"small": int64(7), "byte": int64(255), "short": int64(65535), "long": int64(1 << 31), "huge": int64(math.MaxInt64),
	"minus": int64(-1), "beyond": uint64(math.MaxUint64),
	"half": 0.5, "text": "text", "long text": strings.Repeat("x", 300), "wide": "Küche 🎬",
	"data": []byte{1, 2, 3}, "date": time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
	"list": []any{"a", "a", []any{}, plist.Dict{}}, "dict": plist.Dict{"text": "text"},
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	b, err := plist.Marshal(everything)
	if err != nil {
		t.Fatal(err)
	}
	got, err := plist.UnmarshalDict(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(everything, got); d != "" {
		t.Error(d)
	}
	again, err := plist.Marshal(got)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("the same value made other bytes (%v)", err)
	}
}

// 62 plist 30 30: magic; d1 1 2: a dictionary; 54: "rate"; 23: 1.0; offsets; trailer.
const rate = "bplist00\xd1\x01\x02Trate\x23\x3f\xf0\x00\x00\x00\x00\x00\x00" +
	"\x08\x0b\x10\x00\x00\x00\x00\x00\x00\x01\x01" +
	"\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x19"

func TestGoldenBytes(t *testing.T) {
	b, err := plist.Marshal(plist.Dict{"rate": 1.0})
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != rate {
		t.Errorf("got\n%q, want\n%q", b, rate)
	}
}

const xmlList = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>duration</key><real>12.5</real>
	<key>readyToPlay</key><true/>
	<key>features</key><integer>0x77</integer>
	<key>data</key><data>AQ
	ID</data>
	<key>name</key><string>A &amp; B</string>
	<key>when</key><date>2026-11-28T12:00:00Z</date>
	<key>ranges</key><array><dict><key>start</key><integer>0</integer></dict><array/></array>
</dict>
</plist>`

func TestXMLIsRead(t *testing.T) {
	got, err := plist.UnmarshalDict([]byte(xmlList))
	if err != nil {
		t.Fatal(err)
	}
	want := plist.Dict{
		"duration": 12.5, "readyToPlay": true, "features": int64(0x77), "data": []byte{1, 2, 3}, "name": "A & B",
		"when":   time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
		"ranges": []any{plist.Dict{"start": int64(0)}, []any{}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestNumbersAreTakenAsTheyCome(t *testing.T) {
	d := plist.Dict{"whole": int64(2), "real": 2.0, "half": 0.5, "nan": math.NaN(), "yes": int64(1)}
	for name, want := range map[string]bool{"whole": true, "real": true, "half": true, "nan": false, "none": false} {
		if _, ok := d.Float(name); ok != want {
			t.Errorf("Float(%s): got %v, want %v", name, ok, want)
		}
	}
	if n, ok := d.Int("real"); n != 2 || !ok {
		t.Errorf("Int(real): got %d %v, want 2", n, ok)
	}
	if _, ok := d.Int("half"); ok {
		t.Error("Int(half): got one, want none")
	}
	if yes, ok := d.Bool("yes"); !yes || !ok {
		t.Error("Bool(yes): got false, want true")
	}
}

// Apple's own tool is not here; Python reads what we write, and we what it does.
func TestPythonReadsTheSame(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3 is not installed: sh scripts/setup")
		}
		t.Skip("there is no python3 to compare with")
	}
	b, err := plist.Marshal(everything)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", `import plistlib,sys
d = plistlib.loads(sys.stdin.buffer.read())
assert d["wide"] == "Küche 🎬" and d["beyond"] == 2**64-1 and d["list"][3] == {}, d
sys.stdout.buffer.write(plistlib.dumps({k: v for k, v in d.items() if v is not None}, fmt=plistlib.FMT_BINARY))`)
	cmd.Env = append(cmd.Environ(), "PYTHONUTF8=1")
	cmd.Stdin = bytes.NewReader(b)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v", err)
	}
	got, err := plist.UnmarshalDict(out)
	if err != nil {
		t.Fatal(err)
	}
	got["nothing"] = nil
	if d := cmp.Diff(everything, got); d != "" {
		t.Error(d)
	}
}

// bomb is a list of lists of lists, each of which refers often to the next.
func bomb() []byte {
	b := []byte("bplist00")
	var offsets []byte
	for i := range 20 {
		offsets = append(offsets, byte(len(b)))
		b = append(b, 0xaa)
		for range 10 {
			b = append(b, byte(i+1))
		}
	}
	offsets = append(offsets, byte(len(b)))
	b = append(b, 0x08)
	table := byte(len(b))
	b = append(append(b, offsets...), 0, 0, 0, 0, 0, 0, 1, 1)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, byte(len(offsets)), 0, 0, 0, 0, 0, 0, 0, 0)
	return append(b, 0, 0, 0, 0, 0, 0, 0, table)
}

func TestWhatIsNoListIsRefused(t *testing.T) {
	self := []byte(strings.Replace(rate, "\xd1\x01\x02", "\xd1\x01\x00", 1))
	for name, b := range map[string][]byte{
		"nothing": nil, "a page": []byte("<html><body>no</body></html>"), "text": []byte("Error 500"),
		"cut": []byte(rate[:30]), "refers to itself": self, "a bomb": bomb(),
		"deep": []byte(strings.Repeat("<array>", 1000)), "a name alone": []byte("<dict><key>a</key></dict>"),
		"no table": []byte("bplist00" + strings.Repeat("\xff", 32)),
	} {
		v, err := plist.Unmarshal(b)
		if !errors.Is(err, plist.ErrFormat) {
			t.Errorf("%s: got %v, %v, want ErrFormat", name, v, err)
		}
	}
	if _, err := plist.UnmarshalDict([]byte("<array/>")); !errors.Is(err, plist.ErrFormat) {
		t.Errorf("a list for a dictionary: got %v, want ErrFormat", err)
	}
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	self := plist.Dict{}
	self["self"] = self
	for name, v := range map[string]any{"a struct": struct{}{}, "itself": self} {
		if _, err := plist.Marshal(v); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	b, err := plist.Marshal(everything)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(rate))
	f.Add([]byte(xmlList))
	f.Add(bomb())
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := plist.Unmarshal(b)
		if err != nil {
			return
		}
		if _, err := plist.Marshal(v); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}

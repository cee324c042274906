package alac_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"airplay2mqtt/audio/alac"
)

// sound makes the 704 samples that the name of a golden packet speaks of.
func sound(t testing.TB, name string) []int16 {
	t.Helper()
	pcm := make([]int16, 2*alac.FramesPerPacket)
	switch name {
	case "silence":
	case "ramp":
		for i := range alac.FramesPerPacket {
			pcm[2*i], pcm[2*i+1] = int16(i), int16(-i)
		}
	case "first":
		pcm[0], pcm[1] = 0x1234, -2
	default:
		t.Fatalf("no sound is called %q", name)
	}
	return pcm
}

type golden struct {
	name             string
	length           int
	head, tail, hash string // hash is "-" where none is known
}

func goldens(t testing.TB) []golden {
	t.Helper()
	f, err := os.Open("testdata/verbatim.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []golden
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		key, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch key {
		case "sound":
			all = append(all, golden{name: value, length: alac.PacketSize})
		case "head":
			all[len(all)-1].head = strings.ReplaceAll(value, " ", "")
		case "tail":
			all[len(all)-1].tail = strings.ReplaceAll(value, " ", "")
		case "sha256":
			all[len(all)-1].hash = value
		}
	}
	if len(all) == 0 {
		t.Fatal("no golden packets")
	}
	return all
}

func TestPacketsAreGolden(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			got := alac.AppendVerbatim(nil, sound(t, g.name))
			if len(got) != g.length {
				t.Fatalf("got %d bytes, want %d", len(got), g.length)
			}
			all := hex.EncodeToString(got)
			if !strings.HasPrefix(all, g.head) {
				t.Errorf("got head %s, want %s", all[:len(g.head)], g.head)
			}
			if !strings.HasSuffix(all, g.tail) {
				t.Errorf("got tail %s, want %s", all[len(all)-len(g.tail):], g.tail)
			}
			sum := sha256.Sum256(got)
			if hash := hex.EncodeToString(sum[:]); g.hash != "" && hash != g.hash {
				t.Errorf("got hash %s, want %s", hash, g.hash)
			}
		})
	}
}

func TestAPacketDecodesToWhatWentIn(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	want := make([]int16, 2*alac.FramesPerPacket)
	got := make([]int16, len(want))
	for range 100 {
		for i := range want {
			want[i] = int16(rnd.Uint32())
		}
		n, err := alac.DecodeVerbatim(got, alac.AppendVerbatim(nil, want))
		if err != nil || n != alac.FramesPerPacket || !slices.Equal(got, want) {
			t.Fatalf("got %d frames, %v, same %v", n, err, slices.Equal(got, want))
		}
	}
}

func TestAShortPacketIsFilledWithSilence(t *testing.T) {
	got := alac.AppendVerbatim([]byte("before"), []int16{0x1234, -2})
	want := append([]byte("before"), alac.AppendVerbatim(nil, sound(t, "first"))...)
	if !bytes.Equal(got, want) {
		t.Errorf("got % x…, want % x…", got[:20], want[:20])
	}
}

// withSize writes a packet bit by bit that says how many frames it has, as
// some senders do.
func withSize(frames uint32, pcm []int16) []byte {
	var b bits
	b.put(3, 1)
	b.put(16, 0)
	b.put(1, 1)
	b.put(2, 0)
	b.put(1, 1)
	b.put(32, frames)
	for _, s := range pcm {
		b.put(16, uint32(uint16(s)))
	}
	b.put(3, 7)
	return b.bytes
}

type bits struct {
	bytes []byte
	n     int
}

func (b *bits) put(width int, v uint32) {
	for i := width - 1; i >= 0; i-- {
		if b.n%8 == 0 {
			b.bytes = append(b.bytes, 0)
		}
		b.bytes[b.n/8] |= byte(v>>i&1) << (7 - b.n%8)
		b.n++
	}
}

func TestAPacketThatTellsItsSizeIsRead(t *testing.T) {
	ramp := sound(t, "ramp")
	packet := withSize(alac.FramesPerPacket, ramp)
	sum := sha256.Sum256(packet)
	// docs/protocols/raop.md, vectors: ramp with hasSize=1.
	if got, want := hex.EncodeToString(sum[:]), "e0c253f4b250b71c1d4a478af73108b40c53a0982bfd02a9dcfbb82c2dac43bd"; got != want {
		t.Fatalf("the test writes %s, want %s", got, want)
	}
	for _, frames := range []int{0, 1, 100, alac.FramesPerPacket} {
		got := make([]int16, 2*alac.FramesPerPacket)
		n, err := alac.DecodeVerbatim(got, withSize(uint32(frames), ramp[:2*frames]))
		if err != nil || n != frames || !slices.Equal(got[:2*n], ramp[:2*n]) {
			t.Errorf("got %d frames and %v, want %d", n, err, frames)
		}
	}
}

func TestBrokenPacketsAreErrors(t *testing.T) {
	whole := alac.AppendVerbatim(nil, sound(t, "ramp"))
	edit := func(i int, b byte) []byte {
		p := bytes.Clone(whole)
		p[i] = b
		return p
	}
	for name, packet := range map[string][]byte{
		"nothing":         nil,
		"two bytes":       whole[:2],
		"a byte too few":  whole[:len(whole)-1],
		"mono":            edit(0, 0x00),
		"instance 1":      edit(0, 0x22),
		"compressed":      edit(2, 0x00),
		"shifted":         edit(2, 0x06),
		"no end tag":      edit(len(whole)-1, 0x00),
		"size cut off":    {0x20, 0x00, 0x12, 0x00},
		"size too large":  withSize(353, make([]int16, 704)),
		"size very large": withSize(0xffffffff, make([]int16, 704)),
		"more than room":  withSize(353, make([]int16, 706)),
	} {
		pcm := make([]int16, 704)
		if n, err := alac.DecodeVerbatim(pcm, packet); err == nil || n != 0 {
			t.Errorf("%s: got %d frames and %v, want an error", name, n, err)
		}
	}
}

func TestPacketsAreMadeAndReadWithoutAllocating(t *testing.T) {
	pcm := sound(t, "ramp")
	packet := make([]byte, 0, alac.PacketSize)
	got := testing.AllocsPerRun(100, func() {
		packet = alac.AppendVerbatim(packet[:0], pcm)
		packet = alac.AppendVerbatim(packet[:0], pcm[:10])
		if _, err := alac.DecodeVerbatim(pcm, packet); err != nil {
			t.Fatal(err)
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func FuzzDecodeVerbatim(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(alac.AppendVerbatim(nil, sound(f, g.name)))
	}
	f.Add(withSize(100, make([]int16, 200)))
	f.Add(withSize(0xffffffff, nil))
	f.Fuzz(func(t *testing.T, packet []byte) {
		pcm := make([]int16, 2*alac.FramesPerPacket)
		n, err := alac.DecodeVerbatim(pcm, packet)
		if err != nil {
			return
		}
		if n < 0 || n > alac.FramesPerPacket {
			t.Fatalf("got %d frames", n)
		}
		again := make([]int16, len(pcm))
		if _, err := alac.DecodeVerbatim(again, alac.AppendVerbatim(nil, pcm)); err != nil || !slices.Equal(again, pcm) {
			t.Errorf("read samples do not survive: %v", err)
		}
	})
}

func BenchmarkAppendVerbatim(b *testing.B) {
	pcm := sound(b, "ramp")
	packet := make([]byte, 0, alac.PacketSize)
	b.SetBytes(int64(2 * len(pcm)))
	for b.Loop() {
		packet = alac.AppendVerbatim(packet[:0], pcm)
	}
}

func BenchmarkDecodeVerbatim(b *testing.B) {
	pcm := sound(b, "ramp")
	packet := alac.AppendVerbatim(nil, pcm)
	b.SetBytes(int64(2 * len(pcm)))
	for b.Loop() {
		if _, err := alac.DecodeVerbatim(pcm, packet); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleAppendVerbatim() {
	pcm := make([]int16, 2*alac.FramesPerPacket) // silence
	packet := alac.AppendVerbatim(nil, pcm)
	os.Stdout.WriteString(hex.EncodeToString(packet[:4]) + "…" + hex.EncodeToString(packet[alac.PacketSize-2:]) + "\n")
	// Output: 20000200…01c0
}

package flac_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio/flac"
	"airplay2mqtt/audio/internal/audiotest"
	"airplay2mqtt/audio/tags"
)

// encode makes FLAC of a WAV file with the flac program.
func encode(t testing.TB, wav string, args ...string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sound.flac")
	audiotest.Program(t, "", "flac", append(args, "-s", "-f", "-o", name, wav)...)
	return audiotest.Read(t, name)
}

// reference decodes with ffmpeg to two channels of 32-bit samples.
func reference(t testing.TB, data []byte) [][2]int32 {
	t.Helper()
	name := audiotest.Write(t, "reference.flac", data)
	return pairs(audiotest.Run(t, "", "ffmpeg -v error -i %s -f s32le -", name))
}

func pairs(pcm []byte) [][2]int32 {
	out := make([][2]int32, len(pcm)/8)
	for i := range out {
		out[i] = [2]int32{
			int32(binary.LittleEndian.Uint32(pcm[8*i:])),
			int32(binary.LittleEndian.Uint32(pcm[8*i+4:])),
		}
	}
	return out
}

// fixed turns frames into what they were made from.
func fixed(frames [][2]float32) [][2]int32 {
	out := make([][2]int32, len(frames))
	for i, f := range frames {
		out[i] = [2]int32{int32(float64(f[0]) * (1 << 31)), int32(float64(f[1]) * (1 << 31))}
	}
	return out
}

func decoder(t testing.TB, r io.Reader) *flac.Decoder {
	t.Helper()
	d := audiotest.Open(t, r, flac.NewDecoder)
	t.Cleanup(func() { d.Close() })
	return d
}

func all(t testing.TB, d *flac.Decoder) [][2]float32 {
	t.Helper()
	frames, err := audiotest.Drain(d, 700)
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

func TestSamplesAreExact(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		rate, bits, channels int
		args                 []string
	}{
		{"cd", 44100, 16, 2, nil},
		{"best", 44100, 16, 2, []string{"-8"}},
		{"no compression", 44100, 16, 2, []string{"-0", "--disable-constant-subframes", "--disable-fixed-subframes"}},
		{"24 bits", 48000, 24, 2, nil},
		{"24 bits at 96k", 96000, 24, 2, nil},
		{"24 bits at 192k", 192000, 24, 2, nil},
		{"rate the library talks about", 24000, 16, 2, nil},
		{"another", 176400, 24, 2, nil},
		{"8 bits at 8k", 8000, 8, 2, nil},
		{"odd rate", 37123, 16, 2, nil},
		{"small blocks", 44100, 16, 2, []string{"-b", "192"}},
		{"large blocks", 44100, 16, 2, []string{"-b", "16384", "--lax"}},
		{"no seek table", 44100, 16, 2, []string{"--no-seektable", "--no-padding"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := encode(t, audiotest.Noise(t, tt.rate, tt.bits, tt.channels, 1.5), tt.args...)
			want := reference(t, data)
			file := decoder(t, bytes.NewReader(data))
			if got := fixed(all(t, file)); !slices.Equal(got, want) {
				t.Errorf("from a file: %s", difference(got, want))
			}
			stream := decoder(t, audiotest.Trickle(bytes.NewReader(data)))
			if got := fixed(all(t, stream)); !slices.Equal(got, want) {
				t.Errorf("from a pipe: %s", difference(got, want))
			}
			got := []int{file.Rate(), file.Bits(), file.Channels(), int(file.Len())}
			if want := []int{tt.rate, tt.bits, tt.channels, len(want)}; !slices.Equal(got, want) {
				t.Errorf("got rate, bits, channels, length %v, want %v", got, want)
			}
			if !file.Seekable() || stream.Seekable() || file.Codec() != "flac" {
				t.Errorf("seekable: file %v, pipe %v; codec %q", file.Seekable(), stream.Seekable(), file.Codec())
			}
		})
	}
}

// difference says where two sounds differ.
func difference(got, want [][2]int32) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("frame %d is %v, want %v (of %d, want %d)", i, got[i], want[i], len(got), len(want))
		}
	}
	return fmt.Sprintf("got %d frames, want %d", len(got), len(want))
}

func TestOddSampleSizesComeFromTheStreamInfo(t *testing.T) {
	want := make([][2]int32, 16)
	var w bitWriter
	for i := range want {
		want[i] = [2]int32{int32(i*500-4000) << 18, int32(8191-i*1000) << 18}
	}
	for c := range 2 {
		w.add(0b00000010, 8) // verbatim
		for _, v := range want {
			w.add(uint64(v[c]>>18)&0x3fff, 14)
		}
	}
	data := append(streamOf(14, 16), verbatim(0, 16, w.b)...)
	d := decoder(t, bytes.NewReader(data))
	if got := fixed(all(t, d)); !slices.Equal(got, want) || d.Bits() != 14 {
		t.Errorf("%s, %d bits", difference(got, want), d.Bits())
	}
}

// streamOf is the beginning of a stereo stream at 44.1 kHz.
func streamOf(bits, frames int) []byte {
	b := []byte("fLaC\x80\x00\x00\x22\x00\x10\x00\x10\x00\x00\x00\x00\x00\x00")
	packed := uint64(44100)<<44 | 1<<41 | uint64(bits-1)<<36 | uint64(frames)
	return append(binary.BigEndian.AppendUint64(b, packed), make([]byte, 16)...)
}

// verbatim is a frame of up to 256 samples around its subframes.
func verbatim(number byte, block int, subframes []byte) []byte {
	head := []byte{0xff, 0xf8, 0x60, 0x10, number, byte(block - 1)} // size in a byte, rate and bits as in the info
	frame := append(head, sum(head, 8, 0x07)[1])
	frame = append(frame, subframes...)
	return append(frame, sum(frame, 16, 0x8005)...)
}

// sum is a CRC of 8 or 16 bits, in two bytes.
func sum(b []byte, width, poly int) []byte {
	v := 0
	for _, c := range b {
		v ^= int(c) << (width - 8)
		for range 8 {
			if v <<= 1; v>>width != 0 {
				v = v&(1<<width-1) ^ poly
			}
		}
	}
	return []byte{byte(v >> 8), byte(v)}
}

// A bitWriter writes the highest bits first.
type bitWriter struct {
	b    []byte
	bits int
}

func (w *bitWriter) add(v uint64, n int) {
	for n--; n >= 0; n-- {
		if w.bits%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.bits/8] |= byte(v>>n&1) << (7 - w.bits%8)
		w.bits++
	}
}

func TestMonoGoesToBothSides(t *testing.T) {
	data := encode(t, audiotest.Noise(t, 44100, 16, 1, 0.5))
	name := filepath.Join(t.TempDir(), "mono.flac")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	pcm := audiotest.Program(t, "", "ffmpeg", "-v", "error", "-i", name, "-f", "s32le", "-")
	var want [][2]int32
	for ; len(pcm) > 0; pcm = pcm[4:] {
		v := int32(binary.LittleEndian.Uint32(pcm))
		want = append(want, [2]int32{v, v})
	}
	if got := fixed(all(t, decoder(t, bytes.NewReader(data)))); !slices.Equal(got, want) {
		t.Error(difference(got, want))
	}
}

func TestSurroundIsMixedToStereo(t *testing.T) {
	for channels := 3; channels <= 8; channels++ {
		d := decoder(t, bytes.NewReader(encode(t, audiotest.Noise(t, 48000, 16, channels, 0.3), "--channel-map=none")))
		frames := all(t, d)
		if len(frames) != 14400 || d.Channels() != channels {
			t.Errorf("%d channels: got %d frames of %d channels", channels, len(frames), d.Channels())
		}
		if loud := peak(frames); loud < 0.01 || loud > 1 {
			t.Errorf("%d channels: peak is %v", channels, loud)
		}
	}
}

func peak(frames [][2]float32) float64 {
	var most float64
	for _, f := range frames {
		most = max(most, math.Abs(float64(f[0])), math.Abs(float64(f[1])))
	}
	return most
}

func TestFFmpegFilesAreExact(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sound.flac")
	audiotest.Program(t, "", "ffmpeg", "-v", "error", "-i", audiotest.Noise(t, 44100, 24, 2, 1), "-c:a", "flac", "-sample_fmt", "s32", name)
	data := audiotest.Read(t, name)
	if got, want := fixed(all(t, decoder(t, bytes.NewReader(data)))), reference(t, data); !slices.Equal(got, want) {
		t.Error(difference(got, want))
	}
}

func TestUnknownLength(t *testing.T) {
	wav := audiotest.Noise(t, 44100, 16, 2, 1)
	audiotest.Need(t, "flac")
	cmd := exec.Command("flac", "-s", "-c", "-")
	cmd.Stdin = bytes.NewReader(audiotest.Read(t, wav))
	data, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	clearLength(data)
	want := reference(t, data)
	d := decoder(t, audiotest.Trickle(bytes.NewReader(data)))
	if got := fixed(all(t, d)); !slices.Equal(got, want) || d.Len() != -1 {
		t.Errorf("%s; length %d", difference(got, want), d.Len())
	}
	d = decoder(t, bytes.NewReader(data))
	if d.Len() != int64(len(want)) {
		t.Errorf("got length %d, want %d: it can be measured", d.Len(), len(want))
	}
	checkSeeks(t, d, want, 10)
}

// clearLength makes a stream say that it does not know its length.
func clearLength(data []byte) {
	info := data[8:] // behind fLaC and the block's header
	info[13] &= 0xf0
	clear(info[14:18])
}

func TestSeeksAreExact(t *testing.T) {
	wav := audiotest.Noise(t, 44100, 16, 2, 5)
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"seek table", nil},
		{"no seek table", []string{"--no-seektable"}},
		{"small blocks", []string{"-b", "256", "--no-seektable"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := encode(t, wav, tt.args...)
			d := decoder(t, bytes.NewReader(data))
			checkSeeks(t, d, reference(t, data), 50)
		})
	}
}

func TestStreamThatBeginsInsideAFileSeeks(t *testing.T) {
	data := encode(t, audiotest.Noise(t, 44100, 16, 2, 1))
	r := bytes.NewReader(append(bytes.Repeat([]byte("x"), 12345), data...))
	if _, err := r.Seek(12345, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	checkSeeks(t, decoder(t, r), reference(t, data), 5)
}

// checkSeeks goes to random frames and to the borders.
func checkSeeks(t *testing.T, d *flac.Decoder, want [][2]int32, times int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	last := int64(len(want) - 1)
	targets := []int64{0, last, 1, last / 2, 0}
	for range times {
		targets = append(targets, rnd.Int64N(last))
	}
	buf := make([][2]float32, 5000)
	for _, n := range targets {
		if err := d.SeekFrame(n); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadFull(frameReader{d}, make([]byte, min(8*len(buf), 8*int(last+1-n))))
		if err != nil {
			t.Fatalf("after seeking to %d: %v after %d bytes", n, err, got)
		}
		if err := d.SeekFrame(n); err != nil {
			t.Fatal(err)
		}
		k, err := d.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fixed(buf[:k]), want[n:n+int64(k)]; !slices.Equal(got, want) {
			t.Fatalf("after seeking to %d: %s", n, difference(got, want))
		}
	}
	if err := d.SeekFrame(last + 1); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("at the end: got %d frames, %v, want io.EOF", n, err)
	}
	if err := d.SeekFrame(last); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Read(buf); n != 1 || err != nil {
		t.Errorf("back from the end: got %d frames, %v, want 1", n, err)
	}
}

// A frameReader is a decoder whose frames are eight bytes.
type frameReader struct{ d *flac.Decoder }

func (r frameReader) Read(p []byte) (int, error) {
	n, err := r.d.Read(make([][2]float32, len(p)/8))
	return 8 * n, err
}

func TestPipesDoNotSeek(t *testing.T) {
	d := decoder(t, audiotest.Trickle(bytes.NewReader(encode(t, audiotest.Noise(t, 44100, 16, 2, 0.2)))))
	if err := d.SeekFrame(0); !errors.Is(err, flac.ErrNotSeekable) {
		t.Errorf("got %v, want ErrNotSeekable", err)
	}
}

func TestTagsAndCover(t *testing.T) {
	cover := append([]byte("\x89PNG\r\n\x1a\n"), pngRest...)
	name := filepath.Join(t.TempDir(), "cover.png")
	if err := os.WriteFile(name, cover, 0o600); err != nil {
		t.Fatal(err)
	}
	data := encode(t, audiotest.Noise(t, 44100, 16, 2, 1),
		"-T", "TITLE=Küchenlied", "-T", "artist=A", "-T", "ARTIST=B", "-T", "ALBUM=C", "-T", "DATE=1999-12-31",
		"-T", "TRACKNUMBER=3/12", "-T", "GENRE=Folk", "--picture="+name)
	want := tags.Tags{Title: "Küchenlied", Artist: "A, B", Album: "C", Genre: "Folk", Year: 1999, Track: 3,
		Duration: time.Second, Artwork: cover}
	for _, r := range []io.Reader{bytes.NewReader(data), audiotest.Trickle(bytes.NewReader(data))} {
		if diff := cmp.Diff(want, decoder(t, r).Tags()); diff != "" {
			t.Errorf("tags differ (-want +got):\n%s", diff)
		}
	}
}

// pngRest completes a PNG of one pixel.
var pngRest = []byte("\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89" +
	"\x00\x00\x00\rIDATx\x9cc\xf8\xff\xff\xff\x7f\x00\t\xfb\x03\xfd\x05CE\xca\x00\x00\x00\x00IEND\xaeB`\x82")

func TestID3InFrontIsPassedOver(t *testing.T) {
	data := encode(t, audiotest.Noise(t, 44100, 16, 2, 0.5))
	tag := append([]byte("ID3\x04\x00\x00\x00\x00\x01\x00"), make([]byte, 128)...)
	tagged := slices.Concat(tag, tag, data, []byte("TAG"), make([]byte, 125))
	want := reference(t, data)
	d := decoder(t, audiotest.Trickle(bytes.NewReader(tagged)))
	if got := fixed(all(t, d)); !slices.Equal(got, want) {
		t.Error(difference(got, want))
	}
	checkSeeks(t, decoder(t, bytes.NewReader(tagged)), want, 5)
}

func TestTruncatedStreamPlaysWhatIsThere(t *testing.T) {
	data := encode(t, audiotest.Noise(t, 44100, 16, 2, 2))
	want := reference(t, data)
	for _, r := range []io.Reader{bytes.NewReader(data[:len(data)*2/3]), audiotest.Trickle(bytes.NewReader(data[:len(data)*2/3]))} {
		got := fixed(all(t, decoder(t, r)))
		if len(got) < len(want)/2 || !slices.Equal(got, want[:len(got)]) {
			t.Errorf("%s", difference(got, want))
		}
	}
}

func TestDamageIsSilence(t *testing.T) {
	data := encode(t, audiotest.Noise(t, 44100, 16, 2, 4))
	want := reference(t, data)
	for _, tt := range []struct {
		name   string
		damage func([]byte) []byte
		silent int // frames, at most
	}{
		{"a changed bit", func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b }, 4096 * 2},
		{"a hole of 40 kB", func(b []byte) []byte { return slices.Delete(b, len(b)/2, len(b)/2+40<<10) }, 4096 * 8},
		{"40 kB of zeros", func(b []byte) []byte { clear(b[len(b)/2 : len(b)/2+40<<10]); return b }, 4096 * 8},
		{"40 kB too much", func(b []byte) []byte { return slices.Insert(b, len(b)/2, junk(40<<10)...) }, 4096},
	} {
		t.Run(tt.name, func(t *testing.T) {
			broken := tt.damage(slices.Clone(data))
			got := fixed(all(t, decoder(t, audiotest.Trickle(bytes.NewReader(broken)))))
			if len(got) != len(want) {
				t.Fatalf("got %d frames, want %d", len(got), len(want))
			}
			silent := 0
			for i := range got {
				switch got[i] {
				case want[i]:
				case [2]int32{}:
					silent++
				default:
					t.Fatalf("frame %d is %v, want %v or silence", i, got[i], want[i])
				}
			}
			if silent > tt.silent {
				t.Errorf("%d frames are silent, want at most %d", silent, tt.silent)
			}
		})
	}
}

// junk is bytes that look like the beginnings of frames now and then.
func junk(n int) []byte {
	rnd := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
		if i > 0 && b[i-1] == 0xff && rnd.IntN(2) == 0 {
			b[i] = 0xf8
		}
	}
	return b
}

func TestSeeksInADamagedFile(t *testing.T) {
	data := encode(t, audiotest.Noise(t, 44100, 16, 2, 4), "--no-seektable")
	want := reference(t, data)
	copy(data[len(data)/2:], junk(40<<10))
	d := decoder(t, bytes.NewReader(data))
	buf := make([][2]float32, 1)
	for n := int64(0); n < int64(len(want)); n += 999 {
		if err := d.SeekFrame(n); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Read(buf); err != nil {
			t.Fatal(err)
		}
		if got := fixed(buf)[0]; got != want[n] && got != [2]int32{} {
			t.Fatalf("frame %d is %v, want %v or silence", n, got, want[n])
		}
	}
}

func TestWhatIsNotSupportedIsRefused(t *testing.T) {
	d32 := []byte("fLaC\x80\x00\x00\x22")
	d32 = append(d32, 0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0xc4, 0x43, 0xf0) // 44100 Hz, 2 channels, 32 bits
	d32 = append(d32, make([]byte, 20)...)
	for _, tt := range []struct {
		name string
		data []byte
		want error
	}{
		{"32 bits", d32, flac.ErrUnsupported},
		{"nothing", nil, flac.ErrMalformed},
		{"text", []byte("This is not a sound at all, is it?"), flac.ErrMalformed},
		{"only a signature", []byte("fLaC"), io.ErrUnexpectedEOF},
		{"no stream info", []byte("fLaC\x84\x00\x00\x00"), flac.ErrMalformed},
		{"short stream info", []byte("fLaC\x80\x00\x00\x04abcd"), flac.ErrMalformed},
		{"cut metadata", append(slices.Clone(d32[:4]), 0, 0, 0, 0x22, 1, 2), io.ErrUnexpectedEOF},
		{"no frame", append(noFrames(), junk(100<<10)...), io.ErrUnexpectedEOF},
	} {
		if _, err := flac.NewDecoder(bytes.NewReader(tt.data)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// noFrames is a stream of 16 bits at 44.1 kHz without a frame.
func noFrames() []byte {
	b := []byte("fLaC\x80\x00\x00\x22\x10\x00\x10\x00\x00\x00\x00\x00\x00\x00\x0a\xc4\x42\xf0")
	return append(b, make([]byte, 20)...)
}

func TestEmptyStreamEnds(t *testing.T) {
	d := decoder(t, bytes.NewReader(noFrames()))
	if n, err := d.Read(make([][2]float32, 10)); n != 0 || err != io.EOF {
		t.Errorf("got %d frames, %v, want io.EOF", n, err)
	}
}

func TestReadErrorIsReturned(t *testing.T) {
	data := encode(t, audiotest.Noise(t, 44100, 16, 2, 1))
	broken := errors.New("the cable was pulled")
	d := decoder(t, io.MultiReader(bytes.NewReader(data[:len(data)/2]), failing{broken}))
	if _, err := audiotest.Drain(d, 700); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

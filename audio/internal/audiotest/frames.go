package audiotest

import (
	"encoding/binary"
	"io"
	"math"
	"runtime"
	"testing"

	"airplay2mqtt/audio/downmix"
)

// A Frame is one sample of each of two channels.
type Frame = [2]float32

// A Reader gives frames, and io.EOF at their end.
type Reader interface {
	Read(p []Frame) (int, error)
}

// Pipe hides that a reader can seek.
func Pipe(r io.Reader) io.Reader { return struct{ io.Reader }{r} }

// Trickle is a Pipe that gives little at a time.
func Trickle(r io.Reader) io.Reader { return trickle{r} }

type trickle struct{ r io.Reader }

func (t trickle) Read(p []byte) (int, error) { return t.r.Read(p[:min(len(p), 1000)]) }

// Open makes a decoder, which must succeed.
func Open[D any](t testing.TB, r io.Reader, newDecoder func(io.Reader) (D, error)) D {
	t.Helper()
	d, err := newDecoder(r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Drain reads so many frames at once until there are no more. The end is no
// error.
func Drain(r Reader, size int) (all []Frame, err error) {
	p := make([]Frame, size)
	for {
		n, err := r.Read(p)
		all = append(all, p[:n]...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// ReadAll is Drain of what does not fail.
func ReadAll(t testing.TB, r Reader, size int) []Frame {
	t.Helper()
	all, err := Drain(r, size)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Frames are those of raw samples, 32-bit floats with the little end first,
// mixed to two by the weights of WAVE's order.
func Frames(t testing.TB, raw []byte, channels int) []Frame {
	t.Helper()
	in := make([]float32, len(raw)/4)
	for i := range in {
		in[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	m, err := downmix.New(channels, downmix.WAVE)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]Frame, len(in)/channels)
	m.Mix(out, in)
	return out
}

// Reference is what ffmpeg decodes a file of so many channels to.
func Reference(t testing.TB, dir, file string, channels int) []Frame {
	t.Helper()
	raw := Run(t, dir, "ffmpeg -v error -i %s -map 0:a:0 -c:a pcm_f32le -f f32le -", file)
	return Frames(t, raw, channels)
}

// Same checks that got is want, bit for bit, and says where it is not.
func Same(t testing.TB, what string, got, want []Frame) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d frames, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: frame %d: got %v, want %v", what, i, got[i], want[i])
			return
		}
	}
}

// Allocated is how many bytes f asks for.
func Allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

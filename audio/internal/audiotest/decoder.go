package audiotest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// A Decoder is what the packages for the formats have in common.
type Decoder interface {
	Reader
	Rate() int
	Channels() int
	Bits() int
	Codec() string
	Len() int64
	Seekable() bool
	SeekFrame(n int64) error
	Close() error
}

// A File is one that another program writes at 44100 frames a second.
type File struct {
	Line     string // writes the file, or writes it out
	Codec    string
	Bits     int
	Channels int
	// Reference writes a file called reference of the same samples, for those
	// that ffmpeg cannot read itself.
	Reference string
}

// Exact writes each file, called name, into dir and checks that it is decoded to
// the frames that ffmpeg finds in it: from a file, and from a pipe.
func Exact[D Decoder](t *testing.T, dir, name string, files []File, newDecoder func(io.Reader) (D, error)) {
	for _, f := range files {
		t.Run(f.Line, func(t *testing.T) {
			path, reference := filepath.Join(dir, name), name
			if out := Run(t, dir, f.Line); len(out) > 0 {
				if err := os.WriteFile(path, out, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if f.Reference != "" {
				Run(t, dir, f.Reference)
				reference = "reference"
			}
			want := Reference(t, dir, reference, f.Channels)
			if len(want) < 30000 {
				t.Fatalf("there are only %d frames", len(want))
			}
			data := Read(t, path)
			for from, r := range map[string]io.Reader{"file": bytes.NewReader(data), "pipe": Pipe(bytes.NewReader(data))} {
				d := Open(t, r, newDecoder)
				if d.Codec() != f.Codec || d.Bits() != f.Bits || d.Channels() != f.Channels || d.Rate() != 44100 {
					t.Errorf("%s: got %s, %d bits, %d channels, rate %d", from, d.Codec(), d.Bits(), d.Channels(), d.Rate())
				}
				if n := d.Len(); from == "file" && n != int64(len(want)) {
					t.Errorf("got length %d, want %d", n, len(want))
				}
				Same(t, from, ReadAll(t, d, 1000), want)
			}
		})
	}
}

// Seeks checks that a decoder of data goes exactly where it is sent, so many
// times, and that there is nothing behind the end. all is what it reads from its
// beginning.
func Seeks[D Decoder](t *testing.T, what string, data []byte, all []Frame, times int, newDecoder func(io.Reader) (D, error)) {
	t.Helper()
	d := Open(t, bytes.NewReader(data), newDecoder)
	defer d.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	for range times {
		at := rng.Int64N(int64(len(all)))
		if err := d.SeekFrame(at); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got := make([]Frame, min(1500, int64(len(all))-at))
		for n := 0; n < len(got); {
			k, err := d.Read(got[n:])
			if err != nil {
				t.Fatalf("%s: frame %d: %v", what, at+int64(n), err)
			}
			n += k
		}
		Same(t, what, got, all[at:at+int64(len(got))])
	}
	for _, behind := range []int64{int64(len(all)) + 5, 1 << 60} {
		if err := d.SeekFrame(behind); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n, err := d.Read(make([]Frame, 1)); n != 0 || err != io.EOF {
			t.Errorf("%s: behind the end: got %d frames, %v; want io.EOF", what, n, err)
		}
	}
	if err := d.SeekFrame(-1); err == nil {
		t.Errorf("%s: a seek to frame -1 was accepted", what)
	}
}

// Try decodes what may be anything in all ways: from a file and from a pipe, so
// many frames of it, and from the middle. It must not panic, nor take long. It
// returns how many frames there were. Where goOn is not nil and returns true, an
// error is not the end.
func Try[D Decoder](data []byte, most int, newDecoder func(io.Reader) (D, error), goOn func(D, error) bool) (decoded int) {
	p := make([]Frame, 1000)
	for _, r := range []io.Reader{bytes.NewReader(data), Trickle(bytes.NewReader(data))} {
		d, err := newDecoder(r)
		if err != nil {
			continue
		}
		for n := 0; n < most; {
			k, err := d.Read(p)
			if err != nil && (goOn == nil || !goOn(d, err)) {
				break
			}
			n += k + 1
			decoded += k
		}
		if d.Seekable() {
			for _, n := range []int64{d.Len() / 2, 0, d.Len() - 1} {
				if d.SeekFrame(n) == nil {
					_, _ = d.Read(p)
				}
			}
		}
		d.Close()
	}
	return decoded
}

// Damage returns data with up to most bytes changed, all of them within reach.
func Damage(rng *rand.Rand, data []byte, reach, most int) []byte {
	b := bytes.Clone(data)
	for range 1 + rng.IntN(most) {
		b[rng.IntN(min(reach, len(b)))] = byte(rng.Uint32())
	}
	return b
}

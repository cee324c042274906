package mp3_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"airplay2mqtt/audio/mp3"
)

type frames = [][2]float32

// pipe hides that a reader can seek.
type pipe struct{ io.Reader }

func decode(t testing.TB, r io.Reader) *mp3.Decoder {
	t.Helper()
	d, err := mp3.NewDecoder(r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func readAll(t testing.TB, d *mp3.Decoder, size int) frames {
	t.Helper()
	var got frames
	buf := make(frames, size)
	for {
		n, err := d.Read(buf)
		got = append(got, buf[:n]...)
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// seekEverywhere checks 50 places of a stream against what was read from its
// beginning.
func seekEverywhere(t *testing.T, name string, data []byte, all frames) {
	t.Helper()
	d := decode(t, bytes.NewReader(data))
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		at := rng.Int64N(int64(len(all)))
		if err := d.SeekFrame(at); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		got := make(frames, min(3000, int64(len(all))-at))
		for n := 0; n < len(got); {
			k, err := d.Read(got[n:])
			if err != nil {
				t.Errorf("%s: frame %d: %v", name, at, err)
				return
			}
			n += k
		}
		if !equal(got, all[at:at+int64(len(got))]) {
			t.Errorf("%s: frames from %d on are not those that were read before", name, at)
			return
		}
	}
	if err := d.SeekFrame(int64(len(all)) + 5); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if n, err := d.Read(make(frames, 1)); n != 0 || err != io.EOF {
		t.Errorf("%s: behind the end: got %d frames, %v; want io.EOF", name, n, err)
	}
}

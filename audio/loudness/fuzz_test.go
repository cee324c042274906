package loudness_test

import (
	"encoding/binary"
	"math"
	"testing"

	"airplay2mqtt/audio/loudness"
)

// sampled makes frames of any bits, of which four each are a sample. Twice is
// enough for what is inside to get full.
func sampled(data []byte) (frames [][2]float32) {
	for ; len(data) >= 8; data = data[8:] {
		l, r := binary.LittleEndian.Uint32(data), binary.LittleEndian.Uint32(data[4:])
		frames = append(frames, [2]float32{math.Float32frombits(l), math.Float32frombits(r)})
	}
	return frames
}

func bitsOf(frames [][2]float32) (data []byte) {
	for _, f := range frames {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f[0]))
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f[1]))
	}
	return data
}

func seed(f *testing.F) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, frames := range [][][2]float32{
		nil,
		{{1, -1}},
		{{nan, inf}, {-inf, 1e-45}, {math.MaxFloat32, 1e30}, {0.5, 0.5}},
		noise(300, 2, 61),
		gusts(8000, 0.5),
		join(tone(8000, 0.1, 900, 1e20), make([][2]float32, 100), tone(8000, 0.1, 900, 1e-20)),
	} {
		f.Add(bitsOf(frames), uint16(0), uint16(300), -1.0)
		f.Add(bitsOf(frames), uint16(36100), uint16(1), -60.0)
	}
}

func FuzzMeter(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte, rate, piece uint16, target float64) {
		frames := sampled(data)
		hz := loudness.MinRate + int(rate)
		m := meter(t, hz)
		for rest := frames; len(rest) > 0; {
			n := min(int(piece)+1, len(rest))
			m.Add(rest[:n])
			rest = rest[n:]
		}
		got := m.Reading()
		if want := measure(t, frames, hz); got != want {
			t.Fatalf("got %v in pieces, %v at once", got, want)
		}
		if math.IsNaN(got.Loudness) || math.IsNaN(got.Peak) || math.IsInf(got.Loudness, 1) || math.IsInf(got.Peak, 1) {
			t.Fatalf("got %v", got)
		}
		if g := got.GainTo(target, -1); !(g >= 0) || math.IsInf(g, 1) {
			t.Fatalf("got a factor of %v", g)
		}
		for _, frame := range frames {
			for _, x := range frame {
				x := math.Abs(float64(x))
				if x <= 1e30 && decibels(x) > got.Peak+1e-9 {
					t.Fatalf("got a peak of %v dBTP where a sample is %v", got.Peak, x)
				}
			}
		}
	})
}

func FuzzLimiter(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte, rate, piece uint16, ceiling float64) {
		if math.IsNaN(ceiling) {
			t.Skip()
		}
		frames := sampled(data)
		hz := loudness.MinRate + int(rate)
		out := limited(limiter(t, hz, ceiling), frames, int(piece)+1)
		same(t, "in pieces", out, limited(limiter(t, hz, ceiling), frames, 352))
		if len(out) != len(frames) {
			t.Fatalf("got %d frames, want %d", len(out), len(frames))
		}
		top := ratio(ceiling)
		for i, frame := range out {
			for side, x := range frame {
				was := math.Abs(float64(frames[i][side]))
				if !(was <= float64(float32(1e30))) { // no sound, taken as silence
					was = 0
				}
				if x := math.Abs(float64(x)); !(x <= min(top, was)) {
					t.Fatalf("frame %d: got %v of %v, with a ceiling of %v", i, frame, frames[i], top)
				}
			}
		}
	})
}

package audio_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"

	"airplay2mqtt/audio"
)

// A pcm is a source of frames in memory, at any rate, that gives at most chunk
// frames at a time.
type pcm struct {
	rate   int
	frames []audio.Frame
	chunk  int // 0: as many as are wanted
	next   int
	closed bool
}

func (s *pcm) Rate() int    { return s.rate }
func (s *pcm) Close() error { s.closed = true; return nil }
func (s *pcm) Len() int64   { return int64(len(s.frames)) }

func (s *pcm) SeekFrame(n int64) error {
	if n < 0 || n > s.Len() {
		return fmt.Errorf("seek to %d of %d", n, s.Len())
	}
	s.next = int(n)
	return nil
}

func (s *pcm) Read(p []audio.Frame) (int, error) {
	if s.chunk > 0 && len(p) > s.chunk {
		p = p[:s.chunk]
	}
	n := copy(p, s.frames[s.next:])
	s.next += n
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// tone is a sine in the left and a cosine in the right channel.
func tone(rate int, hz, level float64, frames int) []audio.Frame {
	f := make([]audio.Frame, frames)
	for i := range f {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		f[i] = audio.Frame{float32(level * s), float32(level * c)}
	}
	return f
}

// all reads src to its end, size frames at a time.
func all(t testing.TB, src audio.Source, size int) []audio.Frame {
	t.Helper()
	var got []audio.Frame
	p := make([]audio.Frame, size)
	for {
		n, err := src.Read(p)
		got = append(got, p[:n]...)
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			t.Fatal("neither frames nor an error")
		}
	}
}

// decibels of an amplitude.
func decibels(x float64) float64 { return 20 * math.Log10(x+1e-12) }

// spectrum measures frames by Goertzel's method behind a Blackman-Harris
// window (side lobes at -92 dB) squared (far below what we look for).
type spectrum struct {
	rate   int
	window []float64
	scale  float64
}

func newSpectrum(rate, n int) spectrum {
	s := spectrum{rate: rate, window: make([]float64, n)}
	for i := range s.window {
		x := 2 * math.Pi * float64(i) / float64(n-1)
		w := 0.35875 - 0.48829*math.Cos(x) + 0.14128*math.Cos(2*x) - 0.01168*math.Cos(3*x)
		s.window[i] = w * w
		s.scale += w * w
	}
	return s
}

// at is the amplitude of hz in the left channel.
func (s spectrum) at(hz float64, frames []audio.Frame) float64 {
	c := 2 * math.Cos(2*math.Pi*hz/float64(s.rate))
	var a, b float64
	for i, w := range s.window {
		a, b = float64(frames[i][0])*w+c*a-b, a
	}
	return 2 * math.Sqrt(max(0, a*a+b*b-a*b*c)) / s.scale
}

// through resamples a tone and cuts off what the ends disturb.
func through(t testing.TB, from, to int, hz float64) []audio.Frame {
	t.Helper()
	src := &pcm{rate: from, frames: tone(from, hz, 0.5, from/2), chunk: 1000}
	got := all(t, audio.Resample(src, to), 333)
	return got[to/20 : to/20+to/4]
}

func TestWhatTheNewRateHoldsPassesUnchanged(t *testing.T) {
	s := newSpectrum(44100, 44100/4)
	for _, from := range rates {
		top := min(20000, float64(from)/44100*20000)
		worst, where := 0.0, 0.0
		for i := range 12 {
			hz := 40 * math.Pow(top/40, float64(i)/11)
			gain := decibels(s.at(hz, through(t, from, 44100, hz)) / 0.5)
			if math.Abs(gain) > math.Abs(worst) {
				worst, where = gain, hz
			}
		}
		t.Logf("%6d Hz: %+.4f dB at %.0f Hz", from, worst, where)
		if math.Abs(worst) > 0.1 {
			t.Errorf("%d Hz: got %+.3f dB at %.0f Hz, want within 0.1 dB", from, worst, where)
		}
	}
}

func TestWhatTheNewRateCannotHoldIsNotHeard(t *testing.T) {
	s := newSpectrum(44100, 44100/4)
	for _, from := range rates {
		worst, of, at := -300.0, 0.0, 0.0
		for _, hz := range tones(from) {
			got := through(t, from, 44100, hz)
			for _, ghost := range ghosts(from, hz) {
				if level := decibels(s.at(ghost, got) / 0.5); level > worst {
					worst, of, at = level, hz, ghost
				}
			}
		}
		t.Logf("%6d Hz: %.1f dB at %.0f Hz, of a tone of %.0f Hz", from, worst, at, of)
		if worst > -100 {
			t.Errorf("%d Hz: got %.1f dB at %.0f Hz of a tone of %.0f Hz, want -100 dB", from, worst, at, of)
		}
	}
}

var rates = []int{8000, 11025, 16000, 22050, 32000, 47999, 48000, 88200, 96000, 176400, 192000}

// tones are those that ghosts are looked for of: near the edge, on both sides,
// and some more.
func tones(rate int) []float64 {
	edge, nyquist := min(22050, float64(rate)/2), float64(rate)/2
	hz := []float64{edge * 0.05, edge * 0.453, edge * 0.8, edge * 0.907, edge * 0.95, edge * 0.985}
	for _, above := range []float64{edge * 1.003, edge * 1.02, edge * 1.05, edge * 1.4, edge * 2.1, edge * 3.3} {
		if above < nyquist*0.997 {
			hz = append(hz, above)
		}
	}
	return hz
}

// ghosts are where, at 44100, images and aliases of a tone would be heard.
func ghosts(rate int, hz float64) []float64 {
	var all []float64
	for k := range 5 {
		for _, image := range []float64{float64(k*rate) + hz, float64(k*rate) - hz} {
			alias := math.Abs(math.Remainder(image, 44100))
			if math.Abs(alias-hz) > 40 && alias > 40 && alias < 22010 {
				all = append(all, alias)
			}
		}
	}
	return all
}

func TestNothingIsShiftedInTime(t *testing.T) {
	for _, from := range rates {
		hz := float64(from) / 25
		got := all(t, audio.Resample(&pcm{rate: from, frames: tone(from, hz, 0.5, from/4)}, 44100), 1024)
		want := tone(44100, hz, 0.5, len(got))
		for i := 2000; i < len(got)-2000; i++ {
			if d := math.Hypot(float64(got[i][0]-want[i][0]), float64(got[i][1]-want[i][1])); d > 1e-5 {
				t.Fatalf("%d Hz: frame %d: got %v, want %v", from, i, got[i], want[i])
			}
		}
	}
}

func TestNothingIsCutFromTheEnd(t *testing.T) {
	for _, c := range []struct{ from, frames, want int }{
		{48000, 0, 0}, {48000, 1, 1}, {48000, 160, 147}, {48000, 161, 148}, {48000, 48000, 44100},
		{22050, 7, 14}, {8000, 2, 12}, {88200, 3, 2}, {192000, 5, 2}, {47999, 47999, 44100}, {44100, 9, 9},
	} {
		src := audio.Resample(&pcm{rate: c.from, frames: make([]audio.Frame, c.frames)}, 44100)
		if got := src.(audio.Seeker).Len(); got != int64(c.want) {
			t.Errorf("%d frames of %d Hz: got length %d, want %d", c.frames, c.from, got, c.want)
		}
		if got := len(all(t, src, 1000)); got != c.want {
			t.Errorf("%d frames of %d Hz: got %d frames, want %d", c.frames, c.from, got, c.want)
		}
	}
}

func TestAConstantStaysWhatItIs(t *testing.T) {
	for _, from := range rates {
		frames := make([]audio.Frame, 3000)
		for i := range frames {
			frames[i] = audio.Frame{0.5, -0.25}
		}
		got := all(t, audio.Resample(&pcm{rate: from, frames: frames}, 44100), 1000)
		mid := got[len(got)/2]
		if math.Abs(float64(mid[0])-0.5) > 1e-6 || math.Abs(float64(mid[1])+0.25) > 1e-6 {
			t.Errorf("%d Hz: got %v, want [0.5 -0.25]", from, mid)
		}
	}
}

func TestFramesAreTheSameHoweverTheyAreRead(t *testing.T) {
	for _, from := range []int{8000, 22050, 47999, 48000, 192000} {
		frames := tone(from, 1000, 0.5, from/10)
		want := all(t, audio.Resample(&pcm{rate: from, frames: frames}, 44100), 100000)
		for _, c := range []struct{ size, chunk int }{{1, 0}, {352, 1}, {7, 13}, {5000, 4096}} {
			got := all(t, audio.Resample(&pcm{rate: from, frames: frames, chunk: c.chunk}, 44100), c.size)
			if !slices.Equal(got, want) {
				t.Errorf("%d Hz, %d at a time from %d at a time: got other frames", from, c.size, c.chunk)
			}
		}
	}
}

func TestFramesAreTheSameWhenSought(t *testing.T) {
	for _, from := range []int{8000, 11025, 44100, 47999, 48000, 96000, 192000} {
		frames := tone(from, 1000, 0.5, from/10)
		src := audio.Resample(&pcm{rate: from, frames: frames, chunk: 999}, 44100).(audio.Seeker)
		want := all(t, src, 1000)
		size := len(want)
		for _, n := range []int{0, 1, 146, 147, 148, 1000, 352, size - 500, size - 1, size, 0} {
			if err := src.SeekFrame(int64(n)); err != nil {
				t.Fatalf("%d Hz: seek to %d: %v", from, n, err)
			}
			if got := all(t, src, 333); !slices.Equal(got, want[n:]) {
				t.Errorf("%d Hz: from frame %d on: got %d other frames, want %d", from, n, len(got), size-n)
			}
		}
		if err := src.SeekFrame(-1); err == nil {
			t.Errorf("%d Hz: got no error for frame -1", from)
		}
	}
}

// hiccup is a source that has nothing yet two times of three, and fails at last.
type hiccup struct {
	pcm
	turn int
	last error
}

func (s *hiccup) Read(p []audio.Frame) (int, error) {
	if s.turn++; s.turn%3 != 1 {
		return 0, audio.ErrNotReady
	}
	n, err := s.pcm.Read(p)
	if err == io.EOF {
		err = s.last
	}
	return n, err
}

func TestErrorsOfTheSourceComeThrough(t *testing.T) {
	broken := errors.New("broken")
	src := &hiccup{pcm: pcm{rate: 48000, frames: tone(48000, 1000, 0.5, 4800), chunk: 100}, last: broken}
	r := audio.Resample(src, 44100)
	p := make([]audio.Frame, 5000)
	total, waits := 0, 0
	for {
		n, err := r.Read(p)
		total += n
		if errors.Is(err, audio.ErrNotReady) {
			waits++
			continue
		}
		if err != nil {
			if !errors.Is(err, broken) {
				t.Errorf("got %v, want broken", err)
			}
			break
		}
	}
	if waits == 0 || total < 4200 || total > 4410 {
		t.Errorf("got %d frames after %d waits", total, waits)
	}
}

func TestRatesThatNoSoundHasAreRefused(t *testing.T) {
	for _, rate := range []int{-1, 0, 1, 999, 1_000_001, math.MaxInt32} {
		r := audio.Resample(&pcm{rate: rate, frames: make([]audio.Frame, 10)}, 44100)
		if _, err := r.Read(make([]audio.Frame, 10)); !errors.Is(err, audio.ErrUnsupported) {
			t.Errorf("%d Hz: got %v, want ErrUnsupported", rate, err)
		}
	}
}

func TestResamplingDoesNotAllocate(t *testing.T) {
	for _, rate := range []int{48000, 8000, 47999} {
		r := audio.Resample(&pcm{rate: rate, frames: make([]audio.Frame, 10*rate)}, 44100)
		p := make([]audio.Frame, 352)
		if got := testing.AllocsPerRun(100, func() { r.Read(p) }); got != 0 {
			t.Errorf("%d Hz: got %v allocations, want 0", rate, got)
		}
	}
}

func TestBothInnerProductsAgree(t *testing.T) {
	x := tone(44100, 997, 1, 160)
	h := make([]float32, 160)
	for i, f := range tone(44100, 313, 0.1, 160) {
		h[i] = f[1]
	}
	for n := 0; n <= 160; n += 8 {
		l, r := audio.Dot(x[:n], h[:n])
		l2, r2 := audio.DotGo(x[:n], h[:n])
		if math.Abs(float64(l-l2)) > 1e-5 || math.Abs(float64(r-r2)) > 1e-5 {
			t.Errorf("%d taps: got %v %v, want %v %v", n, l, r, l2, r2)
		}
	}
}

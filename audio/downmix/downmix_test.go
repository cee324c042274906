package downmix_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"airplay2mqtt/audio/downmix"
)

// Each channel in turn is at full scale, the others are silent: what is heard
// are the weights.
func heard(t *testing.T, m *downmix.Mixer) string {
	t.Helper()
	var s string
	for i := range m.Channels() {
		in := make([]float32, m.Channels())
		in[i] = 1
		f := m.Frame(in)
		s += fmt.Sprintf("%.4f/%.4f ", f[0], f[1])
	}
	return s[:max(len(s)-1, 0)]
}

const (
	front51  = "0.4142" // 1 / (1 + 2·√½)
	rear51   = "0.2929"
	front71  = "0.3204" // 1 / (1 + 3·√½)
	rear71   = "0.2265"
	silent   = "0.0000/0.0000"
	left51   = front51 + "/0.0000"
	right51  = "0.0000/" + front51
	mid51    = rear51 + "/" + rear51
	rearL51  = rear51 + "/0.0000"
	rearR51  = "0.0000/" + rear51
	left71   = front71 + "/0.0000"
	right71  = "0.0000/" + front71
	mid71    = rear71 + "/" + rear71
	rearL71  = rear71 + "/0.0000"
	rearR71  = "0.0000/" + rear71
	stereo   = "1.0000/0.0000 0.0000/1.0000"
	quadSeen = "0.5858/0.0000 0.0000/0.5858 0.4142/0.0000 0.0000/0.4142"
	wave61   = "0.3431/0.0000 0.0000/0.3431 0.2426/0.2426 " + silent + " 0.1716/0.1716 0.2426/0.0000 0.0000/0.2426"
	vorbis61 = "0.3431/0.0000 0.2426/0.2426 0.0000/0.3431 0.2426/0.0000 0.0000/0.2426 0.1716/0.1716 " + silent
)

func TestLayoutsAreMixedByTheStandard(t *testing.T) {
	for _, tt := range []struct {
		name     string
		channels int
		order    downmix.Order
		want     string
	}{
		{"mono", 1, downmix.WAVE, "1.0000/1.0000"},
		{"stereo", 2, downmix.WAVE, stereo},
		{"WAVE 3.0", 3, downmix.WAVE, "0.5858/0.0000 0.0000/0.5858 0.4142/0.4142"},
		{"WAVE quadro", 4, downmix.WAVE, quadSeen},
		{"WAVE 5.0", 5, downmix.WAVE, left51 + " " + right51 + " " + mid51 + " " + rearL51 + " " + rearR51},
		{"WAVE 5.1", 6, downmix.WAVE, left51 + " " + right51 + " " + mid51 + " " + silent + " " + rearL51 + " " + rearR51},
		{"WAVE 6.1", 7, downmix.WAVE, wave61},
		{"WAVE 7.1", 8, downmix.WAVE, left71 + " " + right71 + " " + mid71 + " " + silent + " " + rearL71 + " " + rearR71 + " " + rearL71 + " " + rearR71},
		{"Vorbis mono", 1, downmix.Vorbis, "1.0000/1.0000"},
		{"Vorbis stereo", 2, downmix.Vorbis, stereo},
		{"Vorbis 3.0", 3, downmix.Vorbis, "0.5858/0.0000 0.4142/0.4142 0.0000/0.5858"},
		{"Vorbis quadro", 4, downmix.Vorbis, quadSeen},
		{"Vorbis 5.0", 5, downmix.Vorbis, left51 + " " + mid51 + " " + right51 + " " + rearL51 + " " + rearR51},
		{"Vorbis 5.1", 6, downmix.Vorbis, left51 + " " + mid51 + " " + right51 + " " + rearL51 + " " + rearR51 + " " + silent},
		{"Vorbis 6.1", 7, downmix.Vorbis, vorbis61},
		{"Vorbis 7.1", 8, downmix.Vorbis, left71 + " " + mid71 + " " + right71 + " " + rearL71 + " " + rearR71 + " " + rearL71 + " " + rearR71 + " " + silent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := downmix.New(tt.channels, tt.order)
			if err != nil {
				t.Fatal(err)
			}
			if got := heard(t, m); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestMasksPlaceTheChannels(t *testing.T) {
	for _, tt := range []struct {
		name     string
		channels int
		mask     uint32
		want     string
	}{
		{"no mask is WAVE's layout", 4, 0, quadSeen},
		{"5.1 with side speakers", 6, 0x60f, left51 + " " + right51 + " " + mid51 + " " + silent + " " + rearL51 + " " + rearR51},
		{"4.0: back centre", 4, 0x107, "0.4531/0.0000 0.0000/0.4531 0.3204/0.3204 0.2265/0.2265"},
		{"2.1", 3, 0xb, stereo + " " + silent},
		{"mono on the left speaker", 1, 0x1, "1.0000/1.0000"},
		{"centre and LFE", 2, 0xc, "1.0000/1.0000 " + silent},
		{"nothing but LFE", 1, 0x8, "1.0000/1.0000"},
		{"LFE and one without a place", 2, 0x8, silent + " 1.0000/1.0000"},
		{"a mask too short", 3, 0x3, "0.5858/0.0000 0.0000/0.5858 0.4142/0.4142"},
		{"a mask too long", 2, 0x63f, stereo},
		{"bits nobody defined", 2, 0xc0000000, "0.5000/0.5000 0.5000/0.5000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := downmix.NewMask(tt.channels, tt.mask)
			if err != nil {
				t.Fatal(err)
			}
			if got := heard(t, m); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// The worst case: every channel at full scale, in phase.
func TestNothingClips(t *testing.T) {
	for channels := 1; channels <= downmix.MaxChannels; channels++ {
		for _, mask := range []uint32{0, 0x3, 0x63f, 0x3ffff, math.MaxUint32} {
			m, err := downmix.NewMask(channels, mask)
			if err != nil {
				t.Fatal(err)
			}
			in := make([]float32, channels)
			for i := range in {
				in[i] = -1
			}
			f := m.Frame(in)
			if f[0] < -1 || f[1] < -1 {
				t.Errorf("%d channels, mask %#x: got %v, want at least -1", channels, mask, f)
			}
			if f[0] > -0.999 && f[1] > -0.999 {
				t.Errorf("%d channels, mask %#x: got %v, want one side at full scale", channels, mask, f)
			}
		}
	}
}

func TestWholeFramesAreMixed(t *testing.T) {
	m, err := downmix.New(3, downmix.Vorbis)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([][2]float32, 4)
	if got := m.Mix(dst, []float32{1, 0, 0, 0, 0, 1, 1, 0}); got != 2 {
		t.Errorf("got %d frames of 8 samples, want 2", got)
	}
	if got := m.Mix(dst[:1], make([]float32, 9)); got != 1 {
		t.Errorf("got %d frames into a place for one, want 1", got)
	}
}

func TestOtherChannelCountsAreRefused(t *testing.T) {
	for _, channels := range []int{-1, 0, 9} {
		if _, err := downmix.New(channels, downmix.WAVE); !errors.Is(err, downmix.ErrChannels) {
			t.Errorf("%d channels: got %v, want ErrChannels", channels, err)
		}
	}
	for _, channels := range []int{-1, 0, 65} {
		if _, err := downmix.NewMask(channels, 0); !errors.Is(err, downmix.ErrChannels) {
			t.Errorf("%d channels by mask: got %v, want ErrChannels", channels, err)
		}
	}
}

func TestMixingDoesNotAllocate(t *testing.T) {
	m, err := downmix.New(6, downmix.WAVE)
	if err != nil {
		t.Fatal(err)
	}
	dst, in := make([][2]float32, 512), make([]float32, 512*6)
	if got := testing.AllocsPerRun(10, func() { m.Mix(dst, in) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func ExampleNew() {
	mixer, err := downmix.New(3, downmix.WAVE)
	if err != nil {
		fmt.Println(err)
		return
	}
	frames := make([][2]float32, 1)
	mixer.Mix(frames, []float32{0.5, -0.5, 0.25}) // left, right, centre
	fmt.Printf("%.3f\n", frames[0])
	// Output: [0.396 -0.189]
}

func BenchmarkMix51(b *testing.B) {
	m, err := downmix.New(6, downmix.WAVE)
	if err != nil {
		b.Fatal(err)
	}
	dst, in := make([][2]float32, 4410), make([]float32, 4410*6)
	for b.Loop() {
		m.Mix(dst, in)
	}
	b.ReportMetric(0.1*float64(b.N)/b.Elapsed().Seconds(), "x_realtime")
}

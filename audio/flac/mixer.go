package flac

import (
	"github.com/mewkiz/flac/frame"

	"airplay2mqtt/audio/downmix"
)

// A mixer makes stereo frames of floats of decoded channels.
type mixer struct {
	scale float32
	mix   *downmix.Mixer
	wide  []float32 // the channels of some frames, interleaved
	out   [][2]float32
}

func newMixer(info streamInfo) (*mixer, error) {
	mix, err := downmix.New(info.channels, downmix.WAVE)
	if err != nil {
		return nil, err
	}
	return &mixer{scale: 1 / float32(int(1)<<(info.bits-1)), mix: mix}, nil
}

// frames is what the channels sound like. It is valid until the next call.
func (m *mixer) frames(channels []*frame.Subframe) [][2]float32 {
	n := len(channels[0].Samples)
	if cap(m.out) < n {
		m.out = make([][2]float32, n)
	}
	m.out = m.out[:n]
	switch len(channels) {
	case 1:
		for i, v := range channels[0].Samples {
			x := float32(v) * m.scale
			m.out[i] = [2]float32{x, x}
		}
	case 2:
		left, right := channels[0].Samples, channels[1].Samples[:n]
		for i, v := range left {
			m.out[i] = [2]float32{float32(v) * m.scale, float32(right[i]) * m.scale}
		}
	default:
		m.mix.Mix(m.out, m.interleave(channels, n))
	}
	return m.out
}

// interleave stores the channels frame by frame.
func (m *mixer) interleave(channels []*frame.Subframe, n int) []float32 {
	wide := n * len(channels)
	if cap(m.wide) < wide {
		m.wide = make([]float32, wide)
	}
	m.wide = m.wide[:wide]
	for c, s := range channels {
		for i, v := range s.Samples {
			m.wide[i*len(channels)+c] = float32(v) * m.scale
		}
	}
	return m.wide
}

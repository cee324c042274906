// Package downmix makes stereo of any number of channels.
//
//	mixer, err := downmix.New(6, downmix.WAVE) // 5.1
//	if err != nil {
//		return err
//	}
//	mixer.Mix(frames, samples)
//
// The weights are those of ITU-R BS.775: the centre and the surrounds come in
// 3 dB down, a speaker in the middle comes from both sides, and the effects
// channel (LFE) is left out, because small speakers make noise of it. Then all
// weights are scaled alike, so that the louder side cannot exceed full scale:
// 5.1 becomes 7.7 dB quieter than its front speakers were. One channel goes to
// both sides as it is, two channels pass untouched, bit for bit.
package downmix

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// An Order is the order in which the channels of a frame are stored where a
// file says only how many there are.
type Order int

const (
	// WAVE is the order of WAVE, FLAC and SMPTE: left, right, centre, LFE,
	// then the surrounds.
	WAVE Order = iota
	// Vorbis is the order of Vorbis and Opus: left, centre, right, the
	// surrounds, LFE last.
	Vorbis
)

// MaxChannels is how many channels a frame may have.
const MaxChannels = 64

// ErrChannels is wrapped by errors for channels that cannot be mixed.
var ErrChannels = errors.New("downmix: no such layout")

// A Mixer makes stereo of frames of a fixed number of channels. Its methods do
// not change it: any number of goroutines may share one.
type Mixer struct {
	weights [][2]float32 // of each channel, in the left and in the right
	asIs    bool         // it is stereo already
}

// New returns a mixer for 1 to 8 channels in the order given.
func New(channels int, order Order) (*Mixer, error) {
	layouts := waveLayouts
	if order == Vorbis {
		layouts = vorbisLayouts
	}
	if channels < 1 || channels > len(layouts) {
		return nil, fmt.Errorf("%w: %d channels", ErrChannels, channels)
	}
	return newMixer(layouts[channels-1]), nil
}

// NewMask returns a mixer for channels that stand in the order of the bits of a
// WAVE channel mask (dwChannelMask). Without a mask, up to 8 channels have
// WAVE's usual layout. Channels that the mask does not place are heard on both
// sides.
func NewMask(channels int, mask uint32) (*Mixer, error) {
	if channels < 1 || channels > MaxChannels {
		return nil, fmt.Errorf("%w: %d channels", ErrChannels, channels)
	}
	if mask == 0 && channels <= len(waveLayouts) {
		return New(channels, WAVE)
	}
	layout := make([]speaker, channels)
	for i := range layout {
		layout[i] = nowhere
		if mask != 0 {
			layout[i] = speaker(bits.TrailingZeros32(mask))
			mask &= mask - 1
		}
	}
	return newMixer(layout), nil
}

// Channels is how many channels a frame that goes in has.
func (m *Mixer) Channels() int { return len(m.weights) }

// Frame mixes one frame, of which in holds one sample per channel.
func (m *Mixer) Frame(in []float32) [2]float32 {
	switch {
	case len(m.weights) == 1:
		return [2]float32{in[0], in[0]}
	case m.asIs:
		return [2]float32{in[0], in[1]}
	}
	return m.mix(in)
}

func (m *Mixer) mix(in []float32) [2]float32 {
	var l, r float32
	in = in[:len(m.weights)]
	for i, w := range m.weights {
		l += w[0] * in[i]
		r += w[1] * in[i]
	}
	return [2]float32{l, r}
}

// Mix mixes as many whole frames of interleaved samples as in holds and dst has
// room for, and returns how many. It does not allocate.
func (m *Mixer) Mix(dst [][2]float32, in []float32) int {
	channels := len(m.weights)
	dst = dst[:min(len(dst), len(in)/channels)]
	switch {
	case channels == 1:
		for i := range dst {
			dst[i] = [2]float32{in[i], in[i]}
		}
	case m.asIs:
		pass(dst, in)
	default:
		for i := range dst {
			dst[i] = m.mix(in[i*channels : (i+1)*channels])
		}
	}
	return len(dst)
}

// pass is Mix for what is stereo already.
func pass(dst [][2]float32, in []float32) {
	for len(dst) >= 4 && len(in) >= 8 {
		to, from := (*[4][2]float32)(dst), (*[8]float32)(in)
		to[0] = [2]float32(from[0:2])
		to[1] = [2]float32(from[2:4])
		to[2] = [2]float32(from[4:6])
		to[3] = [2]float32(from[6:8])
		dst, in = dst[4:], in[8:]
	}
	for i := range dst {
		dst[i] = [2]float32(in[2*i:])
	}
}

// newMixer scales the weights of a layout so that they add up to 1 on the
// louder side.
func newMixer(layout []speaker) *Mixer {
	raw := make([][2]float64, len(layout))
	var sum [2]float64
	for i, s := range layout {
		raw[i] = s.weights()
		sum[0] += raw[i][0]
		sum[1] += raw[i][1]
	}
	scale := 1 / max(sum[0], sum[1])
	if math.IsInf(scale, 0) { // nothing but LFE
		for i := range raw {
			raw[i] = [2]float64{1, 1}
		}
		scale = 1 / float64(len(raw))
	}
	m := &Mixer{weights: make([][2]float32, len(raw))}
	for i, w := range raw {
		m.weights[i] = [2]float32{float32(w[0] * scale), float32(w[1] * scale)}
	}
	m.trim()
	m.asIs = len(layout) == 2 && m.weights[0] == [2]float32{1, 0} && m.weights[1] == [2]float32{0, 1}
	return m
}

// trim takes from the weights what rounding may have put on top of 1.
func (m *Mixer) trim() {
	ones := make([]float32, len(m.weights))
	for i := range ones {
		ones[i] = 1
	}
	for {
		full := m.mix(ones)
		if full[0] <= 1 && full[1] <= 1 {
			return
		}
		for i := range m.weights {
			m.weights[i][0] *= 1 - 0x1p-23
			m.weights[i][1] *= 1 - 0x1p-23
		}
	}
}

// Package chime makes the sound of bells, so that there is one to ring where
// nobody has brought a file. Every sound is computed, none is a recording.
//
//	frames, ok := chime.Render("doorbell")
//
// The frames are stereo at 44100 Hz, between half a second and six seconds
// long, begin and end in silence, and are all about as loud: -16 LUFS, with no
// peak above -1 dBFS. The same name gives the same frames each time.
package chime

import (
	"math"
	"slices"
	"strings"
)

// Rate is in frames per second.
const Rate = 44100

// A chime is a name and how it sounds.
type chime struct {
	name, about string
	seconds     float64
	gain        float64 // in decibels, to -16 LUFS
	notes       []note
}

// Names lists the chimes in alphabetical order.
func Names() []string {
	names := make([]string, len(chimes))
	for i, c := range chimes {
		names[i] = c.name
	}
	slices.Sort(names)
	return names
}

// Describe says in a few words how a chime sounds, "" where there is none of
// that name.
func Describe(name string) string {
	c, _ := find(name)
	return c.about
}

// Render makes the sound of a chime. It is false if there is none of that
// name. The frames are the caller's own.
func Render(name string) ([][2]float32, bool) {
	c, ok := find(name)
	if !ok {
		return nil, false
	}
	return c.render(), true
}

// PCM is the sound of a chime as interleaved 16-bit samples, left and right. They
// are the caller's own.
func PCM(name string) ([]int16, bool) {
	c, ok := find(name)
	if !ok {
		return nil, false
	}
	return c.samples(), true
}

// Doorbell is the chime of that name.
func Doorbell() []int16 {
	pcm, _ := PCM("doorbell")
	return pcm
}

func (c chime) samples() []int16 {
	pcm := make([]int16, 0, 2*int(c.seconds*Rate))
	for block := range c.blocks {
		for _, f := range block {
			pcm = append(pcm, int16(math.Round(float64(f[0])*32767)), int16(math.Round(float64(f[1])*32767)))
		}
	}
	return pcm
}

func find(name string) (chime, bool) {
	for _, c := range chimes {
		if strings.EqualFold(c.name, name) {
			return c, true
		}
	}
	return chime{}, false
}

// fade is how long a chime takes to its end, whatever rings on.
const fade = 0.08

func (c chime) render() [][2]float32 {
	frames := make([][2]float32, 0, int(c.seconds*Rate))
	for block := range c.blocks {
		frames = append(frames, block...)
	}
	return frames
}

// blockSize is how many frames are made at a time: what is needed to make a chime
// is small beside the chime.
const blockSize = 1024

// blocks makes the frames, a block of them at a time.
func (c chime) blocks(yield func([][2]float32) bool) {
	all := int(c.seconds * Rate)
	notes := make([]ringing, len(c.notes))
	for i, n := range c.notes {
		notes[i] = n.struck(all)
	}
	var left, right, sum [blockSize]float64
	var frames [blockSize][2]float32
	gain := math.Pow(10, c.gain/20)
	for at := 0; at < all; at += blockSize {
		n := min(blockSize, all-at)
		clear(left[:])
		clear(right[:])
		for i := range notes {
			notes[i].ring(left[:n], right[:n], sum[:n])
		}
		for i := range n {
			g := gain * fall(float64(all-1-at-i)/(fade*Rate))
			frames[i] = [2]float32{round(g * left[i]), round(g * right[i])}
		}
		if !yield(frames[:n]) {
			return
		}
	}
}

// fall goes from 1 to 0 as x does, without a corner at either end.
func fall(x float64) float64 {
	if x >= 1 {
		return 1
	}
	return 0.5 - 0.5*math.Cos(math.Pi*x)
}

const (
	ceiling = 0.885 // a little below -1 dBFS, for what lies between samples
	knee    = 0.6
)

// round takes the tops off blows that are too loud for their loudness, as a
// bell itself does, instead of cutting them.
func round(v float64) float32 {
	a := math.Abs(v)
	if a <= knee {
		return float32(v)
	}
	return float32(math.Copysign(knee+(ceiling-knee)*math.Tanh((a-knee)/(ceiling-knee)), v))
}

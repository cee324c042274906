package interop

import (
	"fmt"
	"strings"
)

// A Tolerance is by how many steps of 16 bits a sample may differ and still
// be the same.
type Tolerance int

// What tests compare with: PCM and lossless files arrive as they are, lossy
// ones may differ from another decoder's by rounding and dither.
const (
	Exactly Tolerance = 0
	Nearly  Tolerance = 4
)

// needle is how many frames are looked for to find a sound in a recording.
const needle = 256

// Find returns where in the recording the sound begins, or -1. It looks for the
// first loud frames of the sound, so that the place is found even if the
// receiver swallowed what came before them; a place before the beginning of
// the recording is never returned.
func Find(recording, sound Sound, tol Tolerance) int {
	first := loud(sound)
	if first < 0 {
		return -1
	}
	want := sound[first:min(first+needle, len(sound))]
	for at := first; at+len(want) <= len(recording); at++ {
		if Compare(recording[at:], want, tol) == len(want) {
			return at - first
		}
	}
	return -1
}

// Compare returns how many frames of the sound the recording begins with.
func Compare(recording, sound Sound, tol Tolerance) int {
	n := min(len(recording), len(sound))
	for i := range n {
		if !same(recording[i], sound[i], tol) {
			return i
		}
	}
	return n
}

// A Run is a stretch of sound that a recording holds unchanged.
type Run struct {
	Sound, Recording int // where it begins in each
	Frames           int
}

// Runs takes a recording to pieces: which stretches of the sound it holds,
// bit for bit and at least needle frames long, in the order of the recording.
// It is for sounds without repetition, such as Noise.
func Runs(recording, sound Sound) []Run {
	const step = needle / 4 // each stretch holds frames that are in the index
	index := make(map[[2]Frame]int, len(sound)/step+1)
	for i := 0; i+1 < len(sound); i += step {
		index[[2]Frame{sound[i], sound[i+1]}] = i
	}
	var runs []Run
	over := 0 // of the recording belongs to the runs already
	for at := 0; at+1 < len(recording); {
		from, known := index[[2]Frame{recording[at], recording[at+1]}]
		if !known {
			at++
			continue
		}
		end := at + Compare(recording[at:], sound[from:], Exactly)
		for at > over && from > 0 && recording[at-1] == sound[from-1] {
			at, from = at-1, from-1
		}
		if end-at >= min(needle, len(sound)) {
			runs = append(runs, Run{Sound: from, Recording: at, Frames: end - at})
			over = end
		}
		at = end
	}
	return runs
}

// Within returns where in a recording a sound lies that something else is heard
// with, and how loud it is there, as a factor. It looks where the recording is
// most like the beginning of the sound.
func Within(recording, sound Sound) (at int, gain float64) {
	const window = 4096 // tells how loud
	part := sound[:min(needle, len(sound))]
	best := 0.0
	for i := 0; i+len(part) <= len(recording); i++ {
		if p := product(recording[i:], part); p > best {
			best, at = p, i
		}
	}
	part = sound[:min(window, len(sound), len(recording)-at)]
	return at, product(recording[at:], part) / product(part, part)
}

// product is the sum of the products of the samples of two sounds.
func product(a, b Sound) (sum float64) {
	for i, f := range b {
		sum += float64(int(a[i][0])*int(f[0]) + int(a[i][1])*int(f[1]))
	}
	return sum
}

// Describe says in words what runs hold of a sound, for a failing test.
func Describe(runs []Run, sound Sound) string {
	if len(runs) == 0 {
		return "nothing of it"
	}
	var b strings.Builder
	for i, r := range runs {
		switch {
		case i > 0:
			before := runs[i-1]
			fmt.Fprintf(&b, "; after %d frames that are not of it, %d frames later in the sound, ",
				r.Recording-before.Recording-before.Frames, r.Sound-before.Sound-before.Frames)
		case r.Sound > 0:
			fmt.Fprintf(&b, "without its first %d frames: ", r.Sound)
		}
		fmt.Fprintf(&b, "frames %d to %d", r.Sound, r.Sound+r.Frames)
		if i == 9 && len(runs) > 10 {
			fmt.Fprintf(&b, "; and %d runs more", len(runs)-10)
			break
		}
	}
	last := runs[len(runs)-1]
	if missing := len(sound) - last.Sound - last.Frames; missing > 0 {
		fmt.Fprintf(&b, "; without its last %d frames", missing)
	}
	return b.String()
}

// loud returns the first frame that cannot be taken for a receiver's dithered
// silence, or -1.
func loud(s Sound) int {
	for i, f := range s {
		if max(f[0], f[1]) > 1000 || min(f[0], f[1]) < -1000 {
			return i
		}
	}
	return -1
}

func same(a, b Frame, tol Tolerance) bool {
	for c := range a {
		if d := int(a[c]) - int(b[c]); d > int(tol) || -d > int(tol) {
			return false
		}
	}
	return true
}

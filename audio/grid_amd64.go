package audio

// grid is gridGo, four frames at a time. src must be a multiple of 4 long, and
// dst twice as long as src.
//
//go:noescape
func grid(dst []int16, src []Frame) bool

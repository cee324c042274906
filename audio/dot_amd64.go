package audio

// dot is dotGo, four products at a time. Both slices must be as long as each
// other, and that a multiple of 8.
//
//go:noescape
func dot(x []Frame, h []float32) (l, r float32)

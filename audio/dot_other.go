//go:build !amd64

package audio

func dot(x []Frame, h []float32) (l, r float32) { return dotGo(x, h) }

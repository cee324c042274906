//go:build !amd64

package audio

func grid(dst []int16, src []Frame) bool { return gridGo(dst, src) }

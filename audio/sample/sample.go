// Package sample makes floats of samples as files store them: integers of one
// to eight bytes with either end first, floats, A-law and µ-law.
//
//	convert := sample.Format{Kind: sample.Signed, Width: 2}.Converter()
//	convert(floats, bytes)
//
// Full scale is 1. Integers of up to 24 bits come through exactly.
package sample

// A Kind is what the bits of a sample mean.
type Kind int

const (
	// Signed is integers in two's complement.
	Signed Kind = iota
	// Unsigned is integers around the middle of their range.
	Unsigned
	// Float is IEEE 754, of four bytes or eight.
	Float
	// ALaw is G.711's A-law, one byte.
	ALaw
	// MuLaw is G.711's µ-law, one byte.
	MuLaw
)

// A Format says how a sample is stored. Integers that do not use all bits stand
// at the top of them.
type Format struct {
	Kind      Kind
	Width     int // bytes: 1 to 8 for integers, 4 or 8 for floats
	BigEndian bool
}

// A Converter turns src, which holds whole samples, into as many floats. It does
// not allocate, and may be used from several goroutines.
type Converter func(dst []float32, src []byte)

// Converter returns the one for the format.
func (f Format) Converter() Converter {
	switch {
	case f.Kind == ALaw:
		return companded(expandALaw)
	case f.Kind == MuLaw:
		return companded(expandMuLaw)
	case f.Kind == Float && f.Width == 4:
		return f.either(float32s, float32sBig)
	case f.Kind == Float:
		return f.either(float64s, float64sBig)
	case f.Kind == Signed && f.Width == 2:
		return f.either(signed16, signed16Big)
	case f.Kind == Signed && f.Width == 3:
		return f.either(signed24, signed24Big)
	case f.Kind == Signed && f.Width == 4:
		return f.either(signed32, signed32Big)
	}
	return f.integers()
}

func (f Format) either(little, big Converter) Converter {
	if f.BigEndian {
		return big
	}
	return little
}

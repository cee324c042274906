package audio

// Gain makes src louder (factor above 1) or softer. It is a [Seeker] if src is
// one, and takes src over. What becomes too loud is cut when it is quantized.
func Gain(src Source, factor float32) Source {
	g := gain{src, factor}
	if s, ok := src.(Seeker); ok {
		return &seekingGain{Seeker: s, gain: g}
	}
	return &g
}

type gain struct {
	Source
	factor float32
}

func (g *gain) Read(p []Frame) (int, error) {
	n, err := g.Source.Read(p)
	for i := range p[:n] {
		p[i][0] *= g.factor
		p[i][1] *= g.factor
	}
	return n, err
}

// Len is that of the source in frames, -1 if it is not known.
func (g *gain) Len() int64 { return length(g.Source) }

// Seekable tells what the source tells.
func (g *gain) Seekable() bool { return seekable(g.Source) }

type seekingGain struct {
	Seeker
	gain gain
}

func (g *seekingGain) Read(p []Frame) (int, error) { return g.gain.Read(p) }
func (g *seekingGain) Seekable() bool              { return g.gain.Seekable() }

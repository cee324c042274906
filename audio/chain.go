package audio

import "io"

// A chain is what a decoded input sounds like at one rate, even if that of the
// input changes on the way.
type chain struct {
	d     *decoded
	first Source // the input resampled, as far as its first rate goes
	now   Source // what is being read
}

func newChain(d *decoded) *chain {
	first := Resample(d, Rate)
	return &chain{d, first, first}
}

func (c *chain) Rate() int      { return Rate }
func (c *chain) Len() int64     { return length(c.first) }
func (c *chain) Seekable() bool { return c.d.seekable }
func (c *chain) Close() error   { return c.d.Close() }

func (c *chain) Read(p []Frame) (int, error) {
	for {
		n, err := c.now.Read(p)
		if err != io.EOF {
			return n, err
		}
		rate, ok := c.d.next()
		if !ok {
			return n, err
		}
		if c.now = Resample(&stretch{c.d, rate}, Rate); n > 0 {
			return n, nil
		}
	}
}

func (c *chain) SeekFrame(n int64) error {
	s, ok := c.first.(Seeker)
	if !ok {
		return ErrNotSeekable
	}
	c.now = c.first
	return s.SeekFrame(n)
}

// A stretch is the part of an input that has one rate.
type stretch struct {
	*decoded
	rate int
}

func (s *stretch) Rate() int { return s.rate }

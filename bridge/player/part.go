package player

import (
	"fmt"
	"math"
	"time"

	"airplay2mqtt/audio"
)

// A part is one sound of a medley. What changes is guarded by the medley.
type part struct {
	src   audio.Source
	from  int64 // the frame of the source that it begins with
	until int64 // one after the last frame of the source that is wanted

	begun   bool  // it was read from
	done    bool  // it was read to its end
	spoiled bool  // it was read from and cannot be rewound: of no more use
	base    int64 // where in the medley frame origin of the source is, once begun
	origin  int64
	at      int64 // the frame of the source that is read next
	err     error // why it ended, if that was no end
}

// newPart cues a track up. It returns an error if that cannot begin where the
// request wants.
func newPart(t audio.Track, c Play) (*part, error) {
	src := t.Source
	if src.Rate() != audio.Rate {
		src = audio.Resample(src, audio.Rate)
	}
	p := &part{src: src, until: math.MaxInt64}
	if c.Start > 0 && !t.Live {
		p.from = p.within(framesIn(c.Start))
		if err := p.rewind(); err != nil {
			return nil, fmt.Errorf("player: begin at %v: %w", c.Start, err)
		}
	}
	p.at, p.origin = p.from, p.from
	if c.MaxDuration > 0 {
		p.until = p.from + framesIn(c.MaxDuration)
	}
	return p, nil
}

// within holds a frame to what the source has.
func (p *part) within(frame int64) int64 {
	frame = min(max(frame, 0), p.until)
	if s, ok := p.src.(audio.Seeker); ok && s.Len() >= 0 {
		frame = min(frame, s.Len())
	}
	return frame
}

// rewind makes the part begin anew. It is called by who reads it.
func (p *part) rewind() error {
	s, ok := p.src.(audio.Seeker)
	if !ok {
		return audio.ErrNotSeekable
	}
	return s.SeekFrame(p.from)
}

// size returns how many frames the part has, if that is known: after its end
// those that were there.
func (p *part) size() (frames int64, known bool) {
	if p.done {
		return max(p.at-p.from, 0), true
	}
	last, known := p.last()
	return max(last-p.from, 0), known
}

// last returns one after the last frame of the source that will be read.
func (p *part) last() (frame int64, known bool) {
	if s, ok := p.src.(audio.Seeker); ok && s.Len() >= 0 {
		return min(s.Len(), p.until), true
	}
	return p.until, p.until < math.MaxInt64
}

// framesIn returns how many frames begin within d.
func framesIn(d time.Duration) int64 {
	whole, rest := int64(d/time.Second), int64(d%time.Second)
	return whole*audio.Rate + rest*audio.Rate/int64(time.Second)
}

// lasting returns how long so many frames last, rounded up, so that framesIn
// is its inverse.
func lasting(frames int64) time.Duration {
	whole, rest := frames/audio.Rate, frames%audio.Rate
	return time.Duration(whole)*time.Second + time.Duration((rest*int64(time.Second)+audio.Rate-1)/audio.Rate)
}

// nearest returns the frame that is nearest to d.
func nearest(d time.Duration) int64 { return framesIn(d + time.Second/audio.Rate/2) }

package stream

import (
	"errors"
	"fmt"
	"io"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/alac"
)

// A tape is the sound as 16-bit samples. It reads its source and keeps the
// last of it, because what was sent may not have been heard: a pause loses
// nothing, even if the source cannot go back.
type tape struct {
	src       audio.Source
	quantizer audio.Quantizer
	ring      []int16 // interleaved; frame n lies at n modulo its capacity
	end       int64   // one after the last frame that was read
	limit     int64   // where the sound ends, whatever the source has
	err       error   // why there is no more: io.EOF at the end of the sound

	frames [alac.FramesPerPacket]audio.Frame
	pcm    [2 * alac.FramesPerPacket]int16
}

// keep makes room for that many frames behind the newest one.
func (t *tape) keep(frames int64) {
	had := t.capacity()
	if frames <= had {
		return
	}
	ring := make([]int16, 2*frames)
	for n := max(t.end-had, 0); n < t.end; n++ {
		copy(ring[2*(n%frames):][:2], t.ring[2*(n%had):])
	}
	t.ring = ring
}

func (t *tape) capacity() int64 { return int64(len(t.ring) / 2) }

// fill reads on until frame until, exclusive, is there. It returns
// audio.ErrNotReady, or why there is no more.
func (t *tape) fill(until int64) error {
	for t.err == nil && t.end < until {
		if t.end >= t.limit {
			return t.fail(io.EOF)
		}
		frames := t.frames[:min(until-t.end, t.limit-t.end, int64(len(t.frames)))]
		n, err := t.src.Read(frames)
		if n < 0 || n > len(frames) {
			return t.fail(fmt.Errorf("source read %d frames into room for %d", n, len(frames)))
		}
		t.add(frames[:n])
		switch {
		case errors.Is(err, audio.ErrNotReady), err == nil && n == 0:
			return audio.ErrNotReady
		case err != nil:
			return t.fail(err)
		}
	}
	if t.end < until {
		return t.err
	}
	return nil
}

func (t *tape) fail(err error) error {
	t.err = err
	return err
}

func (t *tape) add(frames []audio.Frame) {
	pcm := t.pcm[:2*len(frames)]
	t.quantizer.Quantize(pcm, frames)
	at := int(t.end % t.capacity())
	rest := copy(t.ring[2*at:], pcm)
	copy(t.ring, pcm[rest:])
	t.end += int64(len(frames))
}

// copy copies frames from position at on.
func (t *tape) copy(dst []int16, at int64) {
	n := copy(dst, t.ring[2*(at%t.capacity()):])
	copy(dst[n:], t.ring)
}

// seek makes the sound continue at frame n, or at its end if it has fewer,
// and returns where that is.
func (t *tape) seek(n int64) (int64, error) {
	s, ok := t.src.(audio.Seeker)
	if !ok {
		return 0, audio.ErrNotSeekable
	}
	n = min(max(n, 0), t.limit)
	if length := s.Len(); length >= 0 {
		n = min(n, length)
	}
	if err := s.SeekFrame(n); err != nil {
		return 0, err
	}
	t.end, t.err = n, nil
	return n, nil
}

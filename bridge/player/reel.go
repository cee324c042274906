package player

import (
	"io"

	"airplay2mqtt/audio"
)

// A reel is clips one after another, as a source. Where a length is wanted it
// begins again and again until that is over.
type reel struct {
	clips []*audio.Clip
	total int64 // in frames
	round int64 // how many frames all clips have
	at    int64
	clip  int   // that is being read
	into  int64 // how much of it was
}

// newReel makes a reel of total frames, or of all clips once if that is zero.
func newReel(clips []*audio.Clip, total int64) *reel {
	r := &reel{clips: clips, total: total}
	for _, c := range clips {
		r.round += int64(len(c.Frames()))
	}
	if total <= 0 || r.round == 0 {
		r.total = r.round
	}
	return r
}

// farewell is how long a reel that is cut takes to its end.
const farewell = audio.Rate / 10

// Rate is that of all clips.
func (r *reel) Rate() int { return audio.Rate }

// Close does nothing: clips have nothing to close.
func (r *reel) Close() error { return nil }

// Read is for streams.
func (r *reel) Read(dst []audio.Frame) (n int, err error) {
	dst = dst[:min(int64(len(dst)), r.total-r.at)]
	for n < len(dst) {
		frames := r.clips[r.clip].Frames()
		got := copy(dst[n:], frames[r.into:])
		n += got
		if r.into += int64(got); r.into == int64(len(frames)) {
			r.clip, r.into = (r.clip+1)%len(r.clips), 0
		}
	}
	r.soften(dst)
	if r.at += int64(n); r.at >= r.total {
		return n, io.EOF
	}
	return n, nil
}

// soften lets a reel end softly that ends within a clip.
func (r *reel) soften(frames []audio.Frame) {
	if r.round == 0 || r.total%r.round == 0 {
		return
	}
	for i := range frames {
		if left := r.total - r.at - int64(i); left < farewell {
			gain := float32(left) / farewell
			frames[i] = audio.Frame{frames[i][0] * gain, frames[i][1] * gain}
		}
	}
}

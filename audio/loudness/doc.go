// Package loudness tells how loud a sound is to the ear, and brings it to a
// level without cutting its peaks.
//
//	was, err := loudness.Measure(clip.Frames(), 44100)
//	if err != nil {
//		return err
//	}
//	factor := was.GainTo(-16, -1) // to -16 LUFS, but no peak above -1 dBTP
//
// It is measured as EBU R 128 has it, by ITU-R BS.1770-4: the two sides are
// weighted like hearing (K-weighting), their energy is taken in blocks of 400
// ms that overlap by three quarters, and what is quieter than -70 LUFS, or by
// more than 10 LU quieter than the rest, does not count. Peaks are looked for
// at four times the rate, because what a loudspeaker plays rises higher between
// two samples than either of them.
//
// A chime can be shorter than a block. It is then as loud as the block of 400
// ms that begins with it and ends in silence: half as long is 3 LU quieter,
// which is about what the ear says too.
//
// A [Meter] measures sound that is on its way. A [Limiter] lets sound be
// brought to a level that its peaks have no room for.
//
// Frames are stereo, left then right, full scale from -1 to 1, at any rate from
// [MinRate] to [MaxRate]. A sample that is not a number, infinite, or beyond 1e30
// counts as silence.
package loudness

import (
	"errors"
	"fmt"
)

const (
	// MinRate is the lowest rate that is measured, in frames per second.
	MinRate = 8000
	// MaxRate is the highest.
	MaxRate = 192_000
)

// ErrRate is wrapped by errors for rates below [MinRate] or above [MaxRate].
var ErrRate = errors.New("loudness: no such rate")

func check(rate int) error {
	if rate < MinRate || rate > MaxRate {
		return fmt.Errorf("%w: %d frames per second", ErrRate, rate)
	}
	return nil
}

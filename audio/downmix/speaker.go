package downmix

import "math"

// A speaker is a place from which a channel is heard: the number of its bit in
// a WAVE channel mask.
type speaker int

const (
	frontLeft speaker = iota
	frontRight
	frontCentre
	lfe
	backLeft
	backRight
	frontLeftOfCentre
	frontRightOfCentre
	backCentre
	sideLeft
	sideRight
	topCentre
	topFrontLeft
	topFrontCentre
	topFrontRight
	topBackLeft
	topBackCentre
	topBackRight

	nowhere speaker = -1
)

// What the file formats mean by so many channels, and no more said.
// FLAC's layouts are those of WAVE (RFC 9639, 9.1.3); Vorbis' are in the
// Vorbis I specification, 4.3.9, and RFC 7845, 5.1.1.2.
var (
	waveLayouts = [][]speaker{
		{frontCentre},
		{frontLeft, frontRight},
		{frontLeft, frontRight, frontCentre},
		{frontLeft, frontRight, backLeft, backRight},
		{frontLeft, frontRight, frontCentre, backLeft, backRight},
		{frontLeft, frontRight, frontCentre, lfe, backLeft, backRight},
		{frontLeft, frontRight, frontCentre, lfe, backCentre, sideLeft, sideRight},
		{frontLeft, frontRight, frontCentre, lfe, backLeft, backRight, sideLeft, sideRight},
	}
	vorbisLayouts = [][]speaker{
		{frontCentre},
		{frontLeft, frontRight},
		{frontLeft, frontCentre, frontRight},
		{frontLeft, frontRight, backLeft, backRight},
		{frontLeft, frontCentre, frontRight, backLeft, backRight},
		{frontLeft, frontCentre, frontRight, backLeft, backRight, lfe},
		{frontLeft, frontCentre, frontRight, sideLeft, sideRight, backCentre, lfe},
		{frontLeft, frontCentre, frontRight, sideLeft, sideRight, backLeft, backRight, lfe},
	}
)

// weights is how much of the speaker goes to the left and to the right, before
// all are scaled to fit.
func (s speaker) weights() [2]float64 {
	const minus3, minus6 = math.Sqrt2 / 2, 0.5
	switch s {
	case frontLeft, frontLeftOfCentre:
		return [2]float64{1, 0}
	case frontRight, frontRightOfCentre:
		return [2]float64{0, 1}
	case backLeft, sideLeft, topFrontLeft, topBackLeft:
		return [2]float64{minus3, 0}
	case backRight, sideRight, topFrontRight, topBackRight:
		return [2]float64{0, minus3}
	case backCentre, topCentre, topBackCentre:
		return [2]float64{minus6, minus6} // a surround, and on both sides
	case lfe:
		return [2]float64{}
	default: // the centre, and what has no place
		return [2]float64{minus3, minus3}
	}
}

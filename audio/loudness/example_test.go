package loudness_test

import (
	"fmt"
	"math"

	"airplay2mqtt/audio/loudness"
)

// A chime that is too soft is brought to -16 LUFS.
func ExampleMeasure() {
	chime := make([][2]float32, 44100)
	for i := range chime {
		x := float32(0.02 * math.Sin(2*math.Pi*1000*float64(i)/44100))
		chime[i] = [2]float32{x, x}
	}
	was, err := loudness.Measure(chime, 44100)
	if err != nil {
		fmt.Println(err)
		return
	}
	factor := float32(was.GainTo(-16, -1))
	for i := range chime {
		chime[i][0] *= factor
		chime[i][1] *= factor
	}
	is, _ := loudness.Measure(chime, 44100)
	fmt.Printf("was %.1f LUFS with peaks of %.1f dBTP\n", was.Loudness, was.Peak)
	fmt.Printf("is  %.1f LUFS with peaks of %.1f dBTP\n", is.Loudness, is.Peak)
	// Output:
	// was -34.0 LUFS with peaks of -34.0 dBTP
	// is  -16.0 LUFS with peaks of -16.0 dBTP
}

// What comes out of a limiter is as long as what went in.
func ExampleLimiter() {
	l, err := loudness.NewLimiter(44100, -1)
	if err != nil {
		fmt.Println(err)
		return
	}
	sound := make([][2]float32, 1000)
	sound[700] = [2]float32{2, -1}
	buffer := make([][2]float32, 300)
	var heard [][2]float32
	for rest := sound; len(rest) > 0; {
		n := copy(buffer, rest)
		rest = rest[n:]
		n = l.Process(buffer[:n])
		heard = append(heard, buffer[:n]...)
	}
	for n := l.Flush(buffer); n > 0; n = l.Flush(buffer) {
		heard = append(heard, buffer[:n]...)
	}
	fmt.Printf("%d frames, frame 700 is %.3f\n", len(heard), heard[700])
	// Output: 1000 frames, frame 700 is [0.891 -0.446]
}

package chime

import "math"

// A partial is one of the tones that a body sounds with: how high and how
// strong relative to its pitch, and in how many seconds it falls to a third.
// No decay: it lasts.
type partial struct{ ratio, level, decay float64 }

// A voice is a body that sounds.
type voice struct {
	attack   float64 // seconds until it is at its loudest
	partials []partial
}

var (
	// tube is a tubular bell, as it hangs in hallways.
	tube = voice{0.003, []partial{{1, 1, 0.9}, {2, 0.45, 0.55}, {2.76, 0.25, 0.32}, {5.4, 0.12, 0.14}}}
	// tower is a church bell: hum, prime, minor third, fifth, nominal, and
	// above. The hum is doubled a little apart, which makes it beat.
	tower = voice{0.004, []partial{
		{0.5, 0.4, 1.6}, {0.5007, 0.25, 1.6}, {1, 0.8, 1.1}, {1.2, 0.5, 0.8}, {1.5, 0.25, 0.5}, {2, 0.7, 0.7},
		{2.5, 0.2, 0.35}, {3, 0.2, 0.25}, {4.1, 0.12, 0.15},
	}}
	// glass is small and clear.
	glass = voice{0.002, []partial{{1, 1, 0.5}, {2.32, 0.3, 0.22}, {4.25, 0.15, 0.1}, {6.63, 0.06, 0.05}}}
	// bars are those of a marimba: wood, tuned to two octaves.
	bars = voice{0.003, []partial{{1, 1, 0.32}, {3.93, 0.28, 0.09}, {9.24, 0.08, 0.03}}}
	// box is a music box.
	box = voice{0.002, []partial{{1, 1, 0.7}, {2, 0.2, 0.4}, {3, 0.25, 0.25}, {6.2, 0.1, 0.08}}}
	// door is wood under knuckles.
	door = voice{0.001, []partial{
		{1, 1, 0.035}, {1.58, 0.9, 0.028}, {2.24, 0.7, 0.022}, {3.37, 0.5, 0.014}, {5.2, 0.35, 0.009}, {8.1, 0.25, 0.005}, {13.7, 0.15, 0.003},
	}}
	// reed is soft and lasts as long as it is blown.
	reed = voice{0.012, []partial{{1, 1, 0}, {2, 0.35, 0}, {3, 0.22, 0}, {4, 0.08, 0}, {5, 0.05, 0}}}
	// horn is a reed that cuts through a house.
	horn = voice{0.006, []partial{{1, 0.8, 0}, {2, 0.7, 0}, {3, 0.55, 0}, {4, 0.3, 0}, {5, 0.2, 0}, {7, 0.1, 0}}}
)

// A note is one blow on a body.
type note struct {
	voice voice
	at    float64 // seconds
	pitch float64 // hertz
	level float64
	side  float64 // where it stands, -1 left to 1 right
	hold  float64 // seconds after which it is damped; 0: it rings
}

// release is how long a note takes to be damped.
const release = 0.03

// inaudible is where a partial that dies away is left out.
const inaudible = 1e-5

// ring adds the note to both sides.
func (n note) ring(left, right []float64) {
	first := int(n.at * Rate)
	if first >= len(left) {
		return
	}
	envelope := n.envelope(len(left) - first)
	sum := make([]float64, len(envelope))
	for _, p := range n.voice.partials {
		p.sound(n.pitch, n.level*math.Sqrt2, sum)
	}
	l, r := math.Sqrt((1-n.side)/2), math.Sqrt((1+n.side)/2)
	for i, e := range envelope {
		left[first+i] += l * e * sum[i]
		right[first+i] += r * e * sum[i]
	}
}

// envelope is how the note begins and is damped, for as many frames as it has.
func (n note) envelope(most int) []float64 {
	if n.hold > 0 {
		most = min(most, int((n.hold+release)*Rate))
	}
	e := make([]float64, most)
	for i := range e {
		t := float64(i) / Rate
		e[i] = fall(t / n.voice.attack)
		if n.hold > 0 {
			e[i] *= fall((n.hold + release - t) / release)
		}
	}
	return e
}

// sound adds the partial to a sum. It turns a pointer round instead of asking
// for a sine each time, which is ten times as fast.
func (p partial) sound(pitch, level float64, sum []float64) {
	f := pitch * p.ratio
	if f > Rate/2.2 {
		return
	}
	shrink, audible := 1.0, len(sum)
	if p.decay > 0 {
		shrink = math.Exp(-1 / (p.decay * Rate))
		audible = min(audible, int(p.decay*Rate*math.Log(level*p.level/inaudible)))
	}
	sin, cos := math.Sincos(2 * math.Pi * f / Rate)
	sin, cos = sin*shrink, cos*shrink
	re, im := level*p.level, 0.0
	for i := range max(audible, 0) {
		sum[i] += im
		re, im = re*cos-im*sin, re*sin+im*cos
	}
}

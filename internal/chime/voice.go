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

// A ringing is a note as it sounds on.
type ringing struct {
	note
	left, right float64 // how loud it is on each side
	first       int     // the frame that it begins with, counted from the next one
	at, last    int     // its own next frame, and how many it has
	tones       []tone
}

// A tone is a partial as it sounds on: a pointer that is turned round instead of
// asking for a sine each time, which is ten times as fast.
type tone struct {
	re, im, sin, cos float64
	audible          int // frames that it is still heard for
}

// struck is the note at its beginning, in a sound of so many frames.
func (n note) struck(all int) ringing {
	r := ringing{note: n, first: int(n.at * Rate)}
	r.left, r.right = math.Sqrt((1-n.side)/2), math.Sqrt((1+n.side)/2)
	r.last = max(all-r.first, 0)
	if n.hold > 0 {
		r.last = min(r.last, int((n.hold+release)*Rate))
	}
	for _, p := range n.voice.partials {
		if t, ok := p.tone(n.pitch, n.level*math.Sqrt2, r.last); ok {
			r.tones = append(r.tones, t)
		}
	}
	return r
}

// tone is the partial at its beginning.
func (p partial) tone(pitch, level float64, last int) (t tone, ok bool) {
	f := pitch * p.ratio
	if f > Rate/2.2 {
		return tone{}, false
	}
	shrink := 1.0
	t.audible = last
	if p.decay > 0 {
		shrink = math.Exp(-1 / (p.decay * Rate))
		t.audible = min(last, int(p.decay*Rate*math.Log(level*p.level/inaudible)))
	}
	t.sin, t.cos = math.Sincos(2 * math.Pi * f / Rate)
	t.sin, t.cos, t.re = t.sin*shrink, t.cos*shrink, level*p.level
	return t, t.audible > 0
}

// ring adds the next frames of the note to both sides. sum is as long as they are,
// and what it holds does not matter.
func (r *ringing) ring(left, right, sum []float64) {
	skip := min(r.first, len(sum))
	r.first -= skip
	left, right, sum = left[skip:], right[skip:], sum[skip:]
	sum = sum[:min(len(sum), r.last-r.at)]
	clear(sum)
	for i := range r.tones {
		r.tones[i].sound(sum)
	}
	for i, s := range sum {
		e := r.envelope(float64(r.at+i) / Rate)
		left[i] += r.left * e * s
		right[i] += r.right * e * s
	}
	r.at += len(sum)
}

// envelope is how the note begins and is damped.
func (r *ringing) envelope(t float64) float64 {
	e := fall(t / r.voice.attack)
	if r.hold > 0 {
		e *= fall((r.hold + release - t) / release)
	}
	return e
}

// sound adds the next frames of the tone.
func (t *tone) sound(sum []float64) {
	sum = sum[:min(len(sum), t.audible)]
	t.audible -= len(sum)
	re, im := t.re, t.im
	for i := range sum {
		sum[i] += im
		re, im = re*t.cos-im*t.sin, re*t.sin+im*t.cos
	}
	t.re, t.im = re, im
}

package chime

// Pitches in hertz, the equal temperament with A at 440.
const (
	c4  = 261.63
	e4  = 329.63
	gs4 = 415.30
	a4  = 440.00
	b4  = 493.88
	c5  = 523.25
	cs5 = 554.37
	d5  = 587.33
	e5  = 659.26
	f5  = 698.46
	fs5 = 739.99
	g5  = 783.99
	gs5 = 830.61
	a5  = 880.00
	b5  = 987.77
	c6  = 1046.50
	d6  = 1174.66
	e6  = 1318.51
)

// chimes are all there are. The gains are measured: a test holds them.
var chimes = []chime{
	{"doorbell", "ding-dong: two tubular bells, a third apart", 2, -7.0, []note{
		{tube, 0, e5, 0.5, -0.2, 0}, {tube, 0.55, c5, 0.55, 0.2, 0},
	}},
	{"ding", "one clear bell", 1.6, -5.4, []note{
		{tube, 0, b5, 0.5, 0, 0}, {glass, 0, 2 * b5, 0.12, 0, 0},
	}},
	{"westminster", "the quarter of a clock tower, four bells", 6, -9.2, []note{
		{tower, 0, gs5, 0.5, -0.3, 0}, {tower, 0.75, fs5, 0.5, -0.1, 0},
		{tower, 1.5, e5, 0.5, 0.1, 0}, {tower, 2.25, b4, 0.6, 0.3, 0},
	}},
	{"knock", "three knocks on a wooden door", 1.1, -5.4, []note{
		{door, 0, 172, 0.8, -0.1, 0}, {door, 0.23, 180, 0.9, 0, 0}, {door, 0.46, 168, 1, 0.1, 0},
	}},
	{"notify", "two soft drops of glass, upwards: something is about to be said", 1.2, -4.2, []note{
		{glass, 0, g5, 0.4, -0.15, 0}, {glass, 0.13, d6, 0.4, 0.15, 0},
	}},
	{"success", "four wooden bars, upwards: it is done", 1.3, -8.3, []note{
		{bars, 0, c5, 0.5, -0.3, 0}, {bars, 0.11, e5, 0.5, 0, 0}, {bars, 0.22, g5, 0.5, 0.2, 0}, {bars, 0.33, c6, 0.6, 0.3, 0},
	}},
	{"error", "two low reeds, downwards: it did not work", 0.9, -8.7, []note{
		{reed, 0, e4, 0.4, 0, 0.2}, {reed, 0, gs4, 0.25, 0, 0.2},
		{reed, 0.27, c4, 0.45, 0, 0.42}, {reed, 0.27, e4, 0.2, 0, 0.42},
	}},
	{"alert", "three quick bells, twice: look here", 1.9, -10.7, []note{
		{glass, 0, a5, 0.5, -0.2, 0}, {glass, 0.14, cs5 * 2, 0.5, 0, 0}, {glass, 0.28, e6, 0.5, 0.2, 0},
		{glass, 0.7, a5, 0.5, -0.2, 0}, {glass, 0.84, cs5 * 2, 0.5, 0, 0}, {glass, 0.98, e6, 0.5, 0.2, 0},
	}},
	{"alarm", "a horn in two tones, four times: get up", 3.6, -8.9, siren(4, 0.9)},
	{"timer", "a kitchen timer: three times four beeps", 2.7, -4.8, beeps(3, 4)},
	{"washer", "a tune of a music box: the washing is done", 4.6, -8.6, []note{
		{box, 0, c5, 0.45, -0.2, 0}, {box, 0.3, f5, 0.5, -0.1, 0}, {box, 0.75, e5, 0.4, 0, 0}, {box, 0.9, d5, 0.4, 0, 0},
		{box, 1.05, c5, 0.5, 0, 0}, {box, 1.5, a4, 0.45, 0.1, 0}, {box, 1.95, c5, 0.4, 0.1, 0}, {box, 2.4, d5, 0.45, 0, 0},
		{box, 2.7, e5, 0.45, 0, 0}, {box, 3, f5, 0.55, 0, 0}, {box, 3, a5, 0.35, 0.2, 0}, {box, 3, c6, 0.3, -0.2, 0},
	}},
}

// siren is two tones by turns, each turn as long as that.
func siren(turns int, seconds float64) []note {
	var notes []note
	for i := range turns {
		at := float64(i) * seconds
		notes = append(notes, note{horn, at, b4, 0.35, 0, 0.38}, note{horn, at + 0.42, e5, 0.35, 0, 0.38})
	}
	return notes
}

// beeps are groups of short high tones.
func beeps(groups, each int) []note {
	var notes []note
	for g := range groups {
		for i := range each {
			notes = append(notes, note{reed, float64(g) + 0.14*float64(i), 2 * c6, 0.3, 0, 0.07})
		}
	}
	return notes
}

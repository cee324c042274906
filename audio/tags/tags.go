// Package tags reads what a sound says of itself: title, artist, album and
// cover, from ID3, Vorbis comments and RIFF INFO, without seeking.
package tags

import "time"

// Tags is what a sound says of itself. Empty fields are unknown. Strings are
// valid UTF-8 without control characters.
type Tags struct {
	Title, Artist, Album string
	Genre                string
	Year, Track          int
	Duration             time.Duration // zero: unknown, or endless
	Artwork              []byte        // JPEG or PNG as found; nil: none
}

// Or fills what t does not say with what o says. An artwork and a text are
// taken whole.
func (t Tags) Or(o Tags) Tags {
	t.Title = orText(t.Title, o.Title)
	t.Artist = orText(t.Artist, o.Artist)
	t.Album = orText(t.Album, o.Album)
	t.Genre = orText(t.Genre, o.Genre)
	if t.Year == 0 {
		t.Year = o.Year
	}
	if t.Track == 0 {
		t.Track = o.Track
	}
	if t.Duration == 0 {
		t.Duration = o.Duration
	}
	if t.Artwork == nil {
		t.Artwork = o.Artwork
	}
	return t
}

func orText(s, o string) string {
	if s == "" {
		return o
	}
	return s
}

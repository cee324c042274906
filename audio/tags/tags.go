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

package audio

import "strings"

// isPCM tells whether a location is that of a live input.
func isPCM(location string) bool {
	scheme, _, ok := strings.Cut(location, ":")
	return ok && (strings.EqualFold(scheme, "pcm") || strings.EqualFold(scheme, "pcm+tcp") || strings.EqualFold(scheme, "pcm+unix"))
}

// Package stream sends one sound to any number of speakers, in step and on
// time.
package stream

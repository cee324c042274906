package ogg

import (
	"fmt"

	"airplay2mqtt/audio/tags"
)

// A codec makes frames of the packets of one logical stream.
type codec interface {
	name() string
	rate() int
	channels() int
	bits() int
	tags() tags.Tags

	// addHeader takes the packets behind the first as long as it returns true.
	addHeader(packet []byte) (bool, error)
	// headersRead tells whether what comes next is sound for certain.
	headersRead() bool

	// delay is how many frames are made before the first that is to be heard.
	delay() int64
	// preroll is how many frames are decoded before they sound as they should.
	preroll() int64

	// plan tells how many frames decode will make of packet. It is called once
	// for each packet, in order, before decode.
	plan(packet []byte) int
	// decode decodes one packet. What it returns is valid until the next call.
	decode(packet []byte) ([][2]float32, error)
	// gap says that packets are missing before the next.
	gap()
	// reset says that the next packet may be from anywhere.
	reset()
}

// What rates are played, in frames per second.
const (
	minRate = 1000
	maxRate = 768000
)

// newCodec makes the codec that a logical stream begins with, or none if the
// stream is not one of sound.
func newCodec(first []byte) (codec, error) {
	switch {
	case isVorbisHeader(first, vorbisIdentification):
		return newVorbis(first)
	case hasPrefix(first, opusMark):
		return newOpus(first)
	case hasPrefix(first, flacMark):
		return newFLAC(first)
	case hasPrefix(first, "Speex   "):
		return nil, fmt.Errorf("speex: %w", ErrUnsupported)
	}
	return nil, nil
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// guard turns a panic of an engine into an error. A packet that makes one is a
// broken packet.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrMalformed, p)
	}
}

package airplay

import (
	"airplay2mqtt/internal/rtp"
)

// What follows is for tests of bytes that cannot be told apart on the wire.

// Seal seals a payload behind a header, as the first packet of a key.
func Seal(key []byte, h rtp.Header, payload []byte) ([]byte, error) {
	s, err := newSealer(key)
	if err != nil {
		return nil, err
	}
	return s.seal(h.AppendTo(nil), payload), nil
}

// Block seals a payload as the first block of a key.
func Block(key []byte, seq, time, ssrc uint32, payload []byte) ([]byte, error) {
	s, err := newSealer(key)
	if err != nil {
		return nil, err
	}
	return block{seq: seq, time: time, ssrc: ssrc}.appendTo(nil, s, payload), nil
}

// Fraction returns nanoseconds as a binary fraction of a second.
func Fraction(ns uint64) uint64 { return uint64(fraction(ns)) }

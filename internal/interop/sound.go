package interop

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// rate is what receivers play, in frames per second.
const rate = 44100

// A Frame is one stereo sample as it leaves a receiver.
type Frame [2]int16

// A Sound is PCM at 44100 frames per second.
type Sound []Frame

// Noise returns white noise at a fifth of full scale. No two places of it are
// alike, so that a frame that is missing, doubled or moved is seen; its first
// frame is loud, so that a late beginning is seen as well.
func Noise(seed uint64, d time.Duration) Sound {
	s := make(Sound, frames(d))
	x := seed*0x9e3779b97f4a7c15 + 1
	for i := range s {
		for c := range s[i] {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			s[i][c] = int16(int32(x>>48)-32768) / 5
		}
	}
	s[0] = Frame{12000, -12000}
	return s
}

// Sweep returns two tones that climb, one to each side, faded at both ends:
// what a lossy codec carries well and yet is nowhere like itself.
func Sweep(d time.Duration) Sound {
	s := make(Sound, frames(d))
	fade := float64(rate) / 50
	for i := range s {
		t := float64(i) / rate
		gain := 9000 * min(1, float64(i)/fade, float64(len(s)-i)/fade)
		s[i][0] = int16(gain * math.Sin(2*math.Pi*(220*t+180*t*t)))
		s[i][1] = int16(gain * math.Sin(2*math.Pi*(330*t+90*t*t)))
	}
	return s
}

// Duration is how long the sound lasts.
func (s Sound) Duration() time.Duration {
	return time.Duration(len(s)) * time.Second / rate
}

// From returns the sound from an instant of it to its end.
func (s Sound) From(d time.Duration) Sound { return s[frames(d):] }

// WAV returns the sound as a file of 16 bits.
func (s Sound) WAV() []byte {
	pcm := s.bytes()
	b := make([]byte, 0, 44+len(pcm))
	b = append(b, "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(36+len(pcm)))
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1) // PCM
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, 4*rate)
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(pcm)))
	return append(b, pcm...)
}

// ParseWAV reads a file of 16 bits, two channels and 44100 frames per second.
func ParseWAV(b []byte) (Sound, error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return nil, fmt.Errorf("interop: no WAV file")
	}
	for b = b[12:]; len(b) >= 8; {
		id, size := string(b[:4]), int(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		if id == "data" {
			return parsePCM(b[:min(size, len(b))]), nil
		}
		if id == "fmt " && size >= 16 && len(b) >= 16 {
			kind := [3]int{int(binary.LittleEndian.Uint16(b[2:])), int(binary.LittleEndian.Uint32(b[4:])), int(binary.LittleEndian.Uint16(b[14:]))}
			if kind != [3]int{2, rate, 16} {
				return nil, fmt.Errorf("interop: WAV of %d channels, %d Hz, %d bits", kind[0], kind[1], kind[2])
			}
		}
		size += size & 1
		b = b[min(size, len(b)):]
	}
	return nil, fmt.Errorf("interop: WAV file without data")
}

// bytes is the sound as signed 16 bit little-endian PCM.
func (s Sound) bytes() []byte {
	b := make([]byte, 0, 4*len(s))
	for _, f := range s {
		b = binary.LittleEndian.AppendUint16(b, uint16(f[0]))
		b = binary.LittleEndian.AppendUint16(b, uint16(f[1]))
	}
	return b
}

func parsePCM(b []byte) Sound {
	s := make(Sound, 0, len(b)/4)
	for ; len(b) >= 4; b = b[4:] {
		s = append(s, Frame{int16(binary.LittleEndian.Uint16(b)), int16(binary.LittleEndian.Uint16(b[2:]))})
	}
	return s
}

func frames(d time.Duration) int { return int(d * rate / time.Second) }

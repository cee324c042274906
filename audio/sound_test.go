package audio_test

import (
	"encoding/binary"
	"errors"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/alac"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// noise makes 16-bit stereo samples.
func noise(frames int) []int16 {
	rnd := rand.New(rand.NewPCG(3, 4))
	s := make([]int16, 2*frames)
	for i := range s {
		s[i] = int16(rnd.Uint32())
	}
	return s
}

// wave makes a WAV file of 16-bit stereo samples.
func wave(rate int, samples []int16) []byte {
	return append(waveHeader(rate, uint32(2*len(samples))), littleEndian(samples)...)
}

func waveHeader(rate int, size uint32) []byte {
	b := []byte("RIFF")
	b = binary.LittleEndian.AppendUint32(b, uint32(min(uint64(size)+36, math.MaxUint32)))
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(4*rate))
	b = append(b, "\x04\x00\x10\x00data"...)
	return binary.LittleEndian.AppendUint32(b, size)
}

func littleEndian(samples []int16) []byte {
	var b []byte
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// hear reads a track to its end and returns what receivers get: through the
// quantizer and the packets. The last packet's silence is cut off.
func hear(t testing.TB, track audio.Track) []int16 {
	t.Helper()
	heard, err := hearUntil(t, track)
	if err != io.EOF {
		t.Fatal(err)
	}
	return heard
}

// hearUntil is hear for a track that breaks off. It tells why.
func hearUntil(t testing.TB, track audio.Track) (heard []int16, why error) {
	t.Helper()
	b := track.Source.(*audio.Buffer)
	var q audio.Quantizer
	var packet []byte
	frames := make([]audio.Frame, alac.FramesPerPacket)
	pcm := make([]int16, 2*alac.FramesPerPacket)
	for why == nil {
		n := 0
		for n < len(frames) && why == nil {
			m, err := b.Read(frames[n:])
			n += m
			if why = err; errors.Is(err, audio.ErrNotReady) {
				why = b.Wait(t.Context(), 1)
			}
		}
		q.Quantize(pcm, frames[:n])
		packet = alac.AppendVerbatim(packet[:0], pcm[:2*n])
		if _, err := alac.DecodeVerbatim(pcm, packet); err != nil {
			t.Fatal(err)
		}
		heard = append(heard, pcm[:2*n]...)
	}
	return heard, why
}

// same compares samples, and says where they differ.
func same(t testing.TB, what string, got, want []int16) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s: frame %d: got %v, want %v (and %d frames of %d)",
				what, i/2, got[i/2*2:min(len(got), i/2*2+8)], want[i/2*2:min(len(want), i/2*2+8)], len(got)/2, len(want)/2)
			return
		}
	}
	t.Errorf("%s: got %d frames, want %d", what, len(got)/2, len(want)/2)
}

// write puts a file into a fresh folder.
func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := t.TempDir() + "/" + name
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// discard is a logger for what a server says of clients that leave.
func discard() *log.Logger { return log.New(io.Discard, "", 0) }

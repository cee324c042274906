package interop_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/internal/interop"
)

// dither is what a receiver plays while there is nothing to play.
func dither(frames int) interop.Sound {
	s := make(interop.Sound, frames)
	for i := range s {
		s[i] = interop.Frame{int16(-(i % 2)), int16(-(i / 2 % 2))}
	}
	return s
}

func TestSoundIsFoundBetweenDitheredSilence(t *testing.T) {
	tune := interop.Noise(1, 100*time.Millisecond)
	recording := slices.Concat(dither(1234), tune, dither(99))
	at := interop.Find(recording, tune, interop.Exactly)
	if got, want := at, 1234; got != want {
		t.Fatalf("Find: got %d, want %d", got, want)
	}
	if got, want := interop.Compare(recording[at:], tune, interop.Exactly), len(tune); got != want {
		t.Errorf("Compare: got %d, want %d", got, want)
	}
}

func TestRoundedSoundIsFoundWithTolerance(t *testing.T) {
	tune := interop.Sweep(200 * time.Millisecond)
	rounded := slices.Clone(tune)
	for i := range rounded {
		rounded[i][0] += int16(i%9) - 4
	}
	recording := slices.Concat(dither(50), rounded)
	if got, want := interop.Find(recording, tune, interop.Nearly), 50; got != want {
		t.Errorf("nearly: got %d, want %d", got, want)
	}
	if got, want := interop.Find(recording, tune, interop.Exactly), -1; got != want {
		t.Errorf("exactly: got %d, want %d", got, want)
	}
}

func TestSilenceIsFoundNowhere(t *testing.T) {
	if got, want := interop.Find(dither(1000), dither(500), interop.Exactly), -1; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestRunsTellWhatIsMissing(t *testing.T) {
	tune := interop.Noise(2, 100*time.Millisecond)
	recording := slices.Concat(dither(10), tune[500:1500], dither(20), tune[1852:4000])
	got := interop.Runs(recording, tune)
	want := []interop.Run{
		{Sound: 500, Recording: 10, Frames: 1000},
		{Sound: 1852, Recording: 1030, Frames: 2148},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("runs (-want +got):\n%s", diff)
	}
	text := "without its first 500 frames: frames 500 to 1500; after 20 frames that are not of it, " +
		"352 frames later in the sound, frames 1852 to 4000; without its last 410 frames"
	if got := interop.Describe(got, tune); got != text {
		t.Errorf("got  %q\nwant %q", got, text)
	}
}

func TestWAVIsReadAsWritten(t *testing.T) {
	tune := interop.Noise(3, 10*time.Millisecond)
	got, err := interop.ParseWAV(tune.WAV())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tune, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := interop.ParseWAV([]byte("OggS and so on")); err == nil {
		t.Error("an Ogg page passes for a WAV file")
	}
}

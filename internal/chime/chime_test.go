package chime_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"airplay2mqtt/audio/loudness"
	"airplay2mqtt/internal/chime"
)

func TestThereAreTenChimesWithNamesAndWords(t *testing.T) {
	names := chime.Names()
	if len(names) < 10 || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("got %q, want at least ten names, in order and each once", names)
	}
	seen := map[string]string{}
	for _, name := range names {
		about := chime.Describe(name)
		if about == "" || seen[about] != "" {
			t.Errorf("%s is described as %q, as %q is", name, about, seen[about])
		}
		seen[about] = name
	}
	if _, ok := chime.Render("Doorbell"); !ok {
		t.Error("a name in another case is not found")
	}
	if frames, ok := chime.Render("vuvuzela"); ok || frames != nil || chime.Describe("vuvuzela") != "" {
		t.Error("a chime that does not exist was rendered")
	}
}

func TestChimesAreAsLoudAsEachOther(t *testing.T) {
	for _, name := range chime.Names() {
		r, err := loudness.Measure(render(t, name), chime.Rate)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-12s %5.1f s  %6.2f LUFS  peak %5.2f dBTP", name, float64(len(render(t, name)))/chime.Rate, r.Loudness, r.Peak)
		if math.Abs(r.Loudness+16) > 0.5 {
			t.Errorf("%s: got %.2f LUFS, want -16", name, r.Loudness)
		}
		if r.Peak > -1 {
			t.Errorf("%s: got a peak of %.2f dB, want at most -1", name, r.Peak)
		}
	}
}

func render(t *testing.T, name string) [][2]float32 {
	t.Helper()
	frames, ok := chime.Render(name)
	if !ok {
		t.Fatalf("there is no %q", name)
	}
	return frames
}

func TestChimesBeginAndEndInSilence(t *testing.T) {
	for _, name := range chime.Names() {
		frames := render(t, name)
		if s := float64(len(frames)) / chime.Rate; s < 0.4 || s > 6 {
			t.Errorf("%s lasts %.1f s, want 0.4 to 6", name, s)
		}
		silent := [2]float32{}
		if first, last := frames[0], frames[len(frames)-1]; first != silent || last != silent {
			t.Errorf("%s begins with %v and ends with %v: that clicks", name, first, last)
		}
		tail := frames[len(frames)-chime.Rate/100:]
		for _, f := range tail {
			if max(math.Abs(float64(f[0])), math.Abs(float64(f[1]))) > 0.03 {
				t.Errorf("%s: %v in its last 10 ms is too loud to end", name, f)
				break
			}
		}
	}
}

// A click is a jump that the sound's own pitch does not explain. What comes
// before any jump here is the steepest that a full-scale tone of 7 kHz has.
func TestChimesDoNotJump(t *testing.T) {
	limit := 2 * math.Sin(math.Pi*7000/chime.Rate)
	for _, name := range chime.Names() {
		frames := render(t, name)
		for i := 1; i < len(frames); i++ {
			for side := range 2 {
				if d := math.Abs(float64(frames[i][side] - frames[i-1][side])); d > limit {
					t.Fatalf("%s jumps by %.2f at frame %d", name, d, i)
				}
			}
		}
	}
}

func TestChimesAreTheSameEachTimeAndSoundDifferent(t *testing.T) {
	all := map[string][][2]float32{}
	for _, name := range chime.Names() {
		once := render(t, name)
		if !slices.Equal(once, render(t, name)) {
			t.Errorf("%s is not the same twice", name)
		}
		for other, sound := range all {
			if alike(once, sound) > 0.6 {
				t.Errorf("%s and %s can hardly be told apart", name, other)
			}
		}
		all[name] = slices.Clone(once)
		clear(once)
		if slices.Equal(once, render(t, name)) {
			t.Errorf("%s: a caller can change what others get", name)
		}
	}
}

// alike is the correlation of two sounds, 0 to 1.
func alike(a, b [][2]float32) float64 {
	var ab, aa, bb float64
	for i := range min(len(a), len(b)) {
		x, y := float64(a[i][0]), float64(b[i][0])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return math.Abs(ab) / math.Sqrt(aa*bb)
}

func TestRenderingIsQuick(t *testing.T) {
	for _, name := range chime.Names() {
		best := time.Hour
		for range 5 { // other things happen on this machine as well
			began := time.Now()
			chime.Render(name)
			best = min(best, time.Since(began))
		}
		t.Logf("%-12s %v", name, best.Round(100*time.Microsecond))
		if best > 50*time.Millisecond && !raceDetector {
			t.Errorf("%s took %v, want at most 50 ms", name, best)
		}
	}
}

func TestDoorbellIsHeardAndClipsNowhere(t *testing.T) {
	pcm := chime.Doorbell()
	if got, want := len(pcm), 2*2*chime.Rate; got != want {
		t.Fatalf("got %d samples, want %d", got, want)
	}
	var peak int16
	for _, s := range pcm {
		peak = max(peak, s, -s)
	}
	if peak < 8000 || peak > 30000 {
		t.Errorf("got a peak of %d, want it between 8000 and 30000", peak)
	}
	if first, last := pcm[0], pcm[len(pcm)-1]; first != 0 || last != 0 {
		t.Errorf("it begins with %d and ends with %d: that clicks", first, last)
	}
}

func BenchmarkWestminster(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		chime.Render("westminster")
	}
}

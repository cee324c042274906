package audio_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
)

// counted counts how often files are opened.
func counted(n *int) *audio.Opener {
	var mu sync.Mutex
	return &audio.Opener{OpenFile: func(path string) (*os.File, error) {
		mu.Lock()
		defer mu.Unlock()
		*n++
		return os.Open(path)
	}}
}

func samplesOf(c *audio.Clip) []int16 {
	var q audio.Quantizer
	out := make([]int16, 2*len(c.Frames()))
	q.Quantize(out, c.Frames())
	return out
}

func TestACachedSoundIsDecodedOnce(t *testing.T) {
	want := noise(1000)
	path := write(t, "ding.wav", wave(44100, want))
	opened := 0
	c := audio.Cache{Opener: counted(&opened)}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			clip, err := c.Get(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			same(t, "clip", samplesOf(clip), want)
		})
	}
	all.Wait()
	if clips, bytes := c.Size(); opened != 1 || clips != 1 || bytes != 8000 {
		t.Errorf("opened %d times, %d clips of %d bytes", opened, clips, bytes)
	}
}

func TestAFileThatChangesIsDecodedAgain(t *testing.T) {
	path := write(t, "ding.wav", wave(44100, noise(1000)))
	var c audio.Cache
	if _, err := c.Get(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	want := noise(2000)
	if err := os.WriteFile(path, wave(44100, want), 0o644); err != nil {
		t.Fatal(err)
	}
	clip, err := c.Get(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "changed", samplesOf(clip), want)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
	if clips, bytes := c.Size(); clips != 0 || bytes != 0 {
		t.Errorf("got %d clips of %d bytes", clips, bytes)
	}
}

func TestLookupOpensNothing(t *testing.T) {
	path := write(t, "ding.wav", wave(44100, noise(1000)))
	opened := 0
	c := audio.Cache{Opener: counted(&opened)}
	if _, ok := c.Lookup(path); ok || opened != 0 {
		t.Errorf("before: found %v, opened %d times", ok, opened)
	}
	want, err := c.Get(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Lookup(path); got != want || !ok || opened != 1 {
		t.Errorf("got %v, %v, opened %d times", got, ok, opened)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Lookup(path); ok {
		t.Error("found what has gone")
	}
}

func TestTheCacheKeepsWhatWasUsedLast(t *testing.T) {
	dir := t.TempDir()
	path := func(i int) string { return filepath.Join(dir, fmt.Sprint(i, ".wav")) }
	for i := range 4 {
		if err := os.WriteFile(path(i), wave(44100, noise(1000)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	opened := 0
	c := audio.Cache{Opener: counted(&opened), Bytes: 25_000, Longest: time.Second}
	get := func(i int) {
		if _, err := c.Get(t.Context(), path(i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []int{0, 1, 2, 0, 3, 0, 2, 3} {
		get(i)
	}
	if opened != 4 {
		t.Errorf("opened %d times, want 4", opened)
	}
	if get(1); opened != 5 {
		t.Errorf("opened %d times, want 5", opened)
	}
	if clips, bytes := c.Size(); clips != 3 || bytes != 24_000 {
		t.Errorf("got %d clips of %d bytes", clips, bytes)
	}
	long := write(t, "long.wav", wave(44100, noise(44101)))
	if _, err := c.Get(t.Context(), long); !errors.Is(err, audio.ErrTooLong) {
		t.Errorf("got %v, want ErrTooLong", err)
	}
	c.Longest = time.Minute
	if _, err := c.Get(t.Context(), long); err != nil { // larger than all that is kept
		t.Error(err)
	}
	if _, err := c.Get(t.Context(), dir); !errors.Is(err, audio.ErrUnsupported) {
		t.Errorf("a folder: got %v", err)
	}
}

func TestSomebodyWhoLeavesDoesNotTakeTheSoundAlong(t *testing.T) {
	path := write(t, "ding.wav", wave(44100, noise(1000)))
	synctest.Test(t, func(t *testing.T) {
		leave, left := context.WithCancel(t.Context())
		first := true
		c := audio.Cache{Make: func(clip *audio.Clip) (*audio.Clip, error) {
			if first {
				first = false
				time.Sleep(time.Second)
				left()
				return nil, leave.Err()
			}
			return clip, nil
		}}
		go c.Get(leave, path)
		synctest.Wait()
		clip, err := c.Get(t.Context(), path)
		if err != nil || len(clip.Frames()) != 1000 {
			t.Errorf("got %v", err)
		}
	})
}

func TestAFolderIsKeptWarm(t *testing.T) {
	dir := house(t, map[string]string{"a.wav": string(wave(44100, noise(100))), "sub/b.wav": string(wave(44100, noise(100))), "bad.mp3": "x", "readme.txt": "hello"})
	synctest.Test(t, func(t *testing.T) {
		var c audio.Cache
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error)
		go func() { over <- c.Watch(ctx, dir, time.Minute) }()
		clips := func() int {
			time.Sleep(61 * time.Second)
			n, _ := c.Size()
			return n
		}
		if got := clips(); got != 2 {
			t.Errorf("got %d clips, want 2", got)
		}
		os.WriteFile(filepath.Join(dir, "new.wav"), wave(44100, noise(10)), 0o644)
		if got := clips(); got != 3 {
			t.Errorf("got %d clips, want 3", got)
		}
		os.Remove(filepath.Join(dir, "a.wav"))
		if got := clips(); got != 2 {
			t.Errorf("got %d clips, want 2", got)
		}
		cancel()
		if err := <-over; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	var c audio.Cache
	if err := c.Warm(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
	if err := c.Warm(t.Context(), filepath.Join(dir, "a.wav")); err == nil {
		t.Error("got no error for what is not there")
	}
}

func TestClipsAreBroughtToOneLevel(t *testing.T) {
	for _, level := range []float64{0.15, 0.3, 0.99} {
		frames := tone(44100, 1000, level, 44100)
		for i := range 50 {
			frames[20_000+i] = audio.Frame{0.9, -0.9} // a click
		}
		clip, err := audio.NewClip(frames).Normalise(-16, -1)
		if err != nil {
			t.Fatal(err)
		}
		got := clip.Loudness()
		if math.Abs(got.Loudness+16) > 0.5 || got.Peak > -0.8 || len(clip.Frames()) != 44100 {
			t.Errorf("%v: got %.1f LUFS, a peak of %.1f dBTP, %d frames", level, got.Loudness, got.Peak, len(clip.Frames()))
		}
	}
	quiet, err := audio.NewClip(tone(44100, 1000, 0.001, 44100)).Normalise(-16, -1)
	if err != nil {
		t.Fatal(err)
	}
	if got := quiet.Loudness().Loudness; got > -39 {
		t.Errorf("next to silence became %.1f LUFS", got)
	}
	if _, err := audio.NewClip(nil).Normalise(-16, -1); err != nil {
		t.Error(err)
	}
}

func TestGainNeverCuts(t *testing.T) {
	clip := audio.NewClip(tone(44100, 1000, 0.8, 44100))
	src := audio.Gain(clip.Source(), 4)
	loud, err := audio.ReadClip(t.Context(), src, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if got := loud.Loudness().Peak; got > -0.8 || got < -1.2 || len(loud.Frames()) != 44100 {
		t.Errorf("got a peak of %.2f dBTP, %d frames", got, len(loud.Frames()))
	}
	s := src.(audio.Seeker)
	if err := s.SeekFrame(44000); err != nil {
		t.Fatal(err)
	}
	if rest, err := audio.ReadClip(t.Context(), s, time.Minute); err != nil || len(rest.Frames()) != 100 {
		t.Errorf("got %v", err)
	}
}

func TestOverrides(t *testing.T) {
	found := audio.Tags{Title: "T", Artist: "A", Duration: time.Second}
	given := audio.Tags{Title: "Mine", Album: "B", Duration: time.Hour}
	if got := (audio.Overrides{Tags: given}).Apply(found); got.Title != "Mine" || got.Artist != "A" || got.Album != "B" || got.Duration != time.Second {
		t.Errorf("all: got %+v", got)
	}
	if got := (audio.Overrides{Tags: given, Missing: true}).Apply(found); got.Title != "T" || got.Artist != "A" || got.Album != "B" || got.Duration != time.Second {
		t.Errorf("missing: got %+v", got)
	}
}

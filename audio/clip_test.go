package audio_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"testing"
	"time"

	"airplay2mqtt/audio"
)

func TestAClipPlaysAnyNumberOfTimesAtOnce(t *testing.T) {
	want := numbered(1000)
	clip := audio.NewClip(want)
	a, b := clip.Source(), clip.Source()
	p := make([]audio.Frame, 300)
	a.Read(p)
	if got := all(t, b, 77); !slices.Equal(got, want) {
		t.Errorf("got %d other frames", len(got))
	}
	if got := all(t, a, 77); !slices.Equal(got, want[300:]) {
		t.Errorf("got %d other frames", len(got))
	}
	if err := a.SeekFrame(990); err != nil {
		t.Fatal(err)
	}
	if got := all(t, a, 77); !slices.Equal(got, want[990:]) {
		t.Errorf("got %d other frames", len(got))
	}
	for _, n := range []int64{-1, 1001} {
		if err := a.SeekFrame(n); err == nil {
			t.Errorf("got no error for frame %d", n)
		}
	}
	a.Close()
	a.Close()
	if _, err := a.Read(p); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if got, want := clip.Duration(), 1000*time.Second/44100; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAClipIsReadFromAnySource(t *testing.T) {
	want := numbered(5000)
	b := audio.NewBuffer(&pcm{rate: 44100, frames: want, chunk: 100}, 10*time.Millisecond)
	defer b.Close()
	clip, err := audio.ReadClip(t.Context(), b, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(clip.Frames(), want) {
		t.Errorf("got %d other frames", len(clip.Frames()))
	}
	clip, err = audio.ReadClip(t.Context(), &pcm{rate: 48000, frames: numbered(48000)}, time.Second)
	if err != nil || len(clip.Frames()) != 44100 {
		t.Errorf("got %v, %v, want 44100 frames", clip, err)
	}
}

func TestClipsThatCannotBeReadAreErrors(t *testing.T) {
	if _, err := audio.ReadClip(t.Context(), &pcm{rate: 44100, frames: numbered(44101)}, time.Second); !errors.Is(err, audio.ErrTooLong) {
		t.Errorf("got %v, want ErrTooLong", err)
	}
	broken := &bomb{pcm: pcm{rate: 44100, frames: numbered(100)}, at: 50, err: io.ErrUnexpectedEOF}
	if _, err := audio.ReadClip(t.Context(), broken, time.Second); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want ErrUnexpectedEOF", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := audio.ReadClip(ctx, &pcm{rate: 44100}, time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
	b := audio.NewBuffer(newFaucet(nil), time.Second)
	defer b.Close()
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := audio.ReadClip(ctx, b, time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

func TestGainMakesLouderAndSofter(t *testing.T) {
	src := audio.Gain(&pcm{rate: 44100, frames: []audio.Frame{{0.5, -0.5}, {1, 0}}}, 0.5)
	want := []audio.Frame{{0.25, -0.25}, {0.5, 0}}
	if got := all(t, src, 10); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	s, ok := src.(audio.Seeker)
	if !ok || s.Len() != 2 || s.SeekFrame(1) != nil {
		t.Fatal("cannot be sought")
	}
	if got := all(t, s, 10); !slices.Equal(got, want[1:]) {
		t.Errorf("got %v, want %v", got, want[1:])
	}
	if _, ok := audio.Gain(struct{ audio.Source }{s}, 2).(audio.Seeker); ok {
		t.Error("what cannot be sought became a Seeker")
	}
}

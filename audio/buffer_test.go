package audio_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
)

// A faucet is a source that gives frames only as they are let through.
type faucet struct {
	pcm
	mu     sync.Mutex
	flow   chan int      // frames that may pass
	closed chan struct{} // by Close
	once   sync.Once
}

func newFaucet(frames []audio.Frame) *faucet {
	return &faucet{pcm: pcm{rate: 44100, frames: frames}, flow: make(chan int), closed: make(chan struct{})}
}

func (s *faucet) Read(p []audio.Frame) (int, error) {
	select {
	case n := <-s.flow:
		return s.pcm.Read(p[:min(n, len(p))])
	case <-s.closed:
		return 0, errors.New("closed while reading")
	}
}

// let lets frames pass, unless nobody wants them any more.
func (s *faucet) let(n int) {
	select {
	case s.flow <- n:
	case <-s.closed:
	}
}

func (s *faucet) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// numbered makes frames that tell which they are.
func numbered(n int) []audio.Frame {
	f := make([]audio.Frame, n)
	for i := range f {
		f[i] = audio.Frame{float32(i), float32(-i)}
	}
	return f
}

// drink reads a buffer to its end, waiting where there is nothing.
func drink(t *testing.T, b *audio.Buffer, size int) []audio.Frame {
	t.Helper()
	var got []audio.Frame
	p := make([]audio.Frame, size)
	for {
		n, err := b.Read(p)
		got = append(got, p[:n]...)
		switch {
		case err == io.EOF:
			return got
		case errors.Is(err, audio.ErrNotReady):
			if err := b.Wait(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		case err != nil:
			t.Fatal(err)
		case n == 0:
			t.Fatal("neither frames nor an error")
		}
	}
}

func TestABufferGivesWhatTheSourceHas(t *testing.T) {
	for _, size := range []int{0, 1, 351, 2048, 2049, 10000, 100000} {
		want := numbered(size)
		for _, chunk := range []int{0, 1, 777} {
			if chunk == 1 && size > 3000 {
				continue
			}
			b := audio.NewBuffer(&pcm{rate: 44100, frames: want, chunk: chunk}, 100*time.Millisecond)
			if got := drink(t, b, 352); !slices.Equal(got, want) {
				t.Errorf("%d frames, %d at a time: got %d others", size, chunk, len(got))
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// To be woken costs more than to read: a full buffer reads on when a quarter is
// empty, or when somebody waits for more.
func TestAFullBufferSleepsUntilAQuarterIsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &pcm{rate: 44100, frames: numbered(441000)}
		b := audio.NewBuffer(src, 2*time.Second)
		defer b.Close()
		synctest.Wait()
		full := src.next
		take := func(frames int) {
			if n, err := b.Read(make([]audio.Frame, frames)); n != frames || err != nil {
				t.Fatalf("got %d frames and %v, want %d", n, err, frames)
			}
			synctest.Wait()
		}
		take(20000)
		if src.next != full {
			t.Errorf("read on to %d, when not a quarter was empty", src.next)
		}
		take(4000)
		if src.next < full+20000 {
			t.Errorf("read on to %d only, when more than a quarter was empty", src.next)
		}
		full = src.next
		take(10000)
		if err := b.Wait(t.Context(), b.Capacity()); err != nil || b.Ready() < b.Capacity() || src.next == full {
			t.Errorf("waited for %d frames, got %d and %v", b.Capacity(), b.Ready(), err)
		}
	})
}

func TestABufferReadsAheadAndNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &pcm{rate: 44100, frames: numbered(441000)}
		b := audio.NewBuffer(src, 2*time.Second)
		defer b.Close()
		synctest.Wait()
		if got, want := b.Capacity(), 88200; got != want {
			t.Errorf("got a capacity of %d, want %d", got, want)
		}
		if got, most := b.Ready(), b.Capacity()+2048; got < b.Capacity() || got > most || src.next != got {
			t.Errorf("got %d frames ready of %d read, want %d to %d", got, src.next, b.Capacity(), most)
		}
		if err := b.Wait(t.Context(), 1<<30); err != nil { // as many as it holds
			t.Error(err)
		}
		before := src.next
		b.Read(make([]audio.Frame, 44100))
		synctest.Wait()
		if got := src.next - before; got < 42000 || got > 46200 {
			t.Errorf("got %d frames read on, want about 44100", got)
		}
	})
}

func TestABufferNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFaucet(numbered(1000))
		b := audio.NewBuffer(src, time.Second)
		defer b.Close()
		p := make([]audio.Frame, 352)
		if n, err := b.Read(p); n != 0 || !errors.Is(err, audio.ErrNotReady) {
			t.Errorf("got %d frames and %v, want ErrNotReady", n, err)
		}
		src.flow <- 100
		synctest.Wait()
		if n, err := b.Read(p); n != 100 || err != nil {
			t.Errorf("got %d frames and %v, want 100", n, err)
		}
		if n, err := b.Read(p); n != 0 || !errors.Is(err, audio.ErrNotReady) {
			t.Errorf("got %d frames and %v, want ErrNotReady", n, err)
		}
	})
}

func TestTheEndOfAShortSoundIsKnownBeforeItIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := audio.NewBuffer(&pcm{rate: 44100, frames: numbered(704)}, time.Second)
		defer b.Close()
		synctest.Wait()
		p := make([]audio.Frame, 352)
		for range 2 {
			if n, err := b.Read(p); n != 352 || err != nil {
				t.Errorf("got %d frames and %v", n, err)
			}
		}
		if _, err := b.Read(p); err != io.EOF {
			t.Errorf("got %v, want the end at once", err)
		}
	})
}

func TestWaitingForABufferEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFaucet(numbered(1000))
		b := audio.NewBuffer(src, time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		go func() { src.flow <- 10; src.flow <- 10 }()
		if err := b.Wait(t.Context(), 15); err != nil || b.Ready() != 20 {
			t.Errorf("got %v and %d frames", err, b.Ready())
		}
		go func() { src.let(1000); src.let(1000) }() // the rest, and the end
		if err := b.Wait(t.Context(), 40000); err != nil || b.Ready() != 1000 {
			t.Errorf("got %v and %d frames, want all 1000", err, b.Ready())
		}
		b.Close()
		if err := b.Wait(t.Context(), 1<<20); err != nil {
			t.Errorf("closed: got %v", err)
		}
	})
}

func TestABufferIsSoughtThrough(t *testing.T) {
	frames := numbered(50000)
	b := audio.NewBuffer(&pcm{rate: 44100, frames: frames, chunk: 500}, 200*time.Millisecond)
	defer b.Close()
	p := make([]audio.Frame, 352)
	for i, to := range []int{0, 49999, 123, 50000, 25000, 1, 0} {
		for range i { // sought in the middle of anything
			b.Read(p)
		}
		if err := b.SeekFrame(int64(to)); err != nil {
			t.Fatal(err)
		}
		if got := drink(t, b, 300); !slices.Equal(got, frames[to:]) {
			t.Errorf("from %d on: got %d other frames", to, len(got))
		}
	}
	for _, to := range []int64{-1, 50001} {
		if err := b.SeekFrame(to); err == nil {
			t.Errorf("got no error for frame %d", to)
		}
	}
}

func TestASeekDropsWhatIsBeingRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFaucet(numbered(5000))
		b := audio.NewBuffer(src, time.Second)
		defer b.Close()
		synctest.Wait() // it reads, and waits
		if err := b.SeekFrame(3000); err != nil {
			t.Fatal(err)
		}
		src.flow <- 100 // frames from before the seek
		src.flow <- 50
		synctest.Wait()
		p := make([]audio.Frame, 352)
		n, err := b.Read(p)
		if n != 50 || err != nil || p[0][0] != 3000 {
			t.Errorf("got %d frames from %v on and %v, want 50 from 3000 on", n, p[0][0], err)
		}
	})
}

func TestWhatCannotBeSoughtSaysSo(t *testing.T) {
	b := audio.NewBuffer(struct{ audio.Source }{&pcm{rate: 44100, frames: numbered(10)}}, time.Second)
	defer b.Close()
	if err := b.SeekFrame(0); !errors.Is(err, audio.ErrNotSeekable) {
		t.Errorf("got %v, want ErrNotSeekable", err)
	}
	if (audio.Track{Source: b}).Seekable() || b.Seekable() || b.Len() != -1 {
		t.Errorf("got seekable, or a length of %d", b.Len())
	}
}

// bomb is a source that panics or fails at a frame.
type bomb struct {
	pcm
	at    int
	panic bool
	err   error
}

func (s *bomb) Read(p []audio.Frame) (int, error) {
	if s.next >= s.at {
		if s.panic {
			var none []int
			_ = none[s.next]
		}
		return 0, s.err
	}
	return s.pcm.Read(p[:min(len(p), s.at-s.next)])
}

func TestErrorsAndPanicsComeBehindTheFrames(t *testing.T) {
	broken := errors.New("broken")
	for name, src := range map[string]*bomb{
		"error": {err: broken}, "panic": {panic: true}, "neither frames nor an error": {},
	} {
		src.pcm, src.at = pcm{rate: 44100, frames: numbered(9000)}, 5000
		b := audio.NewBuffer(src, time.Second)
		if err := b.Wait(t.Context(), 9000); err != nil {
			t.Fatal(err)
		}
		p := make([]audio.Frame, 6000)
		if n, err := b.Read(p); n != 5000 || err != nil {
			t.Errorf("%s: got %d frames and %v, want 5000", name, n, err)
		}
		if _, err := b.Read(p); err == nil || err == io.EOF || errors.Is(err, audio.ErrNotReady) {
			t.Errorf("%s: got %v", name, err)
		}
		if err := b.SeekFrame(100); err != nil { // it is alive
			t.Errorf("%s: %v", name, err)
		}
		b.Wait(t.Context(), 1)
		if n, err := b.Read(p[:10]); n != 10 || err != nil || p[0][0] != 100 {
			t.Errorf("%s: after a seek, got %d frames, %v", name, n, err)
		}
		b.Close()
	}
}

func TestClosingABufferEndsARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		src := newFaucet(nil)
		b := audio.NewBuffer(src, time.Second)
		synctest.Wait() // it reads, and waits
		for range 2 {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := b.Read(make([]audio.Frame, 1)); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
		if err := b.SeekFrame(0); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
}

func TestABufferBehindABufferWorks(t *testing.T) {
	want := numbered(30000)
	inner := audio.NewBuffer(&pcm{rate: 44100, frames: want, chunk: 100}, 50*time.Millisecond)
	b := audio.NewBuffer(inner, time.Second)
	defer b.Close()
	if got := drink(t, b, 352); !slices.Equal(got, want) {
		t.Errorf("got %d other frames", len(got))
	}
}

func TestReadingABufferDoesNotAllocate(t *testing.T) {
	b := audio.NewBuffer(&pcm{rate: 44100, frames: make([]audio.Frame, 44100*20)}, time.Second)
	defer b.Close()
	if err := b.Wait(t.Context(), b.Capacity()); err != nil {
		t.Fatal(err)
	}
	p := make([]audio.Frame, 352)
	if got := testing.AllocsPerRun(100, func() { b.Read(p) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

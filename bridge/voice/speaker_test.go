package voice_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/voice"
)

// An actor says what it was asked, after a while.
type actor struct {
	takes time.Duration
	err   error

	mu    sync.Mutex
	asked []string
	left  int // how many had gone before it was done
}

func (a *actor) Speak(ctx context.Context, t voice.Text) ([]byte, error) {
	a.mu.Lock()
	a.asked = append(a.asked, t.Message)
	a.mu.Unlock()
	select {
	case <-time.After(a.takes):
	case <-ctx.Done():
		a.mu.Lock()
		defer a.mu.Unlock()
		a.left++
		return nil, ctx.Err()
	}
	if a.err != nil {
		return nil, a.err
	}
	return []byte(t.Message + "/" + t.Language + "/" + t.Voice), nil
}

func (a *actor) Asked() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked)
}

// speak has a text spoken and wants this sound.
func speak(t *testing.T, s *voice.Speaker, message string) {
	t.Helper()
	if got, err := s.Speak(t.Context(), voice.Text{Message: message}); err != nil || string(got) != message+"//" {
		t.Errorf("%s: got %q, %v", message, got, err)
	}
}

func TestTheSameTextIsKeptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &actor{takes: time.Second}
		s := voice.New(voice.Config{Voices: []voice.Voice{a}, Keep: time.Minute})
		defer s.Close()
		began := time.Now()
		speak(t, s, "dinner")
		speak(t, s, "dinner")
		if took := time.Since(began); took != time.Second {
			t.Errorf("twice the same took %v, want 1s", took)
		}
		if _, err := s.Speak(t.Context(), voice.Text{Message: "dinner", Language: "de"}); err != nil {
			t.Fatal(err)
		}
		if got := len(a.Asked()); got != 2 {
			t.Errorf("asked %d times, want 2: another language is another sound", got)
		}
		time.Sleep(time.Minute)
		speak(t, s, "dinner")
		if got := len(a.Asked()); got != 3 {
			t.Errorf("asked %d times, want 3: a minute is over", got)
		}
	})
}

func TestWhatIsNotToBeKeptIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := new(actor)
		s := voice.New(voice.Config{Voices: []voice.Voice{a}})
		defer s.Close()
		speak(t, s, "dinner")
		speak(t, s, "dinner")
		if got := len(a.Asked()); got != 2 {
			t.Errorf("asked %d times, want 2", got)
		}
	})
}

func TestWhatWasHeardLastStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := new(actor)
		s := voice.New(voice.Config{Voices: []voice.Voice{a}, Keep: time.Hour, Bytes: 3 * len("a//")})
		defer s.Close()
		for _, m := range strings.Split("a b c a d a b", " ") { // d drives b out
			speak(t, s, m)
		}
		speak(t, s, strings.Repeat("x", 100)) // larger than all: kept nowhere, drives out nobody
		speak(t, s, "a")
		if got, want := fmt.Sprint(a.Asked()), "[a b c d b "+strings.Repeat("x", 100)+"]"; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
	})
}

func TestOneSpeaksForAllWhoAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &actor{takes: time.Second}
		s := voice.New(voice.Config{Voices: []voice.Voice{a}})
		defer s.Close()
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				ctx := t.Context()
				if i == 0 { // the first one leaves: the others do not care
					short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
					defer cancel()
					if _, err := s.Speak(short, voice.Text{Message: "dinner"}); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v, want a deadline", err)
					}
					return
				}
				speak(t, s, "dinner")
			})
		}
		all.Wait()
		if got := a.Asked(); len(got) != 1 || a.left != 0 {
			t.Errorf("asked %d times, %d of them in vain", len(got), a.left)
		}
	})
}

func TestNobodySpeaksToAnEmptyRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &actor{takes: 10 * time.Second}
		s := voice.New(voice.Config{Voices: []voice.Voice{a}, Keep: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Speak(ctx, voice.Text{Message: "dinner"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
		synctest.Wait()
		if a.left != 1 {
			t.Error("the voice goes on")
		}
		done := make(chan error)
		go func() { _, err := s.Speak(t.Context(), voice.Text{Message: "supper"}); done <- err }()
		synctest.Wait()
		s.Close()
		var silent *voice.Error
		if err := <-done; !errors.As(err, &silent) {
			t.Errorf("a speaker that is closed: got %v, want an Error", err)
		}
		if _, err := s.Speak(t.Context(), voice.Text{Message: "late"}); err == nil {
			t.Error("a speaker that was closed speaks")
		}
	})
}

func TestTheNextVoiceSpeaksWhereOneDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, broken, good := &actor{takes: time.Hour}, &actor{err: errors.New("no engine")}, new(actor)
		s := voice.New(voice.Config{Voices: []voice.Voice{slow, broken, good}, Timeout: 5 * time.Second})
		defer s.Close()
		began := time.Now()
		speak(t, s, "dinner")
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("took %v, want 5s", took)
		}
		s = voice.New(voice.Config{Voices: []voice.Voice{slow, broken}, Timeout: 5 * time.Second})
		defer s.Close()
		_, err := s.Speak(t.Context(), voice.Text{Message: "dinner"})
		want := "voice: it took longer than 5s (tts.timeout): context deadline exceeded; and no engine"
		if err == nil || err.Error() != want || !errors.Is(err, broken.err) {
			t.Errorf("got %v, want %s", err, want)
		}
		silent := voice.New(voice.Config{})
		defer silent.Close()
		if _, err := silent.Speak(t.Context(), voice.Text{Message: "dinner"}); err == nil {
			t.Error("a speaker without voices speaks")
		}
	})
}

func TestTextsAreOneLine(t *testing.T) {
	for in, want := range map[string]string{
		" Dinner \r\n is\tready\n": "Dinner is ready", "a\x00b\x1b[31m": "ab[31m", "\xff\xfe": "", "Grüße 🎄": "Grüße 🎄", "\u00a0x\u2028y": "x y",
	} {
		if got := voice.Clean(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

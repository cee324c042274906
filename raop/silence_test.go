package raop_test

import (
	"slices"
	"testing"
	"time"

	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

// forgetful is shairport-sync 3.3.
var forgetful = raoptest.Config{SilenceLimit: 2 * time.Minute, Mutes: 9}

func TestASessionThatIsKeptWarmStaysWarm(t *testing.T) {
	for _, test := range []struct {
		name   string
		before func(h *house, s *raop.Session)
	}{
		{"nothing was played", func(*house, *raop.Session) {}},
		{"a sound has ended", func(h *house, s *raop.Session) { h.play(s, counting(44100), pace{from: leadIn}) }},
		{"a sound was paused", func(h *house, s *raop.Session) {
			h.play(s, counting(10*44100), pace{from: leadIn, onward: 5 * 44100})
			if err := s.Flush(h.Context()); err != nil {
				h.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inHouse(t, forgetful, func(h *house) {
				s := h.dial(raop.Config{})
				test.before(h, s)
				time.Sleep(20 * time.Minute)
				if err := s.Err(); err != nil {
					t.Fatalf("the session is over: %v", err)
				}
				flushes := h.rx.Log().Flushes
				tune := counting(2 * 44100)
				for range 3 {
					began := time.Now()
					h.play(s, tune, pace{from: leadIn, lead: 170 * time.Millisecond})
					time.Sleep(10 * time.Second)
					spans := h.rx.Log().Spans
					last := spans[len(spans)-1]
					if got := sound(last.Frames); !slices.Equal(got, tune) {
						t.Errorf("heard %d frames, not those that were sent", len(got))
					}
					if at := last.At.Sub(began); at > 175*time.Millisecond {
						t.Errorf("heard after %v, want 170ms with the silence in front", at)
					}
					time.Sleep(5 * time.Minute)
				}
				log := h.rx.Log()
				if log.Flushes != flushes {
					t.Errorf("got %d FLUSHes, want none between sounds", log.Flushes-flushes)
				}
				if log.Sessions != 1 {
					t.Errorf("got %d sessions, want one", log.Sessions)
				}
			})
		})
	}
}

func TestSilenceIsASecondInThirty(t *testing.T) {
	inHouse(t, forgetful, func(h *house) {
		h.dial(raop.Config{})
		time.Sleep(20 * time.Minute)
		got := h.rx.Log()
		if want := 1200 / 31 * 126; got.Packets < want*95/100 || got.Packets > want*105/100 {
			t.Errorf("got %d packets in 20 minutes, want about %d", got.Packets, want)
		}
		if got.Late > 0 || got.Gaps > 0 {
			t.Errorf("got %d late packets and %d gaps, want none", got.Late, got.Gaps)
		}
	})
}

// TestASoundBeginsInTheMiddleOfSilence begins one at each moment of it.
func TestASoundBeginsInTheMiddleOfSilence(t *testing.T) {
	tune := counting(22050)
	for at := 29900 * time.Millisecond; at < 31300*time.Millisecond; at += 97 * time.Millisecond {
		inHouse(t, forgetful, func(h *house) {
			s := h.dial(raop.Config{})
			time.Sleep(at)
			began := time.Now()
			h.play(s, tune, pace{from: leadIn, lead: 170 * time.Millisecond})
			time.Sleep(10 * time.Second)
			if got := sound(h.rx.Heard()); !slices.Equal(got, tune) {
				t.Errorf("begun after %v: heard %d frames that are not those that were sent", at, len(got))
			}
			if took := time.Since(began); took > 12*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestSilenceIsNotTakenForSound(t *testing.T) {
	withButtons(t, forgetful, func(h *remoteHouse) {
		time.Sleep(30500 * time.Millisecond)
		h.press("play", 204)
		h.heard("play") // which is news: nothing is playing
		h.press("pause", 204)
		h.heard()
	})
}

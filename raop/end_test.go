package raop_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

func TestQuietSessionsAreKeptAlive(t *testing.T) {
	for _, c := range []struct {
		name string
		rx   raoptest.Config
		want string
	}{
		{"HomePod mini", raoptest.Config{QuietLimit: 30 * time.Second}, "POST POST POST POST"},
		{"shairport-sync", raoptest.Config{QuietLimit: 30 * time.Second, Answers: map[string]int{"POST /feedback": 501}}, "POST OPTIONS OPTIONS OPTIONS"},
		{"neither", raoptest.Config{QuietLimit: 30 * time.Second, Answers: map[string]int{"POST": 400, "OPTIONS": 501}}, "POST OPTIONS OPTIONS OPTIONS"},
	} {
		inHouse(t, c.rx, func(h *house) {
			s := h.dial(raop.Config{})
			time.Sleep(90 * time.Second)
			if err := s.Err(); err != nil {
				h.Errorf("%s: got %v, want nil", c.name, err)
			}
			_, got, _ := strings.Cut(methods(h.rx), "GET_PARAMETER ")
			if got != c.want {
				h.Errorf("%s: asked %s, want %s", c.name, got, c.want)
			}
			if got := s.Confidence(); got != "clock_locked" {
				h.Errorf("%s: confidence %s, want clock_locked", c.name, got)
			}
		})
	}
}

// over waits for the end of a session and returns after how long it came, and
// why.
func over(s *raop.Session, patience time.Duration) (time.Duration, error) {
	begun := time.Now()
	select {
	case <-s.Done():
		return time.Since(begun), s.Err()
	case <-time.After(patience):
		return time.Since(begun), errors.New("not over")
	}
}

func TestHowSessionsEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		rx     raoptest.Config
		do     func(h *house)
		want   error
		within time.Duration
	}{
		{"taken over", raoptest.Config{}, func(h *house) { h.rx.HangUp() }, raop.ErrClosedByReceiver, 10 * time.Millisecond},
		{"hung up on", raoptest.Config{HangsUpAfter: 2 * time.Second}, func(*house) {}, raop.ErrClosedByReceiver, 2 * time.Second},
		{"killed", raoptest.Config{}, func(h *house) { h.rx.Vanish() }, raop.ErrClosedByReceiver, 10 * time.Millisecond},
		{"unplugged", raoptest.Config{}, func(h *house) { h.lan.Host("10.0.0.20").Unplug() }, nil, time.Minute},
		{"keep-alive not answered", raoptest.Config{Delays: map[string]time.Duration{"POST": -1}}, func(*house) {}, nil, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			inHouse(t, c.rx, func(h *house) {
				s := h.dial(raop.Config{})
				h.play(s, counting(44100), pace{onward: 10 * perPacket})
				c.do(h)
				after, err := over(s, 2*time.Minute)
				if c.want != nil && !errors.Is(err, c.want) || err == nil || after > c.within {
					h.Errorf("got %v after %v, want %v within %v", err, after, c.want, c.within)
				}
				for _, got := range []error{
					s.WritePacket(counting(1).packet(0)),
					s.SetVolume(h.Context(), 1),
					s.Start(h.Context(), stream.Timeline{Rate: 44100, Time: time.Now()}),
					s.SetTags(h.Context(), audio.Tags{}),
				} {
					if !errors.Is(got, err) {
						h.Errorf("afterwards: got %v, want %v", got, err)
					}
				}
				begun := time.Now()
				s.Close()
				if took := time.Since(begun); took > 0 {
					h.Errorf("Close took %v, want no time", took)
				}
				h.lan.Host("10.0.0.20").Plug()
			})
		})
	}
}

func TestUnpluggedReceiverIsStalledBeforeItIsGivenUp(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		time.Sleep(5 * time.Second)
		h.lan.Host("10.0.0.20").Unplug()
		time.Sleep(11 * time.Second)
		if got := s.Confidence(); got != "stalled" || s.Err() != nil {
			h.Errorf("got %s, %v, want stalled and no error yet", got, s.Err())
		}
		h.lan.Host("10.0.0.20").Plug()
		time.Sleep(4 * time.Second)
		if got := s.Confidence(); got != "clock_locked" || s.Err() != nil {
			h.Errorf("plugged again: got %s, %v, want clock_locked", got, s.Err())
		}
	})
}

func TestReceiverThatClosesItsPortsIsGone(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		h.lan.Lose = nil
		h.rx.ClosePorts()
		var wg sync.WaitGroup
		wg.Go(func() {
			tl := stream.Timeline{Rate: 44100, Time: time.Now().Add(time.Second)}
			s.Start(h.Context(), tl)
			for i := range int64(2000) {
				if s.WritePacket(counting(1).packet(i*perPacket)) != nil {
					return
				}
				time.Sleep(8 * time.Millisecond)
			}
		})
		after, err := over(s, time.Minute)
		if !errors.Is(err, raop.ErrClosedByReceiver) || after > 5*time.Second {
			h.Errorf("got %v after %v, want ErrClosedByReceiver within 5s", err, after)
		}
		wg.Wait()
		if s.Stats().SendErrors == 0 {
			h.Error("no errors were counted")
		}
	})
}

func TestCloseSaysGoodbyeAndIsPatientForTwoSeconds(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		s.Close()
		s.Close()
		if err := s.Err(); err != raop.ErrClosed {
			h.Errorf("got %v, want ErrClosed", err)
		}
		if got := h.rx.Log().Teardowns; got != 1 {
			h.Errorf("got %d goodbyes, want 1", got)
		}
	})
	inHouse(t, raoptest.Config{Delays: map[string]time.Duration{"TEARDOWN": -1}}, func(h *house) {
		s := h.dial(raop.Config{})
		begun := time.Now()
		s.Close()
		if took := time.Since(begun); took != 2*time.Second {
			h.Errorf("took %v, want 2s", took)
		}
		h.rx.Close()
	})
}

func TestStreamEndsWhenItsReceiverDoes(t *testing.T) {
	inHouse(t, raoptest.Config{HangsUpAfter: 3 * time.Second}, func(h *house) {
		s := h.dial(raop.Config{})
		tl := stream.Timeline{Rate: 44100, Time: time.Now().Add(time.Second)}
		s.Start(h.Context(), tl)
		for i := int64(0); ; i++ {
			if err := s.WritePacket(counting(1).packet(i * perPacket)); err != nil {
				if !errors.Is(err, raop.ErrClosedByReceiver) {
					h.Errorf("got %v, want ErrClosedByReceiver", err)
				}
				return
			}
			if i > 1000 {
				h.Fatal("no error after 8 s")
			}
			time.Sleep(8 * time.Millisecond)
		}
	})
}

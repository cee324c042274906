package airplay_test

import (
	"errors"
	"testing"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/audio/stream/streamtest"
)

func TestASecondSenderTakesOver(t *testing.T) {
	inHouse(t, airplaytest.Shairport(), func(h *house) {
		first := h.dial(airplay.Config{})
		second := h.dial(airplay.Config{})
		select {
		case <-first.Done():
		case <-time.After(time.Second):
			h.Fatal("the first session does not know")
		}
		if err := first.Err(); !errors.Is(err, airplay.ErrClosedByReceiver) {
			h.Errorf("got %v, want ErrClosedByReceiver", err)
		}
		if err := stream.Play(h.Context(), streamtest.Sound(5000), second); err != nil {
			h.Fatal(err)
		}
		heard(h.T, h.rx, streamtest.Samples(0, 5000))
	})
}

func TestFeedbackGoesOnAndItsSilenceIsTheEnd(t *testing.T) {
	inHouse(t, airplaytest.Shairport(), func(h *house) {
		h.dial(airplay.Config{})
		time.Sleep(time.Minute)
		if got := h.rx.Log().Feedbacks; got < 28 || got > 31 {
			h.Errorf("got %d within a minute, want one every 2 s", got)
		}
	})
	rx := airplaytest.Shairport()
	rx.Delays = map[string]time.Duration{"POST": 5 * time.Second}
	inHouse(t, rx, func(h *house) {
		s := h.dial(airplay.Config{}) // pairing waits as well
		time.Sleep(time.Minute)
		if s.Err() != nil {
			h.Errorf("a receiver that is slow is given up: %v", s.Err())
		}
		h.lan.Host("10.0.0.20").Unplug()
		time.Sleep(9 * time.Second)
		if s.Err() == nil {
			h.Error("a receiver that is silent is not given up")
		}
		h.lan.Host("10.0.0.20").Plug()
	})
}

func TestConfidence(t *testing.T) {
	for _, c := range []struct {
		name, want, gone string
		rx               airplaytest.Config
	}{
		{"by PTP", "clock_locked", "stalled", airplaytest.Samsung()},
		{"by its clock", "clock_locked", "stalled", airplaytest.HomePod27()},
		{"by NTP", "clock_locked", "stalled", airplaytest.Config{NoPTP: true, Features: 0x18140_405FCA00}},
		{"never asks", "unknown", "unknown", airplaytest.Shairport()},
	} {
		inHouse(t, c.rx, func(h *house) {
			s := h.dial(airplay.Config{})
			time.Sleep(30 * time.Second)
			if got := s.Confidence(); got != c.want {
				h.Errorf("%s: got %s, want %s", c.name, got, c.want)
			}
			h.lan.Host("10.0.0.20").Unplug()
			time.Sleep(11 * time.Second)
			if got := s.Confidence(); got != c.gone {
				h.Errorf("%s: without a sign for 11 s got %s, want %s", c.name, got, c.gone)
			}
			h.lan.Host("10.0.0.20").Plug()
		})
	}
}

func TestWishesAreHeardAndEventsAnswered(t *testing.T) {
	inHouse(t, airplaytest.HomePod(), func(h *house) {
		var got []airplay.Remote
		s := h.dial(airplay.Config{Remote: func(r airplay.Remote) { got = append(got, r) }})
		for _, wish := range []string{"paus", "nitm", "????"} {
			if err := h.rx.Press(wish); err != nil {
				h.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if len(got) != 2 || got[0].Kind != airplay.RemotePause || got[1].Kind != airplay.RemoteNext {
			h.Errorf("got %v, want pause and next", got)
		}
		if n := h.rx.Log().Answers; n != 4 || s.Stats().Events != 4 {
			h.Errorf("%d events were answered, %d counted, want 4", n, s.Stats().Events)
		}
	})
}

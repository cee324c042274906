package raop_test

import (
	"slices"
	"testing"
	"time"

	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

func TestEveryFrameIsHeardWhenItIsDue(t *testing.T) {
	inHouse(t, raoptest.Config{Mutes: 9}, func(h *house) {
		s := h.dial(raop.Config{})
		song := counting(44100)
		tl := h.play(s, song, pace{from: leadIn})
		time.Sleep(3 * time.Second)
		if got := sound(h.rx.Heard()); !slices.Equal(got, song) {
			h.Errorf("heard %d frames, want the %d that were sent", len(got), len(song))
		}
		log := h.rx.Log()
		if len(log.Spans) != 1 || log.Gaps != 0 || log.Late != 0 {
			h.Fatalf("got %d spans, %d gaps, %d late, want 1, 0, 0", len(log.Spans), log.Gaps, log.Late)
		}
		if off := log.Spans[0].At.Sub(tl.Time); off.Abs() > time.Millisecond {
			h.Errorf("heard %v from when it was due", off)
		}
	})
}

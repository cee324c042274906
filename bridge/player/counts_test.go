package player_test

import (
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/player"
)

func TestStreamsAreCountedWhileTheyAreHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.dialTake, h.openTake = 300*time.Millisecond, 200*time.Millisecond })
		h.put("bell", 2*second)
		if got := h.player.Counts(); got != (player.Counts{}) {
			t.Errorf("before: got %+v, want nothing", got)
		}
		h.must(player.Play{File: "bell"})
		got := h.player.Counts()
		if got.Sounding != 1 || got.Streams != 1 || got.Packets == 0 {
			t.Errorf("while it is heard: got %+v, want one stream with packets", got)
		}
		// Dialled and opened at once, then packets leave.
		if got.Prompt.Sum < 300*time.Millisecond || got.Prompt.Sum > 310*time.Millisecond || got.Prompt.Classes[8] != 1 {
			t.Errorf("first packet: got %+v, want one after 0.3 s", got.Prompt)
		}
		// Nobody waits for what comes after a pause.
		h.must(player.Pause{})
		h.must(player.Resume{})
		time.Sleep(5 * time.Second)
		after := h.player.Counts()
		if after.Sounding != 0 || after.Prompt != got.Prompt || after.Packets <= got.Packets {
			t.Errorf("after it: got %+v, want no stream, more packets and one first packet", after)
		}
	})
}

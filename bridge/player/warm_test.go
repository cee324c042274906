package player_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/player"
)

func TestASessionIsKeptForAsLongAsIsWanted(t *testing.T) {
	for _, test := range []struct {
		name       string
		hangUp     time.Duration
		open, over time.Duration // after the sound; over 0: never
	}{
		{name: "nobody said anything", open: 9 * time.Second, over: 11 * time.Second},
		{name: "a minute", hangUp: time.Minute, open: 59 * time.Second, over: 61 * time.Second},
		{name: "always", hangUp: -1, open: 100 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, func(h *house) { h.cfg.HangUp = test.hangUp })
				h.put("bell", second)
				h.must(player.Play{File: "bell"})
				time.Sleep(time.Second) // it is over
				time.Sleep(test.open)
				if h.session(0).isClosed() {
					t.Errorf("the session was closed within %v", test.open)
				}
				if test.over == 0 {
					return
				}
				time.Sleep(test.over - test.open)
				if !h.session(0).isClosed() {
					t.Errorf("the session is open after %v", test.over)
				}
			})
		})
	}
}

func TestASessionIsOpenedAheadOfNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.dialTake = 700 * time.Millisecond })
		h.put("bell", second)
		began := time.Now()
		first, again := h.ask(player.Prepare{}), h.ask(player.Prepare{For: 25 * time.Second})
		for _, answer := range []<-chan error{first, again} {
			if err := <-answer; err != nil {
				t.Errorf("Prepare: got %v, want nil", err)
			}
		}
		if got := time.Since(began); got != 700*time.Millisecond {
			t.Errorf("answered after %v, want 700ms: when there is a session", got)
		}
		if got := h.state(); got.Status != player.Idle {
			t.Errorf("status: got %v, want idle", got.Status)
		}
		time.Sleep(28 * time.Second)
		rung := time.Now()
		h.must(player.Play{File: "bell", Lead: 250 * time.Millisecond})
		if got := time.Since(rung); got > 260*time.Millisecond {
			t.Errorf("heard after %v, want 250ms: the session was open", got)
		}
		if dials, _ := h.counts(); dials != 1 {
			t.Errorf("dialled %d times, want once", dials)
		}
		h.must(player.Prepare{For: time.Hour}) // while it plays
		time.Sleep(59 * time.Minute)
		if h.session(0).isClosed() {
			t.Errorf("closed within the hour for which it was wanted")
		}
		time.Sleep(2 * time.Minute)
		if !h.session(0).isClosed() {
			t.Errorf("open after the hour for which it was wanted")
		}
	})
}

func TestASessionThatIsOnlyPreparedIsNoProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("nobody is at home")
		h := build(t, func(h *house) {
			h.receiver = func() (player.Session, error) { return nil, gone }
		})
		if err := <-h.ask(player.Prepare{}); !errors.Is(err, gone) {
			t.Errorf("Prepare: got %v, want %v", err, gone)
		}
		if got := h.state(); got.Status != player.Idle || got.Problem != (player.Problem{}) {
			t.Errorf("state: got %+v, want idle and no problem", got)
		}
		h.set(func() {
			h.receiver = func() (player.Session, error) {
				s := newSession()
				h.dialled = append(h.dialled, s)
				return s, nil
			}
		})
		h.must(player.Prepare{For: time.Hour})
		h.session(0).hangUp(takenOver{})
		time.Sleep(time.Second)
		if got := h.state(); got.Status != player.Idle || got.Problem != (player.Problem{}) {
			t.Errorf("state: got %+v, want idle and no problem", got)
		}
		if got := h.happened(); len(got) > 0 {
			t.Errorf("events: got %v, want none", got)
		}
		if dials, _ := h.counts(); dials != 2 {
			t.Errorf("dialled %d times, want twice: it is not fought for", dials)
		}
		if !h.session(0).isClosed() {
			t.Errorf("the session that was lost was not closed")
		}
	})
}

func TestAStopDoesNotUndoAPrepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.dialTake = time.Second })
		h.put("bell", second)
		play, ready := h.ask(player.Play{File: "bell"}), h.ask(player.Prepare{})
		h.must(player.Stop{})
		if err := <-play; !errors.Is(err, player.ErrReplaced) {
			t.Errorf("Play: got %v, want %v", err, player.ErrReplaced)
		}
		if err := <-ready; err != nil {
			t.Errorf("Prepare: got %v, want nil", err)
		}
		time.Sleep(time.Second)
		if h.session(0).isClosed() {
			t.Errorf("the session is closed")
		}
		left := h.ask(player.Prepare{})
		<-left
		h.stop()
		if !h.session(0).isClosed() {
			t.Errorf("the session is open although the player has ended")
		}
	})
}

func TestWhoWaitsForASessionIsAnsweredAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.dialTake = time.Minute })
		ready := h.ask(player.Prepare{})
		synctest.Wait()
		h.stop()
		if err := <-ready; !errors.Is(err, player.ErrClosed) {
			t.Errorf("Prepare: got %v, want %v", err, player.ErrClosed)
		}
	})
}

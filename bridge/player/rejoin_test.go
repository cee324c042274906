package player_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/bridge/player"
)

var errCut = errors.New("the wire is cut")

// absent is what a dial finds that is switched off.
type absent struct{ error }

func (absent) Unreachable() bool { return true }

// joined holds a session to have joined the sound where it was by then: its
// frames are the last ones of the sound, each at the instant at which it would
// have been heard on the first session.
func joined(t *testing.T, h *house, n int, frames int64, atMost time.Duration, lost time.Time) {
	t.Helper()
	first, next := h.session(0).Sound(), h.session(n).Sound()
	if len(first) == 0 || len(next) == 0 {
		t.Fatalf("heard %d frames before and %d after, want some of each", len(first), len(next))
	}
	from := frames - int64(len(next))
	expect(t, "after", h.session(n).Samples(), streamtest.Samples(from, frames))
	want := first[0].At.Add(time.Duration(from) * time.Second / second)
	if off := next[0].At.Sub(want); off.Abs() > time.Millisecond {
		t.Errorf("frame %d was heard %v from when it was due", from, off)
	}
	if gap := next[0].At.Sub(lost); gap > atMost {
		t.Errorf("heard again after %v, want %v at most", gap, atMost)
	}
}

func TestASessionThatIsLostIsDialledAgainAndTheSoundGoesOn(t *testing.T) {
	for _, test := range []struct {
		name   string
		break_ func(h *house)
		gap    time.Duration // of which two seconds are what had been sent ahead
	}{
		{"it hangs up", func(h *house) { h.session(0).hangUp(errCut) }, 2310 * time.Millisecond},
		{"it takes no packets, and says nothing", func(h *house) { h.session(0).Break() }, 3950 * time.Millisecond}, // noticed at the next packets
		{"it takes no packets, and says why later", func(h *house) {
			h.session(0).Break()
			time.Sleep(time.Second)
			h.session(0).hangUp(errCut)
		}, 3310 * time.Millisecond},
		{"this machine has slept", func(h *house) { h.must(player.Wake{}) }, 2310 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, func(h *house) {
					h.dialTake = 300 * time.Millisecond
					make := h.receiver
					h.receiver = func() (player.Session, error) {
						s, err := make()
						h.dialled[len(h.dialled)-1].Floor = 200 * time.Millisecond
						return s, err
					}
				})
				h.put("music", 10*second)
				h.must(player.Play{File: "music"})
				time.Sleep(3 * time.Second)
				lost := time.Now()
				test.break_(h)
				time.Sleep(200 * time.Millisecond)
				if test.name != "it takes no packets, and says nothing" && h.state().Status != player.Buffering {
					t.Errorf("status in the gap: got %v, want buffering", h.state().Status)
				}
				time.Sleep(10 * time.Second)
				joined(t, h, 1, 10*second, test.gap, lost)
				if diff := cmp.Diff([]string{"p1 playback_started ", "p1 playback_finished ended"}, h.happened()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				want := []player.Status{player.Idle, player.Buffering, player.Playing, player.Buffering, player.Playing, player.Idle}
				if diff := cmp.Diff(want, h.statuses()); diff != "" {
					t.Errorf("statuses (-want +got):\n%s", diff)
				}
				if got := h.session(1).said(); len(got) != 1 {
					t.Errorf("volumes: got %v, want one on the new session", got)
				}
				if got := h.session(1).shown(); len(got) != 1 {
					t.Errorf("tags: got %v, want them on the new session", got)
				}
				if !h.session(0).isClosed() {
					t.Error("the session that was lost is open")
				}
			})
		})
	}
}

func TestASessionIsNotDialledForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.put("music", 600*second)
		h.must(player.Play{File: "music"})
		for n := range 3 { // a minute lies between: each is trusted anew
			time.Sleep(time.Minute)
			h.session(n).hangUp(errCut)
			time.Sleep(time.Second)
			if got := h.state().Status; got != player.Playing {
				t.Fatalf("status after loss %d: got %v, want playing", n+1, got)
			}
		}
		h.session(3).hangUp(errCut)
		time.Sleep(time.Second)
		if got := h.state(); got.Status != player.Idle || got.Problem.Code == "" {
			t.Errorf("state: got %v and %v, want idle and a problem: it was lost twice within a second", got.Status, got.Problem)
		}
		if diff := cmp.Diff([]string{"p1 playback_started ", "p1 playback_failed error"}, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestASessionComesBackWhileTheNextSoundIsOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.put("music", 5*second)
		h.put("next", 5*second)
		h.must(player.Play{File: "music"})
		h.set(func() { h.openTake, h.dialTake = 10*time.Second, 3*time.Second })
		next := h.ask(player.Play{File: "next", Enqueue: player.EnqueueAdd})
		time.Sleep(4 * time.Second)
		h.session(0).hangUp(errCut)
		if err := <-next; err != nil {
			t.Errorf("next: got %v, want nil", err)
		}
		time.Sleep(6 * time.Second)
		expect(t, "the second session", h.session(1).Samples(), streamtest.Samples(0, 5*second))
		if got := h.state().Status; got != player.Idle {
			t.Errorf("status: got %v, want idle", got)
		}
	})
}

func TestASpeakerThatIsSwitchedOffAndOnIsHeardAgain(t *testing.T) {
	for _, test := range []struct {
		name string
		off  time.Duration
		err  error
		idle bool
	}{
		{"for five seconds", 5 * time.Second, absent{errCut}, false},
		{"for good", time.Hour, absent{errCut}, true},
		{"and is busy", 5 * time.Second, errors.New("somebody else plays on it"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, nil)
				h.put("music", 120*second)
				h.must(player.Play{File: "music"})
				time.Sleep(10 * time.Second)
				lost := time.Now()
				on := h.receiver
				h.set(func() {
					h.receiver = func() (player.Session, error) {
						if time.Since(lost) < test.off {
							return nil, test.err
						}
						return on()
					}
				})
				h.session(0).hangUp(errCut)
				time.Sleep(31 * time.Second)
				if got := h.state().Status; (got == player.Idle) != test.idle {
					t.Fatalf("status: got %v after half a minute", got)
				}
				if test.idle {
					time.Sleep(time.Minute)
					if got := len(h.dialledNow()); got != 1 {
						t.Errorf("got %d sessions, want the first one only", got)
					}
					return
				}
				time.Sleep(2 * time.Minute)
				joined(t, h, 1, 120*second, 9100*time.Millisecond, lost)
			})
		})
	}
}

func TestWhatIsAskedForInTheGapIsDone(t *testing.T) {
	lose := func(t *testing.T, test func(h *house)) {
		synctest.Test(t, func(t *testing.T) {
			h := build(t, nil)
			h.put("music", 20*second)
			h.put("bell", second)
			h.must(player.Play{File: "music"})
			time.Sleep(5 * time.Second)
			h.set(func() { h.dialTake = 2 * time.Second })
			h.session(0).hangUp(errCut)
			time.Sleep(time.Second)
			test(h)
		})
	}
	t.Run("pause", func(t *testing.T) {
		lose(t, func(h *house) {
			h.must(player.Pause{})
			time.Sleep(time.Hour)
			if got := h.state(); got.Status != player.Paused || got.Problem != (player.Problem{}) {
				t.Errorf("state: got %v and %v, want paused and no problem", got.Status, got.Problem)
			}
			h.must(player.Resume{})
			time.Sleep(30 * time.Second)
			got := h.session(1).Samples()
			expect(t, "after", got, streamtest.Samples(20*second-int64(len(got)), 20*second))
			if len(got) < 13*second || len(got) > 15*second {
				t.Errorf("heard %d frames after the pause, want those from the place of the pause", len(got))
			}
		})
	})
	t.Run("stop", func(t *testing.T) {
		lose(t, func(h *house) {
			h.must(player.Stop{})
			time.Sleep(time.Minute)
			if got := h.dialledNow(); slices.ContainsFunc(got[1:], func(s *session) bool { return !s.isClosed() }) {
				t.Error("a session is open that nobody needs")
			}
			if diff := cmp.Diff([]string{"p1 playback_started ", "p1 playback_finished stopped"}, h.happened()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("play", func(t *testing.T) {
		lose(t, func(h *house) {
			h.must(player.Play{File: "bell"})
			time.Sleep(time.Minute)
			expect(t, "the bell", h.session(1).Samples(), streamtest.Samples(0, second))
		})
	})
	t.Run("seek", func(t *testing.T) {
		lose(t, func(h *house) {
			h.set(func() {}) // the sound cannot be sought in: the answer says so
			if err := <-h.ask(player.Seek{To: 0}); err == nil {
				t.Error("Seek: got nil, want an error")
			}
			time.Sleep(time.Minute)
			if got := len(h.session(1).Samples()); got == 0 {
				t.Error("nothing was heard after the gap")
			}
		})
	})
	t.Run("nothing, and the sound ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := build(t, nil)
			h.put("bell", second)
			h.must(player.Play{File: "bell"})
			h.set(func() { h.dialTake = 5 * time.Second })
			h.session(0).hangUp(errCut)
			time.Sleep(time.Minute)
			if diff := cmp.Diff([]string{"p1 playback_started ", "p1 playback_failed error"}, h.happened()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if got := h.state(); got.Status != player.Idle || got.Problem.Code == "" {
				t.Errorf("state: got %v and %v, want idle and why nobody heard the end", got.Status, got.Problem)
			}
		})
	})
}

func TestAMachineThatHasSleptTrustsNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.cfg.HangUp = -1 })
		h.put("bell", second)
		h.must(player.Wake{}) // there is none
		h.must(player.Play{File: "bell"})
		time.Sleep(time.Minute)
		h.must(player.Wake{})
		h.must(player.Play{File: "bell"})
		h.must(player.Pause{})
		h.must(player.Wake{})
		h.must(player.Resume{})
		time.Sleep(time.Minute)
		if got := len(h.dialledNow()); got != 3 {
			t.Errorf("dialled %d sessions, want three", got)
		}
	})
}

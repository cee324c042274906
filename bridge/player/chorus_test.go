package player_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/bridge/player"
)

// choir is three rooms, which need their time to be dialled, with a chime of a
// second, and their group.
func choir(t *testing.T, dialTakes ...time.Duration) (g *house, all []*house, bell [][2]int16) {
	t.Helper()
	all = rooms(t, real, "kitchen", "bath", "loft")
	for i, h := range all {
		bell = h.hang("bell", second)
		h.set(func() { h.dialTake = dialTakes[i] })
	}
	g = group(t, "downstairs", all...)
	g.put("music", 30*second)
	return g, all, bell
}

func TestAGroupAnnouncesAtOneInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, all, bell := choir(t, 50*time.Millisecond, 0, 400*time.Millisecond)
		for _, name := range []string{"cold", "warm"} {
			began := time.Now()
			g.must(ring("bell"))
			limit := map[string]time.Duration{"cold": 711 * time.Millisecond, "warm": 311 * time.Millisecond}[name]
			if got := time.Since(began); got > limit {
				t.Errorf("%s: heard after %v, want %v at most", name, got, limit)
			}
			time.Sleep(2 * time.Second)
		}
		inStep(t, 2*second, all...)
		expect(t, "bath", all[1].session(0).Samples(), bell, bell)
	})
}

func TestAGroupAnnouncesOverItsMusic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, all, bell := choir(t, 50*time.Millisecond, 0, 100*time.Millisecond)
		for _, h := range all {
			h.set(func() { h.receiver = slow(h) })
		}
		g.must(player.Play{File: "music"})
		time.Sleep(3 * time.Second)
		began := time.Now()
		g.must(ring("bell"))
		if got := time.Since(began); got > 320*time.Millisecond {
			t.Errorf("heard after %v, want 320ms at most", got)
		}
		ended := time.Now().Add(time.Second)
		time.Sleep(5 * time.Second)
		whole := all[0].instants()
		together(t, whole, all[1].instants())
		together(t, whole, all[2].instants())
		// In the middle of the bell, and after it.
		at := func(when time.Time) [2]int16 {
			i, _ := slices.BinarySearchFunc(whole, when, func(i streamtest.Instant, t time.Time) int { return i.At.Compare(t) })
			return whole[i].Sample
		}
		if got := at(ended.Add(-time.Second / 2)); got[0] < 1000 {
			t.Errorf("no bell is heard: %v", got)
		}
		if got := at(ended.Add(400 * time.Millisecond)); got[1] > 100 {
			t.Errorf("the music is not back: %v", got)
		}
		_ = bell
	})
}

// slow makes receivers that take their time to fall silent.
func slow(h *house) func() (player.Session, error) {
	return func() (player.Session, error) {
		s := newSession()
		s.Floor, s.FlushTakes, s.volumeTakes = 250*time.Millisecond, 30*time.Millisecond, 5*time.Millisecond
		h.dialled = append(h.dialled, s)
		return s, nil
	}
}

func TestOneRoomOfAGroupAnnouncesAlone(t *testing.T) {
	for _, policy := range []player.Policy{player.Duck, player.Interrupt} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, all, _ := choir(t, 0, 0, 0)
				g.must(player.Play{File: "music"})
				time.Sleep(3 * time.Second)
				a := ring("bell")
				a.Policy = policy
				all[1].must(a)
				began := time.Now()
				time.Sleep(5 * time.Second)
				others := all[0].instants()
				if !slices.Equal(others, all[2].instants()) || len(others) < 8*second {
					t.Errorf("the others do not hear the same")
				}
				// What that room hears from 300 ms after the bell on is what the others do.
				after := began.Add(1300 * time.Millisecond)
				own := all[1].instants()
				i, _ := slices.BinarySearchFunc(own, after, func(i streamtest.Instant, t time.Time) int { return i.At.Compare(t) })
				if len(own)-i < 2*second {
					t.Fatalf("%d frames are heard after the bell", len(own)-i)
				}
				together(t, others, own[i:])
			})
		})
	}
}

func TestAGroupIsInterruptedAndGoesOnAtTheNextFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, all, bell := choir(t, 0, 0, 0)
		g.must(player.Play{File: "music"})
		time.Sleep(3 * time.Second)
		a := ring("bell")
		a.Policy = player.Interrupt
		g.must(a)
		time.Sleep(6 * time.Second)
		if got := g.state().Status; got != player.Playing {
			t.Errorf("state: got %s, want playing", got)
		}
		cut := played(3 * second)
		for _, h := range all {
			got := h.session(0).Samples()
			expect(t, h.cfg.Name, got, streamtest.Samples(0, cut), bell, streamtest.Samples(cut, int64(len(got)-len(bell))))
		}
		inStep(t, len(all[0].instants()), all...)
	})
}

func TestADeadMemberDelaysNoAnnouncement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nobody := errors.New("nobody is at home")
		g, all, bell := choir(t, 0, 0, 20*time.Second)
		all[1].set(func() { all[1].receiver = func() (player.Session, error) { return nil, nobody } })
		began := time.Now()
		answer := g.ask(ring("bell"))
		time.Sleep(2500 * time.Millisecond)
		heard := all[0].instants()
		if len(heard) != second {
			t.Fatalf("heard %d frames, want %d", len(heard), second)
		}
		if took := heard[0].At.Sub(began); took > 1100*time.Millisecond {
			t.Errorf("heard after %v, want 1.1s at most", took)
		}
		err := <-answer
		var absent *player.AbsentError
		if !errors.As(err, &absent) || len(absent.Members) != 1 || absent.Members[0].Name != "bath" || !errors.Is(err, nobody) {
			t.Errorf("got %v, want that the bath was not there", err)
		}
		time.Sleep(2 * time.Second)
		expect(t, "the one that was late", all[2].session(0).Samples(), bell)
	})
}

func TestStopEndsTheAnnouncementsOfAGroup(t *testing.T) {
	for _, c := range []player.Command{player.Stop{}, player.Pause{}, player.Hush{}} {
		synctest.Test(t, func(t *testing.T) {
			g, all, _ := choir(t, 0, 0, 0)
			for _, h := range all {
				h.hang("long", 10*second)
			}
			g.must(player.Play{File: "music"})
			g.must(ring("long"))
			time.Sleep(time.Second)
			g.must(c)
			time.Sleep(time.Second)
			for _, h := range all {
				if got := h.state().Announcing; got != "" {
					t.Errorf("%T: %s still announces", c, h.cfg.Name)
				}
			}
			silent := len(all[0].instants())
			time.Sleep(time.Second)
			music := len(all[0].instants()) - silent
			if _, hush := c.(player.Hush); hush != (music > 0) {
				t.Errorf("%T: %d frames are heard after it", c, music)
			}
		})
	}
}

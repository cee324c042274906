package player_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/bridge/player"
)

func TestASpeakerLeadsThoseWhoJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall", "bath")
		kitchen, hall, bath := all[0], all[1], all[2]
		kitchen.put("music", 30*second)
		hall.must(player.Join{Leader: kitchen.player})
		synctest.Wait()
		if got := hall.state(); got.Leader != "kitchen" || got.Joined != "kitchen" {
			t.Errorf("the hall: got %+v, want it in the kitchen's group", got)
		}
		if got := kitchen.state().Members; got != "kitchen,hall" {
			t.Errorf("members: got %q, want kitchen,hall", got)
		}
		kitchen.must(player.Play{File: "music"})
		time.Sleep(5 * time.Second)
		bath.must(player.Join{Leader: kitchen.player}) // late
		time.Sleep(5 * time.Second)
		if got := bath.state(); got.Status != player.Playing {
			t.Errorf("the bath: got %+v, want it to play", got)
		}
		hall.must(player.Unjoin{})
		time.Sleep(5 * time.Second)
		if got := hall.state(); got.Status != player.Idle || got.Leader != "" || got.Joined != "" {
			t.Errorf("the hall: got %+v, want it idle and on its own", got)
		}
		time.Sleep(20 * time.Second)
		heard := kitchen.instants()
		if len(heard) != 30*second {
			t.Errorf("the kitchen heard %d frames, want %d", len(heard), 30*second)
		}
		together(t, heard, hall.instants())
		together(t, heard, bath.instants())
		if n := len(bath.instants()); n < 22*second {
			t.Errorf("the bath heard %d frames, want those of 22s at least", n)
		}
		if n := len(hall.instants()); n < 10*second || n > 10*second+352 {
			t.Errorf("the hall heard %d frames, want those of its 10s", n)
		}
		kitchen.must(player.Unjoin{}) // sends the others home
		synctest.Wait()
		if got := bath.state(); got.Joined != "" || got.Leader != "" {
			t.Errorf("the bath: got %+v, want it on its own", got)
		}
	})
}

func TestAPlayOfItsOwnEndsAJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		all[1].put("bell", second)
		all[1].must(player.Join{Leader: all[0].player})
		all[1].must(player.Play{File: "bell"})
		synctest.Wait()
		if got := all[1].state(); got.Joined != "" {
			t.Errorf("got %+v, want that it has left", got)
		}
		if got := all[0].state().Members; got != "" {
			t.Errorf("members: got %q, want none", got)
		}
	})
}

func TestTwoGroupsShareAMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall", "bath")
		down, up := group(t, "downstairs", all[0], all[1]), group(t, "upstairs", all[1], all[2])
		down.put("music", 20*second)
		up.put("radio", 10*second)
		down.must(player.Play{File: "music"})
		time.Sleep(3 * time.Second)
		up.must(player.Play{File: "radio"})
		time.Sleep(2 * time.Second)
		if got := all[1].state(); got.Leader != "upstairs" || got.File != "radio" {
			t.Errorf("the hall: got %+v, want it with who called last", got)
		}
		if got := down.state(); got.Status != player.Playing || got.Members != "kitchen" {
			t.Errorf("downstairs: got %+v, want it to go on in the kitchen", got)
		}
		time.Sleep(20 * time.Second)
		inStep(t, 20*second, all[0])
		inStep(t, 10*second, all[2])
		together(t, all[2].instants(), all[1].session(0).Sound()[3*second+2*352:])
	})
}

func TestALeaderThatIsCalledLetsItsMembersGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall", "bath")
		all[0].put("music", 20*second)
		all[1].must(player.Join{Leader: all[0].player})
		all[0].must(player.Play{File: "music"})
		g := group(t, "upstairs", all[0], all[2])
		g.put("bell", second)
		g.must(player.Play{File: "bell"})
		synctest.Wait()
		if got := all[1].state(); got.Status != player.Idle || got.Joined != "kitchen" {
			t.Errorf("the hall: got %+v, want it idle, and still joined", got)
		}
		time.Sleep(time.Minute)
		all[0].must(player.Play{File: "music"})
		synctest.Wait()
		if got := all[1].state(); got.Status != player.Playing || got.Leader != "kitchen" {
			t.Errorf("the hall: got %+v, want it to play with the kitchen again", got)
		}
	})
}

func TestGroupsThatMakeNoSense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall", "bath")
		g := group(t, "downstairs", all[0])
		for _, test := range []struct {
			name    string
			of      *house
			command player.Command
			want    error
		}{
			{"a group of itself", g, player.Lead{Members: []*player.Player{g.player}}, player.ErrSelf},
			{"to join oneself", all[0], player.Join{Leader: all[0].player}, player.ErrSelf},
			{"to join", all[1], player.Join{Leader: all[0].player}, nil},
			{"to join who has joined", all[2], player.Join{Leader: all[1].player}, player.ErrFollows},
			{"to join as a leader", all[0], player.Join{Leader: all[2].player}, player.ErrFollows},
		} {
			if err := <-test.of.ask(test.command); !errors.Is(err, test.want) {
				t.Errorf("%s: got %v, want %v", test.name, err, test.want)
			}
		}
		for _, c := range []player.Command{player.Join{}, player.Join{Leader: g.player}} {
			of := all[2]
			if c.(player.Join).Leader != nil {
				of = g
			}
			if err := <-of.ask(c); err == nil {
				t.Errorf("%T: got nil, want an error", c)
			}
		}
		all[2].stop()
		if err := <-all[0].ask(player.Unjoin{}); err != nil {
			t.Errorf("Unjoin: got %v, want nil", err)
		}
		if err := <-all[1].ask(player.Join{Leader: all[2].player}); !errors.Is(err, player.ErrClosed) {
			t.Errorf("to join who has ended: got %v, want %v", err, player.ErrClosed)
		}
	})
}

func TestAMemberAnnouncesAndTheOthersAreNotDisturbed(t *testing.T) {
	for _, policy := range []player.Policy{player.Duck, player.Interrupt} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := rooms(t, nil, "kitchen", "hall")
				all[0].hang("bell", second)
				g := group(t, "downstairs", all...)
				g.put("music", 15*second)
				g.must(player.Play{File: "music"})
				time.Sleep(3 * time.Second)
				began := time.Now()
				all[0].must(player.Announce{Clips: ring("bell").Clips, Policy: policy})
				if got := time.Since(began); got > 300*time.Millisecond {
					t.Errorf("announced after %v, want 300ms at most", got)
				}
				time.Sleep(5 * time.Second)
				if got := all[0].state(); got.Status != player.Playing || got.Leader != "downstairs" || got.Announcing != "" {
					t.Errorf("the kitchen: got %+v, want it back in the group", got)
				}
				time.Sleep(10 * time.Second)
				inStep(t, 15*second, all[1])
				whole, some := all[1].instants(), all[0].instants()
				together(t, whole, some[len(some)-4*second:])
				if n := len(some); n < 13*second {
					t.Errorf("the kitchen heard %d frames", n)
				}
			})
		})
	}
}

func TestAMemberOfAPausedGroupAnnouncesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		all[0].hang("bell", 2*second)
		g := group(t, "downstairs", all...)
		g.put("music", 10*second)
		g.must(player.Play{File: "music"})
		time.Sleep(3 * time.Second)
		g.must(player.Pause{})
		all[0].must(player.Announce{Clips: ring("bell").Clips})
		g.must(player.Resume{}) // meanwhile
		time.Sleep(15 * time.Second)
		if got := g.state().Status; got != player.Idle {
			t.Errorf("the group: got %v, want it idle at the end", got)
		}
		heard := all[0].instants()
		if got := heard[len(heard)-1].Sample; got != streamtest.Sample(10*second-1) {
			t.Errorf("the last frame of the kitchen: got %v, want that of the music: it joins after its announcement", got)
		}
	})
}

func TestAGroupAnnounces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, func(h *house) { h.clips["bell"] = audio.NewClip(make([]audio.Frame, second)) }, "kitchen", "hall")
		g := group(t, "downstairs", all...)
		g.must(player.Announce{Clips: ring("bell").Clips})
		for _, h := range all {
			if got := h.happened(); !slices.Equal(got, []string{"a1 announcement_started "}) {
				t.Errorf("events: got %v, want the announcement", got)
			}
		}
	})
}

func TestAHungMemberHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		g := group(t, "downstairs", all...)
		g.put("music", 20*second)
		g.put("bell", second)
		g.must(player.Play{File: "music"})
		time.Sleep(2 * time.Second)
		all[1].session(0).FlushTakes = time.Minute
		began := time.Now()
		g.must(player.Play{File: "bell"})
		if got := time.Since(began); got > 1600*time.Millisecond {
			t.Errorf("the bell was heard after %v, want half a second more than its lead at most", got)
		}
		time.Sleep(2 * time.Second)
		expect(t, "kitchen", all[0].session(0).Samples(), streamtest.Samples(0, 2*second+1), streamtest.Samples(0, second))
	})
}

// withoutLeader has a hall and a bath join a kitchen that has no session, and
// plays in it. It returns the error of the answer, and how long that took.
func withoutLeader(t *testing.T, all []*house) (err error, took time.Duration) {
	for _, h := range all[1:] {
		h.must(player.Join{Leader: all[0].player})
	}
	all[0].put("music", 20*second)
	began := time.Now()
	err = <-all[0].ask(player.Play{File: "music"})
	return err, time.Since(began)
}

func TestALeaderThatIsAwayDoesNotKeepItsMembersFromPlaying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall", "bath")
		kitchen, away := all[0], errors.New("nobody is at home")
		there := kitchen.receiver
		kitchen.set(func() { kitchen.receiver = func() (player.Session, error) { return nil, away } })
		err, took := withoutLeader(t, all)
		if !errors.Is(err, away) || !strings.Contains(err.Error(), "kitchen: nobody is at home") {
			t.Errorf("got %v, want that nobody is in the kitchen", err)
		}
		if took != time.Second {
			t.Errorf("heard after %v, want 1s", took)
		}
		time.Sleep(4 * time.Second)
		kitchen.set(func() { kitchen.receiver = there })
		back := time.Now()
		time.Sleep(5 * time.Second)
		if got := kitchen.state(); got.Status != player.Playing || got.Problem != (player.Problem{}) {
			t.Errorf("5s after its return: got %+v, want it playing", got)
		}
		sound := kitchen.session(0).Sound()
		if len(sound) == 0 || sound[0].At.Sub(back) > 5*time.Second {
			t.Fatal("the kitchen was not heard within 5s after its return")
		}
		time.Sleep(15 * time.Second)
		inStep(t, 20*second, all[1:]...)
		together(t, all[1].instants(), kitchen.instants())
	})
}

func TestASlowLeaderIsNotWaitedForLongerThanAMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		all[0].dialTake = 6 * time.Second
		err, took := withoutLeader(t, all)
		if !errors.Is(err, player.ErrLate) {
			t.Errorf("got %v, want that the kitchen is late", err)
		}
		if took != 4*time.Second {
			t.Errorf("heard after %v, want the 3s that are waited, and 1s", took)
		}
		time.Sleep(25 * time.Second)
		inStep(t, 20*second, all[1])
		together(t, all[1].instants(), all[0].instants())
		if n := len(all[0].instants()); n < 15*second {
			t.Errorf("the kitchen heard %d frames, want those of 15s at least", n)
		}
	})
}

func TestALeaderWithoutAnybodyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("nobody is at home")
		all := rooms(t, func(h *house) { h.receiver = func() (player.Session, error) { return nil, away } }, "kitchen", "hall")
		if err, _ := withoutLeader(t, all); !errors.Is(err, away) {
			t.Errorf("got %v, want %v", err, away)
		}
		if got := all[0].state(); got.Status != player.Idle || got.Problem.Message != away.Error() {
			t.Errorf("the kitchen: got %+v, want it idle and why", got)
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		if got := all[0].state().Status; got != player.Idle {
			t.Errorf("a minute later: got %v, want idle", got)
		}
	})
}

func TestALeaderThatIsLostAtOnceDoesNotEndTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		all[1].must(player.Join{Leader: all[0].player})
		all[0].put("music", 20*second)
		answer := all[0].ask(player.Play{File: "music"})
		time.Sleep(300 * time.Millisecond)
		all[0].session(0).hangUp(errCut)
		if err := <-answer; !errors.Is(err, errCut) {
			t.Errorf("got %v, want that the kitchen was cut", err)
		}
		time.Sleep(25 * time.Second)
		inStep(t, 20*second, all[1])
		together(t, all[1].instants(), all[0].instants())
	})
}

package player_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/bridge/player"
)

// rooms makes a house for each name, without a group.
func rooms(t *testing.T, configure func(*house), names ...string) []*house {
	var all []*house
	for _, name := range names {
		all = append(all, build(t, func(h *house) {
			h.cfg.Name = name
			if configure != nil {
				configure(h)
			}
		}))
	}
	return all
}

// group makes a group of houses, which has sounds and no speaker.
func group(t *testing.T, name string, members ...*house) *house {
	t.Helper()
	g := build(t, func(h *house) { h.cfg.Name, h.cfg.Dial = name, nil })
	g.must(player.Lead{Members: players(members)})
	return g
}

func players(houses []*house) []*player.Player {
	var all []*player.Player
	for _, h := range houses {
		all = append(all, h.player)
	}
	return all
}

// instants are when each frame was heard that a house heard, of all its
// sessions.
func (h *house) instants() []streamtest.Instant {
	var all []streamtest.Instant
	for _, s := range h.dialledNow() {
		all = append(all, s.Sound()...)
	}
	return all
}

// inStep holds houses to having heard the same frames at the same times.
func inStep(t *testing.T, frames int, houses ...*house) {
	t.Helper()
	want := houses[0].instants()
	if len(want) != frames {
		t.Errorf("the first heard %d frames, want %d", len(want), frames)
	}
	for i, h := range houses[1:] {
		if got := h.instants(); !slices.Equal(got, want) {
			t.Errorf("house %d heard %d frames, not the same %d at the same times as the first", i+1, len(got), len(want))
		}
	}
}

// together holds what a house heard to what another heard at the same times.
func together(t *testing.T, whole, some []streamtest.Instant) {
	t.Helper()
	frame := func(i streamtest.Instant) int64 { // of the time, for times are rounded
		return int64(math.Round(i.At.Sub(whole[0].At).Seconds() * second))
	}
	at := make([]*streamtest.Instant, frame(whole[len(whole)-1])+1)
	for n := range whole {
		at[frame(whole[n])] = &whole[n]
	}
	for _, i := range some {
		n := frame(i)
		if n < 0 || n >= int64(len(at)) || at[n] == nil {
			t.Errorf("at %v: heard %v, the other nothing", i.At, i.Sample)
			return
		}
		if want := at[n].Sample; want != i.Sample {
			t.Errorf("at %v: heard %v, the other %v", i.At, i.Sample, want)
			return
		}
	}
}

func TestAGroupBeginsInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall", "bath")
		all[1].dialTake = 400 * time.Millisecond // which the others wait for
		g := group(t, "downstairs", all...)
		g.put("music", 5*second)
		began := time.Now()
		g.must(player.Play{File: "music"})
		if got := time.Since(began); got != 1400*time.Millisecond {
			t.Errorf("heard after %v, want 1.4s", got)
		}
		synctest.Wait()
		if got := g.state(); got.Status != player.Playing || got.Members != "kitchen,hall,bath" {
			t.Errorf("the group: got %+v, want it to play on all three", got)
		}
		for _, h := range all {
			got := h.state()
			want := player.State{
				Status: player.Playing, Volume: 0.3, VolumeKnown: true, Chosen: 0.3, Leader: "downstairs",
				PlaybackID: "p1", File: "music", Title: "Title of music", Artist: "Somebody",
				Since: got.Since, Confidence: "clock_locked",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("a member's state (-want +got):\n%s", diff)
			}
			if tags := h.session(0).shown(); len(tags) != 1 || tags[0].Title != "Title of music" {
				t.Errorf("tags: got %v, want those of the music, once", tags)
			}
		}
		time.Sleep(6 * time.Second)
		inStep(t, 5*second, all...)
		if got := g.happened(); !slices.Equal(got, []string{"p1 playback_started ", "p1 playback_finished ended"}) {
			t.Errorf("events: got %v", got)
		}
		if _, opens := g.counts(); opens != 1 {
			t.Errorf("the sound was opened %d times, want once", opens)
		}
		// A minute later nothing is held any more.
		time.Sleep(time.Minute)
		for _, h := range all {
			if got := h.state(); got.Status != player.Idle || got.Leader != "" || got.File != "" {
				t.Errorf("a member after a minute: got %+v, want it idle and on its own", got)
			}
			if !h.session(0).isClosed() {
				t.Errorf("a member's session is open after a minute")
			}
		}
	})
}

func TestASlowMemberJoinsTheRunningTimeline(t *testing.T) {
	for _, test := range []struct {
		name   string
		lead   time.Duration
		within time.Duration
	}{
		{"music", 0, 3 * time.Second},
		{"a bell", 250 * time.Millisecond, 700 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := rooms(t, nil, "kitchen", "hall", "bath")
				all[1].dialTake = 6 * time.Second
				g := group(t, "downstairs", all...)
				g.put("music", 12*second)
				began := time.Now()
				err := <-g.ask(player.Play{File: "music", Lead: test.lead})
				lead := test.lead
				if lead == 0 {
					lead = time.Second
				}
				if got := time.Since(began); got != test.within+lead {
					t.Errorf("heard after %v, want %v and a lead of %v", got, test.within, lead)
				}
				var some *player.AbsentError
				if !errors.As(err, &some) || len(some.Members) != 1 || some.Members[0].Name != "hall" || !errors.Is(err, player.ErrLate) {
					t.Errorf("got %v, want that the hall is late", err)
				}
				time.Sleep(15 * time.Second)
				inStep(t, 12*second, all[0], all[2])
				late := all[1].instants()
				if want := 4 * second; len(late) < want {
					t.Errorf("the slow one heard %d frames, want %d at least", len(late), want)
				}
				together(t, all[0].instants(), late)
			})
		})
	}
}

func TestADeadMemberDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		away := errors.New("nobody is at home")
		all[1].set(func() { all[1].receiver = func() (player.Session, error) { return nil, away } })
		g := group(t, "downstairs", all...)
		g.put("music", 5*second)
		began := time.Now()
		err := <-g.ask(player.Play{File: "music"})
		if got := time.Since(began); got != time.Second {
			t.Errorf("heard after %v, want 1s", got)
		}
		if !errors.Is(err, away) || !strings.Contains(err.Error(), "hall: nobody is at home") {
			t.Errorf("got %v, want that nobody is in the hall", err)
		}
		if got := all[1].state(); got.Status != player.Buffering || got.Problem.Message != away.Error() {
			t.Errorf("the dead one: got %+v, want it buffering and why", got)
		}
		time.Sleep(6 * time.Second)
		inStep(t, 5*second, all[0])
	})
}

func TestAGroupOfDeadMembersFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("nobody is at home")
		all := rooms(t, func(h *house) { h.receiver = func() (player.Session, error) { return nil, away } }, "kitchen", "hall")
		g := group(t, "downstairs", all...)
		g.put("music", 5*second)
		if err := <-g.ask(player.Play{File: "music"}); !errors.Is(err, away) {
			t.Errorf("got %v, want %v", err, away)
		}
		if got := g.state(); got.Status != player.Idle || got.Problem.Message != away.Error() {
			t.Errorf("the group: got %+v, want it idle and why", got)
		}
		if err := <-g.ask(player.Lead{}); err != nil {
			t.Errorf("Lead: got %v, want nil", err)
		}
		if err := <-g.ask(player.Play{File: "music"}); !errors.Is(err, player.ErrNobody) {
			t.Errorf("without members: got %v, want %v", err, player.ErrNobody)
		}
		if err := <-g.ask(player.SetVolume{Level: 1}); !errors.Is(err, player.ErrNobody) {
			t.Errorf("volume without members: got %v, want %v", err, player.ErrNobody)
		}
	})
}

func TestAMemberThatDiesIsBackInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall", "bath")
		g := group(t, "downstairs", all...)
		g.put("music", 24*second)
		g.must(player.Play{File: "music"})
		time.Sleep(3 * time.Second)
		hall := all[1]
		there := hall.receiver
		hall.set(func() {
			hall.receiver = func() (player.Session, error) { return nil, errors.New("nobody is at home") }
		})
		hall.session(0).hangUp(errors.New("the wire is cut"))
		time.Sleep(4 * time.Second)
		if got := hall.state(); got.Status != player.Buffering || got.Leader != "downstairs" {
			t.Errorf("the dead one: got %+v, want it buffering in the group", got)
		}
		back := time.Now()
		hall.set(func() { hall.receiver = there })
		time.Sleep(5 * time.Second)
		if got := hall.state(); got.Status != player.Playing || got.Problem != (player.Problem{}) {
			t.Errorf("5s after its return: got %+v, want it playing", got)
		}
		again := hall.session(1).Sound()
		if len(again) == 0 || again[0].At.Sub(back) > 5*time.Second {
			t.Fatalf("it was not heard within 5s after its return")
		}
		time.Sleep(12 * time.Second)
		inStep(t, 24*second, all[0], all[2])
		together(t, all[0].instants(), hall.instants())
	})
}

func TestAGroupThatNobodyHearsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		g := group(t, "downstairs", all...)
		g.put("music", 24*second)
		g.must(player.Play{File: "music"})
		time.Sleep(time.Second)
		away := errors.New("nobody is at home")
		for _, h := range all {
			h.set(func() { h.receiver = func() (player.Session, error) { return nil, away } })
			h.session(0).hangUp(errors.New("the wire is cut"))
		}
		time.Sleep(8 * time.Second)
		if got := g.state().Status; got == player.Idle {
			t.Errorf("given up within 8s")
		}
		time.Sleep(4 * time.Second)
		if got := g.state(); got.Status != player.Idle || got.Problem.Message != away.Error() {
			t.Errorf("got %+v, want it given up", got)
		}
		time.Sleep(time.Minute)
		if got := all[0].state(); got.Leader != "" {
			t.Errorf("a member: got %+v, want it released", got)
		}
	})
}

func TestAMemberThatIsTakenIsNotFoughtFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		g := group(t, "downstairs", all...)
		g.put("music", 20*second)
		g.must(player.Play{File: "music"})
		all[1].session(0).hangUp(takenOver{})
		time.Sleep(15 * time.Second)
		if dials, _ := all[1].counts(); dials != 1 {
			t.Errorf("dialled %d times, want once", dials)
		}
		if got := all[1].state(); got.Status != player.Idle || got.Leader != "" || got.Problem == (player.Problem{}) {
			t.Errorf("got %+v, want it idle, on its own, and why", got)
		}
		if got := g.state().Members; got != "kitchen" {
			t.Errorf("members: got %q, want the kitchen", got)
		}
	})
}

func TestAMemberLeavesByAPlayOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		g := group(t, "downstairs", all...)
		g.put("music", 20*second)
		g.put("more", 3*second)
		all[0].put("bell", second)
		g.must(player.Play{File: "music"})
		time.Sleep(2 * time.Second)
		all[0].must(player.Play{File: "bell"})
		time.Sleep(2 * time.Second)
		// What was heard of the music, and then the bell alone.
		expect(t, "kitchen", all[0].session(0).Samples(), streamtest.Samples(0, 2*second+1), streamtest.Samples(0, second))
		if dials, _ := all[0].counts(); dials != 1 {
			t.Errorf("dialled %d times, want once: the session is taken back", dials)
		}
		if got := g.state(); got.Status != player.Playing || got.Members != "hall" {
			t.Errorf("the group: got %+v, want it to play on in the hall", got)
		}
		time.Sleep(18 * time.Second)
		inStep(t, 20*second, all[1])
		// What the group plays next is heard by all.
		g.must(player.Play{File: "more"})
		time.Sleep(4 * time.Second)
		expect(t, "kitchen", all[0].session(1).Samples(), streamtest.Samples(0, 3*second))
	})
}

func TestAMemberLeavesByStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		g := group(t, "downstairs", all...)
		g.put("music", 20*second)
		g.must(player.Play{File: "music"})
		time.Sleep(2 * time.Second)
		all[0].must(player.Stop{})
		time.Sleep(time.Second)
		expect(t, "kitchen", all[0].session(0).Samples(), streamtest.Samples(0, 2*second+1))
		if got := all[0].state(); got.Status != player.Idle || got.Leader != "" {
			t.Errorf("got %+v, want it idle and on its own", got)
		}
		all[1].must(player.Stop{})
		time.Sleep(time.Second)
		if got := g.state(); got.Status != player.Idle {
			t.Errorf("the group: got %+v, want it idle since all have left", got)
		}
	})
}

func TestWhatAMemberPlaysIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		g := group(t, "downstairs", all...)
		g.put("bell", second)
		all[0].put("music", 20*second)
		all[0].must(player.Play{File: "music"})
		queued := all[0].ask(player.Play{File: "music", Enqueue: player.EnqueueAdd})
		synctest.Wait() // it waits
		g.must(player.Play{File: "bell"})
		if err := <-queued; !errors.Is(err, player.ErrReplaced) {
			t.Errorf("what waited: got %v, want %v", err, player.ErrReplaced)
		}
		time.Sleep(time.Second)
		if got := all[0].happened(); !slices.Equal(got, []string{"p1 playback_started ", "p1 playback_finished replaced"}) {
			t.Errorf("events: got %v", got)
		}
		if dials, _ := all[0].counts(); dials != 1 {
			t.Errorf("dialled %d times, want once: the session is lent", dials)
		}
	})
}

func TestCommandsOnAMemberGoToItsLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		g := group(t, "downstairs", all...)
		g.set(func() {
			g.sounds["album"] = audio.Track{Source: streamtest.Sound(40 * second).Seekable()}
		})
		g.must(player.Play{File: "album"})
		time.Sleep(time.Second)
		all[0].must(player.Pause{})
		if got := g.state().Status; got != player.Paused {
			t.Errorf("the group: got %v, want it paused", got)
		}
		time.Sleep(time.Hour)
		all[1].must(player.Resume{})
		time.Sleep(2 * time.Second)
		for _, h := range all {
			if got := h.state().Status; got != player.Playing {
				t.Errorf("a member: got %v, want it to play on", got)
			}
		}
		all[0].must(player.Seek{To: 20 * time.Second})
		time.Sleep(2 * time.Second)
		if got := all[1].state().Position; got != 20*time.Second {
			t.Errorf("position: got %v, want 20s", got)
		}
		all[1].must(player.Next{})
		if got := g.state().Status; got != player.Idle {
			t.Errorf("the group: got %v, want it idle, since nothing waits", got)
		}
		inStep(t, len(all[0].instants()), all...)
	})
}

func TestAPauseSurvivesTheSessionsOfMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		g := group(t, "downstairs", all...)
		g.put("music", 10*second)
		g.must(player.Play{File: "music"})
		time.Sleep(2 * time.Second)
		g.must(player.Pause{})
		for _, h := range all {
			h.session(0).hangUp(errors.New("idle for too long"))
		}
		time.Sleep(time.Hour)
		for _, h := range all {
			if dials, _ := h.counts(); dials > 2 {
				t.Errorf("dialled %d times in a pause", dials)
			}
		}
		g.must(player.Resume{})
		time.Sleep(15 * time.Second)
		if got := g.happened(); !slices.Equal(got, []string{"p1 playback_started ", "p1 playback_finished ended"}) {
			t.Errorf("events: got %v", got)
		}
		for _, h := range all {
			heard := h.instants()
			if len(heard) < 10*second-second/10 || heard[len(heard)-1].Sample != streamtest.Sample(10*second-1) {
				t.Errorf("heard %d frames, want all of them", len(heard))
			}
		}
	})
}

func TestTheVolumeOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rooms(t, nil, "kitchen", "hall")
		g := group(t, "downstairs", all...)
		g.must(player.SetVolume{Level: 0.5})
		synctest.Wait()
		if got := g.state(); got.Volume != 0.5 || !got.VolumeKnown {
			t.Errorf("volume: got %v, want 0.5", got.Volume)
		}
		all[0].must(player.SetVolume{Level: 0.25})
		synctest.Wait()
		if got := g.state().Volume; got != 0.375 {
			t.Errorf("volume: got %v, want the mean, 0.375", got)
		}
		g.must(player.SetVolume{Level: 0.125, Relative: true})
		synctest.Wait()
		if a, b := all[0].state().Volume, all[1].state().Volume; a != 0.375 || b != 0.625 {
			t.Errorf("volumes: got %v and %v, want 0.375 and 0.625", a, b)
		}
		g.must(player.Mute{To: player.MuteToggle})
		synctest.Wait()
		if !g.state().Muted || !all[0].state().Muted || !all[1].state().Muted {
			t.Errorf("not all are muted")
		}
		g.must(player.Mute{To: player.MuteToggle})
		loud := 0.75
		g.put("bell", second)
		g.must(player.Play{File: "bell", Volume: &loud})
		for _, h := range all {
			if said := h.session(0).said(); !slices.Equal(said, []float64{0.75}) {
				t.Errorf("a session was told %v, want 0.75", said)
			}
		}
		// On a warm session, too.
		soft := 0.25
		g.must(player.Play{File: "bell", Volume: &soft})
		for _, h := range all {
			if said := h.session(0).said(); !slices.Equal(said, []float64{0.75, 0.25}) {
				t.Errorf("a session was told %v, want 0.75 and 0.25", said)
			}
		}
	})
}

package player_test

import (
	"context"
	"errors"
	"fmt"
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

// add is a Play that waits.
func add(name string) player.Play { return player.Play{File: name, Enqueue: player.EnqueueAdd} }

// shelf is a house with sounds of different lengths, in frames.
func shelf(t *testing.T, lengths map[string]int64) *house {
	h := build(t, func(h *house) {
		h.cfg.Queue = func(items []player.Item) {
			names := []string{}
			for _, it := range items {
				names = append(names, it.File)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.queues = append(h.queues, names)
		}
	})
	for name, frames := range lengths {
		h.put(name, frames)
	}
	return h
}

// waiting returns what the queue was said to hold last.
func (h *house) waiting() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queues) == 0 {
		return nil
	}
	return h.queues[len(h.queues)-1]
}

// titles returns the titles that were told, each once.
func (h *house) titles() []string {
	var all []string
	for _, s := range h.told() {
		all = append(all, s.Title)
	}
	return slices.Compact(all)
}

// all is what is heard of sounds that follow each other.
func all(frames ...int64) [][2]int16 {
	var samples [][2]int16
	for _, n := range frames {
		samples = append(samples, streamtest.Samples(0, n)...)
	}
	return samples
}

func TestSoundsThatWaitFollowFrameByFrame(t *testing.T) {
	for name, lengths := range map[string][]int64{
		"of seconds":               {2 * second, second + 7, 3*second + 123},
		"within packets":           {100, 1, 351, 353, 44},
		"as long as packets":       {352, 704, 352},
		"longer than what is sent": {30 * second, 20 * second, 10 * second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := shelf(t, nil)
				var answers []<-chan error
				var events []string
				for i, n := range lengths {
					h.put(fmt.Sprint(i), n)
					answers = append(answers, h.ask(add(fmt.Sprint(i))))
					id := fmt.Sprintf("p%d", i+1)
					events = append(events, id+" playback_started ", id+" playback_finished ended")
				}
				for i, answer := range answers {
					if err := <-answer; err != nil {
						t.Errorf("sound %d: got %v, want nil", i, err)
					}
				}
				time.Sleep(time.Minute)
				expect(t, "all", h.session(0).Samples(), all(lengths...))
				if dials, _ := h.counts(); dials != 1 {
					t.Errorf("dialled %d times, want once", dials)
				}
				if diff := cmp.Diff(events, h.happened()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				if got := h.state(); got.Status != player.Idle || got.QueueLength != 0 || len(h.waiting()) != 0 {
					t.Errorf("at the end: got %v with %d waiting (%v), want idle with none", got.Status, got.QueueLength, h.waiting())
				}
			})
		})
	}
}

func TestWhatIsToldChangesWhenTheEarDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := shelf(t, map[string]int64{"a": 5 * second, "b": 5 * second})
		h.must(player.Play{File: "a"})
		began := time.Now()
		second := h.ask(add("b"))
		synctest.Wait()
		if got := h.state(); got.QueueLength != 1 || got.File != "a" {
			t.Errorf("got %s with %d waiting, want a with 1", got.File, got.QueueLength)
		}
		if err := <-second; err != nil {
			t.Fatal(err)
		}
		if got := time.Since(began).Round(10 * time.Millisecond); got != 5*time.Second {
			t.Errorf("the second was heard after %v, want 5s", got)
		}
		got := h.state()
		if got.File != "b" || got.PlaybackID != "p2" || got.Status != player.Playing || got.QueueLength != 0 || got.Position > 50*time.Millisecond {
			t.Errorf("got %+v, want b playing from its beginning", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := h.session(0).shown(); len(got) != 2 || got[1].Title != "Title of b" {
			t.Errorf("tags on the receiver: got %v", got)
		}
	})
}

func TestOrderOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := shelf(t, map[string]int64{"now": 60 * second, "a": second, "b": second, "c": second, "d": second, "e": second})
		h.must(player.Play{File: "now"})
		for _, p := range []player.Play{add("a"), add("b"), {File: "c", Enqueue: player.EnqueueNext}} {
			h.ask(p)
		}
		synctest.Wait()
		if got, want := h.waiting(), []string{"c", "a", "b"}; !slices.Equal(got, want) {
			t.Errorf("waiting: got %v, want %v", got, want)
		}
		h.must(player.Play{File: "d", Enqueue: player.EnqueuePlay})
		if got, want := h.waiting(), []string{"c", "a", "b"}; !slices.Equal(got, want) {
			t.Errorf("after play: got %v, want %v", got, want)
		}
		h.must(player.Next{})
		time.Sleep(time.Minute)
		if got, want := h.titles(), []string{"", "now", "Title of now", "d", "Title of d", "c", "Title of c", "Title of a", "Title of b", ""}; !slices.Equal(dropPlain(got), dropPlain(want)) {
			t.Errorf("heard: got %v, want %v", got, want)
		}
		h.must(player.Play{File: "now"})
		waiting := []<-chan error{h.ask(add("a")), h.ask(add("b"))}
		h.must(player.Play{File: "e"}) // replaces
		for _, answer := range waiting {
			if err := <-answer; !errors.Is(err, player.ErrReplaced) {
				t.Errorf("got %v, want %v", err, player.ErrReplaced)
			}
		}
		if got := h.state(); got.QueueLength != 0 {
			t.Errorf("%d wait, want none", got.QueueLength)
		}
	})
}

// dropPlain keeps the titles that sounds say of themselves.
func dropPlain(titles []string) []string {
	return slices.Compact(slices.DeleteFunc(slices.Clone(titles), func(s string) bool { return !strings.HasPrefix(s, "Title") }))
}

func TestNextAndPrevious(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := shelf(t, map[string]int64{"a": 20 * second, "b": 20 * second, "c": 20 * second})
		h.must(player.Play{File: "a"})
		h.ask(add("b"))
		h.ask(add("c"))
		is := func(want string) {
			t.Helper()
			time.Sleep(1500 * time.Millisecond)
			synctest.Wait()
			if got := h.state(); got.File != want || got.Status != player.Playing {
				t.Errorf("got %s %s, want %s", got.Status, got.File, want)
			}
		}
		is("a")
		h.must(player.Next{})
		is("b")
		h.must(player.Previous{}) // within the first three seconds: the one before
		is("a")
		h.must(player.Next{})
		is("b")
		time.Sleep(5 * time.Second)
		h.must(player.Previous{}) // later: the same from its beginning
		is("b")
		if got := h.state().Position; got > 2*time.Second {
			t.Errorf("b is at %v, want its beginning", got)
		}
		h.must(player.Next{})
		is("c")
		h.must(player.Next{}) // nothing waits: stop
		synctest.Wait()
		if got := h.state(); got.Status != player.Idle {
			t.Errorf("got %v, want idle", got.Status)
		}
		for _, c := range []player.Command{player.Next{}, player.Previous{}} {
			if err := <-h.ask(c); !errors.Is(err, player.ErrIdle) {
				t.Errorf("%T: got %v, want %v", c, err, player.ErrIdle)
			}
		}
	})
}

func TestClearQueueSendsAwayAllThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := shelf(t, map[string]int64{"a": 10 * second, "b": second, "c": second})
		h.must(player.Play{File: "a"})
		gone := []<-chan error{h.ask(add("b")), h.ask(add("c"))}
		time.Sleep(2 * time.Second) // b has been opened ahead by now
		h.must(player.ClearQueue{})
		for _, answer := range gone {
			if err := <-answer; !errors.Is(err, player.ErrReplaced) {
				t.Errorf("got %v, want %v", err, player.ErrReplaced)
			}
		}
		time.Sleep(20 * time.Second)
		expect(t, "a", h.session(0).Samples(), all(10*second))
	})
}

func TestAPauseAcrossABoundaryLosesNothing(t *testing.T) {
	for _, at := range []time.Duration{1500 * time.Millisecond, 1990 * time.Millisecond, 2010 * time.Millisecond, 2500 * time.Millisecond} {
		t.Run(at.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := shelf(t, map[string]int64{"a": 2 * second, "b": 3 * second})
				h.set(func() { real(h) })
				h.must(player.Play{File: "a"})
				h.ask(add("b"))
				time.Sleep(at)
				h.must(player.Pause{})
				if got, want := h.state().File, map[bool]string{true: "a", false: "b"}[at < 2*time.Second]; got != want {
					t.Errorf("paused in %s, want %s", got, want)
				}
				time.Sleep(time.Minute)
				h.must(player.Resume{})
				time.Sleep(time.Minute)
				if heard := h.session(0).Samples(); !slices.Equal(heard, all(2*second, 3*second)) {
					t.Errorf("heard is not what there is: %d frames", len(heard))
				}
			})
		})
	}
}

func TestASuccessorThatCannotBeOpenedIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := shelf(t, map[string]int64{"a": 2 * second, "b": second})
		h.must(player.Play{File: "a"})
		broken, last := h.ask(add("none")), h.ask(add("b"))
		if err := <-broken; !errors.Is(err, audio.ErrUnsupported) {
			t.Errorf("got %v, want %v", err, audio.ErrUnsupported)
		}
		if err := <-last; err != nil {
			t.Errorf("got %v, want nil", err)
		}
		time.Sleep(10 * time.Second)
		expect(t, "both", h.session(0).Samples(), all(2*second, second))
		want := []string{
			"p1 playback_started ", "p2 playback_failed error", "p1 playback_finished ended",
			"p3 playback_started ", "p3 playback_finished ended",
		}
		if diff := cmp.Diff(want, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestASuccessorThatIsSlowIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := shelf(t, map[string]int64{"a": 2 * second, "b": second})
		h.must(player.Play{File: "a"})
		h.set(func() { h.openTake = 5 * time.Second })
		if err := <-h.ask(add("b")); err != nil {
			t.Errorf("got %v, want nil", err)
		}
		time.Sleep(10 * time.Second)
		expect(t, "both", h.session(0).Samples(), all(2*second, second))
		want := []player.Status{player.Idle, player.Buffering, player.Playing, player.Buffering, player.Playing, player.Idle}
		if diff := cmp.Diff(want, h.statuses()); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	})
}

func TestSeekingComesBackOverWhatWasPrepared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := shelf(t, nil)
		put := func(name string, frames int64) {
			h.set(func() { h.sounds[name] = audio.Track{Source: streamtest.Sound(frames).Seekable()} })
		}
		put("a", 4*second)
		put("b", 2*second)
		h.must(player.Play{File: "a"})
		h.ask(add("b"))
		time.Sleep(3 * time.Second) // all of a has been read, and some of b
		h.must(player.Seek{To: time.Second})
		time.Sleep(time.Minute)
		heard := h.session(0).Samples()
		want := slices.Concat(streamtest.Samples(0, 3*second+1), streamtest.Samples(second, 4*second), streamtest.Samples(0, 2*second))
		expect(t, "seek", heard, want)
	})
}

func TestRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := shelf(t, map[string]int64{"a": 5 * second, "b": 4 * second, "click": 10})
		h.must(player.Play{File: "a", Repeat: player.RepeatOne})
		time.Sleep(12 * time.Second) // it is heard for the third time
		h.must(player.SetRepeat{To: player.RepeatOff})
		time.Sleep(10 * time.Second)
		expect(t, "one", h.session(0).Samples(), all(5*second, 5*second, 5*second))

		h.must(player.Play{File: "a", Repeat: player.RepeatAll})
		h.ask(add("b"))
		time.Sleep(21 * time.Second) // a b a b a ...
		if got := h.state(); got.Repeat != player.RepeatAll || got.Status != player.Playing {
			t.Errorf("got %v repeating %q, want playing and all", got.Status, got.Repeat)
		}
		h.must(player.Stop{})
		heard := h.session(0).Samples()[15*second:]
		if want := all(5*second, 4*second, 5*second, 4*second, 5*second); len(heard) < 20*second || !slices.Equal(heard, want[:len(heard)]) {
			t.Errorf("all: %d frames that are not a b a b", len(heard))
		}

		h.must(player.Play{File: "click", Repeat: player.RepeatOne}) // too short to be repeated
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := h.state(); got.Status != player.Idle {
			t.Errorf("got %v, want idle", got.Status)
		}
	})
}

func TestWhatComesTooLateIsNotPlayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := shelf(t, map[string]int64{"a": 10 * second, "b": second, "c": second})
		if err := <-h.ask(player.Play{File: "a", Expires: time.Now().Add(-time.Second)}); !errors.Is(err, player.ErrExpired) {
			t.Errorf("late at once: got %v, want %v", err, player.ErrExpired)
		}
		h.must(player.Play{File: "a"})
		began := time.Now()
		late := add("b")
		late.Expires = time.Now().Add(3 * time.Second)
		inTime := add("c")
		inTime.Expires = time.Now().Add(30 * time.Second)
		gone, heard := h.ask(late), h.ask(inTime)
		if err := <-gone; !errors.Is(err, player.ErrExpired) {
			t.Errorf("late: got %v, want %v", err, player.ErrExpired)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("was told so after %v, want about 3s", took)
		}
		if err := <-heard; err != nil {
			t.Errorf("in time: got %v, want nil", err)
		}
		time.Sleep(10 * time.Second)
		expect(t, "heard", h.session(0).Samples(), all(10*second, second))
	})
}

func TestAQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := shelf(t, map[string]int64{"a": 600 * second, "b": second})
		h.must(player.Play{File: "a"})
		var answers []<-chan error
		for range 1000 {
			answers = append(answers, h.ask(add("b")))
			synctest.Wait()
		}
		if err := <-h.ask(add("b")); !errors.Is(err, player.ErrQueueFull) {
			t.Errorf("got %v, want %v", err, player.ErrQueueFull)
		}
		if got := h.state().QueueLength; got != 1000 {
			t.Errorf("%d wait, want 1000", got)
		}
		h.must(player.Stop{})
		for _, answer := range answers {
			if err := <-answer; !errors.Is(err, player.ErrReplaced) {
				t.Fatalf("got %v, want %v", err, player.ErrReplaced)
			}
		}
		h.must(player.Play{File: "a"})
		big := player.Play{Data: make([]byte, 40<<20), Enqueue: player.EnqueueAdd}
		h.ask(big)
		if err := <-h.ask(big); !errors.Is(err, player.ErrQueueFull) {
			t.Errorf("data: got %v, want %v", err, player.ErrQueueFull)
		}
	})
}

func TestPartsAndVolumesOfEachSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := shelf(t, map[string]int64{"a": 3 * second})
		for range 2 {
			h.set(func() { h.sounds["b"] = audio.Track{Source: streamtest.Sound(10 * second).Seekable()} })
		}
		h.must(player.Play{File: "a", MaxDuration: 2 * time.Second})
		loud := 0.6
		if err := <-h.ask(player.Play{File: "b", Enqueue: player.EnqueueAdd, Start: 4 * time.Second, MaxDuration: time.Second, Volume: &loud}); err != nil {
			t.Fatal(err)
		}
		if got := h.session(0).said(); !slices.Equal(got, []float64{0.3, 0.6}) {
			t.Errorf("volumes: got %v, want 0.3 and 0.6", got)
		}
		time.Sleep(10 * time.Second)
		expect(t, "parts", h.session(0).Samples(), all(2*second), streamtest.Samples(4*second, 5*second))
	})
}

// failing is a sound that breaks off.
type failing struct {
	*streamtest.Source
	left int
	err  error
}

func (f *failing) Read(p []audio.Frame) (int, error) {
	if f.left == 0 {
		return 0, f.err
	}
	n, err := f.Source.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}

func TestASoundThatBreaksOffIsToldAndTheNextPlays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := shelf(t, map[string]int64{"b": second})
		broke := errors.New("the disk is gone")
		h.set(func() {
			h.sounds["a"] = audio.Track{Source: &failing{streamtest.Sound(10 * second), 2 * second, broke}}
		})
		h.must(player.Play{File: "a"})
		if err := <-h.ask(add("b")); err != nil {
			t.Errorf("got %v, want nil", err)
		}
		time.Sleep(10 * time.Second)
		expect(t, "heard", h.session(0).Samples(), all(2*second, second))
		want := []string{"p1 playback_started ", "p1 playback_failed error", "p2 playback_started ", "p2 playback_finished ended"}
		if diff := cmp.Diff(want, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if got := h.state().Problem.Message; got == "" {
			t.Error("no problem is told")
		}
	})
}

func TestEverySoundThatWasOpenedIsClosed(t *testing.T) {
	for name, leave := range map[string]player.Command{"stop": player.Stop{}, "replace": player.Play{File: "c"}, "next": player.Next{}, "clear": player.ClearQueue{}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := shelf(t, nil)
				var opened []*streamtest.Source
				h.set(func() {
					h.shelve = func(context.Context, player.Play) (audio.Track, error) {
						s := streamtest.Sound(2 * second)
						h.mu.Lock()
						defer h.mu.Unlock()
						opened = append(opened, s)
						return audio.Track{Source: s}, nil
					}
				})
				h.must(player.Play{File: "a"})
				for range 5 {
					h.ask(add("b"))
				}
				time.Sleep(500 * time.Millisecond)
				h.must(leave)
				time.Sleep(time.Second)
				h.stop()
				time.Sleep(time.Second)
				for i, s := range opened {
					if !s.Closed() {
						t.Errorf("sound %d of %d is open", i, len(opened))
					}
				}
				if len(opened) < 2 {
					t.Errorf("only %d were opened, which proves little", len(opened))
				}
			})
		})
	}
}

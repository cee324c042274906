package player_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/bridge/player"
)

// expect holds a session to having let be heard these frames and no others.
func expect(t *testing.T, name string, got [][2]int16, want ...[][2]int16) {
	t.Helper()
	all := slices.Concat(want...)
	if slices.Equal(got, all) {
		return
	}
	t.Errorf("%s: heard %d frames, want %d", name, len(got), len(all))
	for i := range min(len(got), len(all)) {
		if got[i] != all[i] {
			t.Errorf("%s: frame %d: got %v, want %v", name, i, got[i], all[i])
			return
		}
	}
}

func TestASoundIsPlayedFromAcceptanceToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.dialTake, h.openTake = 300*time.Millisecond, 200*time.Millisecond })
		sound := h.put("bell", 2*second)
		began := time.Now()
		h.must(player.Play{File: "bell"})
		// Dialled and opened at once, then a lead.
		if got := time.Since(began); got != 1300*time.Millisecond {
			t.Errorf("heard after %v, want 1.3s", got)
		}
		want := player.State{
			Status: player.Playing, Volume: 0.3, VolumeKnown: true, Chosen: 0.3,
			PlaybackID: "p1", File: "bell", Title: "Title of bell", Artist: "Somebody",
			Since: time.Now(), Confidence: "clock_locked",
		}
		if diff := cmp.Diff(want, h.state()); diff != "" {
			t.Errorf("state (-want +got):\n%s", diff)
		}
		time.Sleep(3 * time.Second)
		want = player.State{Status: player.Idle, Volume: 0.3, VolumeKnown: true, Chosen: 0.3}
		if diff := cmp.Diff(want, h.state()); diff != "" {
			t.Errorf("state at the end (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]player.Status{player.Idle, player.Buffering, player.Playing, player.Idle}, h.statuses()); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"p1 playback_started ", "p1 playback_finished ended"}, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		expect(t, "bell", h.session(0).Samples(), streamtest.Samples(0, 2*second))
		if !sound.Closed() {
			t.Errorf("the sound is open, want it closed")
		}
		if got := h.session(0).shown(); len(got) != 1 || got[0].Title != "Title of bell" {
			t.Errorf("tags: got %v, want those of the bell, once", got)
		}
	})
}

func TestASessionIsKeptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.put("bell", second)
		h.must(player.Play{File: "bell"})
		time.Sleep(10 * time.Second)
		began := time.Now()
		h.must(player.Play{File: "bell"})
		if got := time.Since(began); got != time.Second {
			t.Errorf("heard after %v, want 1s", got)
		}
		time.Sleep(time.Second + 9*time.Second)
		if h.session(0).isClosed() {
			t.Errorf("closed 9s after the last sound, want it kept")
		}
		time.Sleep(2 * time.Second)
		if !h.session(0).isClosed() {
			t.Errorf("open 11s after the last sound, want it closed")
		}
		if dials, _ := h.counts(); dials != 1 {
			t.Errorf("dialled %d times, want once", dials)
		}
	})
}

func TestAnotherPlayReplacesTheSoundOnTheSameSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		first := h.put("music", 60*second)
		h.put("bell", second)
		h.must(player.Play{File: "music"})
		time.Sleep(2 * time.Second)
		h.must(player.Play{File: "bell"})
		time.Sleep(2 * time.Second)
		expect(t, "heard", h.session(0).Samples(), streamtest.Samples(0, 2*second+1), streamtest.Samples(0, second))
		if dials, _ := h.counts(); dials != 1 {
			t.Errorf("dialled %d times, want once", dials)
		}
		want := []string{"p1 playback_started ", "p1 playback_finished replaced", "p2 playback_started ", "p2 playback_finished ended"}
		if diff := cmp.Diff(want, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		statuses := []player.Status{player.Idle, player.Buffering, player.Playing, player.Buffering, player.Playing, player.Idle}
		if diff := cmp.Diff(statuses, h.statuses()); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
		if !first.Closed() {
			t.Errorf("the first sound is open, want it closed")
		}
	})
}

func TestAPlayThatIsOvertakenIsToldSo(t *testing.T) {
	for name, by := range map[string]player.Command{"by another": player.Play{File: "bell"}, "by stop": player.Stop{}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, func(h *house) { h.dialTake, h.openTake = time.Second, 20*time.Second })
				h.put("bell", second)
				first := h.ask(player.Play{File: "bell"})
				time.Sleep(100 * time.Millisecond)
				h.set(func() { h.openTake = 0 })
				began := time.Now()
				second := h.ask(by)
				if err := <-first; !errors.Is(err, player.ErrReplaced) {
					t.Errorf("the first: got %v, want %v", err, player.ErrReplaced)
				}
				if got := time.Since(began); got != 0 {
					t.Errorf("the first was answered after %v, want at once", got)
				}
				if err := <-second; err != nil {
					t.Errorf("%T: got %v, want nil", by, err)
				}
				dials, _ := h.counts()
				if dials != 1 {
					t.Errorf("dialled %d times, want once: the dial serves the other sound as well", dials)
				}
			})
		})
	}
}

func TestStopWhileBufferingCancelsAllThatWasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.dialTake, h.openTake = 200*time.Millisecond, 20*time.Second })
		h.put("bell", second)
		play := h.ask(player.Play{File: "bell"})
		time.Sleep(100 * time.Millisecond)
		h.must(player.Stop{})
		if err := <-play; !errors.Is(err, player.ErrReplaced) {
			t.Errorf("Play: got %v, want %v", err, player.ErrReplaced)
		}
		if got := h.state().Status; got != player.Idle {
			t.Errorf("state: got %v, want idle", got)
		}
		began := time.Now()
		h.stop()
		if got := time.Since(began); got != 0 {
			t.Errorf("Run returned after %v, want at once: nothing goes on", got)
		}
		if len(h.dialled) != 0 {
			t.Errorf("dialled %d sessions, want none", len(h.dialled))
		}
	})
}

func TestStopFallsSilentAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.put("music", 60*second)
		h.must(player.Play{File: "music"})
		time.Sleep(time.Second)
		h.must(player.Stop{})
		h.must(player.Stop{})
		time.Sleep(5 * time.Second)
		expect(t, "music", h.session(0).Samples(), streamtest.Samples(0, second+1))
		if diff := cmp.Diff([]string{"p1 playback_started ", "p1 playback_finished stopped"}, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestWhatCannotBePlayedIsExplained(t *testing.T) {
	errDial := errors.New("nobody is at home")
	for _, test := range []struct {
		name  string
		build func(h *house)
		play  player.Play
		want  error
		after time.Duration
	}{
		{"no such sound", func(h *house) { h.dialTake = 5 * time.Second }, player.Play{File: "none"}, audio.ErrUnsupported, 0},
		{"no such receiver", func(h *house) {
			h.receiver = func() (player.Session, error) { return nil, errDial }
			h.openTake = 5 * time.Second
		}, player.Play{File: "bell"}, errDial, 0},
		{"a sound that never opens", func(h *house) { h.openTake = time.Hour }, player.Play{File: "bell"}, context.DeadlineExceeded, 30 * time.Second},
		{"a receiver that never answers", func(h *house) { h.dialTake = time.Hour }, player.Play{File: "bell"}, context.DeadlineExceeded, 30 * time.Second},
		{"a sound that cannot begin in the middle", nil, player.Play{File: "bell", Start: time.Second}, audio.ErrNotSeekable, 0},
		{"a receiver that does not begin", func(h *house) {
			h.receiver = func() (player.Session, error) {
				s := newSession()
				s.FailStart = errDial
				return s, nil
			}
		}, player.Play{File: "bell"}, errDial, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, func(h *house) {
					h.cfg.Explain = func(err error) player.Problem { return player.Problem{Code: "code", Message: err.Error()} }
					if test.build != nil {
						test.build(h)
					}
				})
				h.put("bell", second)
				began := time.Now()
				if err := <-h.ask(test.play); !errors.Is(err, test.want) {
					t.Errorf("Play: got %v, want %v", err, test.want)
				}
				if got := time.Since(began); got != test.after {
					t.Errorf("answered after %v, want %v", got, test.after)
				}
				state := h.state()
				if state.Status != player.Idle || state.Problem.Code != "code" {
					t.Errorf("state: got %v and %v, want idle and the problem", state.Status, state.Problem)
				}
				if diff := cmp.Diff([]string{"p1 playback_failed error"}, h.happened()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTheProblemIsForgottenWithTheNextPlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.put("bell", second)
		<-h.ask(player.Play{File: "none"})
		if got := h.state().Problem.Code; got != "internal" {
			t.Errorf("problem: got %q, want internal", got)
		}
		h.must(player.Play{File: "bell"})
		if got := h.state().Problem; got != (player.Problem{}) {
			t.Errorf("problem: got %v, want none", got)
		}
	})
}

func TestBadCommandsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		for _, c := range []player.Command{
			player.Play{}, player.Play{URL: "a", File: "b"}, player.Seek{}, player.Resume{}, player.PlayPause{},
			player.Mute{To: 7}, nil,
		} {
			if err := <-h.ask(c); err == nil {
				t.Errorf("%T: got nil, want an error", c)
			}
		}
		for _, c := range []player.Command{player.Pause{}, player.Stop{}} {
			h.must(c)
		}
		if got := h.state().Status; got != player.Idle {
			t.Errorf("state: got %v, want idle", got)
		}
	})
}

func TestAReceiverThatHangsUpEndsThePlayback(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string

		dials int // with that of what is played then
	}{
		{"without a word", nil, "p1 playback_failed error", 3},
		{"with an error", errCut, "p1 playback_failed error", 3},
		{"for another sender", takenOver{}, "p1 playback_finished taken_over", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, nil)
				h.put("music", 60*second)
				h.must(player.Play{File: "music"})
				time.Sleep(time.Second)
				for n := range 2 { // what hangs up for no reason is dialled again, once
					if n < len(h.dialledNow()) {
						h.session(n).hangUp(test.err)
					}
					time.Sleep(time.Second)
				}
				if diff := cmp.Diff([]string{"p1 playback_started ", test.want}, h.happened()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				if state := h.state(); state.Status != player.Idle || state.Problem.Code == "" {
					t.Errorf("state: got %v and %v, want idle and a problem", state.Status, state.Problem)
				}
				h.put("bell", second)
				h.must(player.Play{File: "bell"})
				if dials, _ := h.counts(); dials != test.dials {
					t.Errorf("dialled %d times, want %d", dials, test.dials)
				}
			})
		})
	}
}

func TestASessionThatDiedInSilenceIsDialledAgain(t *testing.T) {
	for _, test := range []struct {
		name string
		die  func(s *session)
	}{
		{"and said so", func(s *session) { s.hangUp(errors.New("two minutes of silence")) }},
		{"and is found out", func(s *session) { s.Break() }},
		{"and does not answer", func(s *session) { s.StartTakes = time.Hour }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, nil)
				h.put("bell", second)
				h.must(player.Play{File: "bell"})
				time.Sleep(5 * time.Second)
				test.die(h.session(0))
				time.Sleep(time.Second)
				if got := h.state(); got.Problem != (player.Problem{}) {
					t.Errorf("problem: got %v, want none: nothing was lost", got.Problem)
				}
				h.must(player.Play{File: "bell"})
				time.Sleep(2 * time.Second)
				if dials, _ := h.counts(); dials != 2 {
					t.Errorf("dialled %d times, want twice", dials)
				}
				expect(t, "bell", h.session(1).Samples(), streamtest.Samples(0, second))
				want := []string{"p1 playback_started ", "p1 playback_finished ended", "p2 playback_started ", "p2 playback_finished ended"}
				if diff := cmp.Diff(want, h.happened()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAKeptSessionThatIsLostWhileASoundIsOpenedIsDialledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.put("bell", second)
		h.must(player.Play{File: "bell"})
		time.Sleep(5 * time.Second)
		h.set(func() { h.openTake = 500 * time.Millisecond })
		play := h.ask(player.Play{File: "bell"})
		time.Sleep(100 * time.Millisecond)
		h.session(0).hangUp(takenOver{})
		if err := <-play; err != nil {
			t.Errorf("Play: got %v, want nil", err)
		}
		if dials, opens := h.counts(); dials != 2 || opens != 2 {
			t.Errorf("dialled %d times and opened %d times, want twice each", dials, opens)
		}
		// One that is lost again is not dialled for ever.
		play = h.ask(player.Play{File: "bell"})
		time.Sleep(100 * time.Millisecond)
		h.set(func() {
			h.receiver = func() (player.Session, error) { s := newSession(); s.hangUp(takenOver{}); return s, nil }
		})
		h.session(1).hangUp(takenOver{})
		if err := <-play; !errors.Is(err, player.ErrTakenOver) {
			t.Errorf("Play: got %v, want %v", err, player.ErrTakenOver)
		}
	})
}

func TestReceiversAreDialledOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) {
			h.cfg.HangUp = time.Second
			h.receiver = func() (player.Session, error) {
				if n := len(h.dialled); n > 0 && !h.dialled[n-1].isClosed() {
					return nil, errors.New("453 Not Enough Bandwidth")
				}
				s := newSession()
				s.closeTakes = 2 * time.Second
				h.dialled = append(h.dialled, s)
				return s, nil
			}
		})
		h.put("bell", second)
		h.must(player.Play{File: "bell"})
		time.Sleep(2500 * time.Millisecond) // it is hanging up now
		h.must(player.Play{File: "bell"})
	})
}

func TestAPlayerEndsTidily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.put("music", 60*second)
		h.must(player.Play{File: "music"})
		h.must(player.SetVolume{Level: 0.2})
		fading := h.ask(player.SetVolume{Level: 0.8, Fade: time.Minute})
		time.Sleep(time.Second)
		began := time.Now()
		if err := h.stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run: got %v, want %v", err, context.Canceled)
		}
		if got := time.Since(began); got > 3*time.Second {
			t.Errorf("Run returned after %v, want 3s at most", got)
		}
		if err := <-fading; !errors.Is(err, player.ErrClosed) {
			t.Errorf("SetVolume: got %v, want %v", err, player.ErrClosed)
		}
		s := h.session(0)
		if !s.isClosed() || len(s.Flushes()) != 1 {
			t.Errorf("closed %v, flushed %d times; want it flushed, and closed", s.isClosed(), len(s.Flushes()))
		}
		if got := h.state().Status; got != player.Idle {
			t.Errorf("state: got %v, want idle", got)
		}
		if diff := cmp.Diff([]string{"p1 playback_started ", "p1 playback_finished stopped"}, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if err := h.player.Send(player.Stop{}, nil); !errors.Is(err, player.ErrClosed) {
			t.Errorf("Send: got %v, want %v", err, player.ErrClosed)
		}
	})
}

func TestAPlayerThatEndsAnswersAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.openTake = time.Minute })
		h.put("bell", second)
		play := h.ask(player.Play{File: "bell"})
		time.Sleep(time.Second)
		h.stop()
		if err := <-play; !errors.Is(err, player.ErrClosed) {
			t.Errorf("Play: got %v, want %v", err, player.ErrClosed)
		}
	})
}

func TestTheInboxIsBounded(t *testing.T) {
	p := player.New(player.Config{})
	answers := make(chan error, 100)
	for range 64 {
		if err := p.Send(player.Stop{}, func(err error) { answers <- err }); err != nil {
			t.Fatalf("Send: got %v, want nil", err)
		}
	}
	if err := p.Send(player.Stop{}, func(err error) { answers <- err }); !errors.Is(err, player.ErrBusy) {
		t.Errorf("Send: got %v, want %v", err, player.ErrBusy)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Run(ctx)
	if got := len(answers); got != 64 {
		t.Errorf("got %d answers, want 64", got)
	}
}

func TestAnUnderrunIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		sound := h.put("music", 4*second)
		sound.Hold(2 * second)
		h.must(player.Play{File: "music"})
		time.Sleep(2500 * time.Millisecond)
		if got := h.state(); got.Status != player.Buffering || got.Position.Round(10*time.Millisecond) != 2*time.Second {
			t.Errorf("state: got %v at %v, want buffering at 2s", got.Status, got.Position)
		}
		sound.Hold(4 * second)
		time.Sleep(1200 * time.Millisecond)
		if got := h.state().Status; got != player.Playing {
			t.Errorf("state: got %v, want playing", got)
		}
		if diff := cmp.Diff([]string{"p1 playback_started "}, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestStatesAreToldOnChangeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.put("music", 60*second)
		h.must(player.Play{File: "music"})
		time.Sleep(30 * time.Second)
		told := h.told()
		for i := range told[1:] {
			if told[i] == told[i+1] {
				t.Errorf("state %d was told twice: %+v", i, told[i])
			}
		}
		if got := len(told); got > 6 {
			t.Errorf("told %d states, want 6 at most", got)
		}
	})
}

func TestConfidenceIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.put("music", 60*second)
		h.must(player.Play{File: "music"})
		s := h.session(0)
		s.mu.Lock()
		s.confidence = "stalled"
		s.mu.Unlock()
		time.Sleep(1100 * time.Millisecond)
		if got := h.state().Confidence; got != "stalled" {
			t.Errorf("confidence: got %q, want stalled", got)
		}
	})
}

func TestTagsCanBeSaidByWhoeverAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.put("bell", second)
		track := h.sounds["bell"]
		track.Tags.Artwork, track.Tags.Duration = []byte("a cover"), time.Second
		h.sounds["bell"] = track
		h.must(player.Play{File: "bell", Title: "Door", Album: "House"})
		synctest.Wait()
		got := h.session(0).shown()[0]
		if got.Title != "Door" || got.Artist != "Somebody" || got.Album != "House" {
			t.Errorf("tags: got %v, want those of the command where it has some", got)
		}
		if got := h.state(); got.Title != "Door" || got.Artist != "Somebody" || got.Album != "House" || got.Duration != time.Second {
			t.Errorf("state: got %v, want those of the command where it has some", got)
		}
		time.Sleep(2 * time.Second)
		if diff := cmp.Diff([]string{"a cover", ""}, h.covers()); diff != "" {
			t.Errorf("artwork (-want +got):\n%s", diff)
		}
	})
}

func TestARadioTellsWhatItPlays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		titles := make(chan string, 1)
		h.put("radio", 60*second)
		track := h.sounds["radio"]
		track.Live, track.Titles = true, titles
		h.sounds["radio"] = track
		h.must(player.Play{URL: "radio"})
		titles <- "Another Song"
		time.Sleep(500 * time.Millisecond)
		if got := h.state().Title; got != "Title of radio" {
			t.Errorf("title: got %q, want the one before: the other is not heard yet", got)
		}
		time.Sleep(600 * time.Millisecond)
		if got := h.state(); got.Title != "Another Song" || !got.Live {
			t.Errorf("title: got %q, want that of the other song", got.Title)
		}
	})
}

func TestPartOfASoundCanBePlayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.sounds["music"] = audio.Track{Source: streamtest.Sound(60 * second).Seekable()}
		h.must(player.Play{File: "music", Start: 10 * time.Second, MaxDuration: 2 * time.Second, Lead: 300 * time.Millisecond})
		if got := h.state(); got.Position != 10*time.Second || got.Duration != time.Minute || !got.Seekable {
			t.Errorf("state: got %v of %v, want 10s of 1m", got.Position, got.Duration)
		}
		time.Sleep(3 * time.Second)
		expect(t, "music", h.session(0).Samples(), streamtest.Samples(10*second, 12*second))
	})
}

package player_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/bridge/player"
)

func TestAPauseLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, real)
		h.put("music", 3*second)
		h.must(player.Play{File: "music"})
		time.Sleep(time.Second)
		h.must(player.Pause{})
		h.must(player.Pause{})
		if got := h.state(); got.Status != player.Paused || got.Position.Round(20*time.Millisecond) != time.Second {
			t.Errorf("state: got %v at %v, want paused at 1s", got.Status, got.Position)
		}
		time.Sleep(time.Hour)
		h.must(player.PlayPause{})
		h.must(player.Resume{})
		time.Sleep(10 * time.Second)
		expect(t, "music", h.session(0).Samples(), streamtest.Samples(0, 3*second))
		want := []player.Status{player.Idle, player.Buffering, player.Playing, player.Paused, player.Buffering, player.Playing, player.Idle}
		if diff := cmp.Diff(want, h.statuses()); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"p1 playback_started ", "p1 playback_finished ended"}, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestAPauseOutlivesTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, real)
		h.put("music", 3*second)
		h.must(player.Play{File: "music"})
		time.Sleep(time.Second)
		h.must(player.PlayPause{})
		time.Sleep(2 * time.Minute)
		h.session(0).hangUp(errors.New("two minutes of silence"))
		time.Sleep(time.Hour)
		if got := h.state(); got.Status != player.Paused || got.Problem != (player.Problem{}) {
			t.Errorf("state: got %v and %v, want paused and no problem", got.Status, got.Problem)
		}
		h.set(func() { h.dialTake = time.Second })
		h.must(player.Resume{})
		time.Sleep(10 * time.Second)
		expect(t, "before", h.session(0).Samples(), streamtest.Samples(0, played(second)))
		expect(t, "after", h.session(1).Samples(), streamtest.Samples(played(second), 3*second))
		if got := h.session(1).shownAt(); len(got) != 1 || got[0].Round(20*time.Millisecond) != time.Second {
			t.Errorf("positions: got %v, want 1s on the new session", got)
		}
		if got := h.session(1).said(); len(got) != 1 {
			t.Errorf("volumes: got %v, want one on the new session", got)
		}
	})
}

func TestAPauseStaysWhereTheReceiverIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, real)
		h.put("music", 3*second)
		h.must(player.Play{File: "music"})
		h.must(player.Pause{})
		h.session(0).hangUp(takenOver{})
		errGone := errors.New("nobody is at home")
		receiver := h.receiver
		h.set(func() { h.receiver = func() (player.Session, error) { return nil, errGone } })
		if err := <-h.ask(player.Resume{}); !errors.Is(err, errGone) {
			t.Errorf("Resume: got %v, want %v", err, errGone)
		}
		if got := h.state(); got.Status != player.Paused || got.Problem.Code == "" {
			t.Errorf("state: got %v and %v, want paused and a problem", got.Status, got.Problem)
		}
		h.set(func() { h.receiver = receiver })
		h.must(player.Resume{})
		time.Sleep(10 * time.Second)
		expect(t, "after", h.session(1).Samples(), streamtest.Samples(played(0), 3*second))
	})
}

func TestResumingCanBeGivenUp(t *testing.T) {
	for name, by := range map[string]player.Command{"by pause": player.Pause{}, "by play_pause": player.PlayPause{}, "by stop": player.Stop{}, "by play": player.Play{File: "bell"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, nil)
				h.put("music", 60*second)
				h.put("bell", second)
				h.must(player.Play{File: "music"})
				h.must(player.Pause{})
				h.session(0).hangUp(errors.New("gone"))
				h.set(func() { h.dialTake = 10 * time.Second })
				resumed := h.ask(player.Resume{})
				time.Sleep(time.Second)
				h.must(by)
				if err := <-resumed; !errors.Is(err, player.ErrReplaced) {
					t.Errorf("Resume: got %v, want %v", err, player.ErrReplaced)
				}
			})
		})
	}
}

func TestAPauseBeforeTheFirstFrameHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, func(h *house) { h.openTake = time.Second })
		h.put("bell", second)
		play := h.ask(player.Play{File: "bell"})
		h.must(player.Pause{})
		time.Sleep(time.Minute)
		if got := h.state().Status; got != player.Paused {
			t.Errorf("state: got %v, want paused", got)
		}
		h.session(0).hangUp(errors.New("silence"))
		h.must(player.Resume{})
		if err := <-play; err != nil {
			t.Errorf("Play: got %v, want nil", err)
		}
		time.Sleep(2 * time.Second)
		expect(t, "bell", h.session(1).Samples(), streamtest.Samples(0, second))
	})
}

func TestAShortPauseOfALiveSoundGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.sounds["radio"] = audio.Track{Source: streamtest.Sound(60 * second), Live: true}
		h.must(player.Play{URL: "radio"})
		h.must(player.Pause{})
		time.Sleep(5 * time.Second)
		h.must(player.Resume{})
		time.Sleep(3 * time.Second)
		if _, opens := h.counts(); opens != 1 {
			t.Errorf("opened %d times, want once", opens)
		}
	})
}

func TestALongPauseOfALiveSoundGoesOnWithWhatIsSentNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.sounds["radio"] = audio.Track{Source: streamtest.Sound(60 * second), Live: true}
		h.must(player.Play{URL: "radio"})
		h.must(player.Pause{})
		time.Sleep(time.Minute)
		h.set(func() { h.sounds["radio"] = audio.Track{Source: streamtest.Sound(60 * second), Live: true} })
		h.must(player.Resume{})
		time.Sleep(3 * time.Second)
		if dials, opens := h.counts(); opens != 2 || dials != 1 {
			t.Errorf("opened %d times and dialled %d times, want twice and once", opens, dials)
		}
		if got := h.state(); got.Status != player.Playing || got.PlaybackID != "p1" {
			t.Errorf("state: got %v of %v, want playing p1", got.Status, got.PlaybackID)
		}
		if diff := cmp.Diff([]string{"p1 playback_started "}, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestSeekGoesElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.sounds["music"] = audio.Track{Source: streamtest.Sound(60 * second).Seekable()}
		h.must(player.Play{File: "music"})
		time.Sleep(time.Second)
		h.must(player.Seek{To: 30 * time.Second})
		if got := h.state(); got.Status != player.Buffering || got.Position != 30*time.Second || !got.Since.Equal(time.Now()) {
			t.Errorf("state: got %v at %v, want buffering at 30s", got.Status, got.Position)
		}
		time.Sleep(2 * time.Second)
		h.must(player.Seek{To: -10 * time.Second, Relative: true})
		if got := h.state().Position; got != 21*time.Second {
			t.Errorf("position: got %v, want 21s", got)
		}
		h.must(player.Seek{To: -time.Hour, Relative: true})
		if got := h.state().Position; got != 0 {
			t.Errorf("position: got %v, want 0", got)
		}
		h.must(player.Pause{})
		h.must(player.Seek{To: 58 * time.Second})
		if got := h.state(); got.Status != player.Paused || got.Position != 58*time.Second {
			t.Errorf("state: got %v at %v, want paused at 58s", got.Status, got.Position)
		}
		h.must(player.Resume{})
		synctest.Wait()
		if diff := cmp.Diff([]time.Duration{0, 30 * time.Second, 21 * time.Second, 0, 58 * time.Second}, h.session(0).shownAt()); diff != "" {
			t.Errorf("positions (-want +got):\n%s", diff)
		}
		time.Sleep(4 * time.Second)
		if got := h.state().Status; got != player.Idle {
			t.Errorf("state: got %v, want idle", got)
		}
		expect(t, "music", h.session(0).Samples(), streamtest.Samples(0, second+1), streamtest.Samples(30*second, 31*second+1), streamtest.Samples(58*second, 60*second))
	})
}

func TestWhatCannotSeekSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, nil)
		h.put("music", 60*second)
		h.must(player.Play{File: "music"})
		before := h.state()
		if err := <-h.ask(player.Seek{To: time.Second}); !errors.Is(err, audio.ErrNotSeekable) {
			t.Errorf("Seek: got %v, want %v", err, audio.ErrNotSeekable)
		}
		if diff := cmp.Diff(before, h.state()); diff != "" {
			t.Errorf("state changed (-before +after):\n%s", diff)
		}
	})
}

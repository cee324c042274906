package player_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio"
	"airplay2mqtt/bridge/player"
)

// A cinema finds films of ten seconds by names that end in .mp4, and shows them
// on the device that sessions are with.
type cinema struct {
	h        *house
	loads    time.Duration
	findErr  error
	showErr  error
	showTake time.Duration
	endless  bool
	quiet    bool // films have no volume

	volumes []float64 // that were set; guarded by mu

	mu    sync.Mutex
	shown []*showing
	log   []string // "show a.mp4", "close", "give up"
}

// screens makes a house with a cinema.
func screens(t *testing.T, c *cinema) *house {
	return build(t, func(h *house) {
		c.h = h
		h.cfg.Shows = func(p player.Play) bool { return strings.HasSuffix(p.File, ".mp4") || p.Mode == player.FilmMode }
		h.cfg.Film = func(ctx context.Context, p player.Play) (player.Film, error) {
			if err := pass(ctx, 100*time.Millisecond); err != nil {
				return nil, err
			}
			if p.File == "sound.mp4" {
				return nil, nil
			}
			return &film{c: c, name: p.File}, c.findErr
		}
	})
}

func (c *cinema) write(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, line)
}

func (c *cinema) written() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}

func (c *cinema) showings() []*showing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.shown)
}

type film struct {
	c    *cinema
	name string
	once sync.Once
}

func (f *film) Tags() audio.Tags { return audio.Tags{Title: "Film " + f.name} }
func (f *film) Close() error {
	f.once.Do(func() { f.c.write("give up " + f.name) })
	return nil
}

func (f *film) Show(ctx context.Context, from time.Duration) (player.Showing, error) {
	for _, s := range f.c.h.dialledNow() {
		if !s.isClosed() {
			f.c.h.t.Errorf("%s is shown while a session is open", f.name)
		}
	}
	if err := pass(ctx, f.c.showTake); err != nil {
		return nil, err
	}
	if f.c.showErr != nil {
		return nil, f.c.showErr
	}
	s := &showing{c: f.c, name: f.name, scenes: make(chan player.Scene, 1), quit: make(chan struct{}), over: make(chan struct{}), at: from}
	f.c.mu.Lock()
	f.c.shown = append(f.c.shown, s)
	f.c.mu.Unlock()
	f.c.write("show " + f.name)
	go s.run()
	if f.c.quiet {
		return s, nil
	}
	return loud{s}, nil
}

// loud is a showing with a volume.
type loud struct{ *showing }

func (l loud) SetVolume(_ context.Context, level float64) error {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	l.c.volumes = append(l.c.volumes, level)
	return nil
}

// A showing tells how far it is twice a second.
type showing struct {
	c      *cinema
	name   string
	scenes chan player.Scene
	quit   chan struct{}
	over   chan struct{}
	once   sync.Once

	mu     sync.Mutex
	at     time.Duration
	paused bool
	err    error
}

func (s *showing) run() {
	defer close(s.over)
	defer close(s.scenes)
	if pass(s.c.h.t.Context(), s.c.loads) != nil {
		return
	}
	for {
		if !s.tell() {
			return
		}
		select {
		case <-s.quit:
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// tell tells a scene and whether there will be more.
func (s *showing) tell() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	scene := player.Scene{Status: player.Playing, Position: s.at, Duration: 10 * time.Second, At: time.Now()}
	if s.c.endless {
		scene.Duration = 0
	}
	if s.paused {
		scene.Status = player.Paused
	}
	select {
	case <-s.scenes:
	default:
	}
	s.scenes <- scene
	if s.err != nil || !s.c.endless && s.at >= 10*time.Second {
		return false
	}
	if !s.paused {
		s.at += 500 * time.Millisecond
	}
	return true
}

func (s *showing) set(do func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	return nil
}

func (s *showing) Pause(context.Context) error  { return s.set(func() { s.paused = true }) }
func (s *showing) Resume(context.Context) error { return s.set(func() { s.paused = false }) }
func (s *showing) Seek(_ context.Context, to time.Duration) error {
	return s.set(func() { s.at = to })
}
func (s *showing) fail(err error)              { s.set(func() { s.err = err }) }
func (s *showing) Scenes() <-chan player.Scene { return s.scenes }
func (s *showing) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
func (s *showing) Close() error {
	s.once.Do(func() { close(s.quit) })
	<-s.over
	s.c.write("close " + s.name)
	return nil
}

func TestAFilmIsShownFromAcceptanceToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cinema{loads: 2 * time.Second}
		h := screens(t, c)
		began := time.Now()
		h.must(player.Play{File: "a.mp4"})
		if got := time.Since(began); got != 2100*time.Millisecond {
			t.Errorf("shown after %v, want 2.1s", got)
		}
		want := player.State{
			Status: player.Playing, PlaybackID: "p1", File: "a.mp4", Title: "Film a.mp4", Video: true,
			Since: time.Now(), Duration: 10 * time.Second, Seekable: true,
		}
		if diff := cmp.Diff(want, h.state()); diff != "" {
			t.Errorf("state (-want +got):\n%s", diff)
		}
		time.Sleep(5 * time.Second)
		if got := h.state(); got != want {
			t.Errorf("the state changed although nothing jumped: %+v", got)
		}
		time.Sleep(10 * time.Second)
		if diff := cmp.Diff([]player.Status{player.Idle, player.Buffering, player.Playing, player.Idle}, h.statuses()); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"p1 playback_started ", "p1 playback_finished ended"}, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"show a.mp4", "close a.mp4", "give up a.mp4"}, c.written()); diff != "" {
			t.Errorf("cinema (-want +got):\n%s", diff)
		}
		if h.dials != 0 || h.opens != 0 {
			t.Errorf("%d dials and %d sounds for a film, want none", h.dials, h.opens)
		}
	})
}

func TestAFilmHasAVolumeWhereTheDeviceTakesOne(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := &cinema{quiet: quiet}
			h := screens(t, c)
			h.must(player.Mute{To: player.MuteOn}) // what is not known could not be given back
			h.must(player.Mute{To: player.MuteOff})
			h.must(player.Play{File: "a.mp4"})
			h.must(player.SetVolume{Level: 0.3})
			h.must(player.Mute{To: player.MuteOn})
			h.must(player.Mute{To: player.MuteOff})
			level := 0.9
			h.must(player.Play{File: "b.mp4", Volume: &level})
			h.must(player.Play{File: "c.mp4"})
			want := []float64{0.3, 0, 0.3, 0.9, 0.9}
			if quiet {
				want = nil
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if diff := cmp.Diff(want, c.volumes); diff != "" {
				t.Errorf("quiet %v: volumes (-want +got):\n%s", quiet, diff)
			}
		})
	}
}

func TestAFilmIsPausedSoughtAndStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cinema{}
		h := screens(t, c)
		h.must(player.Play{File: "a.mp4", Start: 2 * time.Second})
		time.Sleep(2 * time.Second)
		h.must(player.Pause{})
		if s := h.state(); s.Status != player.Paused || s.Position != 4*time.Second {
			t.Errorf("paused: got %s at %v, want paused at 4s", s.Status, s.Position)
		}
		time.Sleep(time.Minute)
		h.must(player.PlayPause{})
		time.Sleep(time.Second)
		h.must(player.Seek{To: 2 * time.Second, Relative: true})
		if s := h.state(); s.Status != player.Playing || s.Position < 6500*time.Millisecond || s.Position > 7500*time.Millisecond {
			t.Errorf("sought: got %s at %v, want playing at 7s", s.Status, s.Position)
		}
		h.must(player.Previous{})
		if s := h.state(); s.Position != 2*time.Second {
			t.Errorf("previous: got %v, want the beginning at 2s", s.Position)
		}
		h.must(player.Stop{})
		synctest.Wait()
		if s := h.state(); s.Status != player.Idle || s.Video {
			t.Errorf("stopped: got %+v", s)
		}
		if diff := cmp.Diff([]string{"show a.mp4", "close a.mp4", "give up a.mp4"}, c.written()); diff != "" {
			t.Errorf("cinema (-want +got):\n%s", diff)
		}
	})
}

func TestFilmsAndSoundsComeInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cinema{}
		h := screens(t, c)
		h.put("bell", 2*second)
		h.put("sound.mp4", 2*second)
		h.put("gong", 2*second)
		h.must(player.Play{File: "bell"})
		for _, name := range []string{"a.mp4", "b.mp4", "sound.mp4", "gong"} {
			h.ask(player.Play{File: name, Enqueue: player.EnqueueAdd})
		}
		time.Sleep(2 * time.Minute)
		var started []string
		h.mu.Lock()
		for _, e := range h.events {
			if e.Type == player.PlaybackStarted || e.Type == player.PlaybackFailed {
				started = append(started, e.File)
			}
		}
		h.mu.Unlock()
		if diff := cmp.Diff([]string{"bell", "a.mp4", "b.mp4", "sound.mp4", "gong"}, started); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if h.dials != 2 {
			t.Errorf("%d sessions, want one before the films and one after", h.dials)
		}
		for i, s := range h.dialled {
			if !s.isClosed() {
				t.Errorf("session %d is open", i)
			}
		}
	})
}

func TestASoundTakesThePlaceOfAFilmAndTheOtherWayRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cinema{}
		h := screens(t, c)
		h.put("bell", 30*second)
		h.must(player.Play{File: "a.mp4"})
		h.must(player.Play{File: "bell"})
		h.must(player.Play{File: "b.mp4"})
		h.must(player.Play{File: "c.mp4"})
		h.put("d.mp4", second)
		h.must(player.Play{File: "d.mp4", Mode: player.SoundMode}) // its sound only
		h.must(player.Stop{})
		want := []string{"show a.mp4", "close a.mp4", "give up a.mp4", "show b.mp4", "close b.mp4", "give up b.mp4", "show c.mp4", "close c.mp4", "give up c.mp4"}
		synctest.Wait()
		if diff := cmp.Diff(want, c.written()); diff != "" {
			t.Errorf("cinema (-want +got):\n%s", diff)
		}
	})
}

func TestFilmsThatGoWrong(t *testing.T) {
	broken := errors.New("the projector broke")
	for name, c := range map[string]struct {
		cinema *cinema
		during error
		want   error
		reason string
	}{
		"not found":        {cinema: &cinema{findErr: broken}, want: broken, reason: "p1 playback_failed error"},
		"not taken":        {cinema: &cinema{showErr: broken}, want: broken, reason: "p1 playback_failed error"},
		"breaks down":      {cinema: &cinema{loads: 0}, during: broken, reason: "p1 playback_failed error"},
		"is taken over":    {cinema: &cinema{}, during: takenOver{}, reason: "p1 playback_finished taken_over"},
		"never takes it":   {cinema: &cinema{showTake: time.Hour}, want: context.DeadlineExceeded, reason: "p1 playback_failed error"},
		"fails on loading": {cinema: &cinema{loads: time.Second}, during: broken, want: broken, reason: "p1 playback_failed error"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := screens(t, c.cinema)
				answer := h.ask(player.Play{File: "a.mp4"})
				time.Sleep(600 * time.Millisecond)
				for _, s := range c.cinema.showings() {
					s.fail(c.during)
				}
				if got := <-answer; !errors.Is(got, c.want) && c.cinema.loads == 0 {
					t.Errorf("answered %v, want %v", got, c.want)
				}
				time.Sleep(time.Minute)
				if got := h.happened(); len(got) == 0 || got[len(got)-1] != c.reason {
					t.Errorf("got events %v, want %q last", got, c.reason)
				}
				if s := h.state(); s.Status != player.Idle || s.Problem.Code == "" {
					t.Errorf("got %+v, want idle with a problem", s)
				}
			})
		})
	}
}

func TestStopWhileAFilmIsFoundOrRaised(t *testing.T) {
	for _, after := range []time.Duration{50 * time.Millisecond, 500 * time.Millisecond, 1500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			c := &cinema{showTake: time.Second, loads: time.Second}
			h := screens(t, c)
			answer := h.ask(player.Play{File: "a.mp4"})
			time.Sleep(after)
			h.must(player.Pause{})
			h.must(player.Stop{})
			if err := <-answer; !errors.Is(err, player.ErrReplaced) {
				t.Errorf("after %v: got %v, want ErrReplaced", after, err)
			}
			h.put("bell", second)
			h.must(player.Play{File: "bell"}) // the line is free
			if n := len(c.showings()); n > 0 && !slices.Contains(c.written(), "close a.mp4") {
				t.Errorf("after %v: the film is still shown", after)
			}
		})
	}
}

func TestAFilmThatIsPausedBeforeItBegins(t *testing.T) {
	for _, after := range []time.Duration{50 * time.Millisecond, 500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			c := &cinema{showTake: time.Second}
			h := screens(t, c)
			h.ask(player.Play{File: "a.mp4"})
			time.Sleep(after)
			h.must(player.Pause{})
			time.Sleep(20 * time.Second)
			if s := h.state(); s.Status != player.Paused {
				t.Errorf("after %v: got %s, want paused", after, s.Status)
			}
			h.must(player.Resume{})
			time.Sleep(3 * time.Second)
			if s := h.state(); s.Status != player.Playing {
				t.Errorf("after %v: got %s, want playing", after, s.Status)
			}
		})
	}
}

func TestAnnouncementsLeaveFilmsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cinema{}
		h := screens(t, c)
		h.hang("ding", second/2)
		h.must(player.Play{File: "a.mp4"})
		if err := <-h.ask(player.Announce{Clips: []player.Sound{{Chime: "ding"}}}); !errors.Is(err, player.ErrSkipped) {
			t.Errorf("got %v, want ErrSkipped", err)
		}
		began := time.Now()
		if err := <-h.ask(player.Announce{Clips: []player.Sound{{Chime: "ding"}}, Policy: player.Wait}); err != nil {
			t.Errorf("one that waits: %v", err)
		}
		if got := time.Since(began); got < 9*time.Second {
			t.Errorf("it was heard after %v, within the film", got)
		}
		if err := <-h.ask(player.Prepare{}); err != nil {
			t.Errorf("prepare after the film: %v", err)
		}
	})
}

func TestAFilmWithoutAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cinema{endless: true}
		h := screens(t, c)
		h.must(player.Play{File: "a.mp4", MaxDuration: 30 * time.Second})
		if s := h.state(); !s.Live || s.Seekable || s.Duration != 0 {
			t.Errorf("got %+v, want live", s)
		}
		if err := <-h.ask(player.Seek{To: time.Second}); !errors.Is(err, audio.ErrNotSeekable) {
			t.Errorf("seek: got %v, want ErrNotSeekable", err)
		}
		time.Sleep(29 * time.Second)
		if s := h.state(); s.Status != player.Playing {
			t.Errorf("after 29 s: %s", s.Status)
		}
		time.Sleep(3 * time.Second)
		if s := h.state(); s.Status != player.Idle {
			t.Errorf("after 32 s: %s, want idle: it was to play for 30 s", s.Status)
		}
	})
}

func TestAFilmIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cinema{}
		h := screens(t, c)
		h.must(player.Play{File: "a.mp4", Repeat: player.RepeatOne})
		time.Sleep(25 * time.Second)
		h.must(player.Stop{})
		if n := len(c.showings()); n != 3 {
			t.Errorf("shown %d times in 25 s, want 3", n)
		}
	})
}

func TestAPlayerThatEndsEndsItsFilm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cinema{}
		h := screens(t, c)
		h.must(player.Play{File: "a.mp4"})
		h.stop()
		if diff := cmp.Diff([]string{"show a.mp4", "close a.mp4", "give up a.mp4"}, c.written()); diff != "" {
			t.Errorf("cinema (-want +got):\n%s", diff)
		}
	})
}

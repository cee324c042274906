package player_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/bridge/player"
)

// ring is an Announce of chimes.
func ring(names ...string) player.Announce {
	var a player.Announce
	for _, name := range names {
		a.Clips = append(a.Clips, player.Sound{Chime: name})
	}
	return a
}

// hang puts a chime of so many frames into the house and returns its samples.
func (h *house) hang(name string, frames int64) [][2]int16 {
	samples, clip := noise(frames)
	h.set(func() { h.clips[name] = clip })
	return samples
}

// belfry is a house with a chime of a second and music of a minute.
func belfry(t *testing.T, configure func(*house)) (h *house, bell [][2]int16) {
	h = build(t, configure)
	h.put("music", 60*second)
	return h, h.hang("bell", second)
}

func TestAChimeIsHeardAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := belfry(t, func(h *house) { h.dialTake = 80 * time.Millisecond })
		began := time.Now()
		h.must(ring("bell"))
		if got := time.Since(began); got != 330*time.Millisecond {
			t.Errorf("cold: heard after %v, want 330ms", got)
		}
		if got := h.state(); got.Announcing != "chime" || got.Status != player.Idle {
			t.Errorf("state: got %q, %s, want a chime while idle", got.Announcing, got.Status)
		}
		time.Sleep(1500 * time.Millisecond)
		if got := h.state().Announcing; got != "" {
			t.Errorf("state: got %q, want nothing", got)
		}
		expect(t, "cold", h.session(0).Samples(), bell)
		began = time.Now()
		h.must(ring("bell"))
		if got := time.Since(began); got != 250*time.Millisecond {
			t.Errorf("warm: heard after %v, want 250ms", got)
		}
		time.Sleep(15 * time.Second)
		expect(t, "warm", h.session(0).Samples(), bell, bell)
		if !h.session(0).isClosed() {
			t.Errorf("the session is open 14s after the last sound")
		}
		want := []string{"a1 announcement_started ", "a1 announcement_finished ended", "a2 announcement_started ", "a2 announcement_finished ended"}
		if diff := cmp.Diff(want, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestClipsAreHeardInSequenceAndForAsLongAsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := belfry(t, nil)
		speech := h.hang("http://nas/speech.mp3", 2*second)
		h.clipTake = time.Second
		h.must(player.Announce{Clips: []player.Sound{{Chime: "bell"}, {URL: "http://nas/speech.mp3"}}})
		if got := h.state().Announcing; got != "announcement" {
			t.Errorf("state: got %q, want an announcement", got)
		}
		time.Sleep(5 * time.Second)
		expect(t, "clips", h.session(0).Samples(), bell, speech)

		a := ring("bell")
		a.Lasts = 2500 * time.Millisecond
		h.must(a)
		time.Sleep(5 * time.Second)
		got := h.session(0).Samples()[3*second:]
		expect(t, "twice", got[:2*second], bell, bell)
		if n := len(got); n < 5*second/2-200 || n > 5*second/2 {
			t.Errorf("heard %d frames, want %d", n, 5*second/2)
		}
	})
}

func TestMusicGoesOnUnderAnAnnouncement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := belfry(t, nil)
		h.must(player.Play{File: "music", Volume: level(0.3)})
		started := time.Now()
		time.Sleep(3 * time.Second)
		a := ring("bell")
		a.Volume = &player.Loudness{Level: 0.8}
		began := time.Now()
		h.must(a)
		if got := time.Since(began); got < 250*time.Millisecond || got > 258*time.Millisecond {
			t.Errorf("heard after %v, want 250ms and what is left of a packet", got)
		}
		ended := time.Now().Add(time.Second)
		if got := h.state(); got.Status != player.Playing || got.Announcing != "chime" || got.Volume != 0.3 {
			t.Errorf("state: got %s, %q at %v, want a chime over what plays, and its volume untouched", got.Status, got.Announcing, got.Volume)
		}
		time.Sleep(time.Second + time.Millisecond)
		s := h.session(0)
		if diff := cmp.Diff([]float64{0.3, 0.8, 0.3}, s.said()); diff != "" {
			t.Errorf("volumes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"raised from 0.30", "lowered"}, h.written()); diff != "" {
			t.Errorf("journal (-want +got):\n%s", diff)
		}
		// 300 ms later the music is where it would have been, bit for bit.
		time.Sleep(2 * time.Second)
		for _, i := range s.Heard() {
			n := int64(i.At.Sub(started)+time.Second/second/2) * second / int64(time.Second)
			if back := i.At.After(ended.Add(300 * time.Millisecond)); (back || i.At.Before(began)) && !i.At.Before(started) && i.Sample != streamtest.Sample(n) {
				t.Fatalf("frame %d, %v after the bell: got %v, want %v", n, i.At.Sub(ended), i.Sample, streamtest.Sample(n))
			}
		}
		if dials, _ := h.counts(); dials != 1 {
			t.Errorf("dialled %d times, want once", dials)
		}
	})
}

func TestMusicIsInterruptedAndGoesOnAtTheNextFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := belfry(t, real)
		h.must(player.Play{File: "music"})
		time.Sleep(3 * time.Second)
		a := ring("bell")
		a.Policy = player.Interrupt
		h.must(a)
		if got := h.state(); got.Status != player.Paused || got.Announcing != "chime" {
			t.Errorf("state: got %s, %q", got.Status, got.Announcing)
		}
		time.Sleep(5 * time.Second)
		if got := h.state(); got.Status != player.Playing || got.Announcing != "" {
			t.Errorf("state: got %s, %q, want it playing again", got.Status, got.Announcing)
		}
		cut := played(3 * second)
		got := h.session(0).Samples()
		expect(t, "heard", got, streamtest.Samples(0, cut), bell, streamtest.Samples(cut, int64(len(got)-len(bell))))
	})
}

func TestWhatWasPausedStaysPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := belfry(t, real)
		h.must(player.Play{File: "music"})
		time.Sleep(3 * time.Second)
		h.must(player.Pause{})
		h.must(ring("bell"))
		time.Sleep(10 * time.Second)
		if got := h.state().Status; got != player.Paused {
			t.Errorf("state: got %s, want paused", got)
		}
		h.must(player.Resume{})
		time.Sleep(3 * time.Second)
		got := h.session(0).Samples()
		cut := played(3 * second)
		expect(t, "before", got[:cut], streamtest.Samples(0, cut))
		expect(t, "bell", got[cut:cut+second], bell)
		if got[cut+second] != streamtest.Sample(cut) {
			t.Errorf("it goes on with %v", got[cut+second])
		}
	})
}

func TestPoliciesThatDoNotDisturb(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := belfry(t, nil)
		h.put("short", 5*second)
		h.must(player.Play{File: "short"})
		began := time.Now()
		skip, wait := ring("bell"), ring("bell")
		skip.Policy, wait.Policy = player.Skip, player.Wait
		if err := <-h.ask(skip); !errors.Is(err, player.ErrSkipped) {
			t.Errorf("skip: got %v, want %v", err, player.ErrSkipped)
		}
		waiting := h.ask(wait)
		if err := <-waiting; err != nil {
			t.Errorf("wait: got %v, want nil", err)
		}
		if got := time.Since(began); got < 5*time.Second || got > 6*time.Second {
			t.Errorf("wait: heard after %v, want when the sound is over", got)
		}
		time.Sleep(2 * time.Second)
		h.must(skip) // nothing plays now
	})
}

func TestAnnouncementsWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := belfry(t, nil)
		h.hang("long", 10*second)
		for _, name := range []string{"first", "second", "urgent"} {
			h.hang(name, second)
		}
		h.must(ring("long"))
		var answers []<-chan error
		for _, name := range []string{"first", "second"} {
			answers = append(answers, h.ask(ring(name)))
		}
		if err := <-h.ask(ring("second")); !errors.Is(err, player.ErrSame) {
			t.Errorf("the same again: got %v, want %v", err, player.ErrSame)
		}
		late := ring("bell")
		late.Expires = time.Now().Add(time.Second)
		if err := <-h.ask(late); !errors.Is(err, player.ErrExpired) {
			t.Errorf("too late: got %v, want %v", err, player.ErrExpired)
		}
		urgent := ring("urgent")
		urgent.Priority = 1
		h.must(urgent) // and ends the long one
		for _, answer := range answers {
			if err := <-answer; err != nil {
				t.Errorf("got %v, want nil", err)
			}
		}
		time.Sleep(2 * time.Second)
		want := []string{
			"a1 announcement_started ", "a1 announcement_finished replaced",
			"a5 announcement_started ", "a5 announcement_finished ended",
			"a2 announcement_started ", "a2 announcement_finished ended",
			"a3 announcement_started ", "a3 announcement_finished ended",
		}
		if diff := cmp.Diff(want, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestTooManyAnnouncementsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := belfry(t, func(h *house) {
			h.cfg.Announcements.PerHour = 40
			h.cfg.Announcements.Cooldown = 10 * time.Second
		})
		h.must(ring("bell"))
		time.Sleep(5 * time.Second)
		if err := <-h.ask(ring("bell")); !errors.Is(err, player.ErrTooOften) {
			t.Errorf("5s later: got %v, want %v", err, player.ErrTooOften)
		}
		time.Sleep(6 * time.Second)
		h.must(ring("bell"))
		time.Sleep(5 * time.Second)

		outcomes := map[string]int{}
		answers := make(chan error, 1000)
		for i := range 1000 {
			name := fmt.Sprintf("bell %d", i)
			h.hang(name, second/10)
			if err := h.player.Send(ring(name), func(err error) { answers <- err }); err != nil {
				answers <- err
			}
			if i%50 == 0 {
				synctest.Wait()
			}
		}
		for range 1000 {
			switch err := <-answers; {
			case err == nil:
				outcomes["heard"]++
			case errors.Is(err, player.ErrTooOften), errors.Is(err, player.ErrBusy):
				outcomes["too often"]++
			default:
				outcomes[err.Error()]++
			}
		}
		if diff := cmp.Diff(map[string]int{"heard": 17, "too often": 983}, outcomes); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for i := range 40 {
			h.hang(fmt.Sprint("more ", i), second/10)
			h.ask(ring(fmt.Sprint("more ", i)))
			time.Sleep(2 * time.Second)
		}
		if err := <-h.ask(ring("bell")); !errors.Is(err, player.ErrTooOften) {
			t.Errorf("after 40 in an hour: got %v, want %v", err, player.ErrTooOften)
		}
		time.Sleep(time.Hour)
		h.must(ring("bell"))
	})
}

func TestMutedStaysMuted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := belfry(t, nil)
		h.must(player.Play{File: "music"})
		h.must(player.Mute{To: player.MuteOn})
		if err := <-h.ask(ring("bell")); !errors.Is(err, player.ErrMuted) {
			t.Errorf("got %v, want %v", err, player.ErrMuted)
		}
		a := ring("bell")
		a.Unmute = true
		h.must(a)
		time.Sleep(2 * time.Second)
		if diff := cmp.Diff([]float64{0.3, 0, 0.3, 0}, h.session(0).said()); diff != "" {
			t.Errorf("volumes (-want +got):\n%s", diff)
		}
		if !h.state().Muted {
			t.Errorf("it is not muted any more")
		}
	})
}

func TestAnAnnouncementIsAsLoudAsItWants(t *testing.T) {
	for name, test := range map[string]struct {
		want player.Loudness
		said []float64
	}{
		"absolute":             {player.Loudness{Level: 0.6}, []float64{0.4, 0.6, 0.4}},
		"softer":               {player.Loudness{Level: 0.1}, []float64{0.4, 0.1, 0.4}},
		"relative":             {player.Loudness{Level: 0.25, By: player.Relative}, []float64{0.4, 0.65, 0.4}},
		"at least":             {player.Loudness{Level: 0.5, By: player.AtLeast}, []float64{0.4, 0.5, 0.4}},
		"at least what it has": {player.Loudness{Level: 0.2, By: player.AtLeast}, []float64{0.4}},
		"more than is allowed": {player.Loudness{Level: 1}, []float64{0.4, 0.7, 0.4}},
		"much more than all":   {player.Loudness{Level: 5, By: player.Relative}, []float64{0.4, 0.7, 0.4}},
		"less than silence":    {player.Loudness{Level: -5, By: player.Relative}, []float64{0.4, 0, 0.4}},
		"the same":             {player.Loudness{Level: 0.4}, []float64{0.4}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _ := belfry(t, func(h *house) { h.cfg.MaxVolume, h.cfg.Volume = 0.7, level(0.4) })
				h.must(ring("bell"))
				time.Sleep(2 * time.Second)
				a := ring("bell")
				a.Volume = &test.want
				h.must(a)
				time.Sleep(2 * time.Second)
				said := h.session(0).said()
				for i := range said {
					said[i] = float64(int(said[i]*100+0.5)) / 100
				}
				if diff := cmp.Diff(test.said, said); diff != "" {
					t.Errorf("volumes (-want +got):\n%s", diff)
				}
				if journal := h.written(); len(journal) != len(test.said)-1 {
					t.Errorf("journal: got %v", journal)
				}
			})
		})
	}
}

func TestWhoeverSetsTheVolumeMeanwhileHasTheLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := belfry(t, nil)
		h.hang("long", 5*second)
		a := ring("long")
		a.Volume = &player.Loudness{Level: 0.9}
		h.must(a)
		h.must(player.SetVolume{Level: 0.2})
		time.Sleep(10 * time.Second)
		if diff := cmp.Diff([]float64{0.3, 0.9, 0.2}, h.session(0).said()); diff != "" && !slices.Equal(h.session(0).said(), []float64{0.9, 0.2}) {
			t.Errorf("volumes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"raised from 0.30", "lowered"}, h.written()); diff != "" {
			t.Errorf("journal (-want +got):\n%s", diff)
		}
	})
}

func TestAVolumeIsGivenBackAlsoWhereTheSessionIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := belfry(t, nil)
		h.hang("long", 5*second)
		a := ring("long")
		a.Volume = &player.Loudness{Level: 0.9}
		h.must(a)
		h.set(func() {
			h.receiver = func() (player.Session, error) { return nil, errors.New("nobody is at home") }
		})
		h.session(0).hangUp(errors.New("the wire is cut"))
		time.Sleep(20 * time.Second)
		h.set(func() {
			h.receiver = func() (player.Session, error) {
				s := newSession()
				h.dialled = append(h.dialled, s)
				return s, nil
			}
		})
		time.Sleep(time.Minute)
		if got := h.session(1).said(); len(got) != 1 || got[0] != 0.3 {
			t.Errorf("volumes: got %v, want 0.3", got)
		}
		if !h.session(1).isClosed() {
			t.Errorf("the session is still open")
		}
		if diff := cmp.Diff([]string{"raised from 0.30", "lowered"}, h.written()); diff != "" {
			t.Errorf("journal (-want +got):\n%s", diff)
		}
		want := []string{"a1 announcement_started ", "a1 announcement_finished error"}
		if diff := cmp.Diff(want, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestAVolumeOfAnEarlierLifeIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := belfry(t, nil)
		h.must(player.Restore{Level: 0.25})
		time.Sleep(time.Second)
		if got := h.session(0).said(); len(got) != 1 || got[0] != 0.25 {
			t.Errorf("volumes: got %v, want 0.25", got)
		}
		if diff := cmp.Diff([]string{"lowered"}, h.written()); diff != "" {
			t.Errorf("journal (-want +got):\n%s", diff)
		}
	})
}

func TestWhatIsAskedForMeanwhileWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := belfry(t, nil)
		h.put("other", second)
		h.must(player.Play{File: "music"})
		h.must(ring("bell"))
		began := time.Now()
		h.must(player.Play{File: "other"})
		if got := time.Since(began); got < 2*time.Second || got > 2100*time.Millisecond {
			t.Errorf("the other sound is heard after %v, want the bell's second and its own lead", got)
		}
		time.Sleep(2 * time.Second)
		got := h.session(0).Samples()
		expect(t, "the end", got[len(got)-second:], streamtest.Samples(0, second))
		_ = bell
	})
}

func TestStopAndPauseEndAnnouncements(t *testing.T) {
	for _, policy := range []player.Policy{player.Duck, player.Interrupt} {
		for _, c := range []player.Command{player.Stop{}, player.Pause{}, player.PlayPause{}} {
			t.Run(fmt.Sprintf("%s %T", policy, c), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, _ := belfry(t, nil)
					h.hang("long", 10*second)
					h.must(player.Play{File: "music", Volume: level(0.3)})
					a := ring("long")
					a.Policy, a.Volume = policy, &player.Loudness{Level: 0.9}
					h.must(a)
					waiting, late := h.ask(ring("bell")), h.ask(player.Play{File: "music"})
					time.Sleep(time.Second)
					h.must(c)
					if err := <-waiting; !errors.Is(err, player.ErrReplaced) {
						t.Errorf("what waits: got %v, want %v", err, player.ErrReplaced)
					}
					if err := <-late; !errors.Is(err, player.ErrReplaced) {
						t.Errorf("what was postponed: got %v, want %v", err, player.ErrReplaced)
					}
					s := h.session(0)
					silent := len(s.Sound())
					time.Sleep(5 * time.Second)
					if got := len(s.Sound()); got != silent {
						t.Errorf("%d frames were heard after it", got-silent)
					}
					if diff := cmp.Diff([]float64{0.3, 0.9, 0.3}, s.said()); diff != "" {
						t.Errorf("volumes (-want +got):\n%s", diff)
					}
					want := player.Paused
					if c == (player.Stop{}) {
						want = player.Idle
					}
					if got := h.state().Status; got != want {
						t.Errorf("state: got %s, want %s", got, want)
					}
					if want == player.Paused {
						h.must(player.Resume{})
						time.Sleep(2 * time.Second)
						if got := h.state().Status; got != player.Playing {
							t.Errorf("state: got %s, want playing", got)
						}
					}
				})
			})
		}
	}
}

func TestHushLetsTheMusicGoOn(t *testing.T) {
	for _, policy := range []player.Policy{player.Duck, player.Interrupt} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _ := belfry(t, nil)
				h.hang("long", 20*second)
				h.must(player.Play{File: "music"})
				a := ring("long")
				a.Policy = policy
				h.must(a)
				time.Sleep(time.Second)
				h.must(player.Hush{})
				time.Sleep(2 * time.Second)
				if got := h.state(); got.Status != player.Playing || got.Announcing != "" {
					t.Errorf("state: got %s, %q", got.Status, got.Announcing)
				}
				heard := h.session(0).Samples()
				last := heard[len(heard)-1]
				place := int64(last[1]-1)*32749 + int64(last[0]-1)
				expect(t, "music", heard[len(heard)-second/2:], streamtest.Samples(place+1-second/2, place+1))
			})
		})
	}
}

func TestALostWarmSessionIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, bell := belfry(t, nil)
		h.must(ring("bell"))
		time.Sleep(3 * time.Second)
		answer := h.ask(ring("bell"))
		synctest.Wait()
		h.session(0).hangUp(errors.New("the wire is cut"))
		if err := <-answer; err != nil {
			t.Errorf("got %v, want nil", err)
		}
		time.Sleep(2 * time.Second)
		expect(t, "bell", h.session(1).Samples(), bell)
		want := []string{"a1 announcement_started ", "a1 announcement_finished ended", "a2 announcement_started ", "a2 announcement_finished ended"}
		if diff := cmp.Diff(want, h.happened()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestMusicGoesOnWhileClipsAreFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := belfry(t, func(h *house) { h.clipTake = 5 * time.Second })
		h.hang("http://nas/speech.mp3", second)
		h.set(func() { h.sounds["album"] = audio.Track{Source: streamtest.Sound(60 * second).Seekable()} })
		h.must(player.Play{File: "album"})
		speech := h.ask(player.Announce{Clips: []player.Sound{{URL: "http://nas/speech.mp3"}}})
		nothing := h.ask(player.Announce{Clips: []player.Sound{{File: "none.mp3"}}})
		began := time.Now()
		h.must(ring("bell")) // is not held up
		if got := time.Since(began); got > 258*time.Millisecond {
			t.Errorf("the bell is heard after %v, want 258ms at most", got)
		}
		time.Sleep(2 * time.Second)
		h.must(player.Seek{To: 0, Relative: true}) // nor is anything else
		if err := <-speech; err != nil {
			t.Errorf("speech: got %v, want nil", err)
		}
		if err := <-nothing; !errors.Is(err, audio.ErrUnsupported) {
			t.Errorf("nothing: got %v, want %v", err, audio.ErrUnsupported)
		}
	})
}

func TestASpeakerThatIsNotThereIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nobody := errors.New("nobody is at home")
		h, _ := belfry(t, func(h *house) {
			h.receiver = func() (player.Session, error) { return nil, nobody }
		})
		if err := <-h.ask(ring("bell")); !errors.Is(err, nobody) {
			t.Errorf("got %v, want %v", err, nobody)
		}
		h.set(func() { h.dialTake = 10 * time.Second })
		a := ring("bell")
		a.Expires = time.Now().Add(2 * time.Second)
		if err := <-h.ask(a); !errors.Is(err, player.ErrExpired) {
			t.Errorf("got %v, want %v", err, player.ErrExpired)
		}
	})
}

func TestAnnouncementsThatMakeNoSense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := belfry(t, nil)
		nan := 0.0
		nan /= nan
		for name, a := range map[string]player.Announce{
			"nothing":      {},
			"two in one":   {Clips: []player.Sound{{Chime: "bell", URL: "http://nas"}}},
			"an empty one": {Clips: []player.Sound{{}}},
			"too many":     ring("1", "2", "3", "4", "5", "6", "7", "8", "9"),
			"no policy":    {Clips: ring("bell").Clips, Policy: "shout"},
			"no number":    {Clips: ring("bell").Clips, Volume: &player.Loudness{Level: nan}},
			"too long":     {Clips: ring("bell").Clips, Lasts: time.Hour},
		} {
			if err := <-h.ask(a); err == nil {
				t.Errorf("%s: got no error", name)
			}
		}
	})
}

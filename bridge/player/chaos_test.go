package player_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/bridge/player"
)

// TestNothingIsForgotten lets hundreds of random things happen and then counts:
// each command is answered once, each playback ends once, each session is
// closed, and so is each sound. That no goroutine is left is held by the
// bubble.
func TestNothingIsForgotten(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { live(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

// TestNothingIsForgottenInGroups does the same to speakers that join and leave
// each other, and to a group with all of them.
func TestNothingIsForgottenInGroups(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { liveTogether(t, rand.New(rand.NewPCG(seed, 3))) })
		})
	}
}

func liveTogether(t *testing.T, random *rand.Rand) {
	upTo := func(most time.Duration) time.Duration { return time.Duration(random.Int64N(int64(most))) }
	all := rooms(t, func(h *house) {
		luck := rand.New(rand.NewPCG(random.Uint64(), 4))
		h.cfg.HangUp = 2 * time.Second
		h.receiver = func() (player.Session, error) {
			if luck.IntN(5) == 0 {
				return nil, errors.New("nobody is at home")
			}
			s := newSession()
			s.closeTakes, s.StartTakes = time.Duration(luck.Int64N(1e9)), time.Duration(luck.Int64N(1e9))
			if luck.IntN(8) == 0 {
				s.FlushTakes = time.Minute
			}
			h.dialled = append(h.dialled, s)
			return s, nil
		}
		h.clips["bell"] = audio.NewClip(make([]audio.Frame, second))
	}, "kitchen", "hall", "bath")
	g, other := group(t, "downstairs", all...), group(t, "upstairs", all[1], all[2])
	everybody := append(slices.Clone(all), g, other)
	for _, h := range everybody {
		h.put("bell", second/2)
		h.put("music", 8*second)
	}
	var asked, answered atomic.Int64
	for range 300 {
		h := everybody[random.IntN(len(everybody))]
		if sessions := h.dialledNow(); len(sessions) > 0 && random.IntN(8) == 0 {
			err := []error{nil, errors.New("the wire is cut"), takenOver{}}[random.IntN(3)]
			sessions[len(sessions)-1].hangUp(err)
		}
		h.set(func() {
			h.dialTake, h.openTake = upTo(2*time.Second), upTo(2*time.Second)
			h.sounds["album"] = audio.Track{Source: streamtest.Sound(8 * second).Seekable()}
		})
		members := players(all)[:random.IntN(4)]
		commands := []player.Command{
			player.Play{File: "bell"}, player.Play{File: "music"}, player.Play{File: "album"}, player.Play{File: "music"}, player.Play{File: "none"},
			player.Pause{}, player.Resume{}, player.PlayPause{}, player.Stop{}, player.Next{}, player.Previous{},
			player.Seek{To: upTo(12 * time.Second)}, player.SetVolume{Level: random.Float64()}, player.Mute{To: player.MuteToggle},
			player.Play{File: "album", Enqueue: player.EnqueueAdd}, player.Play{File: "bell", Enqueue: player.EnqueueNext},
			player.Join{Leader: all[random.IntN(len(all))].player}, player.Join{Leader: all[0].player}, player.Join{Leader: g.player},
			player.Unjoin{}, player.Lead{Members: members}, player.Prepare{},
			player.Announce{Clips: ring("bell").Clips}, player.Announce{Clips: ring("bell").Clips, Policy: player.Interrupt, Key: "other"}, player.Hush{},
		}
		c := commands[random.IntN(len(commands))]
		asked.Add(1)
		var once atomic.Bool
		if err := h.player.Send(c, func(error) {
			if once.Swap(true) {
				t.Errorf("%T was answered twice", c)
			}
			answered.Add(1)
		}); err != nil {
			asked.Add(-1)
		}
		time.Sleep(upTo([]time.Duration{time.Millisecond, 2 * time.Second, 8 * time.Second}[random.IntN(3)]))
	}
	var ending sync.WaitGroup
	for _, h := range everybody {
		ending.Go(func() { h.stop() })
	}
	ending.Wait()
	time.Sleep(time.Minute)
	if asked.Load() != answered.Load() {
		t.Errorf("%d commands were asked, %d answered", asked.Load(), answered.Load())
	}
	ended := 0
	for _, h := range everybody {
		begun := map[string]int{}
		for _, e := range h.happened() {
			id, rest, _ := strings.Cut(e, " ")
			if strings.HasSuffix(rest, "_started ") {
				begun[id]++
			} else if strings.HasPrefix(rest, player.PlaybackFinished) || strings.HasPrefix(rest, player.PlaybackFailed) {
				begun[id]--
				ended++
			}
		}
		for id, n := range begun {
			if n > 0 && strings.HasPrefix(id, "p") {
				t.Errorf("%s began and did not end", id)
			}
		}
		for i, s := range h.dialledNow() {
			if !s.isClosed() {
				t.Errorf("session %d is open", i)
			}
		}
	}
	if ended < 20 {
		t.Errorf("%d playbacks ended, which proves little", ended)
	}
}

func live(t *testing.T, random *rand.Rand) {
	upTo := func(most time.Duration) time.Duration { return time.Duration(random.Int64N(int64(most))) }
	// The house calls these from the player's goroutines, one at a time.
	luck := rand.New(rand.NewPCG(random.Uint64(), 2))
	h := build(t, func(h *house) {
		h.cfg.HangUp = 2 * time.Second
		h.receiver = func() (player.Session, error) {
			if luck.IntN(5) == 0 {
				return nil, errors.New("nobody is at home")
			}
			s := newSession()
			s.closeTakes = time.Duration(luck.Int64N(1e9))
			s.volumeTakes = time.Duration(luck.Int64N(1e8))
			s.StartTakes = time.Duration(luck.Int64N(2e9))
			if luck.IntN(5) == 0 {
				s.FlushTakes = time.Minute
			}
			if luck.IntN(10) == 0 {
				s.StartTakes = time.Minute
			}
			h.dialled = append(h.dialled, s)
			return s, nil
		}
	})
	h.put("bell", second/2)
	h.put("music", 8*second)
	h.put("radio", 8*second)
	h.hang("bell", second)
	h.hang("speech", 3*second)
	radio := h.sounds["radio"]
	radio.Live = true
	h.sounds["radio"] = radio

	policies := []player.Policy{player.Duck, player.Interrupt, player.Skip, player.Wait}
	var asked, answered atomic.Int64
	for range 400 {
		h.set(func() {
			h.dialTake, h.openTake, h.clipTake = upTo(2*time.Second), upTo(2*time.Second), upTo(4*time.Second)
		})
		h.set(func() {
			h.sounds["album"] = audio.Track{Source: streamtest.Sound(8 * second).Seekable()}
		})
		if n := len(h.dialledNow()); n > 0 && random.IntN(8) == 0 {
			err := []error{nil, errors.New("the wire is cut"), takenOver{}}[random.IntN(3)]
			h.session(n - 1).hangUp(err)
		}
		commands := []player.Command{
			player.Play{File: "bell"}, player.Play{File: "music"}, player.Play{File: "album"}, player.Play{URL: "radio"}, player.Play{File: "none"},
			player.Pause{}, player.Resume{}, player.PlayPause{}, player.PlayPause{}, player.Stop{},
			player.Seek{To: upTo(12 * time.Second)}, player.Seek{To: -upTo(5 * time.Second), Relative: true},
			player.SetVolume{Level: random.Float64(), Fade: upTo(3 * time.Second)}, player.Mute{To: player.MuteToggle},
			player.Play{File: "bell", Enqueue: player.EnqueueAdd}, player.Play{File: "album", Enqueue: player.EnqueueAdd, Expires: time.Now().Add(upTo(time.Minute))},
			player.Play{File: "bell", Enqueue: player.EnqueueNext}, player.Play{File: "none", Enqueue: player.EnqueueAdd},
			player.Play{File: "album", Enqueue: player.EnqueuePlay, MaxDuration: upTo(5 * time.Second)},
			player.Next{}, player.Next{}, player.Previous{}, player.ClearQueue{},
			player.SetRepeat{To: []player.Repeat{player.RepeatOff, player.RepeatOne, player.RepeatAll}[random.IntN(3)]},
			player.Prepare{For: upTo(time.Minute)}, player.VolumeChanged{Level: random.Float64()},
			player.Announce{Clips: ring("bell").Clips, Policy: policies[random.IntN(4)], Volume: &player.Loudness{Level: random.Float64()}, Key: fmt.Sprint(random.IntN(3))},
			player.Announce{Clips: []player.Sound{{Chime: "bell"}, {URL: "speech"}}, Priority: random.IntN(3), Policy: policies[random.IntN(4)], Expires: time.Now().Add(upTo(20 * time.Second))},
			player.Announce{Clips: []player.Sound{{URL: "none"}}, Unmute: true}, player.Announce{Clips: ring("bell").Clips, Unmute: true, Lasts: upTo(20 * time.Second)},
			player.Hush{}, player.Restore{Level: random.Float64()},
		}
		c := commands[random.IntN(len(commands))]
		asked.Add(1)
		var once atomic.Bool
		if err := h.player.Send(c, func(error) {
			if once.Swap(true) {
				t.Errorf("%T was answered twice", c)
			}
			answered.Add(1)
		}); err != nil {
			asked.Add(-1)
		}
		time.Sleep(upTo([]time.Duration{time.Millisecond, 2 * time.Second, 8 * time.Second}[random.IntN(3)]))
	}
	began := time.Now()
	h.stop()
	if took := time.Since(began); took > 7*time.Second {
		t.Errorf("Run returned after %v, want 7s at most", took)
	}
	time.Sleep(time.Minute)
	if asked.Load() != answered.Load() {
		t.Errorf("%d commands were asked, %d answered", asked.Load(), answered.Load())
	}
	ends := map[string]int{}
	begun := map[string]bool{}
	for _, e := range h.happened() {
		id, rest, _ := strings.Cut(e, " ")
		switch {
		case strings.HasPrefix(rest, player.AnnouncementStarted):
			begun[id] = true
		case !strings.HasPrefix(rest, player.PlaybackStarted):
			ends[id]++
		}
	}
	for id := range begun {
		if ends[id] != 1 {
			t.Errorf("announcement %s began and ended %d times", id, ends[id])
		}
	}
	if len(begun) < 5 {
		t.Errorf("%d announcements were heard, which proves little", len(begun))
	}
	for id, n := range ends {
		if n != 1 {
			t.Errorf("%s ended %d times", id, n)
		}
	}
	if len(ends) < 30 {
		t.Errorf("%d playbacks ended, which proves little", len(ends))
	}
	for i, line := range h.written() {
		if raised := strings.HasPrefix(line, "raised"); i > 0 && raised == strings.HasPrefix(h.written()[i-1], "raised") && raised {
			t.Errorf("a volume was raised twice")
		}
	}
	for i, s := range h.dialledNow() {
		if !s.isClosed() {
			t.Errorf("session %d is open", i)
		}
	}
}

func TestASessionThatHeedsNothingDoesNotKeepTheHouse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rude := make(chan struct{})
		h := build(t, func(h *house) {
			h.receiver = func() (player.Session, error) {
				s := newSession()
				s.Rude = rude
				s.closeTakes = time.Hour
				h.dialled = append(h.dialled, s)
				return s, nil
			}
		})
		h.put("bell", second)
		play := h.ask(player.Play{File: "bell"})
		time.Sleep(time.Second)
		began := time.Now()
		stopped := h.ask(player.Stop{})
		if err := <-play; !errors.Is(err, player.ErrReplaced) {
			t.Errorf("Play: got %v, want %v", err, player.ErrReplaced)
		}
		<-stopped
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("Stop was answered after %v, want 6s at most", took)
		}
		began = time.Now()
		h.stop()
		if took := time.Since(began); took > 9*time.Second {
			t.Errorf("Run returned after %v, want 9s at most", took)
		}
		close(rude)
		time.Sleep(2 * time.Hour)
	})
}

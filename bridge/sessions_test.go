package bridge_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/raop/raoptest"
)

// busyAfter tells whether the receiver is still ours some time from now.
func busyAfter(r *raoptest.Receiver, d time.Duration) bool {
	time.Sleep(d)
	synctest.Wait()
	return r.Busy()
}

func TestSessionsAreKeptAsConfigured(t *testing.T) {
	for _, test := range []struct {
		name string
		warm config.Warmth
		busy time.Duration // after the sound; -1: for ever
	}{
		{"by default", 0, 10 * time.Second},
		{"a minute", config.Warmth(time.Minute), time.Minute},
		{"always", config.Always, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := settings(t)
				s.Devices[0].KeepWarm = test.warm
				h, rx := build(t, s, raoptest.Config{Name: "Kitchen"})
				h.tone("tone.wav", 1)
				h.say("kitchen/play_file", "tone.wav")
				h.until("airplay/kitchen/event", `"playback_finished"`)
				if test.busy < 0 {
					if !busyAfter(rx[0], 2*time.Hour) {
						t.Error("the session was not kept")
					}
					return
				}
				if !busyAfter(rx[0], test.busy-time.Second) {
					t.Errorf("the session was not kept for %v", test.busy)
				}
				if busyAfter(rx[0], 2*time.Second) {
					t.Errorf("the session was kept for more than %v", test.busy)
				}
			})
		})
	}
}

func TestPrepareOpensASessionAheadOfNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := map[string]time.Duration{"SETUP": 700 * time.Millisecond}
		h, rx := build(t, settings(t), raoptest.Config{Name: "Kitchen", Delays: slow})
		h.tone("tone.wav", 1)
		h.say("kitchen/prepare", `{"seconds":60,"transaction":"ready"}`)
		if code := h.result("kitchen", "ready"); code != "" {
			t.Fatalf("prepare: got %s, want ok", code)
		}
		if !busyAfter(rx[0], 58*time.Second) {
			t.Error("the session was not kept for a minute")
		}
		began := time.Now()
		h.say("kitchen/play_file", `{"path":"tone.wav","latency":"chime","transaction":"t"}`)
		if code := h.result("kitchen", "t"); code != "" {
			t.Fatalf("play: got %s, want ok", code)
		}
		if took := time.Since(began); took > 550*time.Millisecond {
			t.Errorf("heard after %v, want 500ms, the floor of a receiver of which nothing is known", took)
		}
	})
}

func TestPlainLineAnnouncesWhatThereIs(t *testing.T) {
	for line, want := range map[string]uint32{"early": 88200, "plain": 44100 - 11025 - 10*352} {
		synctest.Test(t, func(t *testing.T) {
			s := settings(t)
			s.Devices[0].Line = line
			h, rx := build(t, s, raoptest.Config{Name: "Kitchen"})
			h.tone("tone.wav", 1)
			h.say("kitchen/play_file", "tone.wav")
			h.until("airplay/kitchen/event", `"playback_finished"`)
			syncs := rx[0].Log().Syncs
			if got := syncs[0].Latency; got > want || got < want-100 {
				t.Errorf("%s: announced a latency of %d frames, want %d", line, got, want)
			}
		})
	}
}

func TestQuietHoursTurnDownWhatPlays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		minute := time.Now().Hour()*60 + time.Now().Minute()
		clock := func(later int) config.Clock { return config.Clock{Minute: (minute + later) % (24 * 60), Set: true} }
		s.QuietHours = config.QuietHours{From: clock(1), To: clock(3), MaxVolume: 20}
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen"})
		h.tone("tone.wav", 20)
		h.say("kitchen/play_file", `{"path":"tone.wav","volume":60,"repeat":"one"}`)
		h.until("airplay/kitchen/state", `"state":"playing"`)
		wire := func(want float64) {
			t.Helper()
			synctest.Wait()
			if got := rx[0].Volume(); got < want-0.001 || got > want+0.001 {
				t.Errorf("volume on the wire: got %v dB, want %v", got, want)
			}
		}
		wire(-12)
		h.until("airplay/kitchen/state", `"volume":20,`)
		wire(-24)
		h.say("kitchen/set_volume", `{"volume":90,"transaction":"louder"}`)
		h.result("kitchen", "louder")
		wire(-24)
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAVolumeThatIsHeldDownIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		h.say("kitchen/set_volume", "60")
		h.until("airplay/kitchen/state/volume", "60")
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		minute := time.Now().Hour()*60 + time.Now().Minute()
		s.QuietHours = config.QuietHours{MaxVolume: 20,
			From: config.Clock{Minute: minute, Set: true}, To: config.Clock{Minute: (minute + 5) % (24 * 60), Set: true}}
		for range 2 { // also the second time
			h.moveIn(s)
			h.until("airplay/kitchen/state/volume", "20")
			time.Sleep(10 * time.Second)
			if err := h.stop(); err != nil {
				t.Fatal(err)
			}
		}
		h.moveIn(s)
		time.Sleep(5 * time.Minute)
		h.until("airplay/kitchen/state/volume", "60")
	})
}

// tail holds a receiver to have heard the end of a sound, from anywhere within
// it on.
func tail(t *testing.T, r *raoptest.Receiver, want []int16, atLeast time.Duration) {
	t.Helper()
	got := sounds(r)
	if len(got) > len(want) || !slices.Equal(got, want[len(want)-len(got):]) {
		t.Errorf("heard %d samples, not the end of the sound", len(got))
	}
	if least := int(atLeast.Seconds() * 44100 * 2); len(got) < least {
		t.Errorf("heard %d samples, want %d at least", len(got), least)
	}
}

func TestASpeakerThatIsSwitchedOffAndOnGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		want := h.tone("tone.wav", 60)
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"t"}`)
		h.result("kitchen", "t")
		time.Sleep(10 * time.Second)
		rx[0].Vanish()
		h.until("airplay/kitchen/state", `"state":"buffering"`)
		time.Sleep(4 * time.Second)
		again, err := raoptest.New(raoptest.Config{Name: "Kitchen", Network: h.lan.Host("10.0.0.20"), Address: ":5000"})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		h.until("airplay/kitchen/state", `"state":"playing"`)
		h.until("airplay/kitchen/state", `"state":"idle"`)
		tail(t, again, want, 38*time.Second)
		if got := h.latest("airplay/kitchen/event"); !strings.Contains(got, `"ended"`) {
			t.Errorf("event: got %s, want that it has ended", got)
		}
	})
}

// The port of a program that is killed may outlive its connections by a moment.
func TestASpeakerThatIsKilledIsNotTakenForTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		want := h.tone("tone.wav", 20)
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"t"}`)
		h.result("kitchen", "t")
		time.Sleep(5 * time.Second)
		rx[0].HangUp()
		time.Sleep(10 * time.Millisecond)
		rx[0].Vanish()
		h.until("airplay/kitchen/state", `"state":"buffering"`)
		again, err := raoptest.New(raoptest.Config{Name: "Kitchen", Network: h.lan.Host("10.0.0.20"), Address: ":5000"})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		h.until("airplay/kitchen/state", `"state":"idle"`)
		tail(t, again, want, 5*time.Second)
	})
}

func TestAMachineThatHasSleptDialsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		want := h.tone("tone.wav", 60)
		h.say("kitchen/play_file", `{"path":"tone.wav","transaction":"t"}`)
		h.result("kitchen", "t")
		time.Sleep(10 * time.Second)
		before := len(sounds(rx[0]))
		h.asleep.Add(int64(8 * time.Hour))
		h.until("airplay/kitchen/state", `"state":"idle"`)
		if got := rx[0].Log().Sessions; got != 2 {
			t.Errorf("got %d sessions, want two: the first is of no use any more", got)
		}
		got := sounds(rx[0])
		rest := len(got) - before
		if rest < 44*44100*2 || !slices.Equal(got[before+3*44100*2:], want[len(want)-(rest-3*44100*2):]) {
			t.Errorf("heard %d samples after the sleep, not the end of the sound", rest)
		}
	})
}

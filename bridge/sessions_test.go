package bridge_test

import (
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
					if !busyAfter(rx[0], 12*time.Hour) {
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

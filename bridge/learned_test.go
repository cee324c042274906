package bridge_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/bridge"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

func TestTheFloorIsLearned(t *testing.T) {
	smooth, rough, short := raop.Stats{Packets: 1000}, raop.Stats{Packets: 1000, Missed: 5}, raop.Stats{Packets: 100, Missed: 50}
	for _, test := range []struct {
		name     string
		sessions []raop.Stats
		want     time.Duration
		smooth   int
	}{
		{"nothing was ever missed", []raop.Stats{smooth, smooth}, 0, 0},
		{"a session that proves nothing", []raop.Stats{short}, 0, 0},
		{"a packet of a million", []raop.Stats{{Packets: 1e6, Missed: 100}}, 0, 0},
		{"gaps", []raop.Stats{rough}, 375 * time.Millisecond, 0},
		{"gaps, and then none", []raop.Stats{rough, smooth, smooth}, 375 * time.Millisecond, 2},
		{"gaps twice", []raop.Stats{rough, smooth, rough}, 562500 * time.Microsecond, 0},
		{"gaps always", slices.Repeat([]raop.Stats{rough}, 20), 2 * time.Second, 0},
		{"gaps once, long ago", append([]raop.Stats{rough}, slices.Repeat([]raop.Stats{smooth}, 20)...), 0, 0},
	} {
		if got, n := bridge.Learn(250*time.Millisecond, test.sessions...); got != test.want || n != test.smooth {
			t.Errorf("%s: got %v after %d smooth sessions, want %v after %d", test.name, got, n, test.want, test.smooth)
		}
	}
}

func TestTheBestTimingIsTriedOnceInAWhile(t *testing.T) {
	refused, good := airplay.Facts{First: airplay.NTP}, airplay.Facts{}
	for name, c := range map[string]struct {
		sessions []airplay.Facts
		want     airplay.Timing
	}{
		"never":            {nil, airplay.AutoTiming},
		"once":             {[]airplay.Facts{refused}, airplay.NTP},
		"again and again":  {slices.Repeat([]airplay.Facts{refused}, 49), airplay.NTP},
		"for a long time":  {slices.Repeat([]airplay.Facts{refused}, 50), airplay.AutoTiming},
		"and then no more": {[]airplay.Facts{refused, good}, airplay.AutoTiming},
		"and then again":   {slices.Repeat([]airplay.Facts{refused}, 51), airplay.NTP},
	} {
		if got := bridge.FirstTiming(c.sessions...); got != c.want {
			t.Errorf("refused %s: got %q first, want %q", name, got, c.want)
		}
	}
}

func TestTheWayThatWorkedIsTheFirstOneTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		h, rx := build(t, s, raoptest.Config{Name: "Kitchen", NeedsAuthSetup: true})
		h.tone("tone.wav", 1)
		play := func() (announces int) {
			h.say("kitchen/play_file", "tone.wav")
			h.until("airplay/kitchen/state", `"state":"playing"`)
			h.until("airplay/kitchen/state", `"state":"idle"`)
			time.Sleep(time.Minute) // the session is over
			return strings.Count(rx[0].Transcript(), "> ANNOUNCE")
		}
		if got := play(); got != 2 {
			t.Errorf("got %d ANNOUNCEs at first, want two: one is refused", got)
		}
		if got := play(); got != 3 {
			t.Errorf("got %d ANNOUNCEs in all, want three: it is known by now", got)
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		h.moveIn(s)
		if got := play(); got != 4 {
			t.Errorf("got %d ANNOUNCEs in all, want four: it is known after a restart as well", got)
		}
	})
}

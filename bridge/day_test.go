package bridge_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/raop/raoptest"
)

// TestADayInTheHouse lives for 24 hours of virtual time in a house with two
// speakers: bells, music with a pause of five minutes, once of an hour, announcements, buttons,
// quiet hours; brokers that are killed, speakers that are switched off and on,
// a machine that sleeps. At the end of each hour there is as much as at the
// end of the first ones: no goroutine more, and no memory.
func TestADayInTheHouse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t)
		var hours []measure
		for n := range 24 {
			d.hour(n)
			hours = append(hours, d.measure())
		}
		t.Logf("after 2 hours %v, after 24 %v", hours[1], hours[23])
		first, last := slices.Clone(hours[1:7]), slices.Clone(hours[18:])
		least := func(all []measure) measure {
			m := all[0]
			for _, other := range all {
				m = measure{min(m.goroutines, other.goroutines), min(m.heap, other.heap)}
			}
			return m
		}
		if a, b := least(first), least(last); b.goroutines > a.goroutines || b.heap > a.heap+2<<20 {
			t.Errorf("got %v in the evening, want as much as in the morning: %v", b, a)
		}
	})
}

// A measure is how much there is.
type measure struct {
	goroutines int
	heap       uint64
}

func (m measure) String() string {
	return fmt.Sprintf("%d goroutines, %.1f MiB", m.goroutines, float64(m.heap)/(1<<20))
}

// A day is a house that is lived in.
type day struct {
	*house
	kitchen, hall *raoptest.Receiver
	server        string // where buttons call
	music         []int16
	said          int // commands
}

func newDay(t *testing.T) *day {
	s := settings(t)
	s.Devices[0].KeepWarm = config.Warmth(time.Minute)
	s.Devices = append(s.Devices, config.Device{Name: "Hall", Host: "10.0.0.21", Port: 5000, Protocol: "auto"})
	s.QuietHours = config.QuietHours{From: config.Clock{Minute: 20 * 60, Set: true}, To: config.Clock{Minute: 4 * 60, Set: true}, MaxVolume: 20}
	forgetful := raoptest.Config{SilenceLimit: 2 * time.Minute, Mutes: 9} // shairport-sync 3.3
	h, rx := build(t, s, forgetful, forgetful)
	d := &day{house: h, kitchen: rx[0], hall: rx[1], server: <-h.call}
	d.music = h.tone("music.wav", 14)
	h.until("airplay/hall/availability", "online")
	return d
}

// tell gives a command and wants it to be answered with ok.
func (d *day) tell(device, command, options string) {
	d.t.Helper()
	d.said++
	transaction := fmt.Sprint("t", d.said)
	d.say(device+"/"+command, `{"transaction":"`+transaction+`"`+options+`}`)
	if code := d.result(device, transaction); code != "" {
		d.t.Errorf("%s/%s %s: got %s, want ok", device, command, options, code)
	}
}

func (d *day) play(device string) { d.tell(device, "play_file", `,"path":"music.wav"`) }

// hour is one of the day.
func (d *day) hour(n int) {
	d.t.Helper()
	for range 3 {
		d.tell("kitchen", "chime", `,"chime":"ding"`)
		time.Sleep(8 * time.Second)
	}
	d.play("hall")
	time.Sleep(5 * time.Second)
	d.tell("hall", "chime", `,"chime":"ding","policy":"interrupt"`)
	time.Sleep(time.Minute)
	d.kitchen.Forget()
	d.play("kitchen")
	time.Sleep(10 * time.Second)
	d.tell("kitchen", "pause", "")
	if n == 12 {
		time.Sleep(time.Hour)
	}
	time.Sleep(5 * time.Minute)
	d.tell("kitchen", "play", "")
	time.Sleep(20 * time.Second)
	d.until("airplay/kitchen/state/state", "idle")
	if got := len(sounds(d.kitchen)); got < len(d.music) {
		d.t.Errorf("hour %d: heard %d samples with a pause in them, want %d at least", n, got, len(d.music))
	}
	d.tell("hall", "prepare", `,"seconds":90`)
	d.play("hall")
	time.Sleep(5 * time.Second)
	d.trouble(n)
	d.until("airplay/hall/state/state", "idle")
	time.Sleep(48 * time.Minute) // all sessions are over
}

// trouble is what happens while the hall plays.
func (d *day) trouble(n int) {
	d.t.Helper()
	switch n % 6 {
	case 1:
		d.broker.Load().Close()
		d.startBroker()
		time.Sleep(time.Minute)
		d.until("airplay/bridge/state", "online")
	case 2:
		d.hall.Vanish()
		d.hall.Forget() // it is ours until the test ends
		time.Sleep(3 * time.Second)
		again, err := raoptest.New(raoptest.Config{Network: d.lan.Host("10.0.0.21"), Address: ":5000"})
		if err != nil {
			d.t.Fatal(err)
		}
		d.t.Cleanup(func() { again.Close() })
		d.hall = again
		time.Sleep(30 * time.Second)
	case 3:
		d.asleep.Add(int64(time.Hour))
		time.Sleep(30 * time.Second)
	case 4:
		d.hall.HangUp() // somebody else takes it
		time.Sleep(30 * time.Second)
	case 5:
		for _, button := range []string{"volumeup", "playpause", "volumedown", "playpause", "nextitem"} {
			if _, err := d.hall.Press(d.t.Context(), d.server, button); err != nil {
				d.t.Errorf("%s: %v", button, err)
			}
			time.Sleep(time.Second)
		}
	}
}

// measure counts, when all that was remembered by the tests is forgotten.
func (d *day) measure() (m measure) {
	d.kitchen.Forget()
	d.hall.Forget()
	d.ear.mu.Lock()
	d.ear.all = nil
	d.ear.mu.Unlock()
	synctest.Wait()
	for range 2 {
		runtime.GC()
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return measure{runtime.NumGoroutine(), mem.HeapAlloc}
}

package bridge_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/discovery"
	"airplay2mqtt/internal/memnet"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"

	"github.com/rs/zerolog"
)

// announce has discovery find an AirPlay 2 receiver, on a host of its own.
func (h *house) announce(addr string, cfg airplaytest.Config) *airplaytest.Receiver {
	h.t.Helper()
	cfg.Network, cfg.Address = h.lan.Host(addr), ":7000"
	rx, err := airplaytest.New(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { rx.Close() })
	h.found <- discovery.Event{Device: discovery.Device{ID: rx.ID(), Name: rx.Name(), Model: cfg.Model,
		Addrs: []netip.Addr{netip.MustParseAddr(addr)}, AirPlay: &discovery.Service{Port: 7000, TXT: rx.TXT()}}}
	return rx
}

// heardBy flattens what an AirPlay 2 receiver heard, without silence.
func heardBy(rx *airplaytest.Receiver) []int16 {
	var pcm []int16
	for _, f := range rx.Heard() {
		if f != [2]int16{} {
			pcm = append(pcm, f[0], f[1])
		}
	}
	return pcm
}

func TestAirPlay2DevicesArePlayedTo(t *testing.T) {
	for slug, rx := range map[string]airplaytest.Config{
		"homepod": airplaytest.HomePod27(), "sonos": airplaytest.Sonos(), "television": airplaytest.NTPTelevision(),
		"shairport": airplaytest.Shairport(),
	} {
		t.Run(slug, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
				want := h.tone("tone.wav", 1)
				r := h.announce("10.0.0.30", rx)
				h.until("airplay/"+slug+"/availability", "online")
				h.say(slug+"/play_file", `{"path":"tone.wav","transaction":"t1","volume":40}`)
				if code := h.result(slug, "t1"); code != "" {
					t.Fatalf("got %s, want ok", code)
				}
				h.until("airplay/"+slug+"/state", `"state":"idle"`)
				if got := heardBy(r); !slices.Equal(got, want) {
					t.Errorf("heard %d samples, not the %d that were in the file", len(got), len(want))
				}
				confidence := `"confidence":"clock_locked"`
				if slug == "shairport" {
					confidence = `"confidence":"unknown"`
				}
				if all := strings.Join(h.every("airplay/"+slug+"/state"), ""); !strings.Contains(all, confidence) {
					t.Errorf("no state says %s", confidence)
				}
				if got := r.Log().Volumes; len(got) == 0 || got[len(got)-1] != -18 {
					t.Errorf("volumes on the wire: got %v, want -18 last", got)
				}
			})
		})
	}
}

func TestADeviceThatKeepsNoTimeIsAFailureWithItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		h.tone("tone.wav", 1)
		deaf := airplaytest.Samsung()
		deaf.NoPTP = true
		h.announce("10.0.0.30", deaf)
		h.until("airplay/samsung/availability", "online")
		h.say("samsung/play_file", `{"path":"tone.wav","transaction":"t1"}`)
		begun := time.Now()
		if code := h.result("samsung", "t1"); code != "no_clock" {
			t.Errorf("got %q, want no_clock", code)
		}
		if took := time.Since(begun); took > 7*time.Second {
			t.Errorf("took %v", took)
		}
		h.until("airplay/samsung/event", `"playback_failed"`)
	})
}

func TestHowADeviceKeepsTimeIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		h.tone("tone.wav", 1)
		television := airplaytest.NTPTelevision()
		h.announce("10.0.0.30", television)
		h.until("airplay/television/availability", "online")
		play := func(id string) time.Duration {
			begun := time.Now()
			h.say("television/play_file", `{"path":"tone.wav","transaction":"`+id+`"}`)
			if code := h.result("television", id); code != "" {
				t.Fatalf("got %s, want ok", code)
			}
			took := time.Since(begun)
			h.until("airplay/television/state", `"state":"idle"`)
			time.Sleep(time.Minute) // the session is over
			return took
		}
		if took := play("t1"); took < 5*time.Second {
			t.Errorf("took %v at first, want 5 s of trying PTP", took)
		}
		if took := play("t2"); took > 2*time.Second {
			t.Errorf("took %v the second time, want NTP at once", took)
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		h.moveIn(s)
		if took := play("t3"); took > 2*time.Second {
			t.Errorf("took %v after a restart, want NTP at once", took)
		}
	})
}

// Ports below 1024 need a right. Without it NTP is tried, and who keeps time by
// PTP only is a failure that says how the right is granted.
func TestWithoutTheRightToThePortsOfPTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		s := settings(t)
		h, _ := buildLogging(t, s, zerolog.New(&log), raoptest.Config{Name: "Kitchen"})
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		h.denied = syscall.EACCES
		h.moveIn(s)
		want := h.tone("tone.wav", 1)
		pod := h.announce("10.0.0.30", airplaytest.HomePod())
		h.announce("10.0.0.31", airplaytest.Sonos())
		h.until("airplay/homepod/availability", "online")
		h.until("airplay/sonos/availability", "online")
		h.say("homepod/play_file", `{"path":"tone.wav","transaction":"t1"}`)
		if code := h.result("homepod", "t1"); code != "" {
			t.Fatalf("got %s, want ok: it keeps time by NTP as well", code)
		}
		h.until("airplay/homepod/state", `"state":"idle"`)
		if got := heardBy(pod); !slices.Equal(got, want) {
			t.Errorf("heard %d samples, not the %d that were in the file", len(got), len(want))
		}
		begun := time.Now()
		h.say("sonos/play_file", `{"path":"tone.wav","transaction":"t2"}`)
		if code := h.result("sonos", "t2"); code != "no_clock" {
			t.Errorf("got %q, want no_clock", code)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("took %v, want 5 s at most", took)
		}
		h.until("airplay/sonos/event", `"playback_failed"`)
		for what, said := range map[string]string{
			"the state": h.until("airplay/sonos/state", `"no_clock"`), "the result": h.latest("airplay/sonos/result"),
			"the event": h.latest("airplay/sonos/event"), "the log": log.String(),
		} {
			for _, help := range []string{"net.ipv4.ip_unprivileged_port_start=319", "setcap cap_net_bind_service", "AmbientCapabilities"} {
				if !strings.Contains(said, help) {
					t.Errorf("%s does not say %s: %s", what, help, said)
				}
			}
		}
	})
}

// Where AirPlay 2 does not come about, AirPlay 1 is tried if the device speaks
// it too.
func TestAirPlay1IsTheLastResort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, rx := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		want := h.tone("tone.wav", 1)
		deaf := airplaytest.Config{Name: "Porch", NoPTP: true, NoNTP: true, Network: h.lan.Host("10.0.0.20"), Address: ":7000"}
		second, err := airplaytest.New(deaf)
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		h.found <- discovery.Event{Device: discovery.Device{ID: second.ID(), Name: "Porch", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.20")},
			RAOP:    &discovery.Service{Port: uint16(rx[0].Port()), TXT: rx[0].TXT()},
			AirPlay: &discovery.Service{Port: 7000, TXT: second.TXT()}}}
		h.until("airplay/porch/availability", "online")
		h.say("porch/play_file", `{"path":"tone.wav","transaction":"t1"}`)
		if code := h.result("porch", "t1"); code != "" {
			t.Fatalf("got %s, want ok", code)
		}
		h.until("airplay/porch/state", `"state":"idle"`)
		if got := sounds(rx[0]); !slices.Equal(got, want) {
			t.Errorf("heard %d samples by AirPlay 1, not the %d that were in the file", len(got), len(want))
		}
	})
}

func TestTheProtocolCanBeChosen(t *testing.T) {
	s := settings(t)
	s.Devices = append(s.Devices, config.Device{Name: "Studio", Host: "10.0.0.30", Port: 7000, Protocol: "airplay", Timing: "ntp"})
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		want := h.tone("tone.wav", 1)
		rx, err := airplaytest.New(airplaytest.Config{Network: h.lan.Host("10.0.0.30"), Address: ":7000", NoPTP: true})
		if err != nil {
			t.Fatal(err)
		}
		defer rx.Close()
		h.until("airplay/studio/availability", "online")
		h.say("studio/play_file", `{"path":"tone.wav","transaction":"t1"}`)
		if code := h.result("studio", "t1"); code != "" {
			t.Fatalf("got %s, want ok", code)
		}
		h.until("airplay/studio/state", `"state":"idle"`)
		if got := heardBy(rx); !slices.Equal(got, want) {
			t.Errorf("heard %d samples, not the %d that were in the file", len(got), len(want))
		}
	})
}

// A group of both kinds is one stream with both sessions as sinks.
func TestBothProtocolsAreInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := memnet.New()
		lan.Latency = time.Millisecond
		us := lan.Host("10.0.0.1")
		clock := ptp.New(ptp.Config{ListenPacket: us.ListenPacket})
		defer clock.Close()
		first, err := raoptest.New(raoptest.Config{Network: lan.Host("10.0.0.20")})
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		old, err := raop.Dial(t.Context(), first.Addr(), raop.ParseInfo(first.TXT()), &raop.Config{DialContext: us.DialContext, ListenPacket: us.ListenPacket})
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		sinks := []stream.Sink{old}
		var rxs []*airplaytest.Receiver
		for i, cfg := range []airplaytest.Config{airplaytest.HomePod(), airplaytest.HomePod27(), airplaytest.NTPTelevision(), airplaytest.Samsung()} {
			cfg.Network = lan.Host(fmt.Sprintf("10.0.0.%d", 30+i))
			rx, err := airplaytest.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer rx.Close()
			s, err := airplay.Dial(t.Context(), rx.Addr(), airplay.ParseInfo(rx.TXT()),
				&airplay.Config{Clock: clock, DialContext: us.DialContext, ListenPacket: us.ListenPacket})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			rxs, sinks = append(rxs, rx), append(sinks, s)
		}
		if err := stream.Play(t.Context(), streamtest.Sound(44100), sinks...); err != nil {
			t.Fatal(err)
		}
		want := begins(t, "AirPlay 1", spansOf(first.Log().Spans, func(s raoptest.Span) (time.Time, [][2]int16) { return s.At, s.Frames }))
		for _, rx := range rxs {
			got := begins(t, rx.Name(), spansOf(rx.Log().Spans, func(s airplaytest.Span) (time.Time, [][2]int16) { return s.At, s.Frames }))
			if off := got.Sub(want); off.Abs() > time.Millisecond {
				t.Errorf("%s is %v off, want 1 ms at most", rx.Name(), off)
			}
		}
	})
}

// A span is sound without a break, of either kind of receiver.
type span struct {
	at     time.Time
	frames [][2]int16
}

func spansOf[S any](spans []S, parts func(S) (time.Time, [][2]int16)) (all []span) {
	for _, s := range spans {
		at, frames := parts(s)
		all = append(all, span{at, frames})
	}
	return all
}

// begins holds a receiver to having heard the whole sound, and returns when
// that began.
func begins(t *testing.T, name string, spans []span) (first time.Time) {
	t.Helper()
	var got [][2]int16
	for _, s := range spans {
		for i, f := range s.frames {
			if f == [2]int16{} {
				continue
			}
			if first.IsZero() {
				first = s.at.Add(time.Duration(i) * time.Second / 44100)
			}
			got = append(got, f)
		}
	}
	if !slices.Equal(got, streamtest.Samples(0, 44100)) {
		t.Errorf("%s heard %d frames, not the 44100 that were sent", name, len(got))
	}
	return first
}

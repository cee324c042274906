package airplay_test

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/audio/stream/streamtest"
)

func TestTheOrderOfRequests(t *testing.T) {
	inHouse(t, airplaytest.Shairport(), func(h *house) {
		level := 0.5
		h.dial(airplay.Config{Volume: &level}).Close()
		want := []string{"GET /info", "POST /pair-setup", "POST /pair-setup", "SETUP", "RECORD", "SETPEERS", "SETUP", "SET_PARAMETER",
			"TEARDOWN", "TEARDOWN"}
		if got := h.rx.Methods(); !slices.Equal(got, want) {
			h.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestWithoutTheRightToThePorts(t *testing.T) {
	refused := func() *ptp.Engine {
		return ptp.New(ptp.Config{ListenPacket: func(string, string) (net.PacketConn, error) {
			return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)}
		}})
	}
	inHouse(t, airplaytest.Config{}, func(h *house) {
		s := h.dial(airplay.Config{Clock: refused()})
		if f := s.Facts(); f.Timing != airplay.NTP || !strings.Contains(f.Reason, "ip_unprivileged_port_start") {
			h.Errorf("got %+v, want NTP, and how the ports are granted", f)
		}
		if err := stream.Play(h.Context(), streamtest.Sound(4410), s); err != nil {
			h.Fatal(err)
		}
		heard(h.T, h.rx, streamtest.Samples(0, 4410))
	})
	for name, rx := range map[string]airplaytest.Config{"shairport-sync": airplaytest.Shairport(), "HomePod 27": airplaytest.HomePod27()} {
		inHouse(t, rx, func(h *house) {
			begun := time.Now()
			_, err := h.try(airplay.Config{Clock: refused()})
			if !errors.Is(err, ptp.ErrPorts) || !errors.Is(err, airplay.ErrTiming) || !strings.Contains(err.Error(), "setcap") {
				h.Errorf("%s: got %v, want ErrPorts, ErrTiming and how the ports are granted", name, err)
			}
			if took := time.Since(begun); took > 5*time.Second {
				h.Errorf("%s: took %v, want 5 s at most", name, took)
			}
		})
	}
}

func TestWhoDoesNotFollowIsNotPlayedTo(t *testing.T) {
	rx := airplaytest.Samsung()
	rx.NoPTP = true
	inHouse(t, rx, func(h *house) {
		begun := time.Now()
		_, err := h.try(airplay.Config{Timing: airplay.PTP})
		if !errors.Is(err, airplay.ErrNoClock) || !strings.Contains(err.Error(), "319 and 320") {
			h.Errorf("got %v, want ErrNoClock and the ports", err)
		}
		if took := time.Since(begun); took > 5100*time.Millisecond {
			h.Errorf("took %v, want 5 s", took)
		}
	})
}

func TestTheFallBackIsTold(t *testing.T) {
	inHouse(t, airplaytest.NTPTelevision(), func(h *house) {
		if f := h.dial(airplay.Config{}).Facts(); f.Timing != airplay.NTP || !strings.Contains(f.Reason, "does not keep time") {
			h.Errorf("got %+v, want NTP because it does not keep time by PTP", f)
		}
	})
}

// What a receiver did not do once is not waited for again, but when what it did
// instead does not work any more.
func TestTheTimingThatWorkedIsTriedFirst(t *testing.T) {
	inHouse(t, airplaytest.NTPTelevision(), func(h *house) {
		first := h.dial(airplay.Config{}).Facts().First
		if first != airplay.NTP {
			h.Fatalf("got %q to be tried first, want NTP", first)
		}
		begun := time.Now()
		f := h.dial(airplay.Config{First: first}).Facts()
		if took := time.Since(begun); took > time.Second || f.Timing != airplay.NTP || f.First != airplay.NTP || f.Reason != "" {
			h.Errorf("got %+v after %v, want NTP at once, and NTP the next time", f, took)
		}
	})
	inHouse(t, airplaytest.Sonos(), func(h *house) {
		if f := h.dial(airplay.Config{First: airplay.NTP}).Facts(); f.Timing != airplay.PTP || f.First != airplay.AutoTiming {
			h.Errorf("got %+v, want PTP, and that first the next time", f)
		}
		if f := h.dial(airplay.Config{First: airplay.NTP, Timing: airplay.PTP}).Facts(); f.Timing != airplay.PTP || f.Reason != "" {
			h.Errorf("got %+v, want PTP, as it was demanded", f)
		}
	})
	inHouse(t, airplaytest.Config{}, func(h *house) {
		denied := ptp.New(ptp.Config{ListenPacket: func(string, string) (net.PacketConn, error) { return nil, syscall.EACCES }})
		if f := h.dial(airplay.Config{Clock: denied}).Facts(); f.Timing != airplay.NTP || f.First != airplay.AutoTiming {
			h.Errorf("got %+v, want NTP, which says nothing of the next time: it is our own ports that are missing", f)
		}
	})
}

func TestPasswords(t *testing.T) {
	for _, c := range []struct {
		name, password string
		rx             airplaytest.Config
		want           error
	}{
		{"secret", "geheim", airplaytest.SecretPassword("geheim"), nil},
		{"secret, wrong", "falsch", airplaytest.SecretPassword("geheim"), airplay.ErrPassword},
		{"secret, none", "", airplaytest.SecretPassword("geheim"), airplay.ErrPassword},
		{"pairing", "geheim", airplaytest.SetupPassword("geheim"), nil},
		{"pairing, wrong", "falsch", airplaytest.SetupPassword("geheim"), airplay.ErrPassword},
		{"pairing, none", "", airplaytest.SetupPassword("geheim"), airplay.ErrPassword},
		{"digest", "geheim", airplaytest.DigestPassword("geheim"), nil},
		{"digest, wrong", "falsch", airplaytest.DigestPassword("geheim"), airplay.ErrPassword},
		{"digest, none", "", airplaytest.DigestPassword("geheim"), airplay.ErrPassword},
	} {
		inHouse(t, c.rx, func(h *house) {
			// What a receiver says when it is asked is as good as its record.
			for what, info := range map[string]airplay.Info{"announced": airplay.ParseInfo(h.rx.TXT()), "asked": {}} {
				s, err := airplay.Dial(h.Context(), h.rx.Addr(), info, h.config(airplay.Config{Password: c.password}))
				if !errors.Is(err, c.want) {
					h.Errorf("%s, %s: got %v, want %v", c.name, what, err, c.want)
				}
				if err != nil && (strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "falsch")) {
					h.Errorf("%s, %s: the error tells a password: %v", c.name, what, err)
				}
				if s != nil {
					s.Close()
				}
			}
		})
	}
}

func TestOnlyTheReceiverThatWasPairedIsTrusted(t *testing.T) {
	inHouse(t, airplaytest.AppleTV("1234"), func(h *house) {
		ours := h.paired("1234")
		h.dial(airplay.Config{Credentials: ours}).Close()
		for what, forge := range map[string]func(c *airplay.Credentials){
			"key": func(c *airplay.Credentials) { c.ReceiverKey = make([]byte, 32) }, "name": func(c *airplay.Credentials) { c.ReceiverID = "somebody" },
		} {
			c := ours
			forge(&c)
			if _, err := h.try(airplay.Config{Credentials: c}); !errors.Is(err, airplay.ErrImposter) {
				h.Errorf("another %s: got %v, want ErrImposter", what, err)
			}
		}
		h.rx.Forget()
		if _, err := h.try(airplay.Config{Credentials: ours}); !errors.Is(err, airplay.ErrPairing) || errors.Is(err, airplay.ErrImposter) {
			h.Errorf("one that has forgotten us: got %v, want ErrPairing", err)
		}
	})
}

func TestRefusalsAreTold(t *testing.T) {
	for _, c := range []struct {
		name string
		rx   airplaytest.Config
		want error
		text string
	}{
		{"for its home only", airplaytest.HomeMembersOnly(), airplay.ErrPairing, "470"},
		{"an Apple TV that was not paired", airplaytest.AppleTV("1234"), airplay.ErrPairing, "pair-setup M2"},
		{"AirPlay 1", airplaytest.Config{Answers: map[string]int{"GET /info": 404}}, airplay.ErrNotAirPlay2, "404"},
		{"busy", airplaytest.Config{Answers: map[string]int{"SETUP": 453}}, airplay.ErrBusy, "setup: 453"},
		{"SETUP", airplaytest.Config{Answers: map[string]int{"SETUP": 400}}, nil, "setup: 400"},
		{"RECORD", airplaytest.Config{Answers: map[string]int{"RECORD": 500}}, nil, "record: 500"},
		{"SETPEERS", airplaytest.Config{Answers: map[string]int{"SETPEERS": 400}}, nil, "setpeers: 400"},
		{"SETUP hangs", airplaytest.Config{Delays: map[string]time.Duration{"SETUP": -1}}, os.ErrDeadlineExceeded, "setup: no answer"},
		{"info hangs", airplaytest.Config{Delays: map[string]time.Duration{"GET": -1}}, os.ErrDeadlineExceeded, "info: no answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inHouse(t, c.rx, func(h *house) {
				s, err := h.try(airplay.Config{})
				if err == nil {
					s.Close()
					h.Fatal("got no error")
				}
				if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
					h.Errorf("got %v, want %v with %q", err, c.want, c.text)
				}
			})
		})
	}
}

func TestDialHeedsItsContext(t *testing.T) {
	for _, method := range []string{"GET", "SETUP", "RECORD"} {
		inHouse(t, airplaytest.Config{Delays: map[string]time.Duration{method: -1}}, func(h *house) {
			ctx, cancel := context.WithTimeout(h.Context(), 700*time.Millisecond)
			defer cancel()
			begun := time.Now()
			_, err := airplay.Dial(ctx, h.rx.Addr(), airplay.Info{}, h.config(airplay.Config{}))
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > time.Second {
				h.Errorf("%s: got %v after %v, want a deadline after 0.7 s", method, err, time.Since(begun))
			}
		})
	}
}

package raop_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

// breaks are the ways not to answer a request.
var breaks = []struct {
	name string
	how  func(cfg *raoptest.Config, method string)
	kind error // what the error is, once the receiver has answered anything
	says string
}{
	{"never", func(cfg *raoptest.Config, m string) { cfg.Delays = map[string]time.Duration{m: -1} }, nil, "no answer"},
	{"hangs up", broken(raoptest.HangsUp), raop.ErrClosedByReceiver, "closed by the receiver"},
	{"garbage", broken(raoptest.Garbage), raop.ErrProtocol, "no AirPlay 1 receiver"},
	{"half an answer", broken(raoptest.Half), nil, "no answer"},
	{"half an answer, and hangs up", broken(raoptest.HalfHangsUp), raop.ErrClosedByReceiver, "closed by the receiver"},
}

func broken(b raoptest.Break) func(*raoptest.Config, string) {
	return func(cfg *raoptest.Config, method string) { cfg.Breaks = map[string]raoptest.Break{method: b} }
}

// TestReceiversThatFailToAnswerAreToldApart has a receiver fail in each way at
// each step of the start ladder. That nothing is left behind is held by the
// bubble.
func TestReceiversThatFailToAnswerAreToldApart(t *testing.T) {
	level := 0.5
	for _, method := range []string{"POST", "ANNOUNCE", "SETUP", "SET_PARAMETER", "RECORD"} {
		for _, b := range breaks {
			t.Run(method+" "+b.name, func(t *testing.T) {
				cfg := raoptest.Config{NeedsAuthSetup: method == "POST"}
				b.how(&cfg, method)
				inHouse(t, cfg, func(h *house) {
					began := time.Now()
					s, err := h.try(raop.Config{Volume: &level})
					if err == nil {
						s.Close()
						h.Fatal("got a session, want an error")
					}
					took, text := time.Since(began), err.Error()
					if took > 13*time.Second {
						h.Errorf("took %v, want 13s at most", took)
					}
					step := strings.ToLower(method)
					kind, says := b.kind, b.says
					switch {
					case method == "POST" && kind == raop.ErrClosedByReceiver:
						step, kind, says = "announce", nil, "403" // it goes on without, and is refused
					case method == "POST":
						step = "auth-setup"
					case method == "ANNOUNCE" && kind == raop.ErrClosedByReceiver:
						kind, says = raop.ErrBusy, "hung up before it answered"
					case method == "RECORD" && kind == nil:
						kind = raop.ErrTiming // which is mostly why
					}
					if !strings.Contains(text, step) || !strings.Contains(text, says) || !strings.Contains(text, h.rx.Addr()) {
						h.Errorf("got %q, want the address, %q and %q in it", text, step, says)
					}
					if kind != nil && !errors.Is(err, kind) {
						h.Errorf("got %q, want it to be %q", text, kind)
					}
				})
			})
		}
	}
}

// TestSessionsOutliveWhatIsNotAnswered has a receiver fail when it is asked for
// its volume while dialling, which is not worth an error where the connection
// stands.
func TestSessionsOutliveWhatIsNotAnswered(t *testing.T) {
	for _, b := range breaks {
		t.Run(b.name, func(t *testing.T) {
			var cfg raoptest.Config
			b.how(&cfg, "GET_PARAMETER")
			inHouse(t, cfg, func(h *house) {
				s, err := h.try(raop.Config{})
				switch {
				case b.kind == nil && err != nil:
					h.Fatalf("got %v, want a session", err)
				case b.kind != nil && !errors.Is(err, b.kind):
					h.Errorf("got %v, want %v", err, b.kind)
				}
				if err == nil {
					s.Close()
				}
			})
		})
	}
}

// TestSessionsEndWhereTheReceiverFails has a receiver fail once it plays.
func TestSessionsEndWhereTheReceiverFails(t *testing.T) {
	for _, step := range []struct {
		method string
		ask    func(ctx context.Context, s *raop.Session) error
	}{
		{"FLUSH", func(ctx context.Context, s *raop.Session) error { return s.Flush(ctx) }},
		{"SET_PARAMETER", func(ctx context.Context, s *raop.Session) error { return s.SetVolume(ctx, 0.5) }},
	} {
		for _, b := range breaks {
			t.Run(step.method+" "+b.name, func(t *testing.T) {
				var cfg raoptest.Config
				b.how(&cfg, step.method)
				inHouse(t, cfg, func(h *house) {
					s := h.dial(raop.Config{})
					h.play(s, counting(22050), pace{from: leadIn})
					ctx, cancel := context.WithTimeout(h.Context(), 3*time.Second)
					defer cancel()
					if err := step.ask(ctx, s); err == nil {
						h.Error("got nil, want an error")
					}
					// What did not hang up is found out by what is asked to keep
					// the session.
					time.Sleep(time.Minute)
					synctest.Wait()
					if s.Err() == nil {
						h.Error("the session is not over after a minute")
					}
					if err := s.WritePacket(counting(0).packet(0)); err == nil {
						h.Error("a packet was taken by a session that is over")
					}
				})
			})
		}
	}
}

// TestGoodbyesAreNotWaitedForForLong has a receiver fail at the end.
func TestGoodbyesAreNotWaitedForForLong(t *testing.T) {
	for _, b := range breaks {
		t.Run(b.name, func(t *testing.T) {
			var cfg raoptest.Config
			b.how(&cfg, "TEARDOWN")
			inHouse(t, cfg, func(h *house) {
				s := h.dial(raop.Config{})
				began := time.Now()
				if err := s.Close(); err != nil {
					h.Errorf("Close: got %v, want nil", err)
				}
				if took := time.Since(began); took > 2*time.Second {
					h.Errorf("Close took %v, want 2s at most", took)
				}
				if err := s.Err(); !errors.Is(err, raop.ErrClosed) {
					h.Errorf("Err: got %v, want %v", err, raop.ErrClosed)
				}
			})
		})
	}
}

// TestKeepAlivesThatFailEndTheSession has a receiver fail that nobody asks for
// anything.
func TestKeepAlivesThatFailEndTheSession(t *testing.T) {
	for _, b := range breaks {
		t.Run(fmt.Sprint(b.name), func(t *testing.T) {
			var cfg raoptest.Config
			b.how(&cfg, "POST")
			inHouse(t, cfg, func(h *house) {
				s := h.dial(raop.Config{})
				select {
				case <-s.Done():
				case <-time.After(2 * time.Minute):
					h.Error("the session is not over after two minutes")
				}
			})
		})
	}
}

// A receiver that has forgotten the session, because it was restarted or serves
// somebody else, says so to what is asked next.
func TestASessionThatTheReceiverHasForgottenIsAnError(t *testing.T) {
	inHouse(t, raoptest.Config{Answers: map[string]int{"FLUSH": 454, "SET_PARAMETER": 454}}, func(h *house) {
		s := h.dial(raop.Config{})
		h.play(s, counting(22050), pace{from: leadIn})
		for method, err := range map[string]error{"flush": s.Flush(h.Context()), "set_parameter": s.SetVolume(h.Context(), 0.5)} {
			var status *raop.StatusError
			if !errors.As(err, &status) || status.Code != 454 {
				h.Errorf("%s: got %v, want 454", method, err)
			}
		}
	})
}

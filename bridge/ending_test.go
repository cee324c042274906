package bridge_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/bridge"
	"airplay2mqtt/raop/raoptest"

	"github.com/rs/zerolog"
)

// A receiver that does not answer keeps nobody from going in time.
func TestTheEndIsSoonAndTold(t *testing.T) {
	for _, method := range []string{"TEARDOWN", "FLUSH", "SET_PARAMETER"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen", Delays: map[string]time.Duration{method: -1}})
				h.tone("tone.wav", 5)
				h.say("kitchen/play_file", "tone.wav")
				time.Sleep(4 * time.Second)
				began := time.Now()
				if err := h.stop(); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("took %v to end, want at most 3s", took)
				}
				time.Sleep(time.Minute) // what was left behind ends as well
				for _, topic := range []string{"airplay/bridge/state", "airplay/kitchen/availability"} {
					if got := h.latest(topic); got != "offline" {
						t.Errorf("%s: got %q, want offline", topic, got)
					}
				}
			})
		})
	}
}

// A jam is a connection that takes nothing once it is stuck, until it is freed.
type jam struct {
	net.Conn
	stuck, freed chan struct{}
}

func (j jam) Write(b []byte) (int, error) {
	select {
	case <-j.stuck:
		<-j.freed
		return 0, errors.New("jammed")
	default:
		return j.Conn.Write(b)
	}
}

func TestTheEndIsSoonWithABrokerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		s.Discovery.MDNS = false
		h, _ := build(t, s, raoptest.Config{Name: "Kitchen"})
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		stuck, freed := make(chan struct{}), make(chan struct{})
		us := h.lan.Host("10.0.0.3")
		b, err := bridge.New(bridge.Config{
			Settings: s, DialContext: us.DialContext, ListenPacket: us.ListenPacket,
			DialBroker: func(context.Context) (net.Conn, error) { return jam{h.broker.Load().Pipe(), stuck, freed}, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		h.until("airplay/bridge/state", "online")
		close(stuck)
		began := time.Now()
		cancel()
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "did not answer at the end") {
			t.Errorf("got %v, want that the broker did not answer", err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v to end, want at most 3s", took)
		}
		close(freed)
		time.Sleep(15 * time.Second) // what was left behind ends as well
	})
}

func TestTheSwitchboardAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := build(t, settings(t), raoptest.Config{Name: "Kitchen"})
		h.say("bridge/request/ping", `{"transaction":7}`)
		h.until("airplay/bridge/response/ping", `"transaction":7`)
		if got := h.latest("airplay/bridge/response/ping"); !strings.Contains(got, `"devices":1`) || !strings.Contains(got, `"version":"test"`) {
			t.Errorf("got %s", got)
		}
		if err := h.bridge.Alive(t.Context()); err != nil || !h.bridge.Connected() {
			t.Errorf("alive: got %v, connected: %v", err, h.bridge.Connected())
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.bridge.Alive(ctx); err == nil {
			t.Error("it answers also after its end")
		}
	})
}

func TestTheLogIsAsLoudAsIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t)
		var log lockedBuffer
		h, _ := buildLogging(t, s, zerolog.New(&log), raoptest.Config{Name: "Kitchen"})
		debug := func() (lines int) { return strings.Count(log.String(), `"level":"debug"`) }
		time.Sleep(time.Minute)
		if n := debug(); n != 0 {
			t.Errorf("got %d lines at the level debug, want none", n)
		}
		ask := func(payload, want string) {
			t.Helper()
			h.say("bridge/request/log/level", payload)
			time.Sleep(time.Second)
			if got := h.latest("airplay/bridge/response/log/level"); !strings.Contains(got, want) {
				t.Errorf("%s: got %s, want %s", payload, got, want)
			}
		}
		ask(`{"device":"kitchen","level":"debug"}`, `{"level":"info","devices":{"kitchen":"debug"}}`)
		h.until("airplay/bridge/info", `"log":{"level":"info","devices":{"kitchen":"debug"}}`)
		h.say("kitchen/set_volume", "12")
		time.Sleep(time.Minute)
		if n, of := debug(), strings.Count(log.String(), `"device":"kitchen"`); n == 0 || n > of {
			t.Errorf("got %d lines at the level debug, %d lines of the kitchen", n, of)
		}
		if strings.Contains(log.String(), "vitals") {
			t.Error("the bridge itself writes more as well")
		}
		ask(`{"device":"kitchen","level":"default"}`, `"devices":{}`)
		before := debug()
		h.say("kitchen/set_volume", "13")
		time.Sleep(time.Minute)
		if n := debug(); n != before {
			t.Errorf("got %d more lines at the level debug", n-before)
		}
		ask("debug", `"level":"debug"`)
		time.Sleep(time.Minute)
		if !strings.Contains(log.String(), "vitals") {
			t.Error("the bridge itself does not write more")
		}
		ask("loud", `level must be one of debug, info, warn, error`)
		ask("dbug", `did you mean`)
		ask("default", `or, for a device, default`)
		ask(`{"device":"attic","level":"debug"}`, "unknown_device")
	})
}

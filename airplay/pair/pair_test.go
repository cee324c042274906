package pair_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/pair"
	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/legacy"
	"airplay2mqtt/internal/memnet"
	"airplay2mqtt/internal/rtsp"
)

// An answerer is one connection of a receiver.
type answerer interface {
	Answer(rtsp.Request) (rtsp.Response, bool)
}

// receive serves pairings on 10.0.0.20:7000, each connection by what connect
// returns.
func receive(t *testing.T, lan *memnet.Net, connect func() answerer) {
	t.Helper()
	l, err := lan.Host("10.0.0.20").Listen("tcp", ":7000")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	t.Cleanup(func() { l.Close(); served.Wait() })
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() { serve(conn, connect()) })
		}
	})
}

func serve(conn net.Conn, a answerer) {
	defer conn.Close()
	for br := bufio.NewReader(conn); ; {
		req, err := rtsp.ReadRequest(br)
		if err != nil {
			return
		}
		resp, ok := a.Answer(req)
		if !ok {
			resp = rtsp.Response{Code: 404, Reason: "Not Found"}
		}
		if len(resp.Body) == 0 {
			resp.Header.Add("Content-Length", "0")
		}
		if _, err := conn.Write(resp.AppendTo(nil)); err != nil {
			return
		}
	}
}

var (
	modern = airplay.Info{Model: "AppleTV6,2", Features: 1<<38 | 1<<48, Flags: 0x200, PublicKey: make([]byte, 32)}
	older  = airplay.Info{Model: "AppleTV3,2", Flags: 0x200, PublicKey: make([]byte, 32)}
)

// with pairs in a bubble.
func with(t *testing.T, connect func() answerer, info airplay.Info, test func(t *testing.T, start func() (*pair.Pairing, error))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lan := memnet.New()
		receive(t, lan, connect)
		test(t, func() (*pair.Pairing, error) {
			return pair.Start(t.Context(), "10.0.0.20:7000", info, &pair.Config{DialContext: lan.Host("10.0.0.2").DialContext})
		})
	})
}

func TestPairedByThePINThatIsShown(t *testing.T) {
	var shown string
	show := func(pin string) { shown = pin }
	m := hap.NewAccessory(hap.AccessoryConfig{Show: show, NeedsUserAgent: true, NeedsClientName: true, RefusesTransient: true})
	o := legacy.NewAccessory(legacy.AccessoryConfig{Show: show})
	for name, c := range map[string]struct {
		connect func() answerer
		info    airplay.Info
		legacy  bool
	}{
		"Apple TV":                             {func() answerer { return m.Connect() }, modern, false},
		"an older one":                         {func() answerer { return o.Connect() }, older, true},
		"one that announces what it cannot do": {func() answerer { return o.Connect() }, modern, true},
	} {
		t.Run(name, func(t *testing.T) {
			with(t, c.connect, c.info, func(t *testing.T, start func() (*pair.Pairing, error)) {
				p, err := start()
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute) // somebody gets up and looks
				got, err := p.Finish(t.Context(), shown)
				if err != nil || got.None() || got.Legacy() != c.legacy {
					t.Errorf("got %v, %v, want credentials, of the older way: %v", got, err, c.legacy)
				}
				if again, err := airplay.ParseCredentials(got.Text()); err != nil || again.Text() != got.Text() {
					t.Errorf("written and read: %v", err)
				}
			})
		})
	}
}

func kind(err error) pair.Kind {
	var e *pair.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Kind
}

func TestRefusalsHaveAKind(t *testing.T) {
	code := func(step string, n byte) hap.AccessoryConfig {
		return hap.AccessoryConfig{PIN: "1234", Errors: map[string]byte{step: n}, BackOff: time.Minute}
	}
	for name, c := range map[string]struct {
		accessory hap.AccessoryConfig
		want      pair.Kind
	}{
		"wrong PIN":  {hap.AccessoryConfig{PIN: "4321"}, pair.Rejected},
		"imposter":   {hap.AccessoryConfig{PIN: "1234", WrongProof: true}, pair.Failed},
		"back off":   {code("pair-setup M2", 3), pair.BackOff},
		"busy":       {code("pair-setup M2", 7), pair.Busy},
		"full":       {code("pair-setup M6", 4), pair.Failed},
		"taken back": {code("pair-verify M4", 2), pair.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			a := hap.NewAccessory(c.accessory)
			with(t, func() answerer { return a.Connect() }, modern, func(t *testing.T, start func() (*pair.Pairing, error)) {
				p, err := start()
				if err == nil {
					_, err = p.Finish(t.Context(), "1234")
				}
				if got := kind(err); got != c.want {
					t.Errorf("got %q (%v), want %q", got, err, c.want)
				}
				var e *pair.Error
				if errors.As(err, &e) && (e.Wait == time.Minute) != (c.want == pair.BackOff) {
					t.Errorf("got a wait of %v", e.Wait)
				}
			})
		})
	}
}

func TestMembersOnlyAreNotEvenAsked(t *testing.T) {
	info := modern
	info.Access = airplay.HomeMembers
	if _, err := pair.Start(t.Context(), "10.0.0.20:7000", info, &pair.Config{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			t.Error("it was called")
			return nil, net.ErrClosed
		},
	}); kind(err) != pair.Forbidden {
		t.Errorf("got %v, want Forbidden", err)
	}
}

// A receiver that answers nothing, hangs up, or is given up.
func TestWhatIsGivenUpEnds(t *testing.T) {
	a := hap.NewAccessory(hap.AccessoryConfig{PIN: "1234"})
	with(t, func() answerer { return a.Connect() }, modern, func(t *testing.T, start func() (*pair.Pairing, error)) {
		p, err := start()
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		p.Close()
		if _, err := p.Finish(t.Context(), "1234"); err == nil {
			t.Error("a pairing that was given up was finished")
		}
		if len(a.Paired()) != 0 {
			t.Error("it is paired all the same")
		}
	})
	with(t, func() answerer { return silent{} }, modern, func(t *testing.T, start func() (*pair.Pairing, error)) {
		if _, err := start(); err == nil {
			t.Error("got a pairing with one that says nothing")
		}
	})
}

type silent struct{}

func (silent) Answer(rtsp.Request) (rtsp.Response, bool) {
	time.Sleep(time.Hour)
	return rtsp.Response{}, true
}

package main_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/raop/raoptest"
)

type benched struct {
	Speaker, Address, Server, Because string
	Recommended                       string   `json:"recommended_latency"`
	AudioLatency                      *float64 `json:"audio_latency_ms"`
	Smallest                          float64  `json:"smallest_latency_ms"`
	Handshake                         struct {
		Sessions int
		Median   float64 `json:"median_ms"`
		Setup    float64 `json:"setup_ms"`
	}
	Timing struct {
		Requests int
		Answered *float64 `json:"answered_within_ms"`
	}
	Packets struct {
		Sent, Late, Refused, Lost int
		Percent                   float64  `json:"lost_percent"`
		AskedAfter                *float64 `json:"asked_after_ms"`
	}
}

func TestBenchMeasuresASpeaker(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		rx    raoptest.Config
		check func(t *testing.T, b benched)
	}{
		{"a good one", raoptest.Config{}, func(t *testing.T, b benched) {
			if b.Packets.Percent > 2 {
				t.Errorf("got %d packets lost, want none, or those that this machine was too busy for", b.Packets.Lost)
			}
			if b.AudioLatency == nil || *b.AudioLatency != 250 || b.Smallest != 250 {
				t.Errorf("got a latency of %v, and of %v at least, want 250 and 250", b.AudioLatency, b.Smallest)
			}
		}},
		{"a slow one", raoptest.Config{Delays: map[string]time.Duration{"SETUP": 120 * time.Millisecond}}, func(t *testing.T, b benched) {
			if b.Handshake.Setup < 120 || b.Handshake.Median < 120 {
				t.Errorf("got a setup of %v ms in %v ms, want 120 at least", b.Handshake.Setup, b.Handshake.Median)
			}
		}},
		{"a weak network", raoptest.Config{Drop: func(n int) bool { return n%10 == 5 }}, func(t *testing.T, b benched) {
			if b.Packets.Percent < 7 || b.Packets.Percent > 13 || b.Packets.AskedAfter == nil || *b.Packets.AskedAfter < 90 {
				t.Errorf("got %v %% lost, asked for after %v ms, want 10 after about 100", b.Packets.Percent, b.Packets.AskedAfter)
			}
			if b.Recommended != "robust" || !strings.Contains(b.Because, "got lost") {
				t.Errorf("got %s because %s, want robust because of the loss", b.Recommended, b.Because)
			}
		}},
		{"one that needs a lot", raoptest.Config{AudioLatency: 99225}, func(t *testing.T, b benched) {
			if b.Recommended != "2.5s" || !strings.Contains(b.Because, "needs 2500.0 ms") {
				t.Errorf("got %s because %s, want 2.5s because it needs that", b.Recommended, b.Because)
			}
		}},
		{"one that says nothing", raoptest.Config{AudioLatency: -1}, func(t *testing.T, b benched) {
			if b.AudioLatency != nil {
				t.Errorf("got a latency of %v, want none", *b.AudioLatency)
			}
		}},
	}
	receivers := make([]*raoptest.Receiver, len(tests))
	for i, test := range tests {
		receivers[i] = receiver(t, test.rx)
	}
	runs := together(len(tests), func(i int) (r run) {
		r.code, r.out, r.stderr = about(t, "", "bench", "-json", "-for", "2s", "-to", receivers[i].Addr())
		return r
	})
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, code, out, stderr := receivers[i], runs[i].code, runs[i].out, runs[i].stderr
			var b benched
			if err := json.Unmarshal([]byte(out), &b); err != nil || code != 0 {
				t.Fatalf("got exit %d and %v in %s%s, want 0 and JSON", code, err, out, stderr)
			}
			if !strings.Contains(stderr, "Soft bells are about to be heard on "+r.Addr()) {
				t.Errorf("got %q, want a warning of what will be heard", stderr)
			}
			if b.Address != r.Addr() || b.Server != "AirTunes/105.1" || b.Handshake.Sessions != 3 || b.Handshake.Median <= 0 {
				t.Errorf("got %+v", b)
			}
			if b.Timing.Requests == 0 || b.Timing.Answered == nil || b.Packets.Sent < 250 || b.Packets.Refused > 20 {
				t.Errorf("got %+v", b)
			}
			test.check(t, b)
		})
	}
}

func TestBenchIsSoft(t *testing.T) {
	t.Parallel()
	loud, quiet := receiver(t, raoptest.Config{}), receiver(t, raoptest.Config{})
	args := [][]string{{"-to", loud.Addr()}, {"-silent", "-to", quiet.Addr()}}
	for _, r := range together(len(args), func(i int) (r run) {
		r.code, r.out, r.stderr = about(t, "", append([]string{"bench", "-for", "2s"}, args[i]...)...)
		return r
	}) {
		code, out, stderr := r.code, r.out, r.stderr
		if code != 0 || !strings.Contains(out, "\nRecommended: latency: ") {
			t.Errorf("got exit %d, %s%s, want 0 and what is recommended", code, out, stderr)
		}
	}
	peak := func(r *raoptest.Receiver) (most int) {
		for _, f := range r.Heard() {
			most = max(most, int(f[0]), -int(f[0]))
		}
		return most
	}
	if got := peak(loud); got < 300 || got > 4000 {
		t.Errorf("the bells peak at %d, want them to be heard and soft", got)
	}
	if got := peak(quiet); got != 0 {
		t.Errorf("silence peaks at %d", got)
	}
	if got := len(loud.Log().Volumes); got != 0 {
		t.Errorf("the volume was set %d times, want it to be left alone", got)
	}
}

func TestBenchSaysWhyItCannotMeasure(t *testing.T) {
	for _, test := range []struct {
		name string
		to   func(t *testing.T) string
		args []string
		code int
		want string
	}{
		{"nobody listens", closed, nil, 1, "connection refused"},
		{"busy", func(t *testing.T) string { return receiver(t, raoptest.Config{Busy: true}).Addr() }, nil, 1, "busy"},
		{"a password", func(t *testing.T) string { return receiver(t, raoptest.Config{Password: "x"}).Addr() }, nil, 1, "asks for a password"},
		{"it hangs up", func(t *testing.T) string {
			return receiver(t, raoptest.Config{HangsUpAfter: 700 * time.Millisecond}).Addr()
		}, nil, 1, "stopped playing"},
		{"too short", is("127.0.0.1:1"), []string{"-for", "1s"}, 2, "-for takes 2s to 10m"},
		{"two speakers", is("127.0.0.1:1"), []string{"-to", "127.0.0.1:2"}, 2, "once"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := about(t, "", append([]string{"bench", "-silent", "-to", test.to(t)}, test.args...)...)
			if code != test.code || !strings.Contains(stderr, test.want) {
				t.Errorf("got exit %d and %q, want %d and %q", code, stderr, test.code, test.want)
			}
			if code == 1 && !strings.Contains(stderr, "`bridge doctor -to ") {
				t.Errorf("got %q, want it to send people to the doctor", stderr)
			}
		})
	}
}

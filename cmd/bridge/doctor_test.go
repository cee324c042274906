package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	main "airplay2mqtt/cmd/bridge"
	"airplay2mqtt/raop/raoptest"
)

// receiver starts one on this machine.
func receiver(t *testing.T, cfg raoptest.Config) *raoptest.Receiver {
	t.Helper()
	r, err := raoptest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// mute is something that takes connections and never says a word.
func mute(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// closed is an address at which nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// about runs the program with a configuration of these devices, without
// discovery.
func about(t *testing.T, devices string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("discovery: {mdns: false}\n"+devices), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, err bytes.Buffer
	args = append([]string{args[0], "-config", path}, args[1:]...)
	code = main.Main(t.Context(), strings.NewReader(""), &out, &err, nil, args...)
	return code, out.String(), err.String()
}

// A run is what one run of the program said.
type run struct {
	code        int
	out, stderr string
}

// together does so many things at once, since most of the time they wait.
func together(n int, do func(i int) run) []run {
	runs := make([]run, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { runs[i] = do(i) })
	}
	all.Wait()
	return runs
}

func TestTheDoctorNamesTheCause(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	tests := []struct {
		name  string
		rx    raoptest.Config
		to    func(t *testing.T) string // instead of rx
		args  []string
		step  string // at which the way ends
		cause string
		todo  string
	}{
		{name: "no name of ours", to: is("Kitchen"), step: "discovery", cause: "discovery is switched off", todo: "discovery.mdns"},
		{name: "a name that leads nowhere", to: is("speaker.invalid:5000"), step: "address", cause: "the name speaker.invalid leads to no address", todo: "IP address"},
		{name: "no port", to: is("127.0.0.1:none"), step: "address", cause: `"none" is no port`, todo: "HOST:PORT"},
		{name: "nobody listens", to: closed, step: "port", cause: "nobody listens on its port", todo: "bridge discover"},
		{name: "a web server", to: func(*testing.T) string { return web.Listener.Addr().String() }, step: "answer", cause: "is no AirPlay speaker", todo: "address and port"},
		{name: "it hangs", to: mute, step: "answer", cause: "does not answer", todo: "off and on"},
		{name: "it hangs up", rx: raoptest.Config{ResetsOnAccept: true}, step: "answer", cause: "somebody else plays", todo: "when it is free"},
		{name: "no password", rx: raoptest.Config{Password: "geheim"}, step: "password", cause: "none was given", todo: "-password"},
		{name: "a wrong password", rx: raoptest.Config{Password: "geheim"}, args: []string{"-password", "offen"}, step: "password", cause: "refuses the password", todo: "correct"},
		{name: "busy", rx: raoptest.Config{Busy: true}, step: "free", cause: "somebody else plays", todo: "when it is free"},
		{name: "it wants to be paired", rx: raoptest.Config{Answers: map[string]int{"ANNOUNCE": 470}}, step: "password", cause: "paired", todo: "bridge pair"},
		{name: "it refuses", rx: raoptest.Config{Answers: map[string]int{"SETUP": 500}}, step: "session", cause: "does not agree to play", todo: "report it"},
		{name: "it crashes", rx: raoptest.Config{Breaks: map[string]raoptest.Break{"SETUP": raoptest.HalfHangsUp}}, step: "session", cause: "does not agree to play", todo: "off and on"},
		{name: "a firewall, and it goes on", rx: raoptest.Config{NeverAsksTime: true}, step: "timing", cause: "does not reach this machine", todo: "allow UDP"},
		{name: "a firewall, and it says so", rx: raoptest.Config{Answers: map[string]int{"SETUP": 520}}, step: "timing", cause: "does not reach this machine", todo: "allow UDP"},
		{name: "it hangs up by itself", rx: raoptest.Config{HangsUpAfter: 500 * time.Millisecond}, step: "sound", cause: "ended the session", todo: "somebody else"},
	}
	runs := together(len(tests), func(i int) (r run) {
		to := tests[i].to
		if to == nil {
			to = is(receiver(t, tests[i].rx).Addr())
		}
		r.code, r.out, r.stderr = about(t, "", append([]string{"doctor", "-to", to(t)}, tests[i].args...)...)
		return r
	})
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, out, stderr := runs[i].code, runs[i].out, runs[i].stderr
			if code != 1 || !strings.Contains(stderr, "the speaker is not well: ") {
				t.Errorf("got exit %d and %q, want 1 and that it is not well", code, stderr)
			}
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if len(lines) < 4 {
				t.Fatalf("got %q", out)
			}
			last, cause, todo := lines[len(lines)-4], lines[len(lines)-2], lines[len(lines)-1]
			if fields := strings.Fields(last); fields[0] != test.step || fields[1] != "failed" {
				t.Errorf("got %q as the last step, want %s to have failed", last, test.step)
			}
			if !strings.HasPrefix(cause, "Cause: ") || !strings.Contains(cause, test.cause) {
				t.Errorf("got %q, want %q in it", cause, test.cause)
			}
			if !strings.HasPrefix(todo, "To do: ") || !strings.Contains(todo, test.todo) {
				t.Errorf("got %q, want %q in it", todo, test.todo)
			}
		})
	}
}

func is(address string) func(*testing.T) string { return func(*testing.T) string { return address } }

func TestTheDoctorFindsASpeakerThatIsWell(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		rx   raoptest.Config
		args []string
		want string
	}{
		{name: "plain", want: "none is asked for"},
		{name: "with a password", rx: raoptest.Config{Password: "geheim"}, args: []string{"-password", "geheim"}, want: "accepted"},
		{name: "that never asks again", rx: raoptest.Config{Buffer: 10 * time.Second}, want: "it asked for none of them"},
	}
	runs := together(len(tests), func(i int) (r run) {
		r.code, r.out, r.stderr = about(t, "", append([]string{"doctor", "-to", receiver(t, tests[i].rx).Addr()}, tests[i].args...)...)
		return r
	})
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, out, stderr := runs[i].code, runs[i].out, runs[i].stderr
			if code != 0 || !strings.HasSuffix(out, " is well.\n") || !strings.Contains(out, test.want) {
				t.Errorf("got exit %d, %s%s, want 0, that it is well, and %q", code, out, stderr, test.want)
			}
		})
	}
}

func TestTheDoctorWritesJSON(t *testing.T) {
	r := receiver(t, raoptest.Config{Password: "geheim"})
	devices := fmt.Sprintf("devices:\n  - {name: Kitchen, host: 127.0.0.1, port: %d, password: offen}\n", r.Port())
	code, out, _ := about(t, devices, "doctor", "-json", "-to", "kitchen")
	var d struct {
		Speaker, Address, Cause, Advice string
		Well                            bool
		Checks                          []struct{ Name, Status, Detail string }
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil || code != 1 {
		t.Fatalf("got exit %d and %v in %s, want 1 and JSON", code, err, out)
	}
	if d.Speaker != "kitchen" || d.Address != r.Addr() || d.Well || !strings.Contains(d.Cause, "refuses the password") || d.Advice == "" {
		t.Errorf("got %+v", d)
	}
	var steps []string
	for _, c := range d.Checks {
		steps = append(steps, c.Name+" "+c.Status)
	}
	want := "discovery skipped, protocol skipped, pairing skipped, address ok, route ok, port ok, answer ok, password failed"
	if got := strings.Join(steps, ", "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if strings.Contains(out, "offen") {
		t.Error("the password is in what is written")
	}
}

func TestTheDoctorSeesUDPThatIsReturned(t *testing.T) {
	t.Parallel()
	r := receiver(t, raoptest.Config{})
	ended := make(chan struct{})
	var closing sync.WaitGroup
	closing.Go(func() { // as soon as it plays
		for r.Log().Packets < 10 {
			select {
			case <-ended:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
		r.ClosePorts()
	})
	code, out, _ := about(t, "", "doctor", "-to", r.Addr())
	close(ended)
	closing.Wait()
	if code != 1 || !strings.Contains(out, "Cause: the speaker's machine returns our UDP") {
		t.Errorf("got exit %d and %s, want 1 and that UDP is returned", code, out)
	}
}

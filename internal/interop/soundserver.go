//go:build linux

package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// A SoundServer is a PulseAudio whose sound card nobody hears. Receivers play
// through it as on a real card; and it is a sender itself, beside which ours is
// measured.
type SoundServer struct {
	*Process
	env []string
}

// SoundServer starts a sound server that ends with the test. Where there is none
// the test is skipped, or fails if CI is set.
func (h *House) SoundServer(t testing.TB) *SoundServer {
	t.Helper()
	if missing := absent([]string{"pulseaudio", "pactl", "paplay"}); len(missing) > 0 {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v not found; scripts/setup installs them", missing)
		}
		t.Skipf("%v not found; scripts/setup installs them", missing)
	}
	dir := h.tempDir(t)
	socket := filepath.Join(dir, "native")
	s := &SoundServer{env: []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "PULSE_RUNTIME_PATH=" + dir, "PULSE_SERVER=unix:" + socket}}
	var err error
	s.Process, err = start(nil, append(h.env, s.env...), "pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1",
		"-L", "module-null-sink sink_name=card rate=44100", "-L", "module-native-protocol-unix auth-anonymous=1 socket="+socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	if err := s.until("it takes connections", func() bool { return s.control("info") == nil }); err != nil {
		t.Fatal(err)
	}
	return s
}

// Send plays a file of WAV to a receiver, as a rival, and returns when that is
// over for the server.
func (s *SoundServer) Send(t testing.TB, to *Receiver, path string) {
	t.Helper()
	sink := "to_" + to.Config.Name
	err := s.control("load-module", "module-raop-sink", fmt.Sprintf("server=[127.0.0.1]:%d", to.Port), "protocol=UDP", "encryption=none", "codec=ALAC", "sink_name="+sink)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "paplay", "-d", sink, path)
	cmd.Env = append(os.Environ(), s.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("paplay: %v: %s", err, out)
	}
}

func (s *SoundServer) control(args ...string) error {
	cmd := exec.Command("pactl", args...)
	cmd.Env = append(os.Environ(), s.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("interop: pactl %q: %w: %s", args, err, out)
	}
	return nil
}

// A PlayOut is what a receiver says of a few seconds of sound.
type PlayOut struct {
	SyncError                     float64 // milliseconds, on average
	Packets, Missing, Late, Asked int
}

// playOut is a line of the receiver's statistics: the sync error, corrections,
// packets, missing, late and too late ones, and requests for them.
var playOut = regexp.MustCompile(`(?m)\s(-?\d+\.\d+),\s+-?\d+\.\d+,\s+-?\d+\.\d+,\s+(\d+),\s+(\d+),\s+(\d+),\s+\d+,\s+(\d+),`)

// PlayOuts are the receiver's own statistics, one for each eight seconds.
func (r *Receiver) PlayOuts() []PlayOut {
	var all []PlayOut
	for _, m := range playOut.FindAllStringSubmatch(r.Log().String(), -1) {
		var p PlayOut
		p.SyncError, _ = strconv.ParseFloat(m[1], 64)
		for i, n := range []*int{&p.Packets, &p.Missing, &p.Late, &p.Asked} {
			*n, _ = strconv.Atoi(m[2+i])
		}
		all = append(all, p)
	}
	return all
}

// Package audiotest is what tests of decoders have in common: the encoders and
// decoders of others, and checks that hold for every format.
//
//	audiotest.Need(t, "sox", "lame")
//	dir := t.TempDir()
//	audiotest.Run(t, dir, "sox -R -n -r 44100 -c 2 a.wav synth 1 pinknoise")
//	audiotest.Run(t, dir, "lame --quiet a.wav a.mp3")
package audiotest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Installed tells whether all of the programs are there.
func Installed(programs ...string) bool {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return false
		}
	}
	return true
}

// Need skips the test where a program is missing. In CI, where all must be
// there, it fails.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if Installed(p) {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", p)
		}
		t.Skipf("%s is not installed; scripts/setup brings it", p)
	}
}

// Program runs a program that must succeed, in a folder, and returns what it
// writes. The test is skipped where [Need] would do so.
func Program(t testing.TB, dir, name string, args ...string) []byte {
	t.Helper()
	Need(t, name)
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &stderr)
	}
	return out
}

// Run is Program for a command line without quoting. The arguments stand, as
// they are, where it says %s.
func Run(t testing.TB, dir, line string, arguments ...string) []byte {
	t.Helper()
	words := strings.Fields(line)
	for i, w := range words {
		if w == "%s" {
			words[i], arguments = arguments[0], arguments[1:]
		}
	}
	return Program(t, dir, words[0], words[1:]...)
}

// Noise makes a WAV file of noise and a tone that swells, different in each
// channel, and returns its path.
func Noise(t testing.TB, rate, bits, channels int, seconds float64) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "noise.wav")
	Run(t, "", fmt.Sprintf("sox -R -n -r %d -b %d -c %d %%s synth %v pinknoise synth %v sine amod 3 gain -3",
		rate, bits, channels, seconds, seconds), name)
	return name
}

// Read is what a file holds.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Write puts a file into a fresh folder and returns its path.
func Write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

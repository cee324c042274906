//go:build linux

package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Shell is where a person types what a document says: bridge is on its path,
// and mosquitto's clients know the broker and do not listen forever.
type Shell struct {
	Dir string // where it stands

	env []string
}

// Shell opens a shell in a folder. Where the test has no network of its own it
// is skipped, or fails if CI is set.
func (h *House) Shell(t testing.TB, dir string, port int) *Shell {
	t.Helper()
	if os.Getenv(envInside) != "namespaces" {
		if os.Getenv("CI") != "" {
			t.Fatal("no namespaces here, in which names and ports of the documents exist")
		}
		t.Skip("no namespaces here, in which names and ports of the documents exist")
	}
	home := h.tempDir(t)
	if err := os.Symlink(h.program(false), filepath.Join(home, "bridge")); err != nil {
		t.Fatal(err)
	}
	if err := fill(filepath.Join(home, ".config"), map[string][]byte{
		"mosquitto_pub": fmt.Appendf(nil, "-p %d\n", port),
		"mosquitto_sub": fmt.Appendf(nil, "-p %d\n-W 1\n", port),
	}); err != nil {
		t.Fatal(err)
	}
	return &Shell{Dir: dir, env: append(os.Environ(),
		"PATH="+home+":"+os.Getenv("PATH"), "HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, ".config"),
		"AIRPLAY2MQTT_DISCOVERY_INTERFACES=lo", fmt.Sprintf("AIRPLAY2MQTT_MQTT_SERVER=mqtt://127.0.0.1:%d", port), quick[0])}
}

// heardEnough is the exit code of mosquitto_sub when its time is over.
const heardEnough = 27

// Run types a line and returns what it printed when it has ended, within half a
// minute. It fails with the exit code.
func (s *Shell) Run(line string) (output string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euc", line)
	cmd.Dir, cmd.Env = s.Dir, s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	text, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() == heardEnough {
		err = nil
	}
	return string(text), err
}

// Commands are the lines of a document that are to be typed: those in its
// blocks of kind sh. What a backslash or an open quote continues is one line.
func Commands(page string) []string {
	var all []string
	for i, block := range strings.Split("\n"+page, "\n```") {
		kind, body, _ := strings.Cut(block, "\n")
		if i%2 == 0 || kind != "sh" {
			continue
		}
		line := ""
		for text := range strings.Lines(body) {
			line += text
			if strings.HasSuffix(line, "\\\n") || strings.Count(line, "'")%2 == 1 {
				continue
			}
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				all = append(all, line)
			}
			line = ""
		}
	}
	return all
}

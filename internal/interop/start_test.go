//go:build linux

package interop_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"airplay2mqtt/internal/chime"
	"airplay2mqtt/internal/interop"
)

const firstCommand = "go run ./cmd/bridge"

// TestAFreshUserHearsAChime does what docs/getting-started.md says, in its order.
func TestAFreshUserHearsAChime(t *testing.T) {
	house := interop.Open(t)
	house.NeedMDNS(t)
	page, err := os.ReadFile("../../docs/getting-started.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := interop.Commands(string(page))
	if len(lines) < 4 || lines[0] != firstCommand {
		t.Fatalf("got the lines %q, want %q first", lines, firstCommand)
	}
	shell := house.Shell(t, t.TempDir(), 1883)
	serveAddresses(t, encode(t, "mp3", interop.Sweep(time.Second)))
	began := time.Now()
	said := firstStep(t, shell.Dir)
	for c, err := net.Dial("tcp", "127.0.0.1:1883"); ; c, err = net.Dial("tcp", "127.0.0.1:1883") {
		if err == nil {
			c.Close()
			break
		}
		if time.Sleep(50 * time.Millisecond); time.Since(began) > 2*time.Minute {
			t.Fatalf("there is no broker:\n%s", said())
		}
	}
	client := interop.ClientAt(t, "tcp://127.0.0.1:1883")
	client.Wait(t, time.Time{}, "airplay/kitchen/availability", 2*moment, func(p string) bool { return p == "online" })

	ear := house.Kitchen.Listen()
	var bell interop.Sound
	for pcm := chime.Doorbell(); len(pcm) >= 2; pcm = pcm[2:] {
		bell = append(bell, interop.Frame{pcm[0], pcm[1]})
	}
	for _, line := range lines[1:] {
		out, err := shell.Run(line)
		if err != nil {
			t.Errorf("%s\n%v\n%s", line, err, out)
		}
		switch {
		case strings.Contains(line, "bridge/devices") && !strings.Contains(out, "kitchen"):
			t.Errorf("%s printed %q, want kitchen in it", line, out)
		case strings.Contains(line, "/chime"):
			ear.Hear(t, bell, interop.Exactly)
			interop.Note(t, "a fresh user: from go run to the end of the bell", milliseconds(time.Since(began)), "2 min at most")
		}
	}
	printed(t, string(page), said())
}

// firstStep types the first line, and returns what tells what it has printed.
// What it leaves on disk is below dir.
func firstStep(t *testing.T, dir string) (said func() string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	cmd := exec.Command("sh", "-c", firstCommand)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "../..", log, log
	cmd.Env = append(os.Environ(), "AIRPLAY2MQTT_DISCOVERY_INTERFACES=lo", "AIRPLAY2MQTT_MEDIA_ALLOW=127.0.0.1",
		"AIRPLAY2MQTT_DATA="+filepath.Join(dir, "data"), "AIRPLAY2MQTT_ANNOUNCEMENTS_LOUDNESS=off")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // as Ctrl-C does, to all of them
		cmd.Wait()
	})
	return func() string {
		text, err := os.ReadFile(log.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// varies is what is another one each time.
var varies = regexp.MustCompile(`^\d\d:\d\d:\d\d |mqtt-[0-9a-f]+`)

// printed wants each line that the page shows below the first command to have
// been printed.
func printed(t *testing.T, page, said string) {
	t.Helper()
	_, block, _ := strings.Cut(page, "```text\n")
	block, _, _ = strings.Cut(block, "```")
	var all []string
	for line := range strings.Lines(said) {
		all = append(all, varies.ReplaceAllString(strings.TrimSpace(line), "*"))
	}
	for line := range strings.Lines(block) {
		if want := varies.ReplaceAllString(strings.TrimSpace(line), "*"); !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("the page shows %q, which was not printed, but:\n%s", want, said)
		}
	}
}

//go:build linux

package interop

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// What one process tells the next, and tests ask for.
const (
	envDir    = "INTEROP_DIR"    // where everything of this run lies
	envInside = "INTEROP_INSIDE" // "namespaces", or "bare" where there are none
	envAbsent = "INTEROP_ABSENT" // the sentence why nothing can be run
	envReport = "INTEROP_REPORT" // set by whoever wants the report in a file
)

// parts is every program that a test may start, and what it is for.
var parts = []string{
	"mosquitto", "mosquitto_pub", "shairport-sync", "avahi-daemon", "avahi-browse", "dbus-daemon",
	"ip", "setpriv", "ffmpeg", "lame", "flac", "oggenc", "go",
}

// Main runs the tests of a package in namespaces of their own and returns the
// exit code; TestMain hands it to os.Exit. The program under test is built
// first, outside, where modules can be fetched.
func Main(m *testing.M) int {
	if os.Getenv(envInside) != "" {
		return inside(m)
	}
	if missing := absent(parts); len(missing) > 0 {
		os.Setenv(envAbsent, strings.Join(missing, ", ")+" not found; scripts/setup installs what these tests need")
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		return fail(err)
	}
	os.Setenv(envDir, dir)
	code, err := tries(dir)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.ENOSPC) {
		os.Setenv(envInside, "bare")
		return inside(m)
	}
	if err != nil {
		return fail(err)
	}
	return code
}

// tries runs the tests, and those once more that failed: real parts on a busy
// machine are late now and then, which says nothing, but what fails twice fails.
// More than a few, or a failure without a name, is final at once, unless the
// machine stood still during all of them.
func tries(dir string) (code int, err error) {
	const few = 4
	code, failed, err := again()
	if err != nil || code == 0 || len(failed) == 0 {
		return code, err
	}
	why := "few failed"
	if excused(dir, failed) {
		why = "the machine stood still during all that failed"
	} else if len(failed) > few {
		return code, nil
	}
	if err := clean(dir); err != nil {
		return 0, err
	}
	fmt.Printf("interop: %s; once more: %s\n", why, strings.Join(failed, " "))
	code, _, err = again("-test.run=^(" + strings.Join(failed, "|") + ")$")
	return code, err
}

// clean removes what a try has left, but for what was built and measured.
func clean(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "bridge") && e.Name() != filepath.Base(reportPath(dir)) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// again runs this program once more as the first process of its own
// namespaces, and waits for it. It returns which tests failed.
func again(flags ...string) (code int, failed []string, err error) {
	// The kernel ends the child when the thread that made it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	self, err := os.Executable()
	if err != nil {
		return 0, nil, err
	}
	var v verdict
	cmd := exec.Command(self, append(os.Args[1:], flags...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, io.MultiWriter(os.Stdout, &v), os.Stderr
	cmd.Env = append(os.Environ(), envInside+"=namespaces")
	cmd.SysProcAttr = namespaces(os.Geteuid(), os.Getegid())
	err = cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), v.failed, nil
	}
	return 0, nil, err
}

// inside runs the tests where the parts may be started, and ends with the
// report of what they measured.
func inside(m *testing.M) int {
	if os.Getenv(envInside) == "namespaces" {
		if err := settle(os.Getenv(envDir)); err != nil {
			return fail(err)
		}
	}
	runtime.GOMAXPROCS(16) // a recorder whose sound has come waits for nobody
	code := m.Run()
	if err := printReport(os.Getenv(envDir), os.Getenv(envReport)); err != nil {
		return fail(err)
	}
	return code
}

// build makes the program under test: as it is shipped, for what is measured,
// and with the race detector if this test has it.
func build(dir string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	kinds := map[string][]string{"bridge": {"-trimpath", "-ldflags=-s -w"}}
	if raceEnabled {
		kinds["bridge-race"] = []string{"-race"}
	}
	for name, flags := range kinds {
		args := append([]string{"build", "-o", filepath.Join(dir, name)}, flags...)
		cmd := exec.Command("go", append(args, "./cmd/bridge")...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
		}
	}
	return nil
}

// moduleRoot is the nearest folder upward that holds a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod in any folder above")
		}
		dir = filepath.Dir(dir)
	}
}

// absent returns those programs that are not installed. Debian keeps some in
// folders that an ordinary user's PATH leaves out.
func absent(programs []string) []string {
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	return missing
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "interop:", err)
	return 1
}

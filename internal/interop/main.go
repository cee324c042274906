//go:build linux

package interop

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What one process tells the next, and tests ask for.
const (
	envDir    = "INTEROP_DIR"    // where everything of this run lies
	envLane   = "INTEROP_LANE"   // and where that of this lane does
	envInside = "INTEROP_INSIDE" // "namespaces", or "bare" where there are none
	envAbsent = "INTEROP_ABSENT" // the sentence why nothing can be run
	envReport = "INTEROP_REPORT" // set by whoever wants the report in a file
)

// parts is every program that a test may start, and what it is for.
var parts = []string{
	"mosquitto", "mosquitto_pub", "shairport-sync", "avahi-daemon", "avahi-browse", "dbus-daemon",
	"ip", "setpriv", "ffmpeg", "lame", "flac", "oggenc", "espeak-ng", "go",
}

// Main runs the tests of a package in namespaces of their own and returns the
// exit code; TestMain hands it to os.Exit. Those that measure are named: they
// have the machine to themselves, while others run beside one another. The
// program under test is built first, outside, where modules can be fetched.
func Main(m *testing.M, measure ...string) int {
	flag.Parse()
	// The go command keeps results of tests whose files are the same. Here they
	// depend on what it does not see.
	set("testlogfile", "")
	if os.Getenv(envInside) != "" {
		return inLane(m)
	}
	if missing := absent(parts); len(missing) > 0 {
		os.Setenv(envAbsent, strings.Join(missing, ", ")+" not found; scripts/setup installs what these tests need")
		return m.Run()
	}
	if option("list") != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv(envDir, dir)
	if err := build(dir); err != nil {
		return fail(err)
	}
	code, err := all(measure)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.ENOSPC) {
		os.Setenv(envInside, "bare")
		os.Setenv(envLane, dir)
		code, err = m.Run(), nil
	}
	if err := errors.Join(err, printReport(dir, os.Getenv(envReport))); err != nil {
		return fail(err)
	}
	return code
}

// unwatched are decoders by others, which start no goroutine: the race detector
// finds nothing in them, and makes them so slow that they are late.
var unwatched = []string{
	"-gcflags=github.com/hajimehoshi/go-mp3/...=-race=false",
	"-gcflags=github.com/jfreymuth/...=-race=false",
	"-gcflags=github.com/mewkiz/flac/...=-race=false",
	"-gcflags=github.com/pion/opus/...=-race=false",
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
		kinds["bridge-race"] = append([]string{"-race"}, unwatched...)
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

// option is what a flag of "go test" says.
func option(name string) string { return flag.Lookup("test." + name).Value.String() }

// set gives a flag of "go test" another value.
func set(name, value string) {
	if err := flag.Set("test."+name, value); err != nil {
		panic(err)
	}
}

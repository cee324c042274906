//go:build linux

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Publish lets avahi announce a service of ours until the test is over, as
// something that is elsewhere on the network would be.
func (h *House) Publish(t testing.TB, name, service string, port int, txt map[string]string) {
	t.Helper()
	need(t, "avahi-publish")
	args := []string{"--service", name, service, strconv.Itoa(port)}
	for key, value := range txt {
		args = append(args, key+"="+value)
	}
	slices.Sort(args[4:])
	p, err := start(nil, h.env, "avahi-publish", args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	p.Output.Wait(t, "Established", patience)
}

// need skips a test that cannot be without a program, or fails it if CI is set.
func need(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s not found", program)
	}
	t.Skipf("%s not found; scripts/setup installs what these tests need", program)
}

// Press makes the receiver tell its sender what a button would, such as
// PlayPause, Next or VolumeUp.
func (r *Receiver) Press(t testing.TB, button string) {
	t.Helper()
	need(t, "dbus-send")
	// The first on the bus has the name to itself, later ones add their number.
	name := fmt.Sprintf("org.gnome.ShairportSync.i%d", r.process.PID())
	if owned, err := r.bus("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner", "string:"+name); err != nil {
		t.Fatal(err)
	} else if !strings.Contains(owned, "true") {
		name = "org.gnome.ShairportSync"
	}
	if _, err := r.bus(name, "/org/gnome/ShairportSync", "org.gnome.ShairportSync.RemoteControl."+button); err != nil {
		t.Fatal(err)
	}
}

// bus calls a method and returns what it answers.
func (r *Receiver) bus(to, object, method string, args ...string) (string, error) {
	cmd := exec.Command("dbus-send", append([]string{"--system", "--print-reply", "--dest=" + to, object, method}, args...)...)
	cmd.Env = append(os.Environ(), r.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("interop: %s of %s: %w: %s", method, r.Config.Name, err, out)
	}
	return string(out), nil
}

//go:build linux

package interop

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// envSid names the folder of the Debian sid that scripts/sid makes.
const envSid = "INTEROP_SID"

func sid() string {
	if dir := os.Getenv(envSid); dir != "" {
		return dir
	}
	return "/var/cache/airplay2mqtt/sid"
}

// needSid skips a test that needs what only Debian sid has where that is not
// there, or fails it if CI is set.
func needSid(t testing.TB) {
	t.Helper()
	why := noSid()
	switch {
	case why == nil:
	case os.Getenv("CI") != "":
		t.Fatal(why)
	default:
		t.Skip(why)
	}
}

// noSid says why sid cannot be entered, nil if it can.
func noSid() error {
	if os.Geteuid() != 0 || os.Getenv(envInside) != "namespaces" {
		return errors.New("AirPlay 2 receivers need root, and namespaces")
	}
	if m, err := os.ReadFile("/proc/self/uid_map"); err != nil || !wholeRange(m) {
		return errors.New("AirPlay 2 receivers need root, not only in a namespace")
	}
	if _, err := os.Stat(filepath.Join(sid(), ".airplay2mqtt")); err != nil {
		return fmt.Errorf("no Debian sid (%w); scripts/sid makes one", err)
	}
	return nil
}

// An annex is a part of the house with a network of its own, inside sid: ports
// of PTP exist once for each address, and whoever keeps time has them.
type annex struct {
	*Process
	Host      string // its address
	Interface string // ours that leads there
}

// annexScript prepares the namespaces of an annex, and becomes its program in
// sid. The folder of this run is /mnt there.
const annexScript = `set -eu
root=$1 share=$2 address=$3 program=$4
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for d in dev/shm run tmp; do mount -t tmpfs tmpfs "$root/$d"; done
mount --bind "$share" "$root/mnt"
ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip address add "$address" dev eth0
ip link set eth0 up
exec chroot "$root" env DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/bus sh -c "$program"
`

// annexServices is what receivers insist on: a bus, and multicast DNS, which has
// to be running (state 2) when UxPlay wants to be announced.
const annexServices = `set -eu
dbus-daemon --nofork --nopidfile --config-file=/mnt/annex-bus.conf &
until [ -S /run/bus ]; do sleep 0.02; done
avahi-daemon --file=/mnt/%s-avahi.conf --no-drop-root --no-chroot --no-rlimits &
until dbus-send --system --print-reply --dest=org.freedesktop.Avahi / org.freedesktop.Avahi.Server.GetState 2>/dev/null |
	grep -q 'int32 2'; do sleep 0.02; done
`

// startAnnex builds the annex of a number and runs a program in it, beside a
// bus and multicast DNS.
func startAnnex(dir, name string, number int, program string) (*annex, error) {
	a := &annex{Host: fmt.Sprintf("10.77.%d.2", number), Interface: fmt.Sprintf("annex%d", number)}
	files := map[string]string{
		"annex-bus.conf":     fmt.Sprintf(busConfig, "/run/bus"),
		name + "-avahi.conf": strings.NewReplacer("host-name=interop", "host-name="+strings.ToLower(name), "=lo", "=eth0").Replace(avahiConfig),
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	var err error
	a.Process, err = start(nil, nil, "unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child",
		"sh", "-c", annexScript, "annex", sid(), dir, a.Host+"/30", fmt.Sprintf(annexServices, name)+program)
	if err != nil {
		return nil, err
	}
	return a, a.connect(number)
}

// connect lays a wire to the annex.
func (a *annex) connect(number int) error {
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	err = a.until("it has a network of its own", func() bool {
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", a.PID()))
		return err == nil && theirs != ours
	})
	if err != nil {
		return err
	}
	// The wire of one that has ended a moment ago hangs on for as long as the
	// kernel takes to forget its network.
	_ = exec.Command("ip", "link", "delete", a.Interface).Run()
	for _, command := range []string{
		fmt.Sprintf("link add %s type veth peer name eth0 netns %d", a.Interface, a.PID()),
		fmt.Sprintf("address add 10.77.%d.1/30 dev %s", number, a.Interface),
		fmt.Sprintf("link set %s up", a.Interface),
	} {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			return fmt.Errorf("interop: ip %s: %w: %s", command, err, out)
		}
	}
	return nil
}

//go:build linux

package interop

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A system bus on which everybody may do everything: shairport-sync and avahi
// insist on one.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow eavesdrop="true"/>
    <allow send_type="signal"/><allow receive_type="signal"/>
  </policy>
</busconfig>
`

// Multicast DNS on loopback and nowhere else.
const avahiConfig = `[server]
host-name=interop
use-ipv4=yes
use-ipv6=no
allow-interfaces=lo
[publish]
publish-hinfo=no
publish-workstation=no
`

// startBus starts D-Bus and returns the environment that leads to it.
func startBus(dir string) (env []string, err error) {
	socket, config := filepath.Join(dir, "bus"), filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, socket), 0o644); err != nil {
		return nil, err
	}
	bus, err := start(nil, nil, "dbus-daemon", "--nofork", "--nopidfile", "--config-file="+config)
	if err != nil {
		return nil, err
	}
	err = bus.until("it takes connections", func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return []string{"DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + socket}, err
}

// startAvahi starts multicast DNS. Outside of namespaces it fails where another
// one runs, or where the user may not.
func startAvahi(dir string, env []string) error {
	config := filepath.Join(dir, "avahi.conf")
	if err := os.WriteFile(config, []byte(avahiConfig), 0o644); err != nil {
		return err
	}
	avahi, err := start(nil, env, "avahi-daemon", "--file="+config, "--no-drop-root", "--no-chroot", "--no-rlimits")
	if err != nil {
		return err
	}
	return avahi.until("Server startup complete", func() bool {
		return strings.Contains(avahi.Output.String(), "Server startup complete")
	})
}

// announced tells which of the names avahi knows as receivers.
func announced(env []string, names ...string) bool {
	cmd := exec.Command("avahi-browse", "--parsable", "--terminate", "_raop._tcp")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	for _, n := range names {
		if !strings.Contains(string(out), n+";") {
			return false
		}
	}
	return err == nil
}

// Package systemd tells systemd how a service is, as sd_notify(3) does:
//
//	n := systemd.FromEnviron(os.Environ())
//	err := n.Tell(systemd.Ready)
//
// Where no systemd asked for it, nothing is told.
package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// What can be told. Status is followed by a text for people.
const (
	Ready     = "READY=1"
	Reloading = "RELOADING=1"
	Stopping  = "STOPPING=1"
	Alive     = "WATCHDOG=1"
	Status    = "STATUS="
)

// A Notifier knows whom to tell. The zero value tells nobody.
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// FromEnviron reads what systemd has put into the environment ("KEY=value").
func FromEnviron(environ []string) Notifier {
	given := map[string]string{}
	for _, kv := range environ {
		if key, value, ok := strings.Cut(kv, "="); ok {
			given[key] = value
		}
	}
	n := Notifier{socket: given["NOTIFY_SOCKET"]}
	if pid := given["WATCHDOG_PID"]; pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return n // it watches another process
	}
	if us, err := strconv.ParseInt(given["WATCHDOG_USEC"], 10, 64); err == nil && us > 0 && n.socket != "" {
		n.watchdog = time.Duration(us) * time.Microsecond
	}
	return n
}

// Watchdog is how often Alive must be told, or the service is restarted; 0:
// nobody waits for it. Twice as often is right.
func (n Notifier) Watchdog() time.Duration { return n.watchdog }

// Tell tells all of this at once.
func (n Notifier) Tell(what ...string) error {
	if n.socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(strings.Join(what, "\n"))); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	return nil
}

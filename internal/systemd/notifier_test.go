package systemd_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"airplay2mqtt/internal/systemd"
)

// listen is systemd's end.
func listen(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Skipf("no sockets of this kind here: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestSystemdIsTold(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), fmt.Sprintf("@airplay2mqtt-test-%d", os.Getpid())} {
		conn := listen(t, name)
		n := systemd.FromEnviron([]string{"HOME=/", "NOTIFY_SOCKET=" + name})
		if err := n.Tell(systemd.Ready, systemd.Status+"2 devices"); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		got, err := conn.Read(b)
		if want := "READY=1\nSTATUS=2 devices"; err != nil || string(b[:got]) != want {
			t.Errorf("got %q and %v, want %q", b[:got], err, want)
		}
	}
}

func TestNobodyAsksToBeTold(t *testing.T) {
	n := systemd.FromEnviron([]string{"WATCHDOG_USEC=1000"})
	if err := n.Tell(systemd.Ready); err != nil || n.Watchdog() != 0 {
		t.Errorf("got %v and a watchdog of %v, want neither", err, n.Watchdog())
	}
	if err := systemd.FromEnviron([]string{"NOTIFY_SOCKET=" + filepath.Join(t.TempDir(), "none")}).Tell(systemd.Ready); err == nil {
		t.Error("a socket that is not there: got no error")
	}
}

func TestWatchdog(t *testing.T) {
	mine, other := fmt.Sprintf("WATCHDOG_PID=%d", os.Getpid()), "WATCHDOG_PID=1"
	for _, c := range []struct {
		environ []string
		want    time.Duration
	}{
		{[]string{"NOTIFY_SOCKET=/x", "WATCHDOG_USEC=30000000"}, 30 * time.Second},
		{[]string{"NOTIFY_SOCKET=/x", "WATCHDOG_USEC=30000000", mine}, 30 * time.Second},
		{[]string{"NOTIFY_SOCKET=/x", "WATCHDOG_USEC=30000000", other}, 0},
		{[]string{"NOTIFY_SOCKET=/x", "WATCHDOG_USEC=soon"}, 0},
		{[]string{"NOTIFY_SOCKET=/x", "WATCHDOG_USEC=-5"}, 0},
	} {
		if got := systemd.FromEnviron(c.environ).Watchdog(); got != c.want {
			t.Errorf("%v: got %v, want %v", c.environ, got, c.want)
		}
	}
}

//go:build linux

package interop

import (
	"net"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// A Television is an UxPlay without a screen, in an annex of its own: it wants
// to be paired with a PIN, and plays films.
type Television struct {
	Name      string
	Host      string
	Port      int
	Interface string // ours that leads there

	process *Process
}

const televisionNumber = 9

// Television starts a television that ends with the test. It knows nobody.
// Where there can be none the test is skipped, or fails if CI is set.
func (h *House) Television(t testing.TB) *Television {
	t.Helper()
	return television(t, "Telly", "-pin -reg /tmp/paired")
}

// Den starts a television of that name whose PIN is always 1234.
func (h *House) Den(t testing.TB) *Television {
	t.Helper()
	return television(t, "Den", "-pin 1234 -reg /tmp/paired")
}

// Cinema starts a television that takes films from everybody, and ends with the
// test.
func (h *House) Cinema(t testing.TB) *Television {
	t.Helper()
	return television(t, "Telly", "")
}

func television(t testing.TB, name, options string) *Television {
	t.Helper()
	needSid(t)
	program := "exec stdbuf -oL uxplay -nh -p 7100 -vs fakesink -as fakesink -hls -n " + name + " " + options
	a, err := startAnnex(os.Getenv(envLane), name, televisionNumber, program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Kill)
	tv := &Television{Name: name, Host: a.Host, Port: 7101, Interface: a.Interface, process: a.Process}
	err = tv.process.until("it takes connections", func() bool {
		c, err := net.DialTimeout("tcp", tv.Address(), time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tv
}

// Address is its host and port.
func (tv *Television) Address() string { return net.JoinHostPort(tv.Host, strconv.Itoa(tv.Port)) }

// Log is what it says.
func (tv *Television) Log() *Output { return tv.process.Output }

var pinShown = regexp.MustCompile(`PIN = "(\d{4})"`)

// PIN is what the screen shows, the last one of several. It waits until there
// are at least so many.
func (tv *Television) PIN(t testing.TB, shown int) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if pins := pinShown.FindAllStringSubmatch(tv.Log().String(), -1); len(pins) >= shown {
			return pins[len(pins)-1][1]
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("no PIN was shown %d times within %v:\n%s", shown, patience, tv.Log().Tail(30))
	return ""
}

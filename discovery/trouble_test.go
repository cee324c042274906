package discovery_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grandcat/zeroconf"
	"github.com/rs/zerolog"

	"airplay2mqtt/discovery"
)

// A journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) logger() zerolog.Logger { return zerolog.New(j).Level(zerolog.InfoLevel) }

// lines are what was logged since the last call.
func (j *journal) lines() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := strings.TrimSpace(j.b.String())
	j.b.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func TestNoNetworkIsSaidOnceAndSoIsItsReturn(t *testing.T) {
	var log journal
	live(t, discovery.Config{Logger: log.logger()}, func(h *house) {
		h.settle(kitchen())
		h.Unplug()
		h.wait(10 * time.Minute)
		want(t, log.lines(), []string{
			`{"level":"warn","error":"no network interface that is up, has an address and can multicast","message":"no receivers can be discovered; trying again every 30 s"}`,
		})
		if got := h.told(); len(got) != 1 {
			t.Errorf("got %q, want that the device is gone", got)
		}
		h.Plug("eth0", "192.168.1.2/24")
		h.wait(12 * time.Second)
		if got := h.told(); len(got) != 1 {
			t.Errorf("got %q, want that the device is here", got)
		}
		if got := log.lines(); len(got) != 1 || !strings.Contains(got[0], "receivers can be discovered again") {
			t.Errorf("got the log %q, want that all is well", got)
		}
	})
}

func TestAnInterfaceThatIsMissingIsSaidOnce(t *testing.T) {
	var log journal
	live(t, discovery.Config{Logger: log.logger(), Interfaces: []string{"eth0", "eth7"}}, func(h *house) {
		h.settle(kitchen())
		h.wait(10 * time.Minute)
		want(t, log.lines(), []string{
			`{"level":"warn","error":"no network interface eth7 that is up and has an address","message":"not all network interfaces can be used for discovery"}`,
		})
		want(t, h.device("0011324A5B6C").Name, "Kitchen")
	})
}

func TestMulticastThatIsImpossibleIsSaidOnce(t *testing.T) {
	var log journal
	lan := &discovery.LAN{Deaf: true}
	lan.Plug("eth0", "192.168.1.2/24")
	liveOn(t, lan, discovery.Config{Logger: log.logger()}, func(h *house) {
		h.wait(10 * time.Minute)
		if got := log.lines(); len(got) != 1 || !strings.Contains(got[0], "operation not permitted") {
			t.Errorf("got the log %q, want the reason, once", got)
		}
	})
}

func TestZeroconfAloneIsEnough(t *testing.T) {
	lan := &discovery.LAN{Deaf: true}
	liveOn(t, lan, discovery.Config{}, func(h *house) {
		h.Zeroconf(func(service string) []*zeroconf.ServiceEntry {
			if service != "_raop._tcp" {
				return nil
			}
			e := zeroconf.NewServiceEntry(`0011324A5B6C\@K\195\188che\ \(1\)\.x`, service, "local.")
			e.HostName, e.Port, e.TTL = "kitchen.local.", 5000, 120
			e.Text = []string{`am=say \"x\"`, `fv=K\195\188che \\`}
			e.AddrIPv4 = append(e.AddrIPv4, []byte{192, 168, 1, 20})
			e.AddrIPv6 = append(e.AddrIPv6, make([]byte, 16))
			return []*zeroconf.ServiceEntry{e}
		})
		h.wait(10 * time.Second)
		h.Plug("eth0", "192.168.1.2/24")
		h.wait(10 * time.Minute)
		if got := h.told(); len(got) != 1 {
			t.Errorf("got %q, want that it is here", got)
		}
		d := h.device("0011324A5B6C")
		want(t, d.Name, "Küche (1).x")
		want(t, d.RAOP, &discovery.Service{Port: 5000, TXT: map[string]string{"am": `say "x"`, "fv": `Küche \`}})

		h.Zeroconf(func(string) []*zeroconf.ServiceEntry { return nil })
		h.wait(10 * time.Minute)
		if got := h.told(); len(got) != 1 {
			t.Errorf("got %q, want that it is gone", got)
		}
	})
}

// What zeroconf says late must not outlive what the device said itself.
func TestAGoodbyeHoldsForWhatZeroconfFound(t *testing.T) {
	live(t, discovery.Config{}, func(h *house) {
		s := kitchen()
		s.airplay = nil
		h.Zeroconf(func(service string) []*zeroconf.ServiceEntry {
			if service != "_raop._tcp" || time.Since(h.start) > 3*time.Second {
				return nil
			}
			e := zeroconf.NewServiceEntry(`0011324A5B6C\@Kitchen`, service, "local.")
			e.HostName, e.Port, e.TTL, e.Text = "kitchen.local.", 5000, 4500, []string{"am=AirPort10,115"}
			e.AddrIPv4 = append(e.AddrIPv4, []byte{192, 168, 1, 20})
			return []*zeroconf.ServiceEntry{e}
		})
		h.wait(5 * time.Second)
		h.told()
		h.bye(s)
		h.wait(5 * time.Second)
		want(t, h.told(), []string{"6s 0011324A5B6C Kitchen gone"})
	})
}

//go:build linux

package interop

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
)

// A House holds the receivers, which all tests share: one after another, for
// a receiver plays for one sender at a time.
type House struct {
	Kitchen *Receiver // plain
	Bath    *Receiver // wants the password "geheim"
	Loft    *Receiver // loses one packet in twenty
	Study   *Receiver // plain
	MDNS    error     // why receivers cannot be found, nil if they can

	dir string
	env []string
}

// Open returns the house, which the first call builds. Where it cannot be built
// the test is skipped, or fails if CI is set.
func Open(t testing.TB) *House {
	t.Helper()
	if why := os.Getenv(envAbsent); why != "" {
		if os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	h, err := house()
	if err != nil {
		t.Fatal(err)
	}
	excuse(t)
	return h
}

// NeedMDNS skips a test that needs to find receivers where that cannot be, or
// fails it if CI is set.
func (h *House) NeedMDNS(t testing.TB) {
	t.Helper()
	switch {
	case h.MDNS == nil:
	case os.Getenv("CI") != "":
		t.Fatal(h.MDNS)
	default:
		t.Skipf("no multicast DNS here: %v", h.MDNS)
	}
}

// house builds the house once. Its processes end with the one that calls it.
var house = sync.OnceValues(func() (*House, error) {
	h := &House{dir: os.Getenv(envLane)}
	if h.dir == "" {
		return nil, fmt.Errorf("interop: TestMain has to call interop.Main")
	}
	var err error
	if h.env, err = startBus(h.dir); err != nil {
		return nil, err
	}
	h.MDNS = startAvahi(h.dir, h.env)
	var building errgroup.Group
	for _, room := range []struct {
		receiver **Receiver
		cfg      ReceiverConfig
	}{
		{&h.Kitchen, ReceiverConfig{Name: "Kitchen"}},
		{&h.Bath, ReceiverConfig{Name: "Bath", Password: "geheim"}},
		{&h.Loft, ReceiverConfig{Name: "Loft", Loss: 0.05}},
		{&h.Study, ReceiverConfig{Name: "Study"}},
	} {
		building.Go(func() (err error) {
			*room.receiver, err = startReceiver(h.dir, h.env, room.cfg)
			return err
		})
	}
	if err := building.Wait(); err != nil {
		return nil, err
	}
	if h.MDNS == nil {
		h.MDNS = h.Loft.process.until("all receivers are announced", func() bool {
			return announced(h.env, "Kitchen", "Bath", "Loft", "Study")
		})
	}
	return h, nil
})

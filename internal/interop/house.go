//go:build linux

package interop

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
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
	h := &House{dir: os.Getenv(envDir)}
	if h.dir == "" {
		return nil, fmt.Errorf("interop: TestMain has to call interop.Main")
	}
	if err := noteSources(); err != nil {
		return nil, err
	}
	var err error
	if h.env, err = startBus(h.dir); err != nil {
		return nil, err
	}
	h.MDNS = startAvahi(h.dir, h.env)
	if h.Kitchen, err = startReceiver(h.dir, h.env, ReceiverConfig{Name: "Kitchen"}); err != nil {
		return nil, err
	}
	if h.Bath, err = startReceiver(h.dir, h.env, ReceiverConfig{Name: "Bath", Password: "geheim"}); err != nil {
		return nil, err
	}
	if h.Loft, err = startReceiver(h.dir, h.env, ReceiverConfig{Name: "Loft", Loss: 0.05}); err != nil {
		return nil, err
	}
	if h.Study, err = startReceiver(h.dir, h.env, ReceiverConfig{Name: "Study"}); err != nil {
		return nil, err
	}
	if h.MDNS == nil {
		h.MDNS = h.Loft.process.until("all receivers are announced", func() bool {
			return announced(h.env, "Kitchen", "Bath", "Loft", "Study")
		})
	}
	return h, nil
})

// noteSources looks at every source file of the module, so that the go command
// does not take a result from its cache when the program under test changed.
func noteSources() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".go" || d.Name() == "go.mod" {
			_, err = os.Stat(path)
		}
		return err
	})
}

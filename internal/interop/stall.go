//go:build linux

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// standstill is for how long everything may stand still before what was heard
// meanwhile says nothing: receivers repair 50 ms by themselves, and begin anew
// beyond that, as they should.
const standstill = 40 * time.Millisecond

// A watch knows when the machine stood still: when something that wanted to
// run did not, although it is due each 5 ms.
type watch struct {
	mu     sync.Mutex
	stalls []stall
}

type stall struct {
	at     time.Time // when it was over
	lasted time.Duration
}

// keep watches for as long as the process lives.
func (w *watch) keep() {
	const step = 5 * time.Millisecond
	for {
		before := time.Now()
		time.Sleep(step)
		if late := time.Since(before) - step; late > standstill {
			w.mu.Lock()
			w.stalls = append(w.stalls, stall{time.Now(), late})
			w.mu.Unlock()
		}
	}
}

// longest returns how long the longest stall since t was, zero if there was
// none.
func (w *watch) longest(since time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var longest time.Duration
	for _, s := range w.stalls {
		if s.at.After(since) {
			longest = max(longest, s.lasted)
		}
	}
	return longest
}

var watching = sync.OnceValue(func() *watch {
	w := new(watch)
	go w.keep()
	return w
})

// excuse remembers a test that failed while the machine stood still, so that
// it is run once more.
func excuse(t testing.TB) {
	w, began := watching(), time.Now()
	t.Cleanup(func() {
		lasted := w.longest(began)
		if !t.Failed() || lasted == 0 {
			return
		}
		t.Logf("the machine stood still for %v meanwhile", lasted.Round(time.Millisecond))
		f, err := os.OpenFile(excusesPath(os.Getenv(envDir)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Log(err)
			return
		}
		defer f.Close()
		fmt.Fprintln(f, t.Name())
	})
}

func excusesPath(dir string) string { return filepath.Join(dir, "excused") }

// excused tells whether the machine stood still during every one of the tests
// that failed.
func excused(dir string, failed []string) bool {
	text, err := os.ReadFile(excusesPath(dir))
	if err != nil {
		return false
	}
	names := strings.Fields(string(text))
	return !slices.ContainsFunc(failed, func(name string) bool { return !slices.Contains(names, name) })
}

package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"airplay2mqtt/discovery"
)

// loopback is the name of the loopback interface, if multicast works on it.
func loopback(t *testing.T) string {
	t.Helper()
	ifaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range ifaces {
		if i.Flags&net.FlagLoopback == 0 || i.Flags&net.FlagUp == 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := discovery.Round(ctx, i.Name); err != nil {
			skip(t, "multicast on "+i.Name+" is impossible: "+err.Error())
		}
		return i.Name
	}
	skip(t, "there is no loopback interface that is up")
	return ""
}

// skip skips a test for want of something, and fails it in CI.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// browse looks on an interface until the test ends.
func browse(t *testing.T, iface string) <-chan discovery.Event {
	t.Helper()
	events := make(chan discovery.Event, 64)
	run(t, func(ctx context.Context) error {
		return discovery.Browse(ctx, discovery.Config{Interfaces: []string{iface}}, func(e discovery.Event) { events <- e })
	})
	return events
}

// run runs a thing until stop or the end of the test, and waits for it.
func run(t *testing.T, thing func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- thing(ctx) }()
	stopped := false
	stop = func() {
		cancel()
		if stopped {
			return
		}
		stopped = true
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that it was cancelled", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// next waits for an event of one device.
func next(t *testing.T, events <-chan discovery.Event, id string) discovery.Event {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case e := <-events:
			if e.Device.ID == id {
				return e
			}
		case <-timeout:
			t.Fatalf("nothing was told of %s for 10 s", id)
		}
	}
}

func TestWhatIsAnnouncedIsFoundAndSaysGoodbye(t *testing.T) {
	lo := loopback(t)
	id := fmt.Sprintf("02%010X", rand.Uint64N(1<<40))
	instance := discovery.Instance{
		Name: id + `@Küche (1).x "loud" \`, Type: "_raop._tcp", Port: 5001,
		TXT: map[string]string{"am": `a\b "c"`, "tp": "UDP", "leer": ""},
	}
	events := browse(t, lo)
	began := time.Now()
	stop := run(t, func(ctx context.Context) error {
		return discovery.Announce(ctx, discovery.Config{Interfaces: []string{lo}}, instance)
	})
	e := next(t, events, id)
	t.Logf("found after %v", time.Since(began).Round(time.Millisecond))
	want(t, e.Device.Name, `Küche (1).x "loud" \`)
	want(t, e.Device.RAOP, &discovery.Service{Port: 5001, TXT: map[string]string{"am": `a\b "c"`, "tp": "UDP", "leer": ""}})
	if a := e.Device.Addrs; len(a) == 0 || a[0] != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("got the addresses %v, want 127.0.0.1 first", a)
	}
	// A browser that comes later asks.
	began = time.Now()
	next(t, browse(t, lo), id)
	t.Logf("found by asking after %v", time.Since(began).Round(time.Millisecond))

	began = time.Now()
	stop()
	t.Logf("goodbye took %v", time.Since(began).Round(time.Millisecond))
	if e := next(t, events, id); !e.Gone {
		t.Errorf("got %v, want that it is gone", e)
	}
	took := time.Since(began)
	t.Logf("gone after %v", took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("gone after %v, want about a second", took)
	}
}

func TestTwentyRoundsLeakNothing(t *testing.T) {
	lo := loopback(t)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := discovery.Round(ctx, lo); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_ = discovery.Browse(ctx, discovery.Config{Interfaces: []string{lo}}, func(discovery.Event) {})
		cancel()
		ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		_ = discovery.Announce(ctx, discovery.Config{Interfaces: []string{lo}}, discovery.Instance{Name: "x", Type: "_leak._tcp", Port: 1})
		cancel()
	}
	// What zeroconf has started ends by itself: up to 4 s after an announcement.
	for range 50 {
		if runtime.NumGoroutine() <= goroutines && openFiles(t) <= files {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("got %d goroutines and %d files, want %d and %d as before",
		runtime.NumGoroutine(), openFiles(t), goroutines, files)
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not on Linux
	}
	return len(files)
}

func TestWhatCannotBeAnnouncedIsAnError(t *testing.T) {
	good := discovery.Instance{Name: "Kitchen", Type: "_raop._tcp", Port: 5000}
	for name, spoil := range map[string]func(*discovery.Instance){
		"no name":       func(i *discovery.Instance) { i.Name = "" },
		"a long name":   func(i *discovery.Instance) { i.Name = string(make([]byte, 64)) },
		"no type":       func(i *discovery.Instance) { i.Type = "raop" },
		"no port":       func(i *discovery.Instance) { i.Port = 0 },
		"a domain":      func(i *discovery.Instance) { i.Host = "kitchen.local" },
		"an equals":     func(i *discovery.Instance) { i.TXT = map[string]string{"a=b": ""} },
		"no key":        func(i *discovery.Instance) { i.TXT = map[string]string{"": "a"} },
		"a long string": func(i *discovery.Instance) { i.TXT = map[string]string{"a": string(make([]byte, 254))} },
	} {
		i := good
		spoil(&i)
		if err := discovery.Announce(t.Context(), discovery.Config{}, i); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func ExampleBrowse() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = discovery.Browse(ctx, discovery.Config{}, func(e discovery.Event) {
		if !e.Gone {
			fmt.Println(e.Device.Name, e.Device.Addrs)
		}
	})
}

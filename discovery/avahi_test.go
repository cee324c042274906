package discovery_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/discovery"
)

// inAvahiHouse is set where the tests run beside an Avahi of their own.
const inAvahiHouse = "DISCOVERY_IN_AVAHI_HOUSE"

// TestBesideAvahi runs the tests named TestAvahi… in namespaces of their own.
func TestBesideAvahi(t *testing.T) {
	if os.Getenv(inAvahiHouse) != "" {
		t.Skip("these are the namespaces already")
	}
	for _, tool := range []string{"unshare", "dbus-daemon", "avahi-daemon", "avahi-publish", "avahi-browse", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			skip(t, tool+" is not installed (scripts/setup brings it)")
		}
	}
	if os.Geteuid() != 0 {
		skip(t, "Avahi in a namespace wants root")
	}
	if err := exec.Command("unshare", "-nmpf", "--mount-proc", "true").Run(); err != nil {
		skip(t, "namespaces cannot be made here: "+err.Error())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	test := exec.CommandContext(ctx, "unshare", "-nmpf", "--kill-child", "--mount-proc",
		"sh", "testdata/avahi.sh", os.Args[0], "-test.run=^TestAvahi", "-test.v", "-test.timeout=100s")
	test.Env = append(os.Environ(), inAvahiHouse+"=1")
	out, err := test.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: TestAvahi") {
		t.Errorf("the tests beside Avahi: %v", err)
	}
}

func outsideAvahiHouse(t *testing.T) {
	t.Helper()
	if os.Getenv(inAvahiHouse) == "" {
		t.Skip("runs beside Avahi only, by TestBesideAvahi")
	}
}

// publish lets Avahi announce a service until stop or the end of the test.
func publish(t *testing.T, args ...string) (stop func()) {
	t.Helper()
	p := exec.Command("avahi-publish", args...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = p.Process.Signal(os.Interrupt)
			_ = p.Wait()
		}
	}
	t.Cleanup(stop)
	return stop
}

func TestAvahiIsSeenToComeChangeAndGo(t *testing.T) {
	outsideAvahiHouse(t)
	events := browse(t, "lo")
	const id = "0011324A5B6C"
	began := time.Now()
	raop := publish(t, "-s", id+"@Küche (1).x", "_raop._tcp", "5001", "am=ShairportSync", "tp=UDP")
	e := next(t, events, id)
	t.Logf("found after %v, of which Avahi probes about 0.75 s", time.Since(began).Round(time.Millisecond))
	want(t, e.Device.Name, "Küche (1).x")
	want(t, e.Device.RAOP.TXT, map[string]string{"am": "ShairportSync", "tp": "UDP"})

	began = time.Now()
	airplay := publish(t, "-s", "Küche", "_airplay._tcp", "7000", "deviceid=00:11:32:4A:5B:6C", "model=Speaker1,1")
	e = next(t, events, id)
	t.Logf("changed after %v", time.Since(began).Round(time.Millisecond))
	want(t, e.Device.Name, "Küche")
	want(t, e.Device.Model, "Speaker1,1")

	began = time.Now()
	airplay()
	e = next(t, events, id)
	t.Logf("changed back after %v", time.Since(began).Round(time.Millisecond))
	want(t, e.Device.Name, "Küche (1).x")

	began = time.Now()
	raop()
	e = next(t, events, id)
	took := time.Since(began)
	t.Logf("gone after %v", took.Round(time.Millisecond))
	if !e.Gone || took > 3*time.Second {
		t.Errorf("got gone %v after %v, want it after about a second", e.Gone, took)
	}
}

func TestAvahiIsFoundByAsking(t *testing.T) {
	outsideAvahiHouse(t)
	const id = "0011324A5B6D"
	publish(t, "-s", id+"@Bath", "_raop._tcp", "5002", "am=ShairportSync")
	var took []time.Duration
	for range 4 {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_ = discovery.Browse(ctx, discovery.Config{Interfaces: []string{"lo"}}, func(e discovery.Event) {
			if e.Device.ID == id {
				cancel()
			}
		})
		cancel()
		took = append(took, time.Since(began).Round(time.Millisecond))
		// Avahi need not answer within a second of saying the same by itself
		// or to somebody else: RFC 6762, 6. It repeats what is new for a while,
		// so one of these may take a second longer.
		time.Sleep(1500 * time.Millisecond)
	}
	took = took[1:] // while Avahi was still probing
	t.Logf("found by asking after %v", took)
	if best := slices.Min(took); best > time.Second {
		t.Errorf("found after %v at best, want less than a second", best)
	}
}

// Where the loopback is all there is, it does not: zeroconf sends from no
// address there.
func TestAvahiSeesWhatWeAnnounce(t *testing.T) {
	outsideAvahiHouse(t)
	for _, args := range []string{
		"link add house type veth peer name garden",
		"addr add 10.77.0.1/24 dev house",
		"link set house up",
		"link set garden up",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", "house").Run() })
	ask := func(options string) string {
		out, err := exec.Command("avahi-browse", options, "_dacp._tcp").CombinedOutput()
		if err != nil {
			t.Fatalf("avahi-browse: %v: %s", err, out)
		}
		return string(out)
	}
	stop := run(t, func(ctx context.Context) error {
		return discovery.Announce(ctx, discovery.Config{Interfaces: []string{"house"}}, discovery.Instance{
			Name: "iTunes_Ctrl_56B29BB6CB904862", Type: "_dacp._tcp", Port: 3689, TXT: map[string]string{"txtvers": "1"},
		})
	})
	waitUntil(t, "it is seen", func() bool {
		out := ask("-krpt")
		return strings.Contains(out, `;iTunes_Ctrl_56B29BB6CB904862;_dacp._tcp;local;`) &&
			strings.Contains(out, `;10.77.0.1;3689;"txtvers=1"`)
	})
	stop()
	waitUntil(t, "its goodbye is seen", func() bool { return !strings.Contains(ask("-kpt"), "+;house;IPv4;iTunes_Ctrl") })
}

func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Errorf("not within 10 s: %s", what)
}

//go:build linux

package interop_test

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
	"airplay2mqtt/raop/raoptest"
)

// A fake is a receiver of our own that notes when it begins to be heard.
type fake struct {
	*raoptest.Receiver
	device interop.Device

	mu    sync.Mutex
	first time.Time // when the first frame that is not silent was heard
	loud  int       // how many there were
}

func newFake(t *testing.T, name string) *fake {
	t.Helper()
	f := &fake{}
	rx, err := raoptest.New(raoptest.Config{Name: name, Keep: -1, OnFrames: f.hear})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rx.Close() })
	host, port, err := net.SplitHostPort(rx.Addr())
	if err != nil {
		t.Fatal(err)
	}
	f.Receiver, f.device = rx, interop.Device{Name: name, Host: host, Port: atoi(t, port)}
	return f
}

func (f *fake) hear(at time.Time, frames [][2]int16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, frame := range frames {
		if frame == [2]int16{} {
			continue
		}
		if f.loud == 0 {
			f.first = at.Add(time.Duration(i) * time.Second / rate)
		}
		f.loud++
	}
}

// heard is when the first frame was, and how many were.
func (f *fake) heard() (first time.Time, loud int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.first, f.loud
}

var lates = regexp.MustCompile(`session counted.* late=(\d+)`)

// Four real receivers and 28 fakes hear one sound.
func TestThirtyTwoReceiversPlayInStep(t *testing.T) {
	house := interop.Open(t)
	tune := interop.Noise(75, 9*time.Second)
	rooms := []*interop.Receiver{house.Kitchen, house.Bath, house.Study, house.Receiver(t, interop.ReceiverConfig{Name: "Hall"})}
	var devices []interop.Device
	var slugs []string
	var ears []*interop.Ear
	for _, r := range rooms {
		devices, ears = append(devices, r.Device()), append(ears, r.Listen())
	}
	var fakes []*fake
	for len(devices) < 32 {
		f := newFake(t, "Room"+strconv.Itoa(len(devices)))
		fakes, devices = append(fakes, f), append(devices, f.device)
	}
	for _, d := range devices {
		slugs = append(slugs, `"`+d.Slug()+`"`)
	}
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker: house.Broker(t, interop.BrokerConfig{}), Devices: devices, Measured: true,
		Files: map[string][]byte{"tune.wav": tune.WAV()},
	})
	at := bridge.Client.Publish(t, "airplay/bridge/request/group/set", `{"name":"Everywhere","members":[`+strings.Join(slugs, ",")+`]}`)
	bridge.Client.Wait(t, at, "airplay/bridge/response/group/set", moment, func(p string) bool { return strings.Contains(p, `"status":"ok"`) })

	at = bridge.Client.Publish(t, "airplay/everywhere/play_file", "tune.wav")
	if got := bridge.Client.Result(t, at, "everywhere", "play_file"); got.Code() != "ok" {
		t.Fatalf("result: got %s (%v), want ok", got.Code(), got.Error)
	}
	before, since := work(t, bridge), time.Now()
	time.Sleep(6 * time.Second) // what is measured
	share := (work(t, bridge) - before).Seconds() / time.Since(since).Seconds()
	memory := resident(t, bridge)
	var heard []interop.Heard
	for _, e := range ears {
		heard = append(heard, e.Hear(t, tune, interop.Exactly))
	}
	bridge.Client.Status(t, at, "everywhere", "idle")

	worst := time.Duration(0)
	for _, h := range heard[1:] {
		for _, d := range skews(heard[0], h) {
			worst = max(worst, d)
		}
	}
	if worst > 5*time.Millisecond { // beyond that it is no busy machine but two clocks
		t.Errorf("the real ones are %v apart in the worst second", worst)
	}
	apart, begins := time.Duration(0), heard[0].At(0)
	for _, f := range fakes {
		first, loud := f.heard()
		apart = max(apart, first.Sub(begins).Abs())
		if log := f.Log(); log.Late > 0 || log.Gaps > 0 || loud != len(tune) {
			t.Errorf("%s: got %d frames of %d, %d gaps, %d packets late", f.device.Name, loud, len(tune), log.Gaps, log.Late)
		}
	}
	if apart > 20*time.Millisecond {
		t.Errorf("a fake begins %v from the kitchen", apart)
	}
	if share > 0.6 {
		t.Errorf("processor: got %.0f %% of a core, want 60 %% at most", 100*share)
	}
	bridge.Stop(t) // the sessions are over, and have counted
	late := latePackets(t, bridge, len(devices))
	if late > 0 {
		t.Errorf("%d packets were late, want none", late)
	}
	interop.Note(t, "32 receivers in step: processor, one core", fmt.Sprintf("%.1f %%", 100*share), "60 % at most")
	interop.Note(t, "32 receivers in step: processor time of a minute, each", fmt.Sprintf("%.3f s", share*time.Minute.Seconds()/float64(len(devices))), "0.1 s at most")
	interop.Note(t, "32 receivers in step: packets late", strconv.Itoa(late), "0")
	interop.Note(t, "32 receivers in step: memory", megabytes(memory), "")
	interop.Note(t, "32 receivers in step: four real ones, worst second", fine(worst), "0.250 ms at most")
}

// latePackets is what the sessions say of themselves once they are over.
func latePackets(t *testing.T, b *interop.Bridge, sessions int) (late int) {
	t.Helper()
	all := lates.FindAllStringSubmatch(b.Output.String(), -1)
	if len(all) != sessions {
		t.Fatalf("%d sessions have counted, want %d", len(all), sessions)
	}
	for _, m := range all {
		late += atoi(t, m[1])
	}
	return late
}

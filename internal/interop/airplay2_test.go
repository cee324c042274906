//go:build linux

package interop_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/internal/interop"
)

// Two modern rooms and a classic one are a group: one stream, by both protocols.
// The program is built as it is shipped, for the race detector makes it late.
func TestModernAndClassicReceiversAreInStep(t *testing.T) {
	house := interop.Open(t)
	wing := house.Wing(t)
	tune := interop.Noise(350, 5*time.Second)
	rooms := []*interop.Receiver{wing.Salon, wing.Studio, house.Kitchen}
	devices := []interop.Device{rooms[0].Device(), rooms[1].Device(), rooms[2].Device()}
	devices[0].Protocol, devices[1].Protocol = "airplay", "airplay"
	bridge := house.Bridge(t, interop.BridgeConfig{Broker: house.Broker(t, interop.BrokerConfig{}), Devices: devices,
		Files: map[string][]byte{"tune.wav": tune.WAV()}, Measured: true})
	at := bridge.Client.Publish(t, "airplay/bridge/request/group/set", `{"name":"Everywhere","members":["salon","studio","kitchen"]}`)
	bridge.Client.Wait(t, at, "airplay/bridge/response/group/set", moment, func(payload string) bool {
		return strings.Contains(payload, `"status":"ok"`)
	})
	// A machine that is busy reads pipes late, now and then for seconds: what the
	// rooms themselves are apart is what the best of a few plays shows.
	modern, mixed := time.Hour, time.Hour
	for range 4 {
		var ears []*interop.Ear
		for _, r := range rooms {
			ears = append(ears, r.Listen())
		}
		at := bridge.Client.Publish(t, "airplay/everywhere/play_file", "tune.wav")
		var heard []interop.Heard
		for _, e := range ears {
			heard = append(heard, e.Hear(t, tune, interop.Exactly))
		}
		bridge.Client.Status(t, at, "everywhere", "idle")
		modern, mixed = min(modern, apart(heard[0], heard[1]).Abs()), min(mixed, apart(heard[0], heard[2]).Abs())
		if modern <= 50*time.Microsecond && mixed <= time.Millisecond {
			break
		}
	}
	interop.Note(t, "in step: two AirPlay 2 rooms apart, median", fine(modern), "0.050 ms at most")
	interop.Note(t, "in step: AirPlay 2 and AirPlay 1 apart, median", fine(mixed), "1 ms at most")
	// Beyond that it is no busy machine but two clocks.
	if modern > 10*time.Millisecond || mixed > 20*time.Millisecond {
		t.Errorf("the modern rooms are %v apart, the modern and the classic one %v", modern, mixed)
	}
}

// apart is how far the second of two receivers is behind the first, packet by
// packet, the median: what holds the whole machine up delays both.
func apart(a, b interop.Heard) time.Duration {
	var all []time.Duration
	for i := 0; i < len(a.Sound); i += packet {
		all = append(all, b.At(i).Sub(a.At(i)))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// A program without the right to the ports of PTP plays to who keeps time by
// NTP as well, and says what to do about the others.
func TestBridgeWithoutTheRightToThePortsOfPTP(t *testing.T) {
	house := interop.Open(t)
	salon := house.Wing(t).Salon.Device()
	rx, err := airplaytest.New(airplaytest.HomePod())
	if err != nil {
		t.Fatal(err)
	}
	defer rx.Close()
	pod := interop.Device{Name: "Pod", Host: "127.0.0.1", Port: rx.Port(), Protocol: "airplay"}
	salon.Protocol = "airplay"
	tune := interop.Noise(361, time.Second)
	bridge := house.Bridge(t, interop.BridgeConfig{Broker: house.Broker(t, interop.BrokerConfig{}), Devices: []interop.Device{salon, pod},
		Files: map[string][]byte{"tune.wav": tune.WAV()}, Deprived: true})
	at := bridge.Client.Publish(t, "airplay/salon/play_file", "tune.wav")
	got := bridge.Client.Result(t, at, "salon", "play_file")
	if took := got.At.Sub(at); got.Code() != "no_clock" || took > 5*time.Second {
		t.Errorf("PTP only: got %s after %v, want no_clock within 5 s", got.Code(), took)
	}
	if got.Error == nil || !strings.Contains(got.Error.Message, "ip_unprivileged_port_start") || !strings.Contains(got.Error.Message, "setcap") {
		t.Errorf("PTP only: %v does not say how the right is granted", got.Error)
	}
	at = bridge.Client.Publish(t, "airplay/pod/play_file", "tune.wav")
	if got := bridge.Client.Result(t, at, "pod", "play_file"); got.Code() != "ok" {
		t.Errorf("NTP as well: got %s (%v), want ok", got.Code(), got.Error)
	}
}

func TestBridgePlaysByAirPlay2(t *testing.T) {
	house := interop.Open(t)
	salon := house.Wing(t).Salon
	tune := interop.Noise(360, 10*time.Second)
	broker := house.Broker(t, interop.BrokerConfig{})
	device := salon.Device()
	device.Protocol = "airplay"
	bridge := house.Bridge(t, interop.BridgeConfig{Broker: broker, Devices: []interop.Device{device}, Files: map[string][]byte{"tune.wav": tune.WAV()}, Measured: true})
	ear := salon.Listen()
	at := bridge.Client.Publish(t, "airplay/salon/play_file", "tune.wav")
	ear.HearBeginning(t, tune, interop.Exactly)
	before, err := bridge.Work()
	if err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	ear.Hear(t, tune, interop.Exactly)
	after, err := bridge.Work()
	if err != nil {
		t.Fatal(err)
	}
	minute := float64(after-before) / float64(time.Since(since)) * 60
	interop.Note(t, "processor time for a minute of AirPlay 2", fmt.Sprintf("%.2f s", minute), "0.35 s at most")
	if got := bridge.Client.Result(t, at, "salon", "play_file"); got.Code() != "ok" {
		t.Errorf("result: got %s (%v), want ok", got.Code(), got.Error)
	}
}

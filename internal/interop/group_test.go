//go:build linux

package interop_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/internal/interop"
)

const (
	rate   = 44100
	packet = 352
)

// downstairs starts a bridge with a group of three rooms.
func downstairs(t *testing.T, tune interop.Sound) (*interop.Bridge, []*interop.Receiver) {
	t.Helper()
	house := interop.Open(t)
	rooms := []*interop.Receiver{house.Kitchen, house.Bath, house.Study}
	bridge := house.Bridge(t, interop.BridgeConfig{
		Broker:   house.Broker(t, interop.BrokerConfig{}),
		Devices:  []interop.Device{rooms[0].Device(), rooms[1].Device(), rooms[2].Device()},
		Files:    map[string][]byte{"tune.wav": tune.WAV()},
		Measured: true,
	})
	at := bridge.Client.Publish(t, "airplay/bridge/request/group/set", `{"name":"Downstairs","members":["kitchen","bath","study"]}`)
	bridge.Client.Wait(t, at, "airplay/bridge/response/group/set", moment, func(payload string) bool {
		return strings.Contains(payload, `"status":"ok"`)
	})
	return bridge, rooms
}

// skews are how far a room is from another, in each second of a sound: the
// median of its packets, since either recorder may be late to read one.
func skews(a, b interop.Heard) []time.Duration {
	var each []time.Duration
	for second := 0; second+rate <= len(a.Sound); second += rate {
		var apart []time.Duration
		for i := second; i < second+rate; i += packet {
			apart = append(apart, a.At(i).Sub(b.At(i)))
		}
		slices.Sort(apart)
		each = append(each, apart[len(apart)/2].Abs())
	}
	return each
}

func TestThreeRoomsOfAGroupPlayInStep(t *testing.T) {
	tune := interop.Noise(71, 12*time.Second)
	bridge, rooms := downstairs(t, tune)
	var ears []*interop.Ear
	for _, r := range rooms {
		ears = append(ears, r.Listen())
	}
	at := bridge.Client.Publish(t, "airplay/downstairs/play_file", "tune.wav")
	var heard []interop.Heard
	for _, e := range ears {
		heard = append(heard, e.Hear(t, tune, interop.Exactly))
	}
	if got := bridge.Client.Result(t, at, "downstairs", "play_file"); got.Code() != "ok" {
		t.Errorf("result: got %s (%v), want ok", got.Code(), got.Error)
	}
	all := slices.Concat(skews(heard[0], heard[1]), skews(heard[0], heard[2]), skews(heard[1], heard[2]))
	slices.Sort(all)
	median, worst := all[len(all)/2], all[len(all)-1]
	// Beyond that it is no busy machine but two clocks.
	if median > time.Millisecond || worst > 5*time.Millisecond {
		t.Errorf("the rooms are %v apart, %v in the worst second", median, worst)
	}
	interop.Note(t, "three rooms: skew, median", fine(median), "0.020 ms at most")
	interop.Note(t, "three rooms: skew, worst second", fine(worst), "0.250 ms at most")
}

func TestAMemberThatDiesComesBackInStep(t *testing.T) {
	tune := interop.Noise(72, 19*time.Second)
	bridge, rooms := downstairs(t, tune)
	bath := rooms[1]
	kitchen, study := rooms[0].Listen(), rooms[2].Listen()
	bridge.Client.Publish(t, "airplay/downstairs/play_file", "tune.wav")
	kitchen.HearBeginning(t, tune, interop.Exactly)
	time.Sleep(3 * time.Second)
	bath.Freeze(t)
	time.Sleep(4 * time.Second)
	bath.Vanish(t)
	time.Sleep(3 * time.Second)
	ear := bath.Listen()
	back := time.Now()
	bath.Return(t)

	whole := kitchen.Hear(t, tune, interop.Exactly) // without a gap
	study.Hear(t, tune, interop.Exactly)
	runs := ear.Runs(tune)
	if len(runs) == 0 {
		t.Fatalf("nothing was heard after the return")
	}
	first := runs[0]
	took := ear.At(first.Recording).Sub(back)
	if took > 5*time.Second {
		t.Errorf("heard again %v after the return, want 5s at most", took)
	}
	var apart []time.Duration
	for i := 0; i+packet <= first.Frames; i += packet {
		apart = append(apart, ear.At(first.Recording+i).Sub(whole.At(first.Sound+i)))
	}
	slices.Sort(apart)
	off := apart[len(apart)/2]
	if off.Abs() > 5*time.Millisecond {
		t.Errorf("it is %v off the others", off)
	}
	interop.Note(t, "a member killed: frames that the others miss", "0", "0")
	interop.Note(t, "a member killed: in step after its return", fmt.Sprintf("%.2f s", took.Seconds()), "5 s at most")
	interop.Note(t, "a member killed: off the others then", fine(off.Abs()), "")
}

// fine shows a duration with a microsecond.
func fine(d time.Duration) string { return fmt.Sprintf("%.3f ms", float64(d.Microseconds())/1000) }

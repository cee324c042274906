//go:build linux

package interop_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/interop"
	"airplay2mqtt/raop"
)

// clock keeps the time of a test's sessions.
func clock(t *testing.T) *ptp.Engine {
	e := ptp.New(ptp.Config{})
	t.Cleanup(func() { e.Close() })
	return e
}

// modern dials a receiver by AirPlay 2.
func modern(t *testing.T, r *interop.Receiver, cfg airplay.Config) *airplay.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	s, err := airplay.Dial(ctx, r.Address(), airplay.Info{}, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// track opens a sound.
func track(t *testing.T, sound interop.Sound) audio.Track {
	t.Helper()
	var opener audio.Opener
	tr, err := opener.OpenReader(t.Context(), io.NopCloser(bytes.NewReader(sound.WAV())), "tune.wav")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// play plays a sound to its end.
func play(t *testing.T, sound interop.Sound, sinks ...stream.Sink) {
	t.Helper()
	if err := stream.Play(t.Context(), track(t, sound), sinks...); err != nil {
		t.Fatal(err)
	}
}

func TestModernReceiverHearsEveryFrame(t *testing.T) {
	salon := interop.Open(t).Wing(t).Salon
	for _, kind := range []airplay.Kind{airplay.Realtime, airplay.Buffered} {
		t.Run(string(kind), func(t *testing.T) {
			at := time.Now()
			s := modern(t, salon, airplay.Config{Clock: clock(t), Kind: kind})
			interop.Note(t, "AirPlay 2, "+string(kind)+": dialled, cold", milliseconds(time.Since(at)), "")
			s.SetTags(t.Context(), audio.Tags{Title: "Aria of " + string(kind)})
			for i, what := range []string{"cold", "warm"} {
				tune := interop.Noise(uint64(310+i), 2*time.Second)
				ear := salon.Listen()
				begun, lead := time.Now(), max(time.Second, s.MinLead())
				play(t, tune, s)
				late := ear.Hear(t, tune, interop.Exactly).Line().Sub(begun) - lead
				interop.Note(t, "AirPlay 2, "+string(kind)+", "+what+": first frame over the chosen latency", milliseconds(late), "300 ms at most")
				if late > 300*time.Millisecond {
					t.Errorf("%s: the first frame was heard %v after it was due", what, late)
				}
			}
			salon.Metadata.Wait(t, at, "minm", func(data string) bool { return data == "Aria of "+string(kind) })
		})
	}
}

func TestModernReceiverIsPausedAndResumed(t *testing.T) {
	salon := interop.Open(t).Wing(t).Salon
	for _, kind := range []airplay.Kind{airplay.Realtime, airplay.Buffered} {
		t.Run(string(kind), func(t *testing.T) {
			s := modern(t, salon, airplay.Config{Clock: clock(t), Kind: kind})
			tune := interop.Noise(320, 4*time.Second)
			ear := salon.Listen()
			st := stream.New(track(t, tune), stream.Config{}, s)
			ended := make(chan error, 1)
			go func() { ended <- st.Run(t.Context()) }()
			<-st.Heard()
			time.Sleep(time.Second)
			if err := st.Pause(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if err := st.Resume(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond)
			// What came out before it was heard comes out again, and nothing is lost.
			runs := ear.Runs(tune)
			if len(runs) != 2 {
				t.Fatalf("heard in %d pieces, want 2: %s", len(runs), interop.Describe(runs, tune))
			}
		})
	}
}

func TestModernReceiverWithAPassword(t *testing.T) {
	library := interop.Open(t).Wing(t).Library
	tune := interop.Noise(340, time.Second)
	ear := library.Listen()
	play(t, tune, modern(t, library, airplay.Config{Clock: clock(t), Password: "geheim"}))
	ear.Hear(t, tune, interop.Exactly)
	_, err := airplay.Dial(t.Context(), library.Address(), airplay.Info{}, &airplay.Config{Clock: clock(t), Password: "falsch"})
	if err == nil {
		t.Error("a wrong password is taken")
	}
}

// Two modern rooms and a classic one play one stream.
func TestModernAndClassicReceiversAreInStep(t *testing.T) {
	house := interop.Open(t)
	wing := house.Wing(t)
	e := clock(t)
	first, second := modern(t, wing.Salon, airplay.Config{Clock: e}), modern(t, wing.Studio, airplay.Config{Clock: e})
	old, err := raop.Dial(t.Context(), house.Kitchen.Address(), raop.Info{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	tune := interop.Noise(350, 4*time.Second)
	salon, studio, kitchen := wing.Salon.Listen(), wing.Studio.Listen(), house.Kitchen.Listen()
	play(t, tune, first, second, old)
	a, b := salon.Hear(t, tune, interop.Exactly).Line(), studio.Hear(t, tune, interop.Exactly).Line()
	c := kitchen.Hear(t, tune, interop.Exactly).Line()
	interop.Note(t, "in step: two AirPlay 2 rooms apart", milliseconds(a.Sub(b).Abs()), "10 ms at most")
	interop.Note(t, "in step: AirPlay 2 and AirPlay 1 apart", milliseconds(a.Sub(c).Abs()), "20 ms at most")
	if off := a.Sub(b).Abs(); off > 10*time.Millisecond {
		t.Errorf("the modern rooms are %v apart", off)
	}
	if off := a.Sub(c).Abs(); off > 20*time.Millisecond {
		t.Errorf("the modern and the classic room are %v apart", off)
	}
}

func TestBridgePlaysByAirPlay2(t *testing.T) {
	house := interop.Open(t)
	salon := house.Wing(t).Salon
	tune := interop.Noise(360, 2*time.Second)
	broker := house.Broker(t, interop.BrokerConfig{})
	device := salon.Device()
	device.Protocol = "airplay"
	bridge := house.Bridge(t, interop.BridgeConfig{Broker: broker, Devices: []interop.Device{device}, Files: map[string][]byte{"tune.wav": tune.WAV()}})
	ear := salon.Listen()
	at := bridge.Client.Publish(t, "airplay/salon/play_file", "tune.wav")
	ear.Hear(t, tune, interop.Exactly)
	if got := bridge.Client.Result(t, at, "salon", "play_file"); got.Code() != "ok" {
		t.Errorf("result: got %s (%v), want ok", got.Code(), got.Error)
	}
}

//go:build linux

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/gptp"
	"airplay2mqtt/internal/interop"
)

// A wing is the receivers of AirPlay 2, and a clock that all our sessions with
// them share.
type wing struct {
	*testing.T
	*interop.Wing
	clock *ptp.Engine
}

func newWing(t *testing.T) wing {
	t.Helper()
	w := wing{t, interop.Open(t).Wing(t), ptp.New(ptp.Config{})}
	t.Cleanup(func() { w.clock.Close() })
	return w
}

// try dials a receiver, with the password that it wants or with another, of
// which nothing is known but where it is.
func (w wing) try(r *interop.Receiver, cfg airplay.Config) (*airplay.Session, error) {
	cfg.Clock = w.clock
	ctx, cancel := context.WithTimeout(w.Context(), moment)
	defer cancel()
	return airplay.Dial(ctx, r.Address(), airplay.Info{}, &cfg)
}

// dial makes a receiver ready.
func (w wing) dial(r *interop.Receiver, cfg airplay.Config) *airplay.Session {
	w.Helper()
	cfg.Password = r.Config.Password
	s, err := w.try(r, cfg)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { s.Close() })
	w.Cleanup(func() {
		if w.Failed() {
			w.Logf("%s said:\n%s", r.Config.Name, r.Log().Tail(60))
		}
	})
	return s
}

// open opens a sound as a player does.
func open(t *testing.T, tune interop.Sound) audio.Track {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tune.wav")
	if err := os.WriteFile(path, tune.WAV(), 0o644); err != nil {
		t.Fatal(err)
	}
	track, err := audio.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { track.Close() })
	return track
}

// run plays a sound beside the test, which waits for its end.
func run(t *testing.T, tune interop.Sound, sinks ...stream.Sink) (s *stream.Stream, ended <-chan error) {
	t.Helper()
	s = stream.New(open(t, tune), stream.Config{}, sinks...)
	ctx, cancel := context.WithCancel(t.Context())
	said := make(chan error, 1)
	go func() { said <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-s.Done() })
	return s, said
}

var kinds = []airplay.Kind{airplay.Realtime, airplay.Buffered}

func TestBothKindsOfSoundAreHeardFrameForFrameAndSoon(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			w := newWing(t)
			const lead = time.Second // of a stream that is not told another
			tune := interop.Noise(70, 1500*time.Millisecond)
			w.dial(w.Salon, airplay.Config{Kind: kind}).Close() // the first ever waits for nqptp
			told := time.Now()
			s := w.dial(w.Salon, airplay.Config{Kind: kind})
			dialled := time.Since(told)
			if got, want := s.Facts(), (airplay.Facts{Timing: airplay.PTP, Kind: kind}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if err := s.SetTags(t.Context(), audio.Tags{Title: "Aria of " + string(kind)}); err != nil {
				t.Fatal(err)
			}
			var late [3]time.Duration
			var jitter time.Duration
			for i := range late {
				ear, sound := w.Salon.Listen(), open(t, tune)
				begun := time.Now()
				if err := stream.Play(t.Context(), sound, s); err != nil {
					t.Fatal(err)
				}
				heard := ear.Hear(t, tune, interop.Exactly)
				late[i], jitter = heard.Line().Sub(begun)-lead, max(jitter, heard.Jitter())
			}
			w.Salon.Metadata.Wait(t, told, "minm", func(data string) bool { return data == "Aria of "+string(kind) })
			interop.Note(t, "AirPlay 2, "+string(kind)+": dialled, cold", milliseconds(dialled), "")
			interop.Note(t, "AirPlay 2, "+string(kind)+": latest packet after its time", milliseconds(jitter), "")
			interop.Note(t, "AirPlay 2, "+string(kind)+": command to sound beyond 1 s",
				fmt.Sprintf("%s cold, then %s, %s", milliseconds(dialled+late[0]), milliseconds(late[1]), milliseconds(late[2])), "1.2 s cold, 0.3 s warm")
			if cold := dialled + late[0]; cold > 1200*time.Millisecond {
				t.Errorf("cold: got %v, want 1.2 s at most", cold)
			}
			if late[0] > 300*time.Millisecond || min(late[1], late[2]) > 300*time.Millisecond {
				t.Errorf("once dialled: got %v, want 0.3 s at most", late)
			}
		})
	}
}

// shairport-sync 5.1 may end where it is told for the first time when to play,
// and knows the time already.
func TestSessionThatWaitedIsHeard(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			w := newWing(t)
			s := w.dial(w.Salon, airplay.Config{Kind: kind})
			time.Sleep(2 * time.Second) // until it knows the time
			tune := interop.Noise(77, time.Second)
			ear := w.Salon.Listen()
			if err := stream.Play(t.Context(), open(t, tune), s); err != nil {
				t.Fatal(err)
			}
			ear.Hear(t, tune, interop.Exactly)
		})
	}
}

func TestAirPlay2PausesAndGoesOn(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			w := newWing(t)
			tune := interop.Noise(72, 4*time.Second)
			ear := w.Salon.Listen()
			s, ended := run(t, tune, w.dial(w.Salon, airplay.Config{Kind: kind}))
			ear.Hear(t, tune[:44100], interop.Exactly)

			at := time.Now()
			if err := s.Pause(t.Context()); err != nil {
				t.Fatal(err)
			}
			silent := w.Salon.Silent(t, ear, 500*time.Millisecond).Sub(at)
			if silent > 300*time.Millisecond {
				t.Errorf("sound went on for %v after the pause", silent)
			}
			before := ear.Runs(tune)
			again := w.Salon.Listen()
			if err := s.Resume(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			w.Salon.Silent(t, again, 300*time.Millisecond)
			after := again.Runs(tune)
			if len(before) != 1 || len(after) != 1 || after[0].Sound+after[0].Frames != len(tune) {
				t.Fatalf("before the pause was heard %s; after it %s", interop.Describe(before, tune), interop.Describe(after, tune))
			}
			// What came out before it was heard comes out again.
			twice := before[0].Sound + before[0].Frames - after[0].Sound
			interop.Note(t, "AirPlay 2, "+string(kind)+": frames heard twice by a pause, or lost if negative", fmt.Sprint(twice), "-4410 to 13230")
			interop.Note(t, "AirPlay 2, "+string(kind)+": sound goes on after a pause for", milliseconds(silent), "300 ms at most")
			if twice < -4410 || twice > 13230 {
				t.Errorf("%d frames were heard twice, or lost if negative", twice)
			}
		})
	}
}

func TestAirPlay2IsToldVolumeAndTitle(t *testing.T) {
	w := newWing(t)
	tune := interop.Noise(73, 4*time.Second)
	ear := w.Salon.Listen()
	s := w.dial(w.Salon, airplay.Config{})
	at := time.Now()
	if err := s.SetTags(t.Context(), audio.Tags{Title: "Doorbell", Artist: "Front door", Album: "Chimes"}); err != nil {
		t.Fatal(err)
	}
	run(t, tune, s)
	ear.HearBeginning(t, tune, interop.Exactly)
	for code, want := range map[string]string{"minm": "Doorbell", "asar": "Front door", "asal": "Chimes"} {
		w.Salon.Metadata.Wait(t, at, code, func(data string) bool { return data == want })
	}
	for level, want := range map[float64]string{0.75: "-7.50,", 0.2: "-24.00,", 1: "0.00,", 0: "-144.00,"} {
		at := time.Now()
		if err := s.SetVolume(t.Context(), level); err != nil {
			t.Fatal(err)
		}
		w.Salon.Metadata.Wait(t, at, "pvol", func(data string) bool { return len(data) >= len(want) && data[:len(want)] == want })
	}
}

func TestLostPacketsOfAirPlay2AreSentAgain(t *testing.T) {
	w := newWing(t)
	tune := interop.Noise(74, 5*time.Second)
	ear := w.Attic.Listen()
	s := w.dial(w.Attic, airplay.Config{Kind: airplay.Realtime})
	if err := stream.Play(t.Context(), open(t, tune), s); err != nil {
		t.Fatal(err)
	}
	ear.Hear(t, tune, interop.Exactly)
	interop.Note(t, "AirPlay 2, loss of 5 %: frames missing of 5 s", "0", "0")
}

func TestPasswordOfAirPlay2(t *testing.T) {
	w := newWing(t)
	for name, password := range map[string]string{"wrong": "geraten", "none": ""} {
		t.Run(name, func(t *testing.T) {
			s, err := w.try(w.Library, airplay.Config{Password: password})
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, airplay.ErrPassword) {
				t.Errorf("got %v, want %v", err, airplay.ErrPassword)
			}
		})
	}
	tune := interop.Noise(75, time.Second)
	ear := w.Library.Listen()
	if err := stream.Play(t.Context(), open(t, tune), w.dial(w.Library, airplay.Config{})); err != nil {
		t.Fatal(err)
	}
	ear.Hear(t, tune, interop.Exactly)
}

func TestAnotherOwnerOfTheClockIsNamed(t *testing.T) {
	w := newWing(t)
	other, err := net.ListenPacket("udp", ":319")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	begun := time.Now()
	s, err := w.try(w.Salon, airplay.Config{Timing: airplay.PTP})
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, ptp.ErrPorts) {
		t.Errorf("got %v, want %v", err, ptp.ErrPorts)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v, want 5 s at most", took)
	}
}

// A receiver that asks for the time is answered at once, or it takes the way to
// us for longer than it is.
func TestQuestionsForTheTimeAreAnsweredWithinAMillisecond(t *testing.T) {
	interop.Open(t) // for a network in which the ports are ours
	const receiver = "127.0.0.2"
	e := ptp.New(ptp.Config{Address: "127.0.0.1"})
	defer e.Close()
	peer, err := e.Add(netip.MustParseAddr(receiver), ptp.Lead)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Remove()
	event, general := listenUDP(t, receiver, gptp.EventPort), listenUDP(t, receiver, gptp.GeneralPort)
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: gptp.EventPort}
	var took []time.Duration
	for seq := range uint16(200) {
		asked := time.Now()
		if _, err := event.WriteTo(gptp.NewDelayReq(gptp.PortID{Clock: 1, Port: 1}, seq).AppendTo(nil), to); err != nil {
			t.Fatal(err)
		}
		var b [256]byte
		for answer := (gptp.Answer{}); answer.Type != gptp.TypeDelayResp || answer.Seq != seq; {
			general.SetReadDeadline(time.Now().Add(moment))
			n, _, err := general.ReadFrom(b[:])
			if err != nil {
				t.Fatal(err)
			}
			if answer.Unmarshal(b[:n]) != nil {
				answer = gptp.Answer{}
			}
		}
		took = append(took, time.Since(asked))
		time.Sleep(2 * time.Millisecond)
	}
	slices.Sort(took)
	interop.Note(t, "PTP: a question answered after, median and 95 of 100", fine(took[100])+", "+fine(took[190]), "1 ms at most")
	if took[100] > time.Millisecond {
		t.Errorf("got %v, want 1 ms at most", took[100])
	}
}

func listenUDP(t *testing.T, host string, port int) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket("udp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

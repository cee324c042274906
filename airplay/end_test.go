package airplay_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/dacp"
)

func TestASecondSenderTakesOver(t *testing.T) {
	inHouse(t, airplaytest.Shairport(), func(h *house) {
		first := h.dial(airplay.Config{})
		second := h.dial(airplay.Config{})
		select {
		case <-first.Done():
		case <-time.After(time.Second):
			h.Fatal("the first session does not know")
		}
		if err := first.Err(); !errors.Is(err, airplay.ErrClosedByReceiver) {
			h.Errorf("got %v, want ErrClosedByReceiver", err)
		}
		if err := stream.Play(h.Context(), streamtest.Sound(5000), second); err != nil {
			h.Fatal(err)
		}
		heard(h.T, h.rx, streamtest.Samples(0, 5000))
	})
}

func TestFeedbackGoesOnAndItsSilenceIsTheEnd(t *testing.T) {
	inHouse(t, airplaytest.Shairport(), func(h *house) {
		h.dial(airplay.Config{})
		time.Sleep(time.Minute)
		if got := h.rx.Log().Feedbacks; got < 28 || got > 31 {
			h.Errorf("got %d within a minute, want one every 2 s", got)
		}
	})
	rx := airplaytest.Shairport()
	rx.Delays = map[string]time.Duration{"POST": 5 * time.Second}
	inHouse(t, rx, func(h *house) {
		s := h.dial(airplay.Config{}) // pairing waits as well
		time.Sleep(time.Minute)
		if s.Err() != nil {
			h.Errorf("a receiver that is slow is given up: %v", s.Err())
		}
		h.lan.Host("10.0.0.20").Unplug()
		time.Sleep(9 * time.Second)
		if s.Err() == nil {
			h.Error("a receiver that is silent is not given up")
		}
		h.lan.Host("10.0.0.20").Plug()
	})
}

func TestConfidence(t *testing.T) {
	for _, c := range []struct {
		name, want, gone string
		rx               airplaytest.Config
	}{
		{"by PTP", "clock_locked", "stalled", airplaytest.Samsung()},
		{"by its clock", "clock_locked", "stalled", airplaytest.HomePod27()},
		{"by NTP", "clock_locked", "stalled", airplaytest.Config{NoPTP: true, Features: 0x18140_405FCA00}},
		{"never asks", "unknown", "unknown", airplaytest.Shairport()},
	} {
		inHouse(t, c.rx, func(h *house) {
			s := h.dial(airplay.Config{})
			time.Sleep(30 * time.Second)
			if got := s.Confidence(); got != c.want {
				h.Errorf("%s: got %s, want %s", c.name, got, c.want)
			}
			h.lan.Host("10.0.0.20").Unplug()
			time.Sleep(11 * time.Second)
			if got := s.Confidence(); got != c.gone {
				h.Errorf("%s: without a sign for 11 s got %s, want %s", c.name, got, c.gone)
			}
			h.lan.Host("10.0.0.20").Plug()
		})
	}
}

// buttons is the address of the server in a house.
const buttons = "10.0.0.1:3689"

// shairport-sync calls by DACP, also where sound came by AirPlay 2.
func TestButtonsAreHeardByDACP(t *testing.T) {
	inHouse(t, airplaytest.Shairport(), func(h *house) {
		said := make(chan dacp.Remote, 100)
		server := serveButtons(h)
		s := h.dial(airplay.Config{RemoteServer: server, Remote: func(r dacp.Remote) { said <- r }})
		if id, number := h.rx.Sender(); id != server.ID() || number == 0 {
			h.Errorf("got DACP-ID %s and Active-Remote %d, want %s and a number", id, number, server.ID())
		}
		press := func(command string, want ...dacp.Remote) {
			h.Helper()
			if code, err := h.rx.PressButton(h.Context(), buttons, command); err != nil || code != 204 {
				h.Errorf("%s: got %d, %v, want 204", command, code, err)
			}
			synctest.Wait()
			var got []dacp.Remote
			for len(said) > 0 {
				got = append(got, <-said)
			}
			if !slices.Equal(got, want) {
				h.Errorf("%s: got told %v, want %v", command, got, want)
			}
		}
		press("pause") // nothing plays
		press("play", dacp.Remote{Kind: dacp.Play})
		press("setproperty?dmcp.device-volume=-12", dacp.Remote{Kind: dacp.Volume, Level: 0.6})
		if level, known := s.Volume(); !known || level != 0.6 {
			h.Errorf("got volume %v, %v, want the receiver's", level, known)
		}
		if err := s.SetVolume(h.Context(), 0.3); err != nil {
			h.Fatal(err)
		}
		press("setproperty?dmcp.device-volume=-21.0") // an echo
		st := stream.New(streamtest.Sound(60*44100), stream.Config{}, s)
		ctx, cancel := context.WithCancel(h.Context())
		ended := make(chan error, 1)
		go func() { ended <- st.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		time.Sleep(11 * time.Second)
		press("play") // it does
		press("playpause", dacp.Remote{Kind: dacp.PlayPause})
		press("pause", dacp.Remote{Kind: dacp.Pause})
		press("setproperty?dmcp.device-prevent-playback=1", dacp.Remote{Kind: dacp.Busy, Busy: true})
		<-s.Done()
		if !errors.Is(s.Err(), airplay.ErrClosedByReceiver) || h.rx.Log().Teardowns != 1 {
			h.Errorf("got %v after %d teardowns, want ErrClosedByReceiver after one", s.Err(), h.rx.Log().Teardowns)
		}
		press("setproperty?dmcp.device-busy=0", dacp.Remote{Kind: dacp.Busy})
	})
}

// serveButtons serves the buttons of a house.
func serveButtons(h *house) *dacp.Server {
	h.Helper()
	server, err := dacp.New(dacp.Config{})
	if err != nil {
		h.Fatal(err)
	}
	l, err := h.us.Listen("tcp", ":3689")
	if err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- server.Serve(ctx, l) }()
	h.Cleanup(func() { cancel(); <-over })
	return server
}

func TestWishesAreHeardAndEventsAnswered(t *testing.T) {
	inHouse(t, airplaytest.HomePod(), func(h *house) {
		var got []dacp.Remote
		s := h.dial(airplay.Config{Remote: func(r dacp.Remote) { got = append(got, r) }})
		for _, wish := range []string{"paus", "nitm", "????"} {
			if err := h.rx.Press(wish); err != nil {
				h.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if len(got) != 2 || got[0].Kind != dacp.Pause || got[1].Kind != dacp.Next {
			h.Errorf("got %v, want pause and next", got)
		}
		if n := h.rx.Log().Answers; n != 4 || s.Stats().Events != 4 {
			h.Errorf("%d events were answered, %d counted, want 4", n, s.Stats().Events)
		}
	})
}

//go:build linux

package interop_test

import (
	"context"
	"net"
	"testing"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/dacp"
	"airplay2mqtt/internal/interop"
	"airplay2mqtt/raop"
)

// TestButtonsOfTheReceiverAreHeard lets shairport-sync find our server by mDNS
// and call it as it does when one of its own clients presses a button.
func TestButtonsOfTheReceiverAreHeard(t *testing.T) {
	house := interop.Open(t)
	house.NeedMDNS(t)
	server, err := dacp.New(dacp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-served })
	house.Publish(t, server.Instance(), dacp.Service, l.Addr().(*net.TCPAddr).Port, server.TXT())

	said := make(chan dacp.Remote, 100)
	session, err := raop.Dial(t.Context(), house.Kitchen.Address(), raop.Info{}, &raop.Config{
		RemoteServer: server, Remote: func(r dacp.Remote) { said <- r },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	// The receiver looks for us while it begins; until it has found us it
	// forgets what is pressed.
	found := time.Now().Add(moment)
	for pressed := false; !pressed && time.Now().Before(found); {
		house.Kitchen.Press(t, "Next")
		select {
		case r := <-said:
			pressed = r.Kind == dacp.Next
		case <-time.After(200 * time.Millisecond):
		}
	}
	slowest := time.Duration(0)
	expect := func(button, want string) {
		t.Helper()
		at := time.Now()
		house.Kitchen.Press(t, button)
		for {
			select {
			case r := <-said:
				if r.Kind == dacp.Next {
					continue // one of those above, late
				}
				if r.Kind != want {
					t.Errorf("%s: got %q, want %q", button, r.Kind, want)
				}
				slowest = max(slowest, time.Since(at))
			case <-time.After(moment):
				t.Errorf("%s: nothing was heard of it", button)
			}
			return
		}
	}
	expect("Previous", dacp.Previous)
	expect("PlayPause", dacp.PlayPause)
	expect("VolumeUp", dacp.VolumeUp)
	expect("VolumeDown", dacp.VolumeDown)
	expect("ToggleMute", dacp.MuteToggle)
	expect("ShuffleSongs", dacp.Shuffle)
	expect("Play", dacp.Play)

	tune := stream.New(audio.NewClip(make([]audio.Frame, 60*audio.Rate)).Source(), stream.Config{}, session)
	playing, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tune.Run(playing) }()
	defer func() { stop(); <-ended }()
	<-tune.Heard()
	expect("Pause", dacp.Pause)
	expect("Stop", dacp.Stop)
	interop.Note(t, "buttons: from the receiver's bus to us, the slowest of nine", milliseconds(slowest), "it gives up after 500 ms")
}

//go:build linux

package interop_test

import (
	"context"
	"net"
	"testing"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/interop"
	"airplay2mqtt/raop"
)

// TestButtonsOfTheReceiverAreHeard lets shairport-sync find our server by mDNS
// and call it as it does when one of its own clients presses a button.
func TestButtonsOfTheReceiverAreHeard(t *testing.T) {
	house := interop.Open(t)
	house.NeedMDNS(t)
	server, err := raop.NewRemoteServer(raop.RemoteConfig{})
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
	house.Publish(t, server.Instance(), raop.RemoteService, l.Addr().(*net.TCPAddr).Port, server.TXT())

	said := make(chan raop.Remote, 100)
	session, err := raop.Dial(t.Context(), house.Kitchen.Address(), raop.Info{}, &raop.Config{
		RemoteServer: server, Remote: func(r raop.Remote) { said <- r },
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
			pressed = r.Kind == raop.RemoteNext
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
				if r.Kind == raop.RemoteNext {
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
	expect("Previous", raop.RemotePrevious)
	expect("PlayPause", raop.RemotePlayPause)
	expect("VolumeUp", raop.RemoteVolumeUp)
	expect("VolumeDown", raop.RemoteVolumeDown)
	expect("ToggleMute", raop.RemoteMuteToggle)
	expect("ShuffleSongs", raop.RemoteShuffle)
	expect("Play", raop.RemotePlay)

	tune := stream.New(audio.NewClip(make([]audio.Frame, 60*audio.Rate)).Source(), stream.Config{}, session)
	playing, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tune.Run(playing) }()
	defer func() { stop(); <-ended }()
	<-tune.Heard()
	expect("Pause", raop.RemotePause)
	expect("Stop", raop.RemoteStop)
	interop.Note(t, "buttons: from the receiver's bus to us, the slowest of nine", milliseconds(slowest), "it gives up after 500 ms")
}

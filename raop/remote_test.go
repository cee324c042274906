package raop_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/dacp"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

// buttons is the address of the server in a house.
const buttons = "10.0.0.1:3689"

// A remoteHouse is a house with a server for buttons and a session that is
// dialled.
type remoteHouse struct {
	*house
	server  *dacp.Server
	session *raop.Session
	said    chan dacp.Remote
}

// withButtons runs a test in a house whose receiver has buttons.
func withButtons(t *testing.T, cfg raoptest.Config, test func(h *remoteHouse)) {
	t.Helper()
	inHouse(t, cfg, func(h *house) {
		server, err := dacp.New(dacp.Config{})
		if err != nil {
			t.Fatal(err)
		}
		r := &remoteHouse{house: h, server: server, said: make(chan dacp.Remote, 1000)}
		r.serve()
		r.session = h.dial(r.settings())
		test(r)
	})
}

func (h *remoteHouse) serve() {
	l, err := h.us.Listen("tcp", ":3689")
	if err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- h.server.Serve(ctx, l) }()
	h.Cleanup(func() {
		cancel()
		if err := <-over; !errors.Is(err, context.Canceled) {
			h.Errorf("the server ended with %v", err)
		}
	})
}

func (h *remoteHouse) settings() raop.Config {
	return raop.Config{RemoteServer: h.server, Remote: func(r dacp.Remote) { h.said <- r }}
}

// press presses a button and wants that status for it.
func (h *remoteHouse) press(command string, want int) {
	h.Helper()
	got, err := h.rx.Press(h.Context(), buttons, command)
	if err != nil || got != want {
		h.Errorf("%s: got %d and %v, want %d", command, got, err, want)
	}
}

// heard wants that it was told exactly this, as words.
func (h *remoteHouse) heard(want ...string) {
	h.Helper()
	synctest.Wait()
	var got []string
	for len(h.said) > 0 {
		r := <-h.said
		word := r.Kind
		switch r.Kind {
		case dacp.Volume:
			word = fmt.Sprintf("volume %.2f", r.Level)
		case dacp.Busy:
			word = fmt.Sprintf("busy %v", r.Busy)
		}
		got = append(got, word)
	}
	if !slices.Equal(got, want) {
		h.Errorf("got told %q, want %q", got, want)
	}
}

// playing plays for a moment, with more to come than that.
func (h *remoteHouse) playing(while time.Duration) {
	h.Helper()
	h.play(h.session, counting(int(while.Seconds()*44100)), pace{})
}

func TestReceiverKnowsWhereToCall(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		id, number := h.rx.Sender()
		if id != h.server.ID() || number == 0 {
			t.Errorf("got DACP-ID %s and Active-Remote %d, want %s and a number", id, number, h.server.ID())
		}
		if !regexp.MustCompile(`^[1-9A-F][0-9A-F]{15}$`).MatchString(id) {
			t.Errorf("DACP-ID %q is not what receivers understand", id)
		}
		if got, want := h.server.Instance(), "iTunes_Ctrl_"+id; got != want {
			t.Errorf("got instance %s, want %s", got, want)
		}
		txt := h.server.TXT()
		if txt["txtvers"] != "1" || txt["Ver"] != "131075" || len(txt["DbId"]) != 16 || txt["OSsi"] == "" {
			t.Errorf("got the record %v", txt)
		}
		other := h.receiver("10.0.0.21", raoptest.Config{Name: "Hall"})
		cfg := h.settings()
		cfg.ActiveRemote = number // taken: receivers must be told apart
		s, err := raop.Dial(h.Context(), other.Addr(), raop.ParseInfo(other.TXT()), h.config(cfg))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, second := other.Sender(); second == number || second == 0 {
			t.Errorf("both receivers sign with %d", number)
		}
	})
}

func TestButtonsAreTold(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		for _, c := range []struct{ command, want string }{
			{"playpause", "play_pause"}, {"play", "play"}, {"nextitem", "next"}, {"previtem", "previous"},
			{"beginff", "fast_forward"}, {"beginrew", "rewind"}, {"playresume", "play_resume"},
			{"volumeup", "volume_up"}, {"volumedown", "volume_down"}, {"mutetoggle", "mute_toggle"}, {"shuffle_songs", "shuffle"},
			{"setproperty?dmcp.device-volume=-15.0", "volume 0.50"},
			{"setproperty?dmcp.device-volume=-144.000000", "volume 0.00"},
			{"setproperty?dmcp.volume=45.000000", "volume 0.45"},
			{"setproperty?include-speaker-id=7&dmcp.volume=70.0", "volume 0.70"},
			{"setproperty?dmcp.volume=900", "volume 1.00"},
		} {
			h.press(c.command, 204)
			h.heard(c.want)
		}
		h.press("setproperty?dacp.shufflestate=1&dacp.userrating=20", 204)
		h.press("setproperty?dmcp.device-volume=loud&dmcp.volume=NaN&dmcp.volume=inf", 204)
		h.press("setproperty", 204)
		h.heard()
	})
}

func TestQuestionsAreNotAnswered(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		for _, command := range []string{
			"playstatusupdate?revision-number=1", "getspeakers",
			"nowplayingartwork?mw=320&mh=320", "selfdestruct", "", "../../etc/passwd",
		} {
			h.press(command, 404)
		}
		h.press("getproperty?properties=dmcp.volume", 400) // which leaves the buttons to shairport-sync
		h.heard()
	})
}

func TestVolumeOfTheReceiverIsTakenOverAndNotSentBack(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		h.press("setproperty?dmcp.device-volume=-9.0", 204)
		h.heard("volume 0.70")
		if got, known := h.session.Volume(); !known || got < 0.699 || got > 0.701 {
			t.Errorf("got volume %v (%v), want 0.7", got, known)
		}
		time.Sleep(time.Minute)
		for _, v := range h.rx.Log().Volumes {
			if !v.Own {
				t.Errorf("%v dB were sent to the receiver", v.Decibels)
			}
		}
	})
}

func TestEchoesOfOurVolumeAreIgnored(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		for _, level := range []float64{0.3, 0.5} {
			if err := h.session.SetVolume(h.Context(), level); err != nil {
				t.Fatal(err)
			}
		}
		h.press("setproperty?dmcp.device-volume=-15.0", 204)
		h.press("setproperty?dmcp.device-volume=-21.0", 204) // the one before: Apple
		h.heard()
		time.Sleep(2500 * time.Millisecond)
		h.press("setproperty?dmcp.device-volume=-15.2", 204) // rounded
		h.heard()
		h.press("setproperty?dmcp.device-volume=-12", 204)
		h.heard("volume 0.60")
		// Whoever sends it back all the same does not make us deaf.
		if err := h.session.SetVolume(h.Context(), 0.6); err != nil {
			t.Fatal(err)
		}
		h.press("setproperty?dmcp.device-volume=-9", 204)
		h.heard("volume 0.70")
	})
}

func TestEchoesOfPlayAndPauseAreIgnored(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		h.press("pause", 204)
		h.press("stop", 204)
		h.heard()
		h.press("play", 204)
		h.heard("play")
		h.playing(2 * time.Second)
		h.press("play", 204)
		h.heard()
		h.press("discrete-pause", 204)
		h.press("stop", 204)
		h.heard("pause", "stop")
		if err := h.session.Flush(h.Context()); err != nil {
			t.Fatal(err)
		}
		h.press("pause", 204)
		h.press("play", 204)
		h.heard("play")
		h.playing(time.Second)
		time.Sleep(10 * time.Second) // it has played out
		h.press("play", 204)
		h.heard("play")
	})
}

func TestAnotherInputEndsTheSession(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		h.playing(15 * time.Second)
		h.press("setproperty?dmcp.device-prevent-playback=0", 204)
		h.heard() // it was never said to be busy
		h.press("setproperty?dmcp.device-prevent-playback=1", 204)
		select {
		case <-h.session.Done():
		case <-time.After(time.Second):
			t.Fatal("the session goes on")
		}
		h.heard("busy true")
		if err := h.session.Err(); !errors.Is(err, raop.ErrClosedByReceiver) {
			t.Errorf("got %v, want ErrClosedByReceiver", err)
		}
		if got := h.rx.Log().Teardowns; got != 1 {
			t.Errorf("got %d teardowns, want 1", got)
		}
		// Nothing counts of what it says now, but that it is free, once.
		h.press("playpause", 204)
		h.press("setproperty?dmcp.device-prevent-playback=1", 204)
		h.heard()
		h.press("setproperty?dmcp.device-busy=0", 204)
		h.heard("busy false")
		h.press("setproperty?dmcp.device-busy=0", 403)
		h.heard()
	})
}

func TestBusyWhileItSwitchesToUsIsIgnoredOnce(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		h.playing(3 * time.Second)
		h.press("setproperty?dmcp.device-prevent-playback=1", 204)
		h.press("setproperty?dmcp.device-prevent-playback=0", 204)
		h.heard()
		if err := h.session.Err(); err != nil {
			t.Fatalf("the session ended: %v", err)
		}
		h.press("setproperty?dmcp.device-prevent-playback=1", 204)
		h.heard("busy true")
		<-h.session.Done()
	})
}

// Denon Home 150 says busy and free after our own goodbye; whoever goes on
// then goes on for ever.
func TestNothingCountsAfterOurOwnGoodbye(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		h.playing(12 * time.Second)
		h.session.Close()
		h.press("setproperty?dmcp.device-prevent-playback=1", 403)
		h.press("setproperty?dmcp.device-prevent-playback=0", 403)
		h.press("playpause", 403)
		h.heard()
	})
}

func TestWhoDialsAgainIsNotToldThatTheReceiverIsFree(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		h.playing(12 * time.Second)
		_, before := h.rx.Sender()
		h.press("setproperty?dmcp.device-busy=1", 204)
		<-h.session.Done()
		h.heard("busy true")
		h.dial(h.settings())
		if _, now := h.rx.Sender(); now == before {
			t.Fatal("the new session has the old one's number")
		}
		h.press("setproperty?dmcp.device-busy=0", 204)
		h.heard()
	})
}

func TestReceiverWithoutActiveRemoteIsKnownByItsAddress(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		ask := func(from, number string) string {
			return h.raw(from, "get /ctrl-int/1/playpause http/1.0\r\n"+number+"\r\n")
		}
		for _, c := range []struct{ from, number, want string }{
			{"10.0.0.20", "", "204"}, {"10.0.0.20", "Active-Remote: me\r\n", "204"},
			{"10.0.0.99", "", "403"}, {"10.0.0.20", "Active-Remote: 1\r\n", "403"},
		} {
			if got := ask(c.from, c.number); got != c.want {
				t.Errorf("from %s with %q: got %s, want %s", c.from, c.number, got, c.want)
			}
		}
		h.heard("play_pause", "play_pause")
		second := h.receiver2("10.0.0.20", raoptest.Config{Name: "Second zone"})
		s, err := raop.Dial(h.Context(), second.Addr(), raop.Info{}, h.config(h.settings()))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got := ask("10.0.0.20", ""); got != "403" {
			t.Errorf("two receivers at that address: got %s, want 403", got)
		}
	})
}

func TestCommandsAreToldInTheirOrder(t *testing.T) {
	withButtons(t, raoptest.Config{}, func(h *remoteHouse) {
		var want []string
		for i := range 40 {
			h.press(fmt.Sprintf("setproperty?dmcp.volume=%d", 50+i), 204)
			want = append(want, fmt.Sprintf("volume %.2f", float64(50+i)/100))
		}
		h.heard(want...)
	})
}

func TestServerAnswersWhileNobodyListens(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		server, err := dacp.New(dacp.Config{})
		if err != nil {
			t.Fatal(err)
		}
		stuck := make(chan struct{})
		r := &remoteHouse{house: h, server: server}
		r.serve()
		h.Cleanup(func() { close(stuck) })
		r.session = h.dial(raop.Config{RemoteServer: server, Remote: func(dacp.Remote) { <-stuck }})
		for range 1000 {
			r.press("nextitem", 204)
		}
	})
}

package video_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/airplay/pair"
	"airplay2mqtt/airplay/video"
)

const pin = "2580"

// A theatre is a house with an Apple TV that shows films in a session of AirPlay
// 2, and with which we are paired.
type theatre struct {
	*house
	rx *airplaytest.Receiver
	video.Config
}

func inTheatre(t *testing.T, cfg airplaytest.Config, test func(th *theatre)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		host := h.lan.Host("10.0.0.20")
		cfg.Network, cfg.Address = host, ":7000"
		films := *cfg.Films // configurations are shared by tests
		films.Screen.DialContext = host.DialContext
		cfg.Films = &films
		rx, err := airplaytest.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { rx.Close() })
		h.serve()
		th := &theatre{house: h, rx: rx}
		th.Info = airplay.ParseInfo(rx.TXT())
		th.Ways, _ = video.Ways(th.Info)
		test(th)
	})
}

// pair pairs by the PIN on the screen.
func (th *theatre) pair() {
	th.Helper()
	ctx, cancel := context.WithTimeout(th.Context(), 30*time.Second)
	defer cancel()
	p, err := pair.Start(ctx, th.rx.Addr(), th.Info, &pair.Config{DialContext: th.us.DialContext})
	if err != nil {
		th.Fatal(err)
	}
	if th.Credentials, err = p.Finish(ctx, pin); err != nil {
		th.Fatal(err)
	}
}

// dial dials the receiver.
func (th *theatre) dial() (*video.Session, error) {
	cfg := th.Config
	if cfg.DialContext = th.us.DialContext; cfg.ListenPacket == nil {
		cfg.ListenPacket = th.us.ListenPacket
	}
	ctx, cancel := context.WithTimeout(th.Context(), 40*time.Second)
	defer cancel()
	s, err := video.Dial(ctx, th.rx.Addr(), &cfg)
	if err == nil {
		th.Cleanup(func() { s.Close() })
	}
	return s, err
}

// play dials and plays.
func (th *theatre) play(address string, from time.Duration) *watched {
	th.Helper()
	s, err := th.dial()
	if err != nil {
		th.Fatal(err)
	}
	return th.playOn(s, address, from)
}

// each tests with an Apple TV of each newer kind, after change, paired.
func each(t *testing.T, change func(c *airplaytest.Config), test func(th *theatre)) {
	for name, make := range map[string]func(string) airplaytest.Config{"tvOS 16": airplaytest.AppleTV16, "tvOS 26": airplaytest.AppleTV26} {
		t.Run(name, func(t *testing.T) {
			cfg := make(pin)
			if change != nil {
				change(&cfg)
			}
			inTheatre(t, cfg, func(th *theatre) {
				th.pair()
				test(th)
			})
		})
	}
}

package airplay_test

import (
	"testing"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/audio/stream/streamtest"
)

func TestSessionIsASink(t *testing.T) {
	for _, c := range []struct {
		name string
		rx   airplaytest.Config
		tx   airplay.Config
		echo time.Duration
	}{
		{"shairport-sync", airplaytest.Shairport(), airplay.Config{}, 0},
		{"shairport-sync, buffered", airplaytest.Shairport(), airplay.Config{Kind: airplay.Buffered}, 0},
		{"HomePod, never flushed", airplaytest.HomePod(), airplay.Config{}, 700 * time.Millisecond},
		{"HomePod that keeps its own time", airplaytest.HomePod27(), airplay.Config{}, 700 * time.Millisecond},
		{"Sonos", airplaytest.Sonos(), airplay.Config{}, 0},
		{"Sonos, buffered", airplaytest.Sonos(), airplay.Config{Kind: airplay.Buffered}, 0},
		{"by NTP", airplaytest.Config{}, airplay.Config{Timing: airplay.NTP}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			streamtest.TestSink(t, func(t *testing.T) streamtest.Peer {
				h := newHouse(t)
				h.rx = h.receiver("10.0.0.20", c.rx)
				speaker := h.lan.Host("10.0.0.20")
				t.Cleanup(speaker.Plug)
				s := h.dial(c.tx)
				time.Sleep(3 * time.Second) // the receiver has learned the time
				return streamtest.Peer{Sink: s, Echo: c.echo, Heard: h.rx.Heard, Cut: speaker.Unplug, Close: s.Close, Done: s.Done()}
			})
		})
	}
}

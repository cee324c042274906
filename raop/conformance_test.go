package raop_test

import (
	"net"
	"testing"
	"time"

	"airplay2mqtt/audio/stream/streamtest"
	"airplay2mqtt/internal/memnet"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

func TestSessionIsASink(t *testing.T) {
	for _, c := range []struct {
		name string
		rx   raoptest.Config
		tx   raop.Config
	}{
		{"obedient", raoptest.Config{}, raop.Config{}},
		{"shairport-sync 3", raoptest.Config{Mutes: 9, OverwritesVolume: true, NoContentLength: true}, raop.Config{}},
		{"plain", raoptest.Config{}, raop.Config{Announce: raop.Plain}},
	} {
		t.Run(c.name, func(t *testing.T) {
			streamtest.TestSink(t, func(t *testing.T) streamtest.Peer { return peer(t, c.rx, c.tx) })
		})
	}
}

func peer(t *testing.T, rxConfig raoptest.Config, txConfig raop.Config) streamtest.Peer {
	lan := memnet.New()
	lan.Latency = time.Millisecond
	speaker, us := lan.Host("10.0.0.20"), lan.Host("10.0.0.1")
	rxConfig.Network = speaker
	rx, err := raoptest.New(rxConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		speaker.Plug()
		rx.Close()
	})
	txConfig.DialContext = us.DialContext
	txConfig.ListenPacket = func(network, address string) (net.PacketConn, error) { return us.ListenPacket(network, address) }
	s, err := raop.Dial(t.Context(), rx.Addr(), raop.ParseInfo(rx.TXT()), &txConfig)
	if err != nil {
		t.Fatal(err)
	}
	return streamtest.Peer{Sink: s, Heard: rx.Heard, Cut: speaker.Unplug, Close: s.Close, Done: s.Done()}
}

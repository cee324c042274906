package airplay_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/internal/memnet"
)

// A house is a network with a receiver, a clock and us, in virtual time.
type house struct {
	*testing.T
	lan   *memnet.Net
	rx    *airplaytest.Receiver
	us    *memnet.Host
	clock *ptp.Engine
}

// inHouse runs a test in a bubble with a receiver of that kind.
func inHouse(t *testing.T, cfg airplaytest.Config, test func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.rx = h.receiver("10.0.0.20", cfg)
		test(h)
	})
}

func newHouse(t *testing.T) *house {
	lan := memnet.New()
	lan.Latency = time.Millisecond
	h := &house{T: t, lan: lan, us: lan.Host("10.0.0.1")}
	h.clock = ptp.New(ptp.Config{ListenPacket: h.us.ListenPacket})
	t.Cleanup(func() { h.clock.Close() })
	return h
}

// receiver starts one more receiver on port 7000 of that address.
func (h *house) receiver(addr string, cfg airplaytest.Config) *airplaytest.Receiver {
	h.Helper()
	cfg.Network, cfg.Address = h.lan.Host(addr), ":7000"
	rx, err := airplaytest.New(cfg)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { rx.Close() })
	return rx
}

// config puts a Config on our host.
func (h *house) config(cfg airplay.Config) *airplay.Config {
	if cfg.DialContext == nil {
		cfg.DialContext = h.us.DialContext
	}
	cfg.ListenPacket = func(network, address string) (net.PacketConn, error) { return h.us.ListenPacket(network, address) }
	if cfg.Clock == nil {
		cfg.Clock = h.clock
	}
	return &cfg
}

// try dials the receiver.
func (h *house) try(cfg airplay.Config) (*airplay.Session, error) {
	ctx, cancel := context.WithTimeout(h.Context(), time.Minute)
	defer cancel()
	return airplay.Dial(ctx, h.rx.Addr(), airplay.ParseInfo(h.rx.TXT()), h.config(cfg))
}

// dial dials the receiver, which must work.
func (h *house) dial(cfg airplay.Config) *airplay.Session {
	h.Helper()
	s, err := h.try(cfg)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { s.Close() })
	return s
}

package raop_test

import (
	"context"
	"net"
	"testing"
	"time"

	"airplay2mqtt/audio/stream"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

// nowhere is a connection that takes everything.
type nowhere struct{ net.Conn }

func (nowhere) Write(b []byte) (int, error)      { return len(b), nil }
func (nowhere) SetWriteDeadline(time.Time) error { return nil }
func (nowhere) Close() error                     { return nil }

func TestTheBeatDoesNotAllocate(t *testing.T) {
	key := testKey()
	for _, c := range []struct {
		name string
		rx   raoptest.Config
		tx   raop.Config
	}{
		{"clear", raoptest.Config{}, raop.Config{}},
		{"encrypted", raoptest.Config{Key: key, NeedsKey: true}, raop.Config{AirportKey: &key.PublicKey}},
		{"PCM", raoptest.Config{TXT: map[string]string{"cn": "0"}}, raop.Config{}},
	} {
		inHouse(t, c.rx, func(h *house) {
			c.tx.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if network == "udp" {
					return nowhere{}, nil
				}
				return h.us.DialContext(ctx, network, address)
			}
			s := h.dial(c.tx)
			h.play(s, counting(1), pace{}) // makes the ring
			p := counting(1).packet(perPacket)
			got := testing.AllocsPerRun(1500, func() {
				if err := s.WritePacket(p); err != nil {
					h.Fatal(err)
				}
				p.Frame += perPacket
			})
			if got != 0 {
				h.Errorf("%s: %v allocations per packet, want 0", c.name, got)
			}
		})
	}
}

func TestTheBeatDoesNotAllocateOnThisMachine(t *testing.T) {
	rx, err := raoptest.New(raoptest.Config{Keep: -1, Drop: func(int) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	defer rx.Close()
	s, err := raop.Dial(t.Context(), rx.Addr(), raop.ParseInfo(rx.TXT()), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Start(t.Context(), stream.Timeline{Rate: 44100, Time: time.Now().Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
	p := counting(1).packet(0)
	got := testing.AllocsPerRun(1000, func() {
		if err := s.WritePacket(p); err != nil {
			t.Fatal(err)
		}
		p.Frame += perPacket
	})
	if got != 0 {
		t.Errorf("%v allocations per packet, want 0", got)
	}
}

func BenchmarkWritePacket(b *testing.B) {
	rx, err := raoptest.New(raoptest.Config{Keep: -1, Drop: func(int) bool { return true }})
	if err != nil {
		b.Fatal(err)
	}
	defer rx.Close()
	s, err := raop.Dial(b.Context(), rx.Addr(), raop.ParseInfo(rx.TXT()), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Start(b.Context(), stream.Timeline{Rate: 44100, Time: time.Now().Add(time.Second)}); err != nil {
		b.Fatal(err)
	}
	p := counting(1).packet(0)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.WritePacket(p); err != nil {
			b.Fatal(err)
		}
		p.Frame += perPacket
	}
}

package airplay_test

import (
	"context"
	"net"
	"testing"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
)

// nowhere is a connection that takes everything.
type nowhere struct{ net.Conn }

func (nowhere) Write(b []byte) (int, error)      { return len(b), nil }
func (nowhere) SetWriteDeadline(time.Time) error { return nil }
func (nowhere) Close() error                     { return nil }

// Neither the taking of packets nor their sealing and sending allocates.
func TestTheBeatDoesNotAllocate(t *testing.T) {
	for _, kind := range []airplay.Kind{airplay.Realtime, airplay.Buffered} {
		inHouse(t, airplaytest.Shairport(), func(h *house) {
			tcp := 0
			s := h.dial(airplay.Config{Kind: kind, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if network == "tcp" {
					tcp++
				}
				if network == "udp" || tcp == 3 { // after control and events: sound
					return nowhere{}, nil
				}
				return h.us.DialContext(ctx, network, address)
			}})
			if err := s.Start(h.Context(), stream.Timeline{Rate: 44100, Time: time.Now().Add(time.Second)}); err != nil {
				h.Fatal(err)
			}
			p := stream.Packet{Payload: alac.AppendVerbatim(nil, make([]int16, 2*alac.FramesPerPacket))}
			write := func() {
				if err := s.WritePacket(p); err != nil {
					h.Fatal(err)
				}
				p.Frame += alac.FramesPerPacket
				time.Sleep(7 * time.Millisecond)
			}
			for range 300 {
				write()
			}
			// Ten packets at a time: syncs and feedback beside them may not count.
			least := 1e9
			for range 20 {
				least = min(least, testing.AllocsPerRun(10, write))
			}
			if least != 0 {
				h.Errorf("%s: %v allocations per packet, want 0", kind, least)
			}
			if st := s.Stats(); st.Late > 0 || st.Packets < 300 {
				h.Errorf("%s: got %+v, want packets sent and none late", kind, st)
			}
		})
	}
}

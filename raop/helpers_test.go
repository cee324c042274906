package raop_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/memnet"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

// A house is a network with a receiver and us, in virtual time.
type house struct {
	*testing.T
	lan *memnet.Net
	rx  *raoptest.Receiver
	us  *memnet.Host
}

// inHouse runs a test in a bubble with a receiver of that kind.
func inHouse(t *testing.T, cfg raoptest.Config, test func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lan := memnet.New()
		lan.Latency = time.Millisecond
		h := &house{T: t, lan: lan, us: lan.Host("10.0.0.1")}
		h.rx = h.receiver("10.0.0.20", cfg)
		test(h)
	})
}

// receiver starts one more receiver on port 5000 of that address.
func (h *house) receiver(addr string, cfg raoptest.Config) *raoptest.Receiver {
	h.Helper()
	cfg.Network, cfg.Address = h.lan.Host(addr), ":5000"
	rx, err := raoptest.New(cfg)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { rx.Close() })
	return rx
}

// config puts a Config on our host.
func (h *house) config(cfg raop.Config) *raop.Config {
	if cfg.DialContext == nil {
		cfg.DialContext = h.us.DialContext
	}
	cfg.ListenPacket = func(network, address string) (net.PacketConn, error) { return h.us.ListenPacket(network, address) }
	return &cfg
}

// try dials the receiver.
func (h *house) try(cfg raop.Config) (*raop.Session, error) {
	ctx, cancel := context.WithTimeout(h.Context(), time.Minute)
	defer cancel()
	return raop.Dial(ctx, h.rx.Addr(), raop.ParseInfo(h.rx.TXT()), h.config(cfg))
}

// dial dials the receiver, which must work.
func (h *house) dial(cfg raop.Config) *raop.Session {
	h.Helper()
	s, err := h.try(cfg)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { s.Close() })
	return s
}

// A tune is something to play.
type tune [][2]int16

// counting returns n frames of which no two are the same, none silent.
func counting(n int) tune {
	t := make(tune, n)
	for i := range t {
		t[i] = [2]int16{int16(i%30000 + 1), int16(-i/30000 - 1)}
	}
	return t
}

const perPacket = alac.FramesPerPacket

// packet returns the packet that begins at frame, silence where there is no
// tune.
func (t tune) packet(frame int64) stream.Packet {
	pcm := make([]int16, 2*perPacket)
	for i := range int64(perPacket) {
		if f := frame + i; f >= 0 && f < int64(len(t)) {
			pcm[2*i], pcm[2*i+1] = t[f][0], t[f][1]
		}
	}
	return stream.Packet{Frame: frame, Payload: alac.AppendVerbatim(nil, pcm)}
}

// A pace says how a tune is sent.
type pace struct {
	from   int64         // the first frame; negative is silence before the tune
	lead   time.Duration // from Start to that frame; 0: 250 ms
	ahead  time.Duration // how far beyond lead packets are sent; 0: 1 s
	onward int64         // where to stop; 0: at the end of the tune
}

// play starts a timeline and sends the tune on it, a packet a millisecond
// until it is far enough ahead. It returns when the last packet was sent.
func (h *house) play(s stream.Sink, t tune, p pace) stream.Timeline {
	h.Helper()
	if p.lead == 0 {
		p.lead = 250 * time.Millisecond
	}
	if p.ahead == 0 {
		p.ahead = time.Second
	}
	if p.onward == 0 {
		p.onward = int64(len(t))
	}
	tl := stream.Timeline{Rate: 44100, Frame: p.from, Time: time.Now().Add(p.lead)}
	if err := s.Start(h.Context(), tl); err != nil {
		h.Fatal(err)
	}
	for f := p.from; f < p.onward; f += perPacket {
		if wait := time.Until(tl.At(f).Add(-p.lead - p.ahead)); wait > 0 {
			time.Sleep(wait)
		}
		if err := s.WritePacket(t.packet(f)); err != nil {
			h.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	return tl
}

// leadIn is ten packets of silence.
const leadIn = -10 * perPacket

// sound is what was heard from the first to the last frame that is not silent.
func sound(heard [][2]int16) tune {
	first, last := -1, -1
	for i, f := range heard {
		if f != [2]int16{} {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return nil
	}
	return heard[first : last+1]
}

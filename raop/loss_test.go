package raop_test

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/rtp"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

func TestNumbersWrapUnheard(t *testing.T) {
	inHouse(t, raoptest.Config{Drop: func(n int) bool { return n >= 40 && n < 60 }}, func(h *house) {
		s := h.dial(raop.Config{Rand: always(0xff)}) // seq 0xffff, time 0xffffffff
		song := counting(3 * 44100)
		tl := h.play(s, song, pace{from: leadIn})
		time.Sleep(2 * time.Second)
		h.heard(song, tl.At(0))
	})
	// Sequence numbers wrap in the middle, and what is lost there is sent again.
	inHouse(t, raoptest.Config{Drop: func(n int) bool { return n >= 250 && n < 262 }}, func(h *house) {
		s := h.dial(raop.Config{Single: true, Rand: begins{0xff, 0x00, 0xff, 0xfe, 0xa0, 0x00}})
		song := counting(4 * 44100)
		tl := h.play(s, song, pace{from: leadIn})
		time.Sleep(2 * time.Second)
		h.heard(song, tl.At(0))
		if got := s.Stats(); got.Resent != 12 {
			h.Errorf("got %+v, want 12 sent again", got)
		}
	})
}

// begins draws these bytes first, then sevens.
type begins []byte

func (r begins) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 7
	}
	copy(b, r)
	return len(b), nil
}

// every drops every nth packet.
func every(n int) func(int) bool { return func(i int) bool { return i%n == n-1 } }

func TestLostPacketsAreSentAgain(t *testing.T) {
	for _, c := range []struct {
		name string
		drop func(int) bool
		lead time.Duration
	}{
		{"5 %", every(20), 250 * time.Millisecond},
		{"15 %", every(7), 250 * time.Millisecond},
		{"half a second", func(i int) bool { return i >= 300 && i < 360 }, time.Second},
		{"the first", func(i int) bool { return i < 3 }, 500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			drop := func(i int) bool { return i < 630 && c.drop(i) } // not the silence behind the song
			inHouse(t, raoptest.Config{Drop: drop, Buffer: 150 * time.Millisecond}, func(h *house) {
				s := h.dial(raop.Config{Single: true})
				song := counting(5 * 44100)
				// The silence behind it is what shows that the last packets are missing.
				tl := h.play(s, song, pace{from: leadIn, lead: c.lead, onward: 5*44100 + 40*perPacket})
				time.Sleep(3 * time.Second)
				h.heard(song, tl.At(0))
				if st := s.Stats(); st.Resent == 0 || st.ResendAsked < st.Resent {
					h.Errorf("got %+v, want packets sent again", st)
				}
			})
		})
	}
}

func TestResendRequestsAreHeldToReason(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{Rand: always(0x42)})
		tl := h.play(s, counting(44100), pace{lead: time.Second, onward: 200 * perPacket})
		sent := s.Stats().Packets
		_, rest, _ := strings.Cut(h.rx.Transcript(), "control_port=")
		control, _, _ := strings.Cut(rest, ";")
		to := "10.0.0.1:" + control
		ask := func(from string, first uint16, count uint16) uint64 {
			before := s.Stats().Resent
			c, err := h.lan.Host(from).DialContext(h.Context(), "udp", to)
			if err != nil {
				h.Fatal(err)
			}
			defer c.Close()
			c.Write(rtp.ResendRequest{First: first, Count: count}.AppendTo(nil))
			time.Sleep(150 * time.Millisecond)
			return s.Stats().Resent - before
		}
		heardSoon := uint16(0x4242 + tl.FrameAt(time.Now().Add(time.Second))/perPacket)
		for _, c := range []struct {
			name         string
			from         string
			first, count uint16
			want         uint64
		}{
			{"of a stranger", "10.0.0.66", heardSoon, 5, 0},
			{"reasonable", "10.0.0.20", heardSoon, 5, 5},
			{"of none", "10.0.0.20", heardSoon, 0, 0},
			{"of the future", "10.0.0.20", 0x4242 + uint16(sent), 50, 0},
			{"of before there was anything", "10.0.0.20", 0x4000, 9, 0},
			{"of all there can be", "10.0.0.20", heardSoon, 65535, uint64(0x4242+uint16(sent)) - uint64(heardSoon)},
		} {
			if got := ask(c.from, c.first, c.count); got != c.want {
				h.Errorf("a request %s: got %d packets, want %d", c.name, got, c.want)
			}
		}
		time.Sleep(3 * time.Second)
		if got := ask("10.0.0.20", 0x4242, 100); got != 0 {
			h.Errorf("a request of what was heard: got %d packets, want 0", got)
		}
		if got := s.Err(); got != nil {
			h.Errorf("got %v, want nil", got)
		}
	})
}

func TestResendsAreLimitedInTime(t *testing.T) {
	inHouse(t, raoptest.Config{Drop: func(i int) bool { return i >= 10 && i < 700 }}, func(h *house) {
		s := h.dial(raop.Config{Single: true})
		tl := stream.Timeline{Rate: 44100, Time: time.Now().Add(8 * time.Second)}
		s.Start(h.Context(), tl)
		song := counting(1000 * perPacket)
		for i := range int64(1000) {
			s.WritePacket(song.packet(i * perPacket))
		}
		time.Sleep(150 * time.Millisecond)
		s.WritePacket(song.packet(1000 * perPacket)) // notices that some are missing
		time.Sleep(50 * time.Millisecond)
		if got := s.Stats(); got.Resent != 200 || got.ResendAsked < 600 {
			h.Errorf("got %+v, want 200 of 690 sent again at once", got)
		}
	})
}

func TestLatePacketsAreNotSent(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		song := counting(20 * perPacket)
		tl := stream.Timeline{Rate: 44100, Time: time.Now().Add(250 * time.Millisecond)}
		s.Start(h.Context(), tl)
		for i := range int64(20) {
			if i == 10 { // a stall, of which four packets are a part
				time.Sleep(time.Until(tl.At(14 * perPacket)))
			}
			s.WritePacket(song.packet(i * perPacket))
		}
		time.Sleep(time.Second)
		if got := s.Stats(); got.Packets != 16 || got.Late != 4 {
			h.Errorf("got %+v, want 16 packets and 4 late", got)
		}
		if log := h.rx.Log(); log.Gaps != 0 || len(log.Spans) != 2 || log.Requested != 0 {
			h.Errorf("got %d gaps, %d spans, %d asked for, want 0, 2, 0: nothing was lost", log.Gaps, len(log.Spans), log.Requested)
		}
	})
}

func TestFirstSyncFollowsAFirstTimingThatIsLate(t *testing.T) {
	inHouse(t, raoptest.Config{IgnoresFirstReplies: 1}, func(h *house) {
		lost := 0
		h.lan.Lose = func(from, to netip.AddrPort, b []byte) bool {
			if rtp.Type(b) == rtp.TypeTimingRequest && lost < 3 {
				lost++
				return true
			}
			return false
		}
		s := h.dial(raop.Config{})
		song := counting(3 * 44100)
		tl := h.play(s, song, pace{from: leadIn, lead: 1500 * time.Millisecond})
		time.Sleep(3 * time.Second)
		h.heard(song, tl.At(0))
		if got := h.rx.Log().SyncsLost; got == 0 {
			h.Error("no sync was lost: the test tests nothing")
		}
	})
}

func TestWhatCannotBeAskedForInTimeIsSentTwice(t *testing.T) {
	lost := func(i int) bool { return i == 15 || i == 31 }
	// A receiver that was told of no latency worth speaking of never asks.
	inHouse(t, raoptest.Config{Drop: lost, Buffer: 300 * time.Millisecond}, func(h *house) {
		s := h.dial(raop.Config{Announce: time.Millisecond})
		song := counting(3 * 44100)
		tl := h.play(s, song, pace{from: leadIn})
		time.Sleep(2 * time.Second)
		h.heard(song, tl.At(0))
		got := s.Stats()
		if got.ResendAsked != 0 || got.Copies == 0 || got.Copies > 400 {
			h.Errorf("got %+v, want nothing asked for, and only the first packets sent more than once", got)
		}
	})
}

func TestWhereVeryManyGetLostAllIsSentTwice(t *testing.T) {
	inHouse(t, raoptest.Config{Drop: every(7)}, func(h *house) {
		s := h.dial(raop.Config{})
		h.play(s, counting(20*44100), pace{lead: time.Second})
		if got := s.Stats(); got.Copies < got.Packets*3/4 {
			h.Errorf("got %+v, want nearly all sent twice", got)
		}
	})
	inHouse(t, raoptest.Config{Drop: every(50)}, func(h *house) {
		s := h.dial(raop.Config{})
		h.play(s, counting(20*44100), pace{lead: time.Second})
		if got := s.Stats(); got.Copies > 256 {
			h.Errorf("got %+v, want only the first packets sent twice where little gets lost", got)
		}
	})
}

func TestAReceiverIsRemindedOfWhatIsMissingAtTheEnd(t *testing.T) {
	var cut atomic.Bool
	inHouse(t, raoptest.Config{Drop: func(int) bool { return cut.Load() }}, func(h *house) {
		s := h.dial(raop.Config{})
		song := counting(800 * perPacket)
		tl := h.play(s, song, pace{from: leadIn, onward: 795 * perPacket})
		cut.Store(true)
		for f := int64(795); f <= 800; f++ {
			p := song.packet(f * perPacket)
			p.Last = f == 800
			s.WritePacket(p)
		}
		time.Sleep(50 * time.Millisecond)
		cut.Store(false)
		time.Sleep(3 * time.Second)
		h.heard(song, tl.At(0))
		before := s.Stats()
		time.Sleep(3 * time.Second)
		if got := s.Stats(); got.Copies != before.Copies {
			h.Errorf("%d packets were sent after the end", got.Copies-before.Copies)
		}
	})
}

package raop_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"airplay2mqtt/internal/rtp"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

// A lossy network loses a part of all that goes over it in datagrams, as
// shairport-sync's drop_this_fraction_of_audio_packets does: after a request
// for lost packets that is itself lost no other one comes for 0.3 s.
type lossy struct {
	random *rand.Rand
	loss   float64
	sulks  time.Time
}

func (l *lossy) lose(_, _ netip.AddrPort, b []byte) bool {
	lost := l.random.Float64() < l.loss
	if rtp.Type(b) != rtp.TypeResendRequest {
		return lost
	}
	if time.Now().Before(l.sulks) {
		return true
	}
	if lost {
		l.sulks = time.Now().Add(300 * time.Millisecond)
	}
	return lost
}

// gaps plays a sound in a session of its own over a network that loses a part
// of all, and returns how often what was heard is not what was played.
func (l *lossy) gaps(t *testing.T, lasts, lead time.Duration) (gaps int) {
	inHouse(t, raoptest.Config{Buffer: 150 * time.Millisecond}, func(h *house) {
		h.lan.Lose = l.lose
		s := h.dial(raop.Config{})
		song := counting(int(lasts.Seconds() * 44100))
		end := int64(len(song)) + 31*perPacket
		h.play(s, song, pace{from: leadIn, lead: lead - 80*time.Millisecond, onward: end})
		last := song.packet((end + perPacket - 1) / perPacket * perPacket)
		last.Last = true
		s.WritePacket(last)
		time.Sleep(3 * time.Second)
		gaps = jumps(h.rx.Heard(), song)
	})
	return gaps
}

// jumps counts where a song that was heard is broken.
func jumps(heard [][2]int16, song tune) (n int) {
	next := 0
	for _, f := range heard {
		if f == [2]int16{} {
			continue
		}
		at := int(f[0]) - 1 + 30000*(-int(f[1])-1)
		if at != next {
			n++
		}
		next = at + 1
	}
	if next != len(song) {
		n++
	}
	return n
}

// What is lost is repaired in the first play of a session, of which nothing is
// known: its beginning, which cannot be asked for in time, and its end, which
// nothing follows that shows that it is missing.
func TestHeavyLossIsHardlyHeardEvenAtFirst(t *testing.T) {
	const plays = 10
	for _, c := range []struct {
		name        string
		loss        float64
		lasts, lead time.Duration
		most        int // gaps in all plays: what was lost three times and more
	}{
		{"5 %, a bell", 0.05, 3 * time.Second, 250 * time.Millisecond, 1},
		{"5 %, music", 0.05, 10 * time.Second, time.Second, 1},
		{"15 %, a bell", 0.15, 3 * time.Second, 250 * time.Millisecond, plays},
		{"15 %, music", 0.15, 10 * time.Second, time.Second, plays},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all []int
			gaps := 0
			for seed := range uint64(plays) {
				l := &lossy{random: rand.New(rand.NewPCG(seed, 5)), loss: c.loss}
				all = append(all, l.gaps(t, c.lasts, c.lead))
				gaps += all[seed]
			}
			if gaps > c.most {
				t.Errorf("got %v gaps, want %d in all of them at most", all, c.most)
			}
		})
	}
}

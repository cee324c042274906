package raop_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/internal/rtp"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"

	"github.com/google/go-cmp/cmp"
)

// heard fails the test unless want was heard, whole, when it was due.
func (h *house) heard(want tune, due time.Time) {
	h.Helper()
	log := h.rx.Log()
	got := sound(h.rx.Heard())
	if !slices.Equal(got, want) || log.Gaps != 0 || log.Late != 0 {
		h.Errorf("heard %d frames with %d gaps and %d late packets, want all %d", len(got), log.Gaps, log.Late, len(want))
		return
	}
	for _, span := range log.Spans {
		for i, f := range span.Frames {
			if f != want[0] {
				continue
			}
			at := span.At.Add(time.Duration(i) * time.Second / 44100)
			if off := at.Sub(due); off.Abs() > time.Millisecond {
				h.Errorf("first frame heard %v from when it was due", off)
			}
			return
		}
	}
}

func TestEveryFrameIsHeardWhenItIsDue(t *testing.T) {
	for _, c := range []struct {
		name string
		tx   raop.Config
		pace pace
	}{
		{"at the floor", raop.Config{}, pace{from: leadIn}},
		{"with a second", raop.Config{}, pace{from: leadIn, lead: time.Second}},
		{"with two seconds", raop.Config{}, pace{from: leadIn, lead: 2 * time.Second}},
		{"live", raop.Config{}, pace{from: leadIn, lead: 500 * time.Millisecond, ahead: -1}},
		{"plain", raop.Config{Announce: raop.Plain}, pace{from: leadIn, lead: time.Second, ahead: -1}},
		{"announcing half a second", raop.Config{Announce: 500 * time.Millisecond}, pace{from: leadIn}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inHouse(t, raoptest.Config{Mutes: 9}, func(h *house) {
				s := h.dial(c.tx)
				song := counting(44100)
				tl := h.play(s, song, c.pace)
				time.Sleep(4 * time.Second)
				h.heard(song, tl.At(0))
			})
		})
	}
}

func TestAnnouncedLatencyIsApartFromTheLead(t *testing.T) {
	for _, c := range []struct {
		name   string
		rx     raoptest.Config
		tx     raop.Config
		lead   time.Duration
		frames uint32
	}{
		{"early", raoptest.Config{}, raop.Config{}, 250 * time.Millisecond, 88200},
		{"early, and more is wanted", raoptest.Config{AudioLatency: 99225}, raop.Config{}, 3 * time.Second, 99225},
		{"told", raoptest.Config{}, raop.Config{Announce: time.Second}, 250 * time.Millisecond, 44100},
		{"plain", raoptest.Config{}, raop.Config{Announce: raop.Plain}, time.Second, 44100 - 11025},
		{"plain, below what is wanted", raoptest.Config{}, raop.Config{Announce: raop.Plain}, 300 * time.Millisecond, 11025},
		{"beyond what can be", raoptest.Config{}, raop.Config{Announce: time.Minute}, time.Second, 248000},
	} {
		inHouse(t, c.rx, func(h *house) {
			s := h.dial(c.tx)
			tl := stream.Timeline{Rate: 44100, Time: time.Now().Add(c.lead)}
			if err := s.Start(h.Context(), tl); err != nil {
				h.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			syncs := h.rx.Log().Syncs
			if len(syncs) != 1 || syncs[0].Latency != c.frames || !syncs[0].First {
				h.Errorf("%s: got %+v, want one sync, the first, that announces %d", c.name, syncs, c.frames)
			}
		})
	}
}

func TestSyncsComeQuicklyAtFirst(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		begun := time.Now()
		h.play(s, counting(100), pace{})
		time.Sleep(5*time.Second + 500*time.Millisecond)
		var got []string
		for i, sync := range h.rx.Log().Syncs {
			if sync.First != (i == 0) {
				h.Errorf("sync %d: first is %v", i, sync.First)
			}
			got = append(got, sync.At.Sub(begun).Round(10*time.Millisecond).String())
		}
		const want = "0s 100ms 200ms 300ms 400ms 500ms 600ms 700ms 800ms 900ms 1s 2s 3s 4s 5s"
		if strings.Join(got, " ") != want {
			h.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestFirstNumbersAreThoseOfRecord(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{Rand: always(0x42)})
		time.Sleep(7 * time.Second)
		h.play(s, counting(1000), pace{})
		time.Sleep(2 * time.Second)
		log := h.rx.Log()
		const rtptime, seq = 0x42424242, 0x4242
		if got := log.Syncs[0].Time; got != rtptime {
			h.Errorf("first sync: got %#x, want %#x", got, rtptime)
		}
		if got := log.Spans[0].RTPTime; got != rtptime {
			h.Errorf("first packet: got %#x, want %#x", got, rtptime)
		}
		if !slices.Equal(log.Markers, []uint16{seq}) {
			h.Errorf("markers: got %x, want %x", log.Markers, seq)
		}
	})
}

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
		s := h.dial(raop.Config{Rand: begins{0xff, 0x00, 0xff, 0xfe, 0xa0, 0x00}})
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
				s := h.dial(raop.Config{})
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
		s := h.dial(raop.Config{})
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

func TestFlushSilencesAtOnceAndStartGoesOn(t *testing.T) {
	for _, pause := range []time.Duration{0, 50 * time.Millisecond, 900 * time.Millisecond, 5 * time.Second, time.Hour, 20 * time.Hour} {
		t.Run(pause.String(), func(t *testing.T) {
			inHouse(t, raoptest.Config{Mutes: 9}, func(h *house) {
				s := h.dial(raop.Config{})
				song := counting(10 * 44100)
				tl := h.play(s, song, pace{from: leadIn, onward: 2 * 44100})
				time.Sleep(time.Until(tl.At(44100)))
				if err := s.Flush(h.Context()); err != nil {
					h.Fatal(err)
				}
				synctest.Wait()
				before := len(sound(h.rx.Heard()))
				if before < 43000 || before > 45000 {
					h.Errorf("heard %d frames before the pause, want 44100 and a round trip", before)
				}
				time.Sleep(pause)
				if got := len(sound(h.rx.Heard())); got != before {
					h.Errorf("heard %d frames after the flush", got-before)
				}
				if err := s.WritePacket(song.packet(3 * 44100)); err != nil {
					h.Errorf("a packet after the flush: %v", err)
				}
				rest := song[44100 : 3*44100]
				tl = h.play(s, rest, pace{from: leadIn})
				time.Sleep(3 * time.Second)
				log := h.rx.Log()
				if log.Gaps != 0 || log.Late != 0 || len(log.Markers) != 2 {
					h.Errorf("got %d gaps, %d late, %d markers, want 0, 0, 2", log.Gaps, log.Late, len(log.Markers))
				}
				heard := sound(h.rx.Heard())
				if got := heard[max(0, len(heard)-len(rest)):]; !slices.Equal(got, rest) {
					h.Errorf("heard %d frames after the pause, not the %d that were sent", len(heard)-before, len(rest))
				}
				last := log.Spans[len(log.Spans)-1]
				end := last.At.Add(time.Duration(len(last.Frames)) * time.Second / 44100)
				if off := end.Sub(tl.At(int64(len(rest)))); off.Abs() > 9*time.Millisecond {
					h.Errorf("the last frame was heard %v from when it was due", off)
				}
			})
		})
	}
}

func TestTimeStampsNeverGoBack(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		var last uint32
		for i, pause := range []time.Duration{0, 0, 3 * time.Second, 10 * time.Millisecond, time.Minute} {
			time.Sleep(pause)
			from := time.Now()
			h.play(s, counting(30000), pace{})
			spans := h.rx.Log().Spans
			time.Sleep(300 * time.Millisecond)
			spans = h.rx.Log().Spans
			got := spans[len(spans)-1].RTPTime
			if i > 0 && int32(got-last) <= 0 {
				h.Errorf("line %d: got %d, after %d", i, got, last)
			}
			// The line goes on through time unless it was sent beyond that.
			if elapsed := uint32(time.Since(from).Seconds() * 44100); i == 4 && got-last < 60*44100-elapsed {
				h.Errorf("line %d: got %d after a minute, want 60 s more than %d", i, got, last)
			}
			last = got
			if err := s.Flush(h.Context()); err != nil {
				h.Fatal(err)
			}
		}
	})
}

func TestChimesInTurnWithoutFlush(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		var want tune
		for i := range 3 {
			song := counting(10000 + 1000*i)
			tl := h.play(s, song, pace{from: leadIn})
			want = append(want, song...)
			time.Sleep(time.Until(tl.At(int64(len(song)))) + time.Duration(i)*5*time.Second)
			spans := h.rx.Log().Spans
			if off := spans[len(spans)-1].At.Sub(tl.Time); off.Abs() > time.Millisecond {
				h.Errorf("chime %d: heard %v from when it was due", i, off)
			}
		}
		got := slices.DeleteFunc(slices.Clone(h.rx.Heard()), func(f [2]int16) bool { return f == [2]int16{} })
		if !slices.Equal(got, want) || h.rx.Log().Flushes != 0 {
			h.Errorf("heard %d frames with %d flushes, want %d with none", len(got), h.rx.Log().Flushes, len(want))
		}
	})
}

func TestReceiversWithOneTimelineAreInStep(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		bath := h.receiver("10.0.0.21", raoptest.Config{AudioLatency: 99225})
		late := h.receiver("10.0.0.22", raoptest.Config{})
		var sessions []*raop.Session
		for rx, cfg := range map[*raoptest.Receiver]raop.Config{
			h.rx: {}, bath: {Announce: time.Second}, late: {Offset: 70 * time.Millisecond},
		} {
			s, err := raop.Dial(h.Context(), rx.Addr(), raop.ParseInfo(rx.TXT()), h.config(cfg))
			if err != nil {
				h.Fatal(err)
			}
			defer s.Close()
			sessions = append(sessions, s)
		}
		song := counting(44100)
		tl := h.play(group(sessions), song, pace{from: leadIn, lead: time.Second})
		time.Sleep(3 * time.Second)
		for _, c := range []struct {
			rx  *raoptest.Receiver
			due time.Duration
		}{{h.rx, 0}, {bath, 0}, {late, 70 * time.Millisecond}} {
			if off := c.rx.Log().Spans[0].At.Sub(tl.Time) - c.due; off.Abs() > 30*time.Microsecond {
				h.Errorf("heard %v from when it was due", off)
			}
			if got := sound(c.rx.Heard()); !slices.Equal(got, song) {
				h.Errorf("heard %d frames, want %d", len(got), len(song))
			}
		}
	})
}

// A group sends to several sessions.
type group []*raop.Session

func (g group) Start(ctx context.Context, tl stream.Timeline) error {
	for _, s := range g {
		if err := s.Start(ctx, tl); err != nil {
			return err
		}
	}
	return nil
}

func (g group) WritePacket(p stream.Packet) error {
	for _, s := range g {
		if err := s.WritePacket(p); err != nil {
			return err
		}
	}
	return nil
}

func (g group) Flush(ctx context.Context) error { return nil }

func TestOffsetTakesEffectWhilePlaying(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		var wg sync.WaitGroup
		wg.Go(func() { h.play(s, counting(4*44100), pace{lead: time.Second}) })
		time.Sleep(2500 * time.Millisecond)
		s.SetOffset(120 * time.Millisecond)
		wg.Wait()
		time.Sleep(3 * time.Second)
		log := h.rx.Log()
		frames := len(h.rx.Heard())
		if log.Gaps+log.Late != 0 || frames < 4*44100 {
			h.Errorf("heard %d frames with %d gaps and %d late, want all", frames, log.Gaps, log.Late)
		}
		syncs := log.Syncs
		a, b := syncs[len(syncs)-1], syncs[1]
		moved := a.At.Sub(b.At) - time.Duration(int32(a.Time-b.Time))*time.Second/44100
		if want := 120 * time.Millisecond; (moved - want).Abs() > 800*time.Millisecond {
			h.Errorf("the line moved by %v, want %v", moved, want)
		}
	})
}

func TestWriteBeforeStartAndOtherMisuse(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		if err := s.Flush(h.Context()); err != nil {
			h.Errorf("flush before all: %v", err)
		}
		if err := s.WritePacket(counting(1).packet(0)); err != nil {
			h.Errorf("packet before Start: %v", err)
		}
		if err := s.WritePacket(stream.Packet{Payload: []byte("short")}); err == nil {
			h.Error("a payload that is no packet: got nil, want an error")
		}
		if err := s.Start(h.Context(), stream.Timeline{Rate: 48000, Time: time.Now()}); err == nil {
			h.Error("48 kHz: got nil, want an error")
		}
		if err := s.SetVolume(h.Context(), math.NaN()); err == nil {
			h.Error("no number as volume: got nil, want an error")
		}
		time.Sleep(time.Second)
		if log := h.rx.Log(); log.Flushes != 0 || log.Packets != 0 || len(log.Syncs) != 0 {
			h.Errorf("got %d flushes, %d packets, %d syncs, want none", log.Flushes, log.Packets, len(log.Syncs))
		}
	})
}

func TestVolumeComesAtThreeMoments(t *testing.T) {
	inHouse(t, raoptest.Config{OverwritesVolume: true}, func(h *house) {
		begun := time.Now()
		s := h.dial(raop.Config{Volume: level(0.5)})
		time.Sleep(time.Second)
		s.SetVolume(h.Context(), 0)
		s.SetVolume(h.Context(), 2)
		var got []string
		for _, v := range h.rx.Log().Volumes {
			got = append(got, fmt.Sprintf("%v:%v", v.At.Sub(begun).Round(10*time.Millisecond), v.Decibels))
		}
		const want = "10ms:-15 10ms:-15 10ms:-24 160ms:-15 1.01s:-144 1.01s:0"
		if strings.Join(got, " ") != want {
			h.Errorf("got %v, want %v", got, want)
		}
		if v, known := s.Volume(); v != 1 || !known {
			h.Errorf("got %v, %v, want 1, known", v, known)
		}
	})
}

func TestVolumeOfTheReceiverIsLeftAlone(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		time.Sleep(time.Minute)
		if v, known := s.Volume(); math.Abs(v-0.2) > 1e-9 || !known {
			h.Errorf("got %v, %v, want 0.2, known: it tells -24 dB", v, known)
		}
		if got := h.rx.Log().Volumes; len(got) != 0 {
			h.Errorf("got %v, want none set", got)
		}
	})
	inHouse(t, raoptest.Config{Answers: map[string]int{"GET_PARAMETER": 400}}, func(h *house) {
		if v, known := h.dial(raop.Config{}).Volume(); known {
			h.Errorf("got %v, known, of a receiver that does not tell", v)
		}
	})
}

func TestVolumeThatIsRefusedIsAnError(t *testing.T) {
	inHouse(t, raoptest.Config{Answers: map[string]int{"SET_PARAMETER": 500}}, func(h *house) {
		s := h.dial(raop.Config{})
		var status *raop.StatusError
		if err := s.SetVolume(h.Context(), 1); !errors.As(err, &status) || err.Error() != "raop: set_parameter: 500 As Told" {
			h.Errorf("got %v, want a status error", err)
		}
		if _, known := s.Volume(); s.Err() != nil || known && false {
			h.Errorf("got %v, want a session that goes on", s.Err())
		}
	})
}

func TestTagsAreToldWhenTheSoundIsHeard(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{Rand: always(0x42)})
		cover := picture(h.T, 8, 8, asPNG)
		s.SetTags(h.Context(), audio.Tags{Title: "Käse", Artist: "Die", Album: "Das", Duration: 3 * time.Second, Artwork: cover})
		time.Sleep(time.Second)
		if log := h.rx.Log(); len(log.Texts) != 0 {
			h.Error("told before there was sound")
		}
		tl := h.play(s, counting(3*44100), pace{lead: 500 * time.Millisecond})
		time.Sleep(3 * time.Second)
		log := h.rx.Log()
		const start = 0x42424242
		if diff := cmp.Diff([]string{fmt.Sprintf("%d/%d/%d", start, start, start+3*44100)}, log.Progresses); diff != "" {
			h.Errorf("progress (-want +got):\n%s", diff)
		}
		want := []raoptest.Text{{RTPTime: fmt.Sprint(start), Items: map[string]string{
			"mikd": "2", "minm": "Käse", "asar": "Die", "asal": "Das", "astm": "3000"}}}
		if off := log.Texts[0].At.Sub(tl.Time); off < 0 || off > 20*time.Millisecond {
			h.Errorf("text came %v from when the sound was heard", off)
		}
		want[0].At = log.Texts[0].At
		if diff := cmp.Diff(want, log.Texts); diff != "" {
			h.Errorf("text (-want +got):\n%s", diff)
		}
		if len(log.Artworks) != 1 || log.Artworks[0].Type != "image/png" || !slices.Equal(log.Artworks[0].Data, cover) {
			h.Errorf("got %d artworks, want the one", len(log.Artworks))
		}
	})
}

func TestOnlyWhatIsWantedIsTold(t *testing.T) {
	for _, c := range []struct {
		md                        string
		texts, artworks, progress int
	}{
		{"0,1,2", 1, 1, 1}, {"0", 1, 0, 0}, {"0,2", 1, 0, 1}, {"1", 0, 1, 0}, {"", 0, 0, 0},
	} {
		inHouse(t, raoptest.Config{TXT: map[string]string{"md": c.md}}, func(h *house) {
			s := h.dial(raop.Config{})
			s.SetTags(h.Context(), audio.Tags{Title: "x", Artwork: picture(h.T, 8, 8, asPNG)})
			h.play(s, counting(1000), pace{})
			time.Sleep(time.Second)
			log := h.rx.Log()
			if len(log.Texts) != c.texts || len(log.Artworks) != c.artworks || len(log.Progresses) != c.progress {
				h.Errorf("md=%s: got %d texts, %d artworks, %d progresses", c.md, len(log.Texts), len(log.Artworks), len(log.Progresses))
			}
		})
	}
}

func TestRefusedMetadataIsNotSentAgain(t *testing.T) {
	inHouse(t, raoptest.Config{Answers: map[string]int{"SET_PARAMETER": 415}}, func(h *house) {
		s := h.dial(raop.Config{})
		for range 3 {
			s.SetTags(h.Context(), audio.Tags{Title: "x"})
			h.play(s, counting(1000), pace{})
			time.Sleep(time.Second)
		}
		if got := strings.Count(methods(h.rx), "SET_PARAMETER"); got != 2 {
			h.Errorf("asked %d times, want 2: progress and text once each", got)
		}
	})
}

func TestSlowMetadataDoesNotDelaySound(t *testing.T) {
	inHouse(t, raoptest.Config{Delays: map[string]time.Duration{"SET_PARAMETER": 4 * time.Second}}, func(h *house) {
		s := h.dial(raop.Config{})
		s.SetTags(h.Context(), audio.Tags{Title: "x"})
		song := counting(6 * 44100)
		tl := h.play(s, song, pace{from: leadIn})
		time.Sleep(2 * time.Second)
		h.heard(song, tl.At(0))
	})
}

func TestProgressGoesOnAfterAPause(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		s.SetTags(h.Context(), audio.Tags{Title: "x", Duration: 10 * time.Second})
		song := counting(10 * 44100)
		tl := h.play(s, song, pace{onward: 2 * 44100})
		time.Sleep(time.Until(tl.At(44100)))
		s.Flush(h.Context())
		time.Sleep(time.Minute)
		h.play(s, song, pace{from: 44100, onward: 3 * 44100})
		time.Sleep(time.Second)
		s.SetPosition(h.Context(), 7*time.Second)
		time.Sleep(time.Second)
		s.SetTags(h.Context(), audio.Tags{Title: "next"})
		time.Sleep(time.Second)
		var got []string
		for _, p := range h.rx.Log().Progresses {
			var start, at, end uint32
			fmt.Sscanf(p, "%d/%d/%d", &start, &at, &end)
			got = append(got, fmt.Sprintf("%.1f of %.1f", float64(at-start)/44100, float64(end-start)/44100))
		}
		want := []string{"0.0 of 10.0", "1.0 of 10.0", "7.0 of 10.0", "0.0 of 0.0"}
		if diff := cmp.Diff(want, got); diff != "" {
			h.Errorf("(-want +got):\n%s", diff)
		}
		if got := len(h.rx.Log().Texts); got != 2 {
			h.Errorf("got %d texts, want 2", got)
		}
	})
}

func TestQuietSessionsAreKeptAlive(t *testing.T) {
	for _, c := range []struct {
		name string
		rx   raoptest.Config
		want string
	}{
		{"HomePod mini", raoptest.Config{QuietLimit: 30 * time.Second}, "POST POST POST POST"},
		{"shairport-sync", raoptest.Config{QuietLimit: 30 * time.Second, Answers: map[string]int{"POST /feedback": 501}}, "POST OPTIONS OPTIONS OPTIONS"},
		{"neither", raoptest.Config{QuietLimit: 30 * time.Second, Answers: map[string]int{"POST": 400, "OPTIONS": 501}}, "POST OPTIONS OPTIONS OPTIONS"},
	} {
		inHouse(t, c.rx, func(h *house) {
			s := h.dial(raop.Config{})
			time.Sleep(90 * time.Second)
			if err := s.Err(); err != nil {
				h.Errorf("%s: got %v, want nil", c.name, err)
			}
			_, got, _ := strings.Cut(methods(h.rx), "GET_PARAMETER ")
			if got != c.want {
				h.Errorf("%s: asked %s, want %s", c.name, got, c.want)
			}
			if got := s.Confidence(); got != "clock_locked" {
				h.Errorf("%s: confidence %s, want clock_locked", c.name, got)
			}
		})
	}
}

// over waits for the end of a session and returns why and after how long.
func over(s *raop.Session, patience time.Duration) (error, time.Duration) {
	begun := time.Now()
	select {
	case <-s.Done():
		return s.Err(), time.Since(begun)
	case <-time.After(patience):
		return errors.New("not over"), time.Since(begun)
	}
}

func TestHowSessionsEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		rx     raoptest.Config
		do     func(h *house)
		want   error
		within time.Duration
	}{
		{"taken over", raoptest.Config{}, func(h *house) { h.rx.HangUp() }, raop.ErrClosedByReceiver, 10 * time.Millisecond},
		{"hung up on", raoptest.Config{HangsUpAfter: 2 * time.Second}, func(*house) {}, raop.ErrClosedByReceiver, 2 * time.Second},
		{"killed", raoptest.Config{}, func(h *house) { h.rx.Vanish() }, raop.ErrClosedByReceiver, 10 * time.Millisecond},
		{"unplugged", raoptest.Config{}, func(h *house) { h.lan.Host("10.0.0.20").Unplug() }, nil, time.Minute},
		{"keep-alive not answered", raoptest.Config{Delays: map[string]time.Duration{"POST": -1}}, func(*house) {}, nil, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			inHouse(t, c.rx, func(h *house) {
				s := h.dial(raop.Config{})
				h.play(s, counting(44100), pace{onward: 10 * perPacket})
				c.do(h)
				err, after := over(s, 2*time.Minute)
				if c.want != nil && !errors.Is(err, c.want) || err == nil || after > c.within {
					h.Errorf("got %v after %v, want %v within %v", err, after, c.want, c.within)
				}
				for _, got := range []error{
					s.WritePacket(counting(1).packet(0)),
					s.SetVolume(h.Context(), 1),
					s.Start(h.Context(), stream.Timeline{Rate: 44100, Time: time.Now()}),
					s.SetTags(h.Context(), audio.Tags{}),
				} {
					if !errors.Is(got, err) {
						h.Errorf("afterwards: got %v, want %v", got, err)
					}
				}
				begun := time.Now()
				s.Close()
				if took := time.Since(begun); took > 0 {
					h.Errorf("Close took %v, want no time", took)
				}
				h.lan.Host("10.0.0.20").Plug()
			})
		})
	}
}

func TestUnpluggedReceiverIsStalledBeforeItIsGivenUp(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		time.Sleep(5 * time.Second)
		h.lan.Host("10.0.0.20").Unplug()
		time.Sleep(11 * time.Second)
		if got := s.Confidence(); got != "stalled" || s.Err() != nil {
			h.Errorf("got %s, %v, want stalled and no error yet", got, s.Err())
		}
		h.lan.Host("10.0.0.20").Plug()
		time.Sleep(4 * time.Second)
		if got := s.Confidence(); got != "clock_locked" || s.Err() != nil {
			h.Errorf("plugged again: got %s, %v, want clock_locked", got, s.Err())
		}
	})
}

func TestReceiverThatClosesItsPortsIsGone(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		h.lan.Lose = nil
		h.rx.ClosePorts()
		var wg sync.WaitGroup
		wg.Go(func() {
			tl := stream.Timeline{Rate: 44100, Time: time.Now().Add(time.Second)}
			s.Start(h.Context(), tl)
			for i := range int64(2000) {
				if s.WritePacket(counting(1).packet(i*perPacket)) != nil {
					return
				}
				time.Sleep(8 * time.Millisecond)
			}
		})
		err, after := over(s, time.Minute)
		if !errors.Is(err, raop.ErrClosedByReceiver) || after > 5*time.Second {
			h.Errorf("got %v after %v, want ErrClosedByReceiver within 5s", err, after)
		}
		wg.Wait()
		if s.Stats().SendErrors == 0 {
			h.Error("no errors were counted")
		}
	})
}

func TestCloseSaysGoodbyeAndIsPatientForTwoSeconds(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		s.Close()
		s.Close()
		if err := s.Err(); err != raop.ErrClosed {
			h.Errorf("got %v, want ErrClosed", err)
		}
		if got := h.rx.Log().Teardowns; got != 1 {
			h.Errorf("got %d goodbyes, want 1", got)
		}
	})
	inHouse(t, raoptest.Config{Delays: map[string]time.Duration{"TEARDOWN": -1}}, func(h *house) {
		s := h.dial(raop.Config{})
		begun := time.Now()
		s.Close()
		if took := time.Since(begun); took != 2*time.Second {
			h.Errorf("took %v, want 2s", took)
		}
		h.rx.Close()
	})
}

func TestTimingIsAnsweredWithoutDelay(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		time.Sleep(30 * time.Second)
		if got := s.Stats().Timings; got < 14 || got > 17 {
			h.Errorf("got %d answers in 30 s, want 6 quick ones and one each 3 s", got)
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
		begun := time.Now()
		song := counting(3 * 44100)
		tl := h.play(s, song, pace{from: leadIn, lead: 1500 * time.Millisecond})
		time.Sleep(3 * time.Second)
		h.heard(song, tl.At(0))
		_ = begun
		if got := h.rx.Log().SyncsLost; got == 0 {
			h.Error("no sync was lost: the test tests nothing")
		}
	})
}

func TestStreamEndsWhenItsReceiverDoes(t *testing.T) {
	inHouse(t, raoptest.Config{HangsUpAfter: 3 * time.Second}, func(h *house) {
		s := h.dial(raop.Config{})
		tl := stream.Timeline{Rate: 44100, Time: time.Now().Add(time.Second)}
		s.Start(h.Context(), tl)
		for i := int64(0); ; i++ {
			if err := s.WritePacket(counting(1).packet(i * perPacket)); err != nil {
				if !errors.Is(err, raop.ErrClosedByReceiver) {
					h.Errorf("got %v, want ErrClosedByReceiver", err)
				}
				return
			}
			if i > 1000 {
				h.Fatal("no error after 8 s")
			}
			time.Sleep(8 * time.Millisecond)
		}
	})
}

package raop_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"airplay2mqtt/audio/stream"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
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

func TestTimingIsAnsweredWithoutDelay(t *testing.T) {
	inHouse(t, raoptest.Config{}, func(h *house) {
		s := h.dial(raop.Config{})
		time.Sleep(30 * time.Second)
		if got := s.Stats().Timings; got < 14 || got > 17 {
			h.Errorf("got %d answers in 30 s, want 6 quick ones and one each 3 s", got)
		}
	})
}

package airplay_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/audio/stream/streamtest"
)

// sound is what was heard, without silence before, between and behind.
func sound(heard [][2]int16) [][2]int16 {
	return slices.DeleteFunc(slices.Clone(heard), func(f [2]int16) bool { return f == [2]int16{} })
}

// heard holds a receiver to having heard these frames.
func heard(t *testing.T, rx *airplaytest.Receiver, want [][2]int16) {
	t.Helper()
	synctest.Wait()
	got := sound(rx.Heard())
	if slices.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("heard %d frames, want %d; frame %d is %v, want %v", len(got), len(want), i, got[i], want[i])
			return
		}
	}
	t.Errorf("heard %d frames, want %d", len(got), len(want))
}

// firstSound is when the first frame was heard that is not silent.
func firstSound(l airplaytest.Log) time.Time {
	for _, s := range l.Spans {
		for i, f := range s.Frames {
			if f != [2]int16{} {
				return s.At.Add(time.Duration(i) * time.Second / 44100)
			}
		}
	}
	return time.Time{}
}

// Every kind of device, told nothing of it but its record, is heard to the
// last sample.
func TestDevicesAreHeard(t *testing.T) {
	for _, c := range []struct {
		name   string
		rx     airplaytest.Config
		tx     airplay.Config
		timing airplay.Timing
		kind   airplay.Kind
	}{
		{"a speaker", airplaytest.Config{}, airplay.Config{}, airplay.PTP, airplay.Realtime},
		{"a speaker, buffered", airplaytest.Config{}, airplay.Config{Kind: airplay.Buffered}, airplay.PTP, airplay.Buffered},
		{"a speaker by NTP", airplaytest.Config{}, airplay.Config{Timing: airplay.NTP}, airplay.NTP, airplay.Realtime},
		{"by NTP nothing is buffered", airplaytest.Config{}, airplay.Config{Timing: airplay.NTP, Kind: airplay.Buffered}, airplay.NTP, airplay.Realtime},
		{"HomePod", airplaytest.HomePod(), airplay.Config{}, airplay.PTP, airplay.Realtime},
		{"HomePod by NTP", airplaytest.HomePod(), airplay.Config{Timing: airplay.NTP}, airplay.NTP, airplay.Realtime},
		{"HomePod with software 27", airplaytest.HomePod27(), airplay.Config{}, airplay.PTP, airplay.Realtime},
		{"Sonos", airplaytest.Sonos(), airplay.Config{}, airplay.PTP, airplay.Realtime},
		{"Sonos, buffered", airplaytest.Sonos(), airplay.Config{Kind: airplay.Buffered}, airplay.PTP, airplay.Buffered},
		{"Samsung", airplaytest.Samsung(), airplay.Config{}, airplay.PTP, airplay.Realtime},
		{"shairport-sync", airplaytest.Shairport(), airplay.Config{}, airplay.PTP, airplay.Realtime},
		{"a television that keeps no PTP", airplaytest.NTPTelevision(), airplay.Config{}, airplay.NTP, airplay.Realtime},
		{"WiiM", airplaytest.Config{Model: "WiiM Pro", Buffer: 5 * time.Second}, airplay.Config{}, airplay.PTP, airplay.Buffered},
	} {
		t.Run(c.name, func(t *testing.T) {
			inHouse(t, c.rx, func(h *house) {
				s := h.dial(c.tx)
				if f := s.Facts(); f.Timing != c.timing || f.Kind != c.kind {
					h.Errorf("got %+v, want %s, %s", f, c.timing, c.kind)
				}
				if err := stream.Play(h.Context(), streamtest.Sound(44100), s); err != nil {
					h.Fatal(err)
				}
				heard(h.T, h.rx, streamtest.Samples(0, 44100))
				l := h.rx.Log()
				if l.Spans = nil; l.Noises+l.Late+l.Early+l.Forged+l.Repeated+l.Gaps != 0 {
					h.Errorf("got %+v, want no noises, nothing late, early, forged or sealed twice", l)
				}
			})
		})
	}
}

func TestSoundIsHeardWhenItWasSaid(t *testing.T) {
	for name, rx := range map[string]airplaytest.Config{
		"by our clock":  airplaytest.Shairport(),
		"by its clock":  airplaytest.HomePod27(),
		"by NTP":        airplaytest.NTPTelevision(),
		"after a while": airplaytest.Sonos(),
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, rx, func(h *house) {
				s := h.dial(airplay.Config{})
				begun := time.Now()
				lead := max(time.Second, s.MinLead())
				if err := stream.Play(h.Context(), streamtest.Sound(10000), s); err != nil {
					h.Fatal(err)
				}
				if off := firstSound(h.rx.Log()).Sub(begun) - lead; off.Abs() > time.Millisecond {
					h.Errorf("heard %v off", off)
				}
			})
		})
	}
}

func TestTwoReceiversAreInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var sinks []stream.Sink
		var rxs []*airplaytest.Receiver
		for addr, cfg := range map[string]airplaytest.Config{
			"10.0.0.20": airplaytest.HomePod(), "10.0.0.21": airplaytest.HomePod27(), "10.0.0.22": airplaytest.NTPTelevision()} {
			h.rx = h.receiver(addr, cfg)
			rxs = append(rxs, h.rx)
			sinks = append(sinks, h.dial(airplay.Config{}))
		}
		if err := stream.Play(t.Context(), streamtest.Sound(20000), sinks...); err != nil {
			t.Fatal(err)
		}
		first := firstSound(rxs[0].Log())
		for _, rx := range rxs {
			heard(t, rx, streamtest.Samples(0, 20000))
			if off := firstSound(rx.Log()).Sub(first); off.Abs() > 500*time.Microsecond {
				t.Errorf("%s is %v off", rx.Name(), off)
			}
		}
	})
}

// An Apple receiver makes a noise when it is flushed or runs dry. It gets one
// line of sound and silence, and sound begins on it where it is to be heard.
func TestAppleReceiversNeverRunDry(t *testing.T) {
	inHouse(t, airplaytest.HomePod(), func(h *house) {
		s := h.dial(airplay.Config{})
		time.Sleep(3 * time.Second)
		var want [][2]int16
		for i := range int64(5) {
			if err := stream.Play(h.Context(), streamtest.Sound(5000+i), s); err != nil {
				h.Fatal(err)
			}
			want = append(want, streamtest.Samples(0, 5000+i)...)
			if err := s.Flush(h.Context()); err != nil {
				h.Fatal(err)
			}
			time.Sleep(time.Duration(i) * 10 * time.Second)
		}
		heard(h.T, h.rx, want)
		l := h.rx.Log()
		if l.Flushes != 0 || l.Noises != 0 || len(l.Spans) != 1 {
			h.Errorf("got %d flushes, %d noises in %d spans, want none in one", l.Flushes, l.Noises, len(l.Spans))
		}
	})
}

func TestOthersAreFlushedAndSilentSoon(t *testing.T) {
	inHouse(t, airplaytest.Shairport(), func(h *house) {
		s := h.dial(airplay.Config{})
		ctx, cancel := context.WithTimeout(h.Context(), 2*time.Second)
		defer cancel()
		stream.Play(ctx, streamtest.Sound(10*44100), s)
		packets := h.rx.Log().Packets
		time.Sleep(time.Minute)
		if l := h.rx.Log(); l.Flushes != 1 || l.Packets != packets {
			h.Errorf("got %d flushes and %d packets behind it, want one and none", l.Flushes, l.Packets-packets)
		}
		stream.Play(h.Context(), streamtest.Sound(5000), s)
		packets = h.rx.Log().Packets
		time.Sleep(time.Minute)
		// Silence goes on for 15 s, for those that may run dry.
		if got := h.rx.Log().Packets - packets; got < 14*125 || got > 17*126 {
			h.Errorf("got %d packets of silence behind a sound, want those of 15 s", got)
		}
	})
}

func TestBufferedSoundIsPausedExactly(t *testing.T) {
	inHouse(t, airplaytest.Config{}, func(h *house) {
		s := h.dial(airplay.Config{Kind: airplay.Buffered})
		time.Sleep(3 * time.Second)
		played := stream.New(streamtest.Sound(3*44100), stream.Config{}, s)
		var running sync.WaitGroup
		running.Go(func() { played.Run(h.Context()) })
		time.Sleep(2 * time.Second)
		if err := played.Pause(h.Context()); err != nil {
			h.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := played.Resume(h.Context()); err != nil {
			h.Fatal(err)
		}
		running.Wait()
		got := sound(h.rx.Heard())
		if n := len(got) - 3*44100; n < 0 || n > 2*352 || got[len(got)-1] != streamtest.Sample(3*44100-1) {
			h.Errorf("heard %d frames more than there are, want a packet at most", n)
		}
		if l := h.rx.Log(); l.Pauses != 1 || l.Anchors != 2 || l.Flushes != 1 {
			h.Errorf("got %d anchors, %d pauses, %d flushes, want 2, 1, 1", l.Anchors, l.Pauses, l.Flushes)
		}
	})
}

func TestStrictReceiversGetTheirAnchorAgain(t *testing.T) {
	rx := airplaytest.Sonos()
	rx.ClockTakes = 5 * time.Second
	inHouse(t, rx, func(h *house) {
		s := h.dial(airplay.Config{Kind: airplay.Buffered})
		if err := stream.Play(h.Context(), streamtest.Sound(8*44100), s); err != nil {
			h.Fatal(err)
		}
		got := sound(h.rx.Heard())
		if len(got) == 0 || got[len(got)-1] != streamtest.Sample(8*44100-1) {
			h.Errorf("heard %d frames, want the last ones of the sound", len(got))
		}
	})
}

func TestLostPacketsAreSentAgain(t *testing.T) {
	for name, drop := range map[string]func(int) bool{
		"5 %":                    func(n int) bool { return n%20 == 19 && n < 1000 },
		"15 %":                   func(n int) bool { return n%7 == 6 && n < 1000 },
		"a third of a second":    func(n int) bool { return n >= 300 && n < 340 },
		"where numbers go round": func(n int) bool { return n >= 45 && n < 60 },
	} {
		t.Run(name, func(t *testing.T) {
			rx := airplaytest.Shairport()
			rx.Drop = drop
			inHouse(t, rx, func(h *house) {
				s := h.dial(airplay.Config{Rand: always(0xff)})
				if err := stream.Play(h.Context(), streamtest.Sound(5*44100), s); err != nil {
					h.Fatal(err)
				}
				heard(h.T, h.rx, streamtest.Samples(0, 5*44100))
				if st := s.Stats(); st.Resent+st.Copies == 0 || st.ResendAsked < st.Resent {
					h.Errorf("got %+v, want packets sent again", st)
				}
			})
		})
	}
}

// The end of a sound is repaired as well: what follows it comes early enough for
// the receiver to notice that something is missing.
func TestTheEndOfASoundIsSentAgain(t *testing.T) {
	const frames = 44100
	last := frames/352 + 1 // packets
	for name, cfg := range map[string]airplaytest.Config{"shairport-sync": airplaytest.Shairport(), "Samsung": airplaytest.Samsung(), "HomePod": airplaytest.HomePod()} {
		t.Run(name, func(t *testing.T) {
			heardAll := func(n int) bool { return false }
			cfg.Drop = func(n int) bool { return heardAll(n) }
			inHouse(t, cfg, func(h *house) {
				s := h.dial(airplay.Config{})
				begun := int(s.Stats().Packets)
				heardAll = func(n int) bool { return n-begun == last-1 || n-begun == last-2 }
				if err := stream.Play(h.Context(), streamtest.Sound(frames), s); err != nil {
					h.Fatal(err)
				}
				heard(h.T, h.rx, streamtest.Samples(0, frames))
				if st := s.Stats(); st.Resent+st.Copies == 0 {
					h.Errorf("got %+v, want packets sent again", st)
				}
			})
		})
	}
}

// always draws the same byte.
type always byte

func (a always) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(a)
	}
	return len(b), nil
}

func TestAnOffsetIsHeard(t *testing.T) {
	for _, offset := range []time.Duration{40 * time.Millisecond, -40 * time.Millisecond} {
		for name, rx := range map[string]airplaytest.Config{"HomePod": airplaytest.HomePod(), "shairport-sync": airplaytest.Shairport()} {
			inHouse(t, rx, func(h *house) {
				s := h.dial(airplay.Config{Offset: offset})
				time.Sleep(3 * time.Second)
				begun := time.Now()
				if err := stream.Play(h.Context(), streamtest.Sound(5000), s); err != nil {
					h.Fatal(err)
				}
				if off := firstSound(h.rx.Log()).Sub(begun.Add(time.Second + offset)); off.Abs() > time.Millisecond {
					h.Errorf("%s, %v: heard %v off", name, offset, off)
				}
				time.Sleep(100 * time.Millisecond)
				s.SetOffset(0)
				again := len(sound(h.rx.Heard()))
				stream.Play(h.Context(), streamtest.Sound(3000), s)
				if got := len(sound(h.rx.Heard())) - again; got != 3000 {
					h.Errorf("%s: heard %d frames after the offset was changed, want 3000", name, got)
				}
			})
		}
	}
}

func TestTagsAreTold(t *testing.T) {
	inHouse(t, airplaytest.Sonos(), func(h *house) {
		s := h.dial(airplay.Config{})
		s.SetTags(h.Context(), audio.Tags{Title: "Aria", Artist: "Bach", Duration: 10 * time.Second})
		if err := stream.Play(h.Context(), streamtest.Sound(44100), s); err != nil {
			h.Fatal(err)
		}
		l := h.rx.Log()
		if len(l.Texts) != 1 || l.Texts[0].Items["minm"] != "Aria" || l.Texts[0].Items["asar"] != "Bach" || len(l.Progresses) != 1 {
			h.Errorf("got %+v and %v, want the Aria once, and its progress", l.Texts, l.Progresses)
		}
	})
	inHouse(t, airplaytest.Sonos(), func(h *house) {
		s := h.dial(airplay.Config{Name: "Our house"})
		stream.Play(h.Context(), streamtest.Sound(4410), s)
		if l := h.rx.Log(); len(l.Texts) != 1 || l.Texts[0].Items["minm"] != "Our house" {
			h.Errorf("got %+v, want our name where there are no tags: Sonos is silent otherwise", l.Texts)
		}
	})
}

func TestTheVolume(t *testing.T) {
	inHouse(t, airplaytest.Shairport(), func(h *house) {
		level := 0.25
		s := h.dial(airplay.Config{Volume: &level})
		stream.Play(h.Context(), streamtest.Sound(44100), s)
		s.SetVolume(h.Context(), 0)
		s.SetVolume(h.Context(), 2)
		if got, want := h.rx.Log().Volumes, []float64{-22.5, -22.5, -144, 0}; !slices.Equal(got, want) {
			h.Errorf("got %v, want %v: set, again once it plays, muted, loudest", got, want)
		}
		if got, known := s.Volume(); got != 1 || !known {
			h.Errorf("got %v, %v, want 1", got, known)
		}
	})
	inHouse(t, airplaytest.Shairport(), func(h *house) {
		if got, known := h.dial(airplay.Config{}).Volume(); got != 0.5 || !known {
			h.Errorf("got %v, %v, want the receiver's own 0.5", got, known)
		}
	})
}

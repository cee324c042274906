package raop_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"

	"github.com/google/go-cmp/cmp"
)

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
			time.Sleep(300 * time.Millisecond)
			spans := h.rx.Log().Spans
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

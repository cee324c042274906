package stream_test

import (
	"math"
	"testing"
	"time"

	"airplay2mqtt/audio/stream"
)

func TestTimelineTiesFramesToTime(t *testing.T) {
	zero := time.Date(2026, 9, 20, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name  string
		frame int64
		after time.Duration
	}{
		{"the frame that it is tied at", 1000, 0},
		{"a second later", 1000 + 44100, time.Second},
		{"a second earlier", 1000 - 44100, -time.Second},
		{"one frame later, rounded up", 1001, 22676},
		{"one frame earlier, rounded up", 999, -22675},
		{"a year later", 1000 + 44100*365*24*3600, 365 * 24 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			tl := stream.Timeline{Rate: 44100, Frame: 1000, Time: zero}
			if got := tl.At(test.frame).Sub(zero); got != test.after {
				t.Errorf("At: got %v, want %v", got, test.after)
			}
			if got := tl.FrameAt(zero.Add(test.after)); got != test.frame {
				t.Errorf("FrameAt: got %v, want %v", got, test.frame)
			}
			if got := tl.FrameAt(zero.Add(test.after - 1)); got != test.frame-1 {
				t.Errorf("FrameAt a nanosecond before: got %v, want %v", got, test.frame-1)
			}
		})
	}
}

func TestTimelineDoesNotOverflow(t *testing.T) {
	tl := stream.Timeline{Rate: 44100, Time: time.Now()}
	for _, frame := range []int64{math.MaxInt64 / 44100, -math.MaxInt64 / 44100, 1 << 45, -1 << 45} {
		if got := tl.FrameAt(tl.At(frame)); got != frame {
			t.Errorf("FrameAt(At(%d)): got %d, want the same", frame, got)
		}
	}
}

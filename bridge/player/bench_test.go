package player_test

import (
	"context"
	"testing"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/bridge/player"
)

// BenchmarkWarmBell measures the time from the command to the first packet,
// with a session that was kept and a clip in memory.
func BenchmarkWarmBell(b *testing.B) {
	first := make(chan time.Time, 1)
	clip := audio.NewClip(make([]audio.Frame, second))
	p := player.New(player.Config{
		Dial: func(context.Context) (player.Session, error) { return &tap{session: newSession(), first: first}, nil },
		Open: func(context.Context, player.Play) (audio.Track, error) {
			return audio.Track{Source: clip.Source()}, nil
		},
	})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run(ctx)
	}()
	var total time.Duration
	n := 0
	for b.Loop() {
		began := time.Now()
		if err := p.Send(player.Play{File: "bell"}, nil); err != nil {
			b.Fatal(err)
		}
		total += (<-first).Sub(began)
		n++
	}
	cancel()
	<-done
	b.ReportMetric(float64(total.Microseconds())/float64(n), "µs/bell")
}

// A tap tells when the first packet of each timeline comes.
type tap struct {
	*session
	first chan time.Time
	begun bool
}

func (t *tap) Start(context.Context, stream.Timeline) error { t.begun = false; return nil }
func (t *tap) Flush(context.Context) error                  { return nil }

func (t *tap) WritePacket(stream.Packet) error {
	if !t.begun {
		t.begun = true
		t.first <- time.Now()
	}
	return nil
}

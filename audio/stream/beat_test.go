package stream_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/audio/stream/streamtest"
)

// endless is a sound without end that allocates nothing.
type endless struct{ n uint32 }

func (e *endless) Rate() int    { return audio.Rate }
func (e *endless) Close() error { return nil }
func (e *endless) Read(p []audio.Frame) (int, error) {
	for i := range p {
		e.n = e.n*1664525 + 1013904223
		p[i] = audio.Frame{float32(e.n>>8) / (1 << 25), float32(e.n>>9) / (1 << 25)}
	}
	return len(p), nil
}

// null is a sink that counts.
type null struct{ packets atomic.Int64 }

func (*null) Start(context.Context, stream.Timeline) error { return nil }
func (*null) Flush(context.Context) error                  { return nil }
func (n *null) WritePacket(stream.Packet) error            { n.packets.Add(1); return nil }

func TestTheBeatAllocatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sink, other := new(null), new(null)
		s := stream.New(new(endless), stream.Config{}, sink, other)
		wait := run(ctx, s)
		time.Sleep(3 * time.Second)
		before := sink.packets.Load()
		allocs := testing.AllocsPerRun(5, func() {
			time.Sleep(10 * time.Second)
			s.Elapsed()
			s.Stats()
		})
		beats := (sink.packets.Load() - before) / 6
		if beats < 1200 {
			t.Errorf("got %d packets in 10 s, want 1252", beats)
		}
		if allocs != 0 {
			t.Errorf("got %v allocations in %d beats, want none", allocs, beats)
		}
		cancel()
		wait()
	})
}

func TestSinksHoldTheContract(t *testing.T) {
	streamtest.TestSink(t, func(*testing.T) streamtest.Peer {
		speaker := new(streamtest.Speaker)
		return streamtest.Peer{Sink: speaker, Heard: speaker.Samples, Close: func() error { return nil }}
	})
}

// BenchmarkBeat measures what a packet costs, of which there are 125 a second.
func BenchmarkBeat(b *testing.B) {
	for _, sinks := range []int{1, 32} {
		b.Run(fmt.Sprintf("%d", sinks), func(b *testing.B) {
			all := make([]stream.Sink, sinks)
			for i := range all {
				all[i] = new(null)
			}
			now := time.Now()
			s := stream.New(new(endless), stream.Config{}, all...)
			s.Ready(now)
			b.ReportAllocs()
			for b.Loop() {
				s.Beat(b.Context(), now)
			}
		})
	}
}

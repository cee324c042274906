package streamtest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
)

// A Peer is a sink with the far end that it sends to.
type Peer struct {
	Sink stream.Sink
	// Heard returns what the far end has played so far; silence may be left
	// out. nil: what was heard is not looked at.
	Heard func() [][2]int16
	// Echo is how long it goes on sounding after Flush, where what it holds
	// cannot be taken back. 0: not at all.
	Echo time.Duration
	// Cut takes the far end away without a word. nil: not tried.
	Cut func()
	// Close closes the sink.
	Close func() error
	// Done is closed when the sink is over. nil: not looked at.
	Done <-chan struct{}
}

// TestSink holds a sink to its contract. Each of its tests runs in a bubble
// of virtual time, in which make is called for a sink that was just dialled;
// all that make starts must have ended once the sink is closed and t's
// cleanups have run.
func TestSink(t *testing.T, make func(t *testing.T) Peer) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, p Peer)
	}{
		{"PlaysWhatItIsGiven", playsWhatItIsGiven},
		{"PlaysSeveralStreamsInTurn", playsSeveralStreams},
		{"IsSilentAfterFlush", isSilentAfterFlush},
		{"ResumesWhereItWasPaused", resumes},
		{"JoinsLate", joinsLate},
		{"CopiesThePayload", copiesThePayload},
		{"DoesNotAllocate", doesNotAllocate},
		{"HeedsItsContext", heedsItsContext},
		{"CanBeClosedTwice", canBeClosedTwice},
		{"CanBeClosedWhileWriting", canBeClosedWhileWriting},
		{"TellsThatTheFarEndIsGone", tellsThatTheFarEndIsGone},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := make(t)
				test.run(t, p)
				p.Close()
			})
		})
	}
}

func playsWhatItIsGiven(t *testing.T, p Peer) {
	if err := stream.Play(t.Context(), Sound(20000), p.Sink); err != nil {
		t.Fatalf("Play: got %v, want nil", err)
	}
	expect(t, p, Samples(0, 20000))
}

// playsSeveralStreams plays streams whose frames are counted from the
// beginning each, as chimes on a warm session are.
func playsSeveralStreams(t *testing.T, p Peer) {
	var want [][2]int16
	for i := range int64(3) {
		if err := stream.Play(t.Context(), Sound(5000*(i+1)), p.Sink); err != nil {
			t.Fatalf("Play: got %v, want nil", err)
		}
		want = append(want, Samples(0, 5000*(i+1))...)
		time.Sleep(time.Duration(i) * 7 * time.Second)
	}
	expect(t, p, want)
}

func isSilentAfterFlush(t *testing.T, p Peer) {
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if err := stream.Play(ctx, Sound(5*44100), p.Sink); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Play: got %v, want a deadline", err)
	}
	synctest.Wait()
	if p.Heard == nil {
		return
	}
	before := len(sounding(p.Heard()))
	time.Sleep(5 * time.Second)
	// A receiver drops whole packets, so that one more may be heard.
	most := before + int(p.Echo.Seconds()*44100) + 2*alac.FramesPerPacket
	if got := len(sounding(p.Heard())); got > most || got == 0 {
		t.Errorf("heard %d frames, %d of them before the flush", got, before)
	}
	if err := stream.Play(t.Context(), Sound(4000), p.Sink); err != nil {
		t.Fatalf("Play: got %v, want nil", err)
	}
	heard := sounding(p.Heard())
	if got := heard[max(len(heard)-4000, 0):]; !slices.Equal(got, Samples(0, 4000)) {
		t.Errorf("the sound after the flush was not heard as it was sent")
	}
}

func resumes(t *testing.T, p Peer) {
	s := stream.New(Sound(2*44100), stream.Config{}, p.Sink)
	var running sync.WaitGroup
	running.Go(func() { s.Run(t.Context()) })
	time.Sleep(1700 * time.Millisecond)
	if err := s.Pause(t.Context()); err != nil {
		t.Errorf("Pause: got %v, want nil", err)
	}
	time.Sleep(time.Minute)
	if err := s.Resume(t.Context()); err != nil {
		t.Errorf("Resume: got %v, want nil", err)
	}
	running.Wait()
	if err := s.Err(); err != nil {
		t.Errorf("Err: got %v, want nil", err)
	}
	if p.Heard == nil {
		return
	}
	heard := sounding(p.Heard())
	if len(heard) < 2*44100 {
		t.Errorf("heard %d frames, want %d at least", len(heard), 2*44100)
	}
	if len(heard) > 0 && heard[len(heard)-1] != Sample(2*44100-1) {
		t.Errorf("the last frame heard is %v, want %v", heard[len(heard)-1], Sample(2*44100-1))
	}
}

// joinsLate starts a sink in the middle of a timeline, and sends it nothing
// before a later packet.
func joinsLate(t *testing.T, p Peer) {
	const first = 5000 * alac.FramesPerPacket
	tl := stream.Timeline{Rate: 44100, Frame: first, Time: time.Now().Add(time.Second)}
	if err := p.Sink.Start(t.Context(), tl); err != nil {
		t.Fatalf("Start: got %v, want nil", err)
	}
	var want [][2]int16
	for n := range int64(40) {
		samples := Samples(n*alac.FramesPerPacket, (n+1)*alac.FramesPerPacket)
		want = append(want, samples...)
		packet := stream.Packet{Frame: first + (20+n)*alac.FramesPerPacket, Payload: encode(samples)}
		if err := p.Sink.WritePacket(packet); err != nil {
			t.Fatalf("WritePacket: got %v, want nil", err)
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(3 * time.Second)
	if p.Heard == nil {
		return
	}
	// A receiver may mute the beginning (docs/protocols/raop.md, floors).
	heard := sounding(p.Heard())
	if len(heard) == 0 || !slices.Equal(heard, want[max(len(want)-len(heard), 0):]) || len(heard) < len(want)/2 {
		t.Errorf("heard %d frames, want the %d that were sent", len(heard), len(want))
	}
}

func copiesThePayload(t *testing.T, p Peer) {
	tl := stream.Timeline{Rate: 44100, Time: time.Now().Add(time.Second)}
	if err := p.Sink.Start(t.Context(), tl); err != nil {
		t.Fatalf("Start: got %v, want nil", err)
	}
	var payload []byte
	want := make([][2]int16, 20*alac.FramesPerPacket)
	for n := range int64(40) {
		samples := make([][2]int16, alac.FramesPerPacket)
		if n >= 20 {
			samples = Samples(n*alac.FramesPerPacket, (n+1)*alac.FramesPerPacket)
		}
		want = append(want, samples...)
		payload = append(payload[:0], encode(samples)...)
		if err := p.Sink.WritePacket(stream.Packet{Frame: n * alac.FramesPerPacket, Payload: payload}); err != nil {
			t.Fatalf("WritePacket: got %v, want nil", err)
		}
		for i := range payload {
			payload[i] = 0xa5
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(3 * time.Second)
	expect(t, p, sounding(want))
}

func doesNotAllocate(t *testing.T, p Peer) {
	tl := stream.Timeline{Rate: 44100, Time: time.Now().Add(time.Second)}
	if err := p.Sink.Start(t.Context(), tl); err != nil {
		t.Fatalf("Start: got %v, want nil", err)
	}
	packet := stream.Packet{Payload: encode(Samples(0, alac.FramesPerPacket))}
	write := func() {
		if err := p.Sink.WritePacket(packet); err != nil {
			t.Fatalf("WritePacket: got %v, want nil", err)
		}
		packet.Frame += alac.FramesPerPacket
	}
	if _, ok := p.Sink.(*Speaker); ok {
		return // it keeps all that it hears
	}
	// The far end allocates in this process, too, but only when it runs: a
	// bubble gives it no time before this goroutine waits.
	if got := testing.AllocsPerRun(60, write); got >= 1 {
		t.Errorf("WritePacket: got %v allocations, want none", got)
	}
}

func heedsItsContext(t *testing.T, p Peer) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	p.Sink.Start(ctx, stream.Timeline{Rate: 44100, Time: time.Now().Add(time.Second)})
	p.Sink.Flush(ctx)
	if took := time.Since(began); took > 100*time.Millisecond {
		t.Errorf("Start and Flush took %v, want them to heed 50 ms", took)
	}
}

func canBeClosedTwice(t *testing.T, p Peer) {
	p.Close()
	p.Close()
	p.Sink.Start(t.Context(), stream.Timeline{Rate: 44100, Time: time.Now()})
	p.Sink.WritePacket(stream.Packet{Payload: encode(Samples(0, alac.FramesPerPacket))})
	p.Sink.Flush(t.Context())
	over(t, p)
}

func canBeClosedWhileWriting(t *testing.T, p Peer) {
	var playing sync.WaitGroup
	playing.Go(func() { stream.Play(t.Context(), Sound(3*44100), p.Sink) })
	time.Sleep(500 * time.Millisecond)
	playing.Go(func() { p.Sink.Flush(t.Context()) })
	playing.Go(func() { p.Close() })
	playing.Wait()
	over(t, p)
}

// tellsThatTheFarEndIsGone allows a minute, because what is sent by UDP is not
// missed at once.
func tellsThatTheFarEndIsGone(t *testing.T, p Peer) {
	if p.Cut == nil || p.Done == nil {
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var playing sync.WaitGroup
	playing.Go(func() { stream.Play(ctx, Sound(600*44100), p.Sink) })
	time.Sleep(2 * time.Second)
	p.Cut()
	select {
	case <-p.Done:
	case <-time.After(time.Minute):
		t.Errorf("the far end is gone for a minute, and Done is open")
	}
	cancel()
	playing.Wait()
}

func over(t *testing.T, p Peer) {
	t.Helper()
	if p.Done == nil {
		return
	}
	select {
	case <-p.Done:
	default:
		t.Errorf("Done is open after Close")
	}
}

func expect(t *testing.T, p Peer, want [][2]int16) {
	t.Helper()
	if p.Heard == nil {
		return
	}
	synctest.Wait()
	got := sounding(p.Heard())
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

// sounding returns the frames that are not silence.
func sounding(samples [][2]int16) [][2]int16 {
	return slices.DeleteFunc(slices.Clone(samples), func(s [2]int16) bool { return s == [2]int16{} })
}

func encode(samples [][2]int16) []byte {
	pcm := make([]int16, 0, 2*len(samples))
	for _, s := range samples {
		pcm = append(pcm, s[0], s[1])
	}
	return alac.AppendVerbatim(nil, pcm)
}

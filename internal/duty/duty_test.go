package duty_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"airplay2mqtt/internal/duty"
	"airplay2mqtt/internal/memnet"
	"airplay2mqtt/internal/rtp"
)

type chore int

const (
	first chore = iota
	second
	third
	chores
)

func TestChoresAreDoneOneAfterAnotherWhenTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, over := duty.NewAgenda(chores), make(chan struct{})
		var done []chore
		var at []time.Duration
		begun := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			a.Run(over, func(c chore) {
				done, at = append(done, c), append(at, time.Since(begun))
				time.Sleep(time.Second) // it is slow
			})
		})
		a.Plan(second, begun.Add(10*time.Second))
		a.Plan(first, begun.Add(20*time.Second))
		a.Plan(first, begun.Add(30*time.Second)) // it is due earlier anyway
		a.Plan(third, begun.Add(5*time.Second))
		a.Move(third, begun.Add(10*time.Second+time.Millisecond))
		time.Sleep(15 * time.Second)
		a.Plan(second, time.Now())
		a.Drop(first)
		time.Sleep(time.Minute)
		close(over)
		wg.Wait()
		if want := []chore{second, third, second}; !slices.Equal(done, want) {
			t.Errorf("got %v, want %v", done, want)
		}
		if want := []time.Duration{10 * time.Second, 11 * time.Second, 15 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("got them done after %v, want %v", at, want)
		}
	})
}

func TestSyncsComeQuicklyAtFirst(t *testing.T) {
	var p duty.Syncs
	now := time.Now()
	if p.Soon(now); p.Wait(now) < time.Minute || p.First() {
		t.Error("one is due before there is a line")
	}
	told := p.Begin(now)
	if again := p.Begin(now); again != told || !p.First() || p.Wait(now) != 0 {
		t.Error("the first of a line is not due at once, and for all who wait")
	}
	if c, _ := p.Step(now); c != told {
		t.Error("nobody is told of the first")
	}
	if c, _ := p.Step(now); c != nil {
		t.Error("somebody is told of the second")
	}
	p.Begin(now)
	for i, next := 0, now; i < 13; i++ {
		_, wait := p.Step(next)
		if i < 10 && wait != 100*time.Millisecond || i > 10 && wait != time.Second {
			t.Errorf("got %v after sync %d, want 100 ms ten times and then 1 s", wait, i)
		}
		next = next.Add(wait)
	}
	late := now.Add(time.Hour)
	if _, wait := p.Step(late); wait != time.Second {
		t.Errorf("after a suspend of the machine: got %v, want 1 s", wait)
	}
}

func TestWhoAsksForTooMuchIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := memnet.New()
		us, rx := socket(t, lan, "10.0.0.1"), socket(t, lan, "10.0.0.20")
		stranger := socket(t, lan, "10.0.0.66")
		var asked []uint16
		r := duty.Resends{Conn: us, Far: netip.MustParseAddr("10.0.0.20"), To: rx.LocalAddr(), Most: 50,
			Find: func(b []byte, seq uint16, _ time.Time) ([]byte, int) {
				if seq == 7 {
					return b, 0
				}
				return append(b, byte(seq>>8), byte(seq)), 2
			},
			Asked:  func(n uint16, _ time.Time) { asked = append(asked, n) },
			Failed: func(err error, _ time.Time) { t.Errorf("got %v", err) },
		}
		var wg sync.WaitGroup
		wg.Go(r.Answer)
		defer wg.Wait()
		defer us.Close()
		ask := func(from net.PacketConn, first, count uint16) {
			from.WriteTo(rtp.ResendRequest{First: first, Count: count}.AppendTo(nil), us.LocalAddr())
			synctest.Wait()
		}
		answers := func() (n int) {
			for b := make([]byte, 64); ; n++ {
				rx.SetReadDeadline(time.Now().Add(time.Millisecond))
				if _, _, err := rx.ReadFrom(b); err != nil {
					return n
				}
			}
		}
		ask(rx, 6, 3)
		if got := answers(); got != 4 {
			t.Errorf("got %d answers, want 4: two packets are there, and each is sent twice", got)
		}
		ask(stranger, 6, 3)
		stranger.WriteTo([]byte("nonsense"), us.LocalAddr())
		if got := answers(); got != 0 {
			t.Errorf("a stranger got %d answers", got)
		}
		time.Sleep(time.Second)
		for range 10 {
			ask(rx, 100, 1000)
		}
		if got := answers(); got != 2*200 {
			t.Errorf("got %d answers, want 400: 200 packets in a tenth of a second", got)
		}
		if want := append([]uint16{3}, slices.Repeat([]uint16{1000}, 10)...); !slices.Equal(asked, want) {
			t.Errorf("got told of %v, want %v", asked, want)
		}
	})
}

func socket(t *testing.T, lan *memnet.Net, host string) net.PacketConn {
	t.Helper()
	conn, err := lan.Host(host).ListenPacket("udp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestRefusalsOfClosedPortsAreSuspiciousAndThenTheEnd(t *testing.T) {
	refused := os.NewSyscallError("write", syscall.ECONNREFUSED)
	for name, c := range map[string]struct {
		err   error
		every time.Duration
		want  duty.Verdict
	}{
		"now and then": {refused, 2 * time.Second, duty.Calm},
		"full buffers": {syscall.EAGAIN, time.Millisecond, duty.Calm},
		"all":          {refused, 100 * time.Millisecond, duty.Hopeless},
	} {
		var r duty.Refusals
		now, worst := time.Now(), duty.Calm
		for range 40 {
			worst = max(worst, r.Add(c.err, now))
			now = now.Add(c.every)
		}
		if worst != c.want {
			t.Errorf("%s: got %v, want %v", name, worst, c.want)
		}
	}
	var r duty.Refusals
	now := time.Now()
	for i, want := range []duty.Verdict{duty.Calm, duty.Calm, duty.Suspicious, duty.Calm} {
		if got := r.Add(refused, now.Add(time.Duration(i)*time.Millisecond)); got != want {
			t.Errorf("refusal %d: got %v, want %v", i, got, want)
		}
	}
}

func TestOneVolumeIsSetAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, over := duty.NewVolume(), make(chan struct{})
		var sent []float64
		slow := func(_ context.Context, level float64) error {
			time.Sleep(time.Second)
			sent = append(sent, level)
			return nil
		}
		if v.Learn(0.9); v.Repeat(over, slow) != nil || sent != nil {
			t.Error("a volume was repeated that we have not set")
		}
		var wg sync.WaitGroup
		wg.Go(func() { v.Set(t.Context(), over, 0.3, slow) })
		synctest.Wait()
		wg.Go(func() { v.Repeat(over, slow) })
		hasty, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := v.Set(hasty, over, 0.7, slow); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
		wg.Wait()
		if want := []float64{0.3, 0.3}; !slices.Equal(sent, want) {
			t.Errorf("got %v sent, want %v", sent, want)
		}
		v.Learn(0.9)
		if level, known := v.Level(); level != 0.3 || !known {
			t.Errorf("got %v, %v, want what we have set", level, known)
		}
		if v.Changed(0.4); v.Repeat(over, slow) != nil || sent[2] != 0.4 {
			t.Errorf("got %v sent, want what the receiver has changed", sent)
		}
		refuses := errors.New("no")
		if err := v.Set(t.Context(), over, 0.1, func(context.Context, float64) error { return refuses }); err != refuses {
			t.Errorf("got %v, want what the receiver said", err)
		}
		wg.Go(func() { v.Set(t.Context(), over, 0.5, slow) })
		synctest.Wait()
		close(over)
		if err := v.Set(t.Context(), over, 0.6, slow); !errors.Is(err, duty.ErrOver) {
			t.Errorf("got %v, want ErrOver", err)
		}
		wg.Wait()
	})
}

func TestTheFirstReasonOfAnEndCounts(t *testing.T) {
	closed, byReceiver := errors.New("closed"), errors.New("by the receiver")
	e := duty.NewEnd("test", closed, byReceiver)
	if e.Err() != nil {
		t.Error("it has come before it came")
	}
	released := 0
	e.Fail(byReceiver, func() {
		if released++; e.Err() != nil {
			t.Error("the end is known before all is given back")
		}
	})
	e.Fail(closed, func() { released++ })
	<-e.Over()
	if e.Err() != byReceiver || released != 1 {
		t.Errorf("got %v, given back %d times, want the first reason, once", e.Err(), released)
	}
}

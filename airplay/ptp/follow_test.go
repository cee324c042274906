package ptp_test

import (
	"testing"
	"time"

	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/internal/gptp"
)

// A leader is a HomePod that keeps its own time: it was switched on so long
// before us, and its crystal is so much faster, in parts per million.
type leader struct {
	*receiver
	begun time.Time
	ahead time.Duration
	ppm   int64
	seq   uint16
}

func (l *leader) now() uint64 {
	age := time.Since(l.begun)
	return uint64(1e15) + uint64(l.ahead+age) + uint64(int64(age)*l.ppm/1e6)
}

// lead tells the time as HomePods do, for so long, and answers questions.
func (l *leader) lead(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(125 * time.Millisecond) {
		if l.seq%8 == 0 {
			a := gptp.NewAnnounce(theirs, l.seq)
			a.Priority1 = 248
			l.say(l.general, 320, a.AppendTo(nil))
		}
		l.say(l.event, 319, gptp.NewSync(theirs, l.seq).AppendTo(nil))
		l.say(l.general, 320, gptp.NewFollowUp(theirs, l.seq, l.now()).AppendTo(nil))
		l.seq++
	}
}

// answer answers the questions that come, until the port is closed.
func (l *leader) answer() {
	for {
		b := make([]byte, 2048)
		n, _, err := l.event.ReadFrom(b)
		if err != nil {
			return
		}
		var q gptp.Stamp
		if q.Unmarshal(b[:n]) == nil && q.Type == gptp.TypeDelayReq {
			l.say(l.general, 320, gptp.NewAnswer(gptp.TypeDelayResp, theirs, q.Header, l.now()).AppendTo(nil))
		}
	}
}

// off is how far our idea of the leader's time is off.
func (l *leader) off(p *ptp.Peer) time.Duration {
	l.Helper()
	clock, ns, ok := p.Stamp(time.Now())
	if !ok || clock != theirs.Clock {
		l.Fatalf("got clock %x, %v, want %x", clock, ok, theirs.Clock)
	}
	return time.Duration(ns - l.now()).Abs()
}

func TestAReceiverThatLeadsIsFollowed(t *testing.T) {
	for _, ppm := range []int64{0, 50, -50} {
		inHouse(t, 2*time.Millisecond, func(e *ptp.Engine, r *receiver) {
			l := &leader{receiver: r, begun: time.Now(), ahead: 12345 * time.Second, ppm: ppm}
			go l.answer()
			p := r.add(e, ptp.Follow)
			if _, _, ok := p.Stamp(time.Now()); ok {
				t.Error("its time is known before it was told")
			}
			l.lead(time.Second)
			<-p.Locked()
			if off := l.off(p); off > 5*time.Millisecond {
				t.Errorf("%d ppm: %v off after a second", ppm, off)
			}
			l.lead(time.Minute)
			if off := l.off(p); off > 300*time.Microsecond {
				t.Errorf("%d ppm: %v off after a minute, want 0.3 ms at most", ppm, off)
			}
			if p.Clock() != theirs.Clock || time.Since(p.Last()) > time.Second {
				t.Errorf("got clock %x, last heard of %v ago", p.Clock(), time.Since(p.Last()))
			}
		})
	}
}

func TestWhoIsFollowedIsNotToldOurTime(t *testing.T) {
	inHouse(t, 0, func(e *ptp.Engine, r *receiver) {
		r.add(e, ptp.Follow)
		events, _ := r.heard(r.event, 2900*time.Millisecond)
		for _, b := range events {
			if kind := kindOf(t, b); kind != gptp.TypeDelayReq {
				t.Errorf("got a message of type %#x, want questions only", kind)
			}
		}
		if general, _ := r.heard(r.general, time.Millisecond); len(general) != 0 {
			t.Errorf("got %d messages on the general port, want none", len(general))
		}
		if len(events) < 3 {
			t.Errorf("got %d questions in 3 s, want one a second at least", len(events))
		}
	})
}

func TestATimeSetAnewIsLearnedAnew(t *testing.T) {
	inHouse(t, time.Millisecond, func(e *ptp.Engine, r *receiver) {
		l := &leader{receiver: r, begun: time.Now()}
		go l.answer()
		p := r.add(e, ptp.Follow)
		l.lead(3 * time.Second)
		l.ahead = time.Hour
		l.lead(3 * time.Second)
		if off := l.off(p); off > 100*time.Microsecond {
			t.Errorf("%v off", off)
		}
	})
}

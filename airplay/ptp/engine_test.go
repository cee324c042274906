package ptp_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/internal/gptp"
	"airplay2mqtt/internal/memnet"
)

// A receiver is the other end: it hears what is told, and says what a test
// wants.
type receiver struct {
	*testing.T
	event, general net.PacketConn
	to             netip.Addr
}

const (
	bridge  = "10.0.0.1"
	kitchen = "10.0.0.20"
)

var theirs = gptp.PortID{Clock: 0x4c5d_6eff_fe7f_8091, Port: 0x8006}

// inHouse runs a test in a bubble with an engine and a receiver.
func inHouse(t *testing.T, latency time.Duration, test func(e *ptp.Engine, r *receiver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lan := memnet.New()
		lan.Latency = latency
		e := ptp.New(ptp.Config{ID: 0x0211_32ff_fe4a_5b6c, ListenPacket: lan.Host(bridge).ListenPacket})
		defer e.Close()
		r := &receiver{T: t, to: netip.MustParseAddr(bridge)}
		var err [2]error
		r.event, err[0] = lan.Host(kitchen).ListenPacket("udp", ":319")
		r.general, err[1] = lan.Host(kitchen).ListenPacket("udp", ":320")
		if err := errors.Join(err[:]...); err != nil {
			t.Fatal(err)
		}
		defer r.event.Close()
		defer r.general.Close()
		test(e, r)
	})
}

// add adds the receiver.
func (r *receiver) add(e *ptp.Engine, role ptp.Role) *ptp.Peer {
	r.Helper()
	p, err := e.Add(netip.MustParseAddr(kitchen), role)
	if err != nil {
		r.Fatal(err)
	}
	return p
}

// heard returns all that a port has got within a time, and when.
func (r *receiver) heard(conn net.PacketConn, within time.Duration) (all [][]byte, at []time.Time) {
	conn.SetReadDeadline(time.Now().Add(within))
	defer conn.SetReadDeadline(time.Time{})
	for {
		b := make([]byte, 2048)
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			return all, at
		}
		all, at = append(all, b[:n]), append(at, time.Now())
	}
}

// say sends a message to one of the bridge's ports.
func (r *receiver) say(conn net.PacketConn, port uint16, b []byte) {
	conn.WriteTo(b, net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.to, port)))
}

func kindOf(t *testing.T, b []byte) gptp.Type {
	t.Helper()
	var h gptp.Header
	if err := h.Unmarshal(b); err != nil {
		t.Fatal(err)
	}
	return h.Type
}

func TestTheTimeIsTold(t *testing.T) {
	inHouse(t, 0, func(e *ptp.Engine, r *receiver) {
		r.add(e, ptp.Lead)
		count := map[gptp.Type]int{}
		r.heard(r.event, 2990*time.Millisecond) // eager at first
		r.heard(r.general, time.Millisecond)
		syncs, at := r.heard(r.event, 2*time.Second)
		for range syncs {
			count[gptp.TypeSync]++
		}
		if gap := at[1].Sub(at[0]); gap != 125*time.Millisecond {
			t.Errorf("Syncs come every %v, want 125ms", gap)
		}
		left := map[uint16]uint64{}
		all, _ := r.heard(r.general, time.Millisecond)
		for _, b := range all {
			kind := kindOf(t, b)
			count[kind]++
			if kind == gptp.TypeFollowUp {
				var m gptp.Stamp
				m.Unmarshal(b)
				left[m.Seq] = m.Time
			}
		}
		for kind, want := range map[gptp.Type]int{gptp.TypeSync: 16, gptp.TypeFollowUp: 16, gptp.TypeAnnounce: 2, gptp.TypeSignaling: 2} {
			if count[kind] != want {
				t.Errorf("type %#x: got %d within two seconds, want %d", kind, count[kind], want)
			}
		}
		for i, b := range syncs {
			var m gptp.Stamp
			m.Unmarshal(b)
			if want := e.Stamp(at[i]); left[m.Seq] != want {
				t.Errorf("Sync %d: its Follow_Up says %d, want %d", m.Seq, left[m.Seq], want)
			}
		}
	})
}

func TestANewReceiverIsToldAtOnce(t *testing.T) {
	inHouse(t, 0, func(e *ptp.Engine, r *receiver) {
		r.add(e, ptp.Lead)
		all, _ := r.heard(r.general, time.Millisecond)
		var kinds []gptp.Type
		for _, b := range all {
			kinds = append(kinds, kindOf(t, b))
		}
		if len(kinds) != 3 || kinds[0] != gptp.TypeAnnounce {
			t.Errorf("got %v within a millisecond, want an Announce first, a Signaling and a Follow_Up", kinds)
		}
	})
}

func TestQuestionsAreAnsweredAtOnceAndAreTheSignOfLife(t *testing.T) {
	inHouse(t, 3*time.Millisecond, func(e *ptp.Engine, r *receiver) {
		p := r.add(e, ptp.Lead)
		time.Sleep(time.Second)
		select {
		case <-p.Locked():
			t.Fatal("locked before it has asked")
		default:
		}
		r.heard(r.general, time.Millisecond)
		sent := time.Now()
		r.say(r.event, 319, gptp.NewDelayReq(theirs, 77).AppendTo(nil))
		var answer gptp.Answer
		answer.Unmarshal(r.first(r.general, gptp.TypeDelayResp))
		if took := time.Since(sent); took >= 7*time.Millisecond {
			t.Errorf("answered after %v, 6ms of it under way", took)
		}
		if want := e.Stamp(sent.Add(3 * time.Millisecond)); answer.Time != want || answer.Seq != 77 || answer.Requester != theirs {
			t.Errorf("got %+v, want time %d for question 77 of %+v", answer, want, theirs)
		}
		<-p.Locked()
		if got := time.Since(p.Last()); got > 4*time.Millisecond {
			t.Errorf("the last sign is %v old", got)
		}
	})
}

// first waits for a message of that type.
func (r *receiver) first(conn net.PacketConn, want gptp.Type) []byte {
	r.Helper()
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	defer conn.SetReadDeadline(time.Time{})
	for {
		b := make([]byte, 2048)
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			r.Fatalf("no message of type %#x came: %v", want, err)
		}
		if kindOf(r.T, b[:n]) == want {
			return b[:n]
		}
	}
}

func TestPeerDelayIsAnswered(t *testing.T) {
	inHouse(t, time.Millisecond, func(e *ptp.Engine, r *receiver) {
		p := r.add(e, ptp.Lead)
		q := gptp.NewDelayReq(theirs, 5)
		q.Type = gptp.TypePdelayReq
		sent := time.Now()
		r.say(r.event, 319, append(q.AppendTo(nil), make([]byte, 10)...))
		var came, left gptp.Answer
		came.Unmarshal(r.first(r.event, gptp.TypePdelayResp))
		left.Unmarshal(r.first(r.general, gptp.TypePdelayRespFollowUp))
		want := e.Stamp(sent.Add(time.Millisecond))
		if came.Time != want || left.Time != want || came.Requester != theirs || left.Requester != theirs {
			t.Errorf("got %+v and %+v, want both at %d", came, left, want)
		}
		<-p.Locked()
	})
}

func TestRequestsForUnicastAreGranted(t *testing.T) {
	inHouse(t, 0, func(e *ptp.Engine, r *receiver) {
		r.add(e, ptp.Lead)
		r.heard(r.general, 10*time.Millisecond)
		// As a Signaling of ours with a grant, made a request.
		q := gptp.NewSignaling(theirs, 1)
		q.Grants = []gptp.Unicast1588{{Type: gptp.TypeSync, Interval: -3, Duration: 60}}
		b := q.AppendTo(nil)
		b[45] = 4
		r.say(r.general, 320, b)
		var got gptp.Signaling
		got.Unmarshal(r.first(r.general, gptp.TypeSignaling))
		if len(got.Grants) != 1 || got.Grants[0] != q.Grants[0] || got.Target != theirs {
			t.Errorf("got %+v, want a grant of %+v", got, q.Grants)
		}
	})
}

func TestStrangersAndNonsenseAreNotAnswered(t *testing.T) {
	inHouse(t, 0, func(e *ptp.Engine, r *receiver) {
		p := r.add(e, ptp.Lead)
		r.heard(r.general, time.Millisecond)
		for _, b := range [][]byte{nil, make([]byte, 44), gptp.NewAnnounce(theirs, 1).AppendTo(nil),
			gptp.NewFollowUp(theirs, 1, 1).AppendTo(nil), gptp.NewSync(theirs, 1).AppendTo(nil)} {
			r.say(r.event, 319, b)
			r.say(r.general, 320, b)
		}
		if !p.Last().IsZero() {
			t.Error("nonsense was taken for a sign of life")
		}
		p.Remove()
		p.Remove()
		r.heard(r.general, time.Millisecond)
		r.say(r.event, 319, gptp.NewDelayReq(theirs, 1).AppendTo(nil))
		if all, _ := r.heard(r.general, 3*time.Second); len(all) != 0 {
			t.Errorf("%d messages went to a receiver that was removed", len(all))
		}
	})
}

func TestAReceiverOfTwoSessionsIsKeptUntilBothHaveGone(t *testing.T) {
	inHouse(t, 0, func(e *ptp.Engine, r *receiver) {
		first, second := r.add(e, ptp.Lead), r.add(e, ptp.Lead)
		first.Remove()
		if all, _ := r.heard(r.event, time.Second); len(all) < 8 {
			t.Errorf("got %d Syncs, want 8", len(all))
		}
		second.Remove()
		r.heard(r.event, time.Millisecond)
		if all, _ := r.heard(r.event, time.Second); len(all) != 0 {
			t.Errorf("got %d Syncs, want none", len(all))
		}
	})
}

func TestThePortsAreOpenedLateAndGivenBack(t *testing.T) {
	h := memnet.New().Host(bridge)
	first := ptp.New(ptp.Config{ListenPacket: h.ListenPacket})
	second := ptp.New(ptp.Config{ListenPacket: h.ListenPacket})
	for _, e := range []*ptp.Engine{first, second} {
		if err := e.Open(); err != nil {
			t.Fatal(err)
		}
		if err := e.Open(); err != nil {
			t.Errorf("a second time: %v", err)
		}
		e.Close()
		e.Close()
		if _, err := e.Add(netip.MustParseAddr(kitchen), ptp.Lead); !errors.Is(err, ptp.ErrClosed) {
			t.Errorf("after Close: got %v, want ErrClosed", err)
		}
	}
	if first.ID() == second.ID() {
		t.Error("two clocks have one name")
	}
}

func TestErrorsOfThePortsHelp(t *testing.T) {
	for _, c := range []struct {
		err  error
		want []string
	}{
		{syscall.EACCES, []string{"ip_unprivileged_port_start=319", "setcap", "AmbientCapabilities"}},
		{syscall.EADDRINUSE, []string{"319", "belongs to"}},
		{syscall.EADDRNOTAVAIL, []string{"319", "cannot assign requested address"}},
	} {
		e := ptp.New(ptp.Config{ListenPacket: func(string, string) (net.PacketConn, error) {
			return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", c.err)}
		}})
		_, err := e.Add(netip.MustParseAddr(kitchen), ptp.Lead)
		if !errors.Is(err, ptp.ErrPorts) || !errors.Is(err, c.err) {
			t.Errorf("got %v, want ErrPorts and %v", err, c.err)
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("got %q, want %q in it", err, w)
			}
		}
		e.Close()
	}
}

func TestTheOwnerOfAPortIsNamed(t *testing.T) {
	table := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   7: 00000000:0140 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 21935 2 0\n" +
		"  12: 00000000:013F 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 21934 2 0\n"
	proc := fstest.MapFS{
		"net/udp":  {Data: []byte(table)},
		"812/comm": {Data: []byte("nqptp\n")},
		"812/fd/3": {Data: []byte("socket:[21934]"), Mode: os.ModeSymlink},
		"813/comm": {Data: []byte("other\n")},
		"813/fd/3": {Data: []byte("socket:[21935]"), Mode: os.ModeSymlink},
		"self/fd":  {Mode: os.ModeDir},
	}
	if got, want := ptp.OwnerOf(proc, 319), "nqptp (process 812)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := ptp.OwnerOf(proc, 321); got != "" {
		t.Errorf("got %q for a port that nobody has", got)
	}
	if got := ptp.OwnerOf(fstest.MapFS{}, 319); got != "" {
		t.Errorf("got %q without a table", got)
	}
}

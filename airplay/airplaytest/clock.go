package airplaytest

import (
	"errors"
	"net"
	"time"

	"airplay2mqtt/internal/fake"
	"airplay2mqtt/internal/gptp"
	"airplay2mqtt/internal/ntp"
	"airplay2mqtt/internal/rtp"
)

// A clock is what the session knows of the sender's time. It is guarded by the
// session's mutex.
type clock struct {
	id    uint64                   // of PTP; 0: nobody has announced one
	ahead time.Duration            // of our time since the session was born; true once known
	delay time.Duration            // of Syncs under way; 0: not asked
	asked map[uint16]time.Time     // when questions left
	known time.Time                // from when on it may be relied upon; zero: not known
	syncs map[uint16]time.Time     // that came before their time
	times map[uint16]time.Duration // that came before their Sync
}

// due returns when an instant of the sender's time is. It is false while that
// time is not known, or is another clock's.
func (s *session) due(id uint64, stamp time.Duration) (at time.Time, ok bool) {
	k := &s.clock
	if s.r.cfg.OwnClock {
		return s.born.Add(stamp - ownTime), id == ownClock
	}
	if k.known.IsZero() || time.Now().Before(k.known) || id != k.id {
		return time.Time{}, false
	}
	return s.born.Add(stamp - k.ahead - k.delay), true
}

// The clock of a receiver that leads, and where its time stood when a session
// was born.
const (
	ownClock = 0x4c5d_6eff_fe7f_8091
	ownTime  = 4321 * time.Hour
)

// learned notes that the sender's time is known from now on, or a little
// later.
func (s *session) learned(id uint64, ahead time.Duration, now time.Time) {
	s.clock.id, s.clock.ahead = id, ahead
	if s.clock.known.IsZero() {
		close(s.timed)
		s.clock.known = now.Add(s.r.cfg.ClockTakes)
		if s.r.cfg.NeverAsks {
			s.clock.known = now
		}
		s.after(s.clock.known.Sub(now), s.kick)
	}
}

// askNTP begins to ask the sender for the time.
func (s *session) askNTP(port int) (err error) {
	if s.timing, err = s.listen(); err != nil {
		return err
	}
	to := &net.UDPAddr{IP: s.far.IP, Port: port}
	s.wg.Go(func() { s.read(s.timing, s.hearNTP) })
	if s.r.cfg.OwnClock { // HomePod with software 27: accepted, and silent
		return nil
	}
	s.every(0, 3*time.Second, func() {
		q := rtp.Timing{Field: 7, Sent: ntp.FromDuration(time.Since(s.born))}
		s.timing.WriteTo(q.AppendTo(nil), to)
	})
	return nil
}

// hearNTP takes a reply.
func (s *session) hearNTP(b []byte, _ net.Addr, now time.Time) {
	var reply rtp.Timing
	if reply.Unmarshal(b) != nil || !reply.Reply {
		return
	}
	asked := ntp.ToDuration(reply.Reference)
	trip := now.Sub(s.born) - asked
	middle := (ntp.ToDuration(reply.Received) + ntp.ToDuration(reply.Sent)) / 2
	s.mu.Lock()
	defer s.mu.Unlock()
	s.learned(0, middle-asked-trip/2, now)
}

// keepPTP begins to keep time with the sender by PTP.
func (s *session) keepPTP() (err error) {
	if s.r.cfg.NoPTP || s.event != nil {
		return nil
	}
	if s.event, err = s.r.cfg.Network.ListenPacket("udp", ":319"); err != nil {
		return err
	}
	if s.general, err = s.r.cfg.Network.ListenPacket("udp", ":320"); err != nil {
		return err
	}
	s.wg.Go(func() { s.read(s.event, s.hearEvent) })
	s.wg.Go(func() { s.read(s.general, s.hearGeneral) })
	seq := uint16(0)
	switch {
	case s.r.cfg.OwnClock:
		s.every(0, 125*time.Millisecond, func() { s.lead(seq); seq++ })
	case !s.r.cfg.NeverAsks:
		s.every(s.r.cfg.AsksAfter, 125*time.Millisecond, func() {
			s.mu.Lock()
			s.clock.asked = map[uint16]time.Time{seq: time.Now()}
			s.mu.Unlock()
			s.say(s.event, gptp.EventPort, gptp.NewDelayReq(us, seq).AppendTo(nil))
			seq++
		})
	}
	return nil
}

// us names the receiver in PTP.
var us = gptp.PortID{Clock: ownClock, Port: 0x8006}

// lead tells the time as a HomePod that keeps its own does: eight Syncs a
// second, unicast, and its clock again and again.
func (s *session) lead(seq uint16) {
	if seq%2 == 0 {
		a := gptp.NewAnnounce(us, seq)
		a.Priority1 = 248
		s.say(s.general, gptp.GeneralPort, a.AppendTo(nil))
	}
	now := uint64(ownTime + time.Since(s.born))
	s.say(s.event, gptp.EventPort, gptp.NewSync(us, seq).AppendTo(nil))
	s.say(s.general, gptp.GeneralPort, gptp.NewFollowUp(us, seq, now).AppendTo(nil))
}

func (s *session) say(conn net.PacketConn, port int, b []byte) {
	conn.WriteTo(b, &net.UDPAddr{IP: s.far.IP, Port: port})
}

// heeds tells whether a datagram comes from the sender's PTP port: receivers
// drop all others [T].
func (s *session) heeds(from net.Addr, port int) bool {
	u, ok := from.(*net.UDPAddr)
	return ok && u.Port == port && u.IP.Equal(s.far.IP)
}

// hearEvent takes Syncs, and questions where we lead.
func (s *session) hearEvent(b []byte, from net.Addr, now time.Time) {
	var m gptp.Stamp
	if !s.heeds(from, gptp.EventPort) || m.Unmarshal(b) != nil {
		return
	}
	if m.Type == gptp.TypeDelayReq && s.r.cfg.OwnClock {
		at := uint64(ownTime + now.Sub(s.born))
		s.say(s.general, gptp.GeneralPort, gptp.NewAnswer(gptp.TypeDelayResp, us, m.Header, at).AppendTo(nil))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Type == gptp.TypeSync {
		s.clock.syncs[m.Seq] = now
		s.measure(m.Seq, now)
	}
}

// hearGeneral takes Announces, without which no time is believed, and the true
// times of Syncs.
func (s *session) hearGeneral(b []byte, from net.Addr, now time.Time) {
	var announce gptp.Announce
	var answer gptp.Answer
	var m gptp.Stamp
	if !s.heeds(from, gptp.GeneralPort) || s.r.cfg.OwnClock {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if announce.Unmarshal(b) == nil {
		s.clock.id = announce.Grandmaster
	}
	if answer.Unmarshal(b) == nil && answer.Type == gptp.TypeDelayResp && answer.Requester == us {
		s.answered(answer)
	}
	if m.Unmarshal(b) != nil || m.Type != gptp.TypeFollowUp || s.clock.id != m.Source.Clock {
		return
	}
	s.clock.times[m.Seq] = time.Duration(m.Time)
	s.measure(m.Seq, now)
}

// answered learns how long messages are under way: half of what there is
// between the way there and the way back. s.mu is held.
func (s *session) answered(a gptp.Answer) {
	if left, ok := s.clock.asked[a.Seq]; ok && !s.clock.known.IsZero() {
		s.clock.delay = max(0, (time.Duration(a.Time)-left.Sub(s.born)-s.clock.ahead)/2)
	}
}

// measure takes the time from a Sync and its Follow_Up, once both are there:
// they come to two ports. s.mu is held.
func (s *session) measure(seq uint16, now time.Time) {
	came, ok := s.clock.syncs[seq]
	left, known := s.clock.times[seq]
	if !ok || !known {
		return
	}
	clear(s.clock.syncs)
	clear(s.clock.times)
	s.learned(s.clock.id, left-came.Sub(s.born), now)
}

// every does something again and again, until the session ends.
func (s *session) every(first, between time.Duration, do func()) {
	s.wg.Go(func() {
		t := time.NewTimer(first)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				do()
				t.Reset(between)
			case <-s.over:
				return
			}
		}
	})
}

// after does something later, unless the session ends first.
func (s *session) after(d time.Duration, do func()) { fake.After(&s.wg, s.over, d, do) }

func (s *session) read(c net.PacketConn, handle func([]byte, net.Addr, time.Time)) {
	b := make([]byte, 2048)
	for {
		n, from, err := c.ReadFrom(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			handle(b[:n], from, time.Now())
		}
	}
}

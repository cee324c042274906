package ptp

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"airplay2mqtt/internal/gptp"
)

// A Role is whose time counts between a receiver and us.
type Role int

// Whose time counts.
const (
	Lead   Role = iota // ours
	Follow             // the receiver's
)

// A Peer is a receiver with which time is kept. Its methods may be called by
// any goroutine, and do not wait.
type Peer struct {
	s    *state
	key  netip.Addr
	once sync.Once
}

// Remove ends the keeping of time with the receiver, unless another session
// still wants it.
func (p *Peer) Remove() {
	p.once.Do(func() {
		e := p.s.engine
		e.mu.Lock()
		defer e.mu.Unlock()
		if p.s.users--; p.s.users == 0 {
			delete(e.peers, p.key)
		}
	})
}

// Locked is closed when the receiver has given its first sign that it keeps
// time with us: it has asked, or, where it leads, its time is known.
func (p *Peer) Locked() <-chan struct{} { return p.s.locked }

// Last returns when the receiver gave its last sign, the zero time if never.
func (p *Peer) Last() time.Time {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.s.last
}

// Clock names the clock that counts; zero: not known yet.
func (p *Peer) Clock() uint64 {
	if p.s.role == Lead {
		return p.s.engine.ID()
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.s.clock
}

// Stamp returns an instant in the time that counts, in nanoseconds, and whose
// that is. It is false while the receiver's time is not known.
func (p *Peer) Stamp(t time.Time) (clock, ns uint64, ok bool) {
	ours := p.s.engine.Stamp(t)
	if p.s.role == Lead {
		return p.s.engine.ID(), ours, true
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	ns, ok = p.s.convert(ours)
	return p.s.clock, ns, ok
}

// A state is what is known of a receiver.
type state struct {
	engine         *Engine
	role           Role
	event, general *net.UDPAddr
	users          int // guarded by the engine's mutex
	locked         chan struct{}

	mu    sync.Mutex // a leaf: guards what follows
	due   time.Time  // when the next Sync is; zero: at once
	count int        // of turns
	seqs  [16]uint16 // the next numbers, by type of message
	last  time.Time  // when it last gave a sign
	theirs
}

func newState(e *Engine, addr netip.Addr, role Role) *state {
	at := func(port uint16) *net.UDPAddr { return net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr.Unmap(), port)) }
	return &state{engine: e, role: role, event: at(gptp.EventPort), general: at(gptp.GeneralPort), locked: make(chan struct{})}
}

// sign notes a sign of life. s.mu is held.
func (s *state) sign(at time.Time) {
	if s.last.IsZero() {
		close(s.locked)
	}
	s.last = at
}

// asked notes that the receiver has asked us for the time.
func (s *state) asked(at time.Time) {
	if s.role != Lead {
		return
	}
	s.mu.Lock()
	first := s.last.IsZero()
	s.sign(at)
	s.mu.Unlock()
	if first {
		s.engine.cfg.Logger.Debug().Stringer("address", s.event.IP).Msg("receiver asks for the time")
	}
}

// A message is what goes out.
type message interface{ AppendTo([]byte) []byte }

// send sends a message. What the network refuses is sent again at its next
// turn anyway.
func (s *state) send(conn net.PacketConn, to *net.UDPAddr, m message) {
	var room [128]byte
	conn.WriteTo(m.AppendTo(room[:0]), to)
}

// number returns the next number of that type of message.
func (s *state) number(t gptp.Type) uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.seqs[t]
	s.seqs[t]++
	return n
}

// turn says what is due and returns when to come back.
func (s *state) turn(now time.Time) time.Duration {
	s.mu.Lock()
	if wait := s.due.Sub(now); wait > 0 {
		s.mu.Unlock()
		return wait
	}
	if s.due = s.due.Add(syncBetween); s.due.Before(now) {
		s.due = now.Add(syncBetween)
	}
	whole := s.count < eager && s.role == Lead || s.count%syncsPerTurn == 0 || s.role == Follow && s.delays.count < quickAsks
	s.count++
	s.mu.Unlock()
	if whole {
		s.introduce()
	}
	if s.role == Lead {
		s.sync()
	}
	return syncBetween
}

// introduce says once a second who keeps the time, or asks who does.
func (s *state) introduce() {
	e := s.engine
	if s.role == Follow {
		s.askDelay()
		return
	}
	s.send(e.general, s.general, gptp.NewAnnounce(e.source, s.number(gptp.TypeAnnounce)))
	s.send(e.general, s.general, gptp.NewSignaling(e.source, s.number(gptp.TypeSignaling)))
}

// sync tells the time.
func (s *state) sync() {
	e, seq := s.engine, s.number(gptp.TypeSync)
	left := time.Now()
	s.send(e.event, s.event, gptp.NewSync(e.source, seq))
	s.send(e.general, s.general, gptp.NewFollowUp(e.source, seq, e.Stamp(left)))
}

// grant agrees to send what the receiver asks for, as it is sent anyway. In
// the role of a follower nothing is sent, so nothing is granted.
func (s *state) grant(q gptp.Signaling) {
	if s.role != Lead {
		return
	}
	g := gptp.NewSignaling(s.engine.source, s.number(gptp.TypeSignaling))
	g.Target, g.Grants = q.Source, q.Requests[:min(len(q.Requests), 4)]
	s.send(s.engine.general, s.general, g)
}

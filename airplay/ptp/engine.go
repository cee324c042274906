package ptp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"airplay2mqtt/internal/gptp"

	"github.com/rs/zerolog"
)

// Config says how to keep time. Its zero value works.
type Config struct {
	// ID names our clock. Zero: random, as of a network card that does not
	// exist.
	ID uint64
	// Address is the IP address whose ports are used. Empty: those of all.
	Address string
	// ListenPacket opens the ports. Nil: net.ListenPacket.
	ListenPacket func(network, address string) (net.PacketConn, error)
	// Logger gets debug lines. Zero: silent.
	Logger zerolog.Logger
}

// ErrClosed is returned by a closed engine.
var ErrClosed = errors.New("ptp: engine closed")

// An Engine is a clock, and the ports by which receivers learn it. The ports
// are opened with the first peer and kept until Close. Its methods may be
// called by any goroutine.
type Engine struct {
	cfg    Config
	source gptp.PortID
	anchor time.Time // when the clock was read off the wall, once
	wake   chan struct{}
	over   chan struct{}
	wg     sync.WaitGroup

	mu      sync.Mutex
	opened  bool
	closed  bool
	event   net.PacketConn
	general net.PacketConn
	peers   map[netip.Addr]*state
}

// New makes an engine that does nothing yet.
func New(cfg Config) *Engine {
	if cfg.ListenPacket == nil {
		cfg.ListenPacket = net.ListenPacket
	}
	if cfg.ID == 0 {
		cfg.ID = randomID()
	}
	return &Engine{cfg: cfg, source: gptp.PortID{Clock: cfg.ID, Port: 0x8005}, anchor: time.Now(),
		wake: make(chan struct{}, 1), over: make(chan struct{}), peers: make(map[netip.Addr]*state)}
}

// randomID is made as from a locally administered hardware address.
func randomID() uint64 {
	var b [8]byte
	rand.Read(b[:])
	b[0], b[3], b[4] = b[0]&^1|2, 0xff, 0xfe
	return binary.BigEndian.Uint64(b[:])
}

// ID names our clock.
func (e *Engine) ID() uint64 { return e.cfg.ID }

// Stamp returns an instant in our time, in nanoseconds. It goes by the
// monotonic clock: a stepped system clock does not move sound.
func (e *Engine) Stamp(t time.Time) uint64 {
	return uint64(e.anchor.UnixNano() + int64(t.Sub(e.anchor)))
}

// Open opens the ports, if they are not open. Its error wraps ErrPorts and
// says what to do about it.
func (e *Engine) Open() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.open()
}

// open does that. e.mu is held.
func (e *Engine) open() error {
	switch {
	case e.closed:
		return ErrClosed
	case e.opened:
		return nil
	}
	event, err := e.listen(gptp.EventPort)
	if err != nil {
		return err
	}
	general, err := e.listen(gptp.GeneralPort)
	if err != nil {
		event.Close()
		return err
	}
	e.event, e.general, e.opened = event, general, true
	e.wg.Go(func() { e.read(event, e.hearEvent) })
	e.wg.Go(func() { e.read(general, e.hearGeneral) })
	e.wg.Go(e.tell)
	return nil
}

// Close gives the ports back and waits for the goroutines.
func (e *Engine) Close() error {
	e.mu.Lock()
	first := !e.closed
	e.closed = true
	opened := e.opened
	e.mu.Unlock()
	if first {
		close(e.over)
		if opened {
			e.event.Close()
			e.general.Close()
		}
	}
	e.wg.Wait()
	return nil
}

// Add begins to keep time with a receiver. The same receiver may be added more
// than once; the first decides whose time counts. Its error wraps ErrPorts if
// our ports cannot be had.
func (e *Engine) Add(addr netip.Addr, role Role) (*Peer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.open(); err != nil {
		return nil, err
	}
	key := plain(addr)
	s := e.peers[key]
	if s == nil {
		s = newState(e, addr, role)
		e.peers[key] = s
		select {
		case e.wake <- struct{}{}:
		default:
		}
	}
	s.users++
	return &Peer{s: s, key: key}, nil
}

// plain is an address as it is compared: without the zone that one end gives
// it and the other does not.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// find returns the peer that sends from an address, nil if there is none.
func (e *Engine) find(from net.Addr) *state {
	u, ok := from.(*net.UDPAddr)
	if !ok {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.peers[plain(u.AddrPort().Addr())]
}

// all returns the peers.
func (e *Engine) all() []*state {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]*state, 0, len(e.peers))
	for _, s := range e.peers {
		list = append(list, s)
	}
	return list
}

// How often what is said.
const (
	syncBetween  = 125 * time.Millisecond
	syncsPerTurn = 8 // to each Announce and Signaling
	// eager is for how many Syncs there is an Announce with each. nqptp drops
	// what comes before an Announce, and forgets that when it is told its
	// peers, so that one a second costs the first second of sound [T].
	eager = 16
)

// tell is the goroutine that tells the time.
func (e *Engine) tell() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-e.over:
			return
		case <-e.wake:
		case <-timer.C:
		}
		wait := time.Hour
		for _, s := range e.all() {
			wait = min(wait, s.turn(time.Now()))
		}
		timer.Reset(wait)
	}
}

// read hands each datagram that comes to handle, until the port is closed.
// Other errors are those of single datagrams, unless there is no end to them.
func (e *Engine) read(conn net.PacketConn, handle func(b []byte, from *state, at time.Time)) {
	buf := make([]byte, 2048)
	for errs := 0; errs < 100; {
		n, from, err := conn.ReadFrom(buf)
		at := time.Now()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			errs++
			continue
		}
		errs = 0
		if s := e.find(from); s != nil {
			handle(buf[:n], s, at)
		}
	}
}

// hearEvent takes what is stamped when it comes.
func (e *Engine) hearEvent(b []byte, s *state, at time.Time) {
	var m gptp.Stamp
	if m.Unmarshal(b) != nil {
		return
	}
	switch m.Type {
	case gptp.TypeDelayReq:
		s.send(e.general, s.general, gptp.NewAnswer(gptp.TypeDelayResp, e.source, m.Header, e.Stamp(at)))
		s.asked(at)
	case gptp.TypePdelayReq:
		s.send(e.event, s.event, gptp.NewAnswer(gptp.TypePdelayResp, e.source, m.Header, e.Stamp(at)))
		s.send(e.general, s.general, gptp.NewAnswer(gptp.TypePdelayRespFollowUp, e.source, m.Header, e.Stamp(time.Now())))
		s.asked(at)
	case gptp.TypeSync:
		s.synced(m, at)
	}
}

// hearGeneral takes everything else. Receivers offer clocks of their own,
// which is heeded only where theirs is followed.
func (e *Engine) hearGeneral(b []byte, s *state, at time.Time) {
	var h gptp.Header
	if h.Unmarshal(b) != nil {
		return
	}
	switch h.Type {
	case gptp.TypeAnnounce:
		var m gptp.Announce
		if m.Unmarshal(b) == nil {
			s.offered(m)
		}
	case gptp.TypeFollowUp:
		var m gptp.Stamp
		if m.Unmarshal(b) == nil {
			s.synced(m, at)
		}
	case gptp.TypeDelayResp:
		var m gptp.Answer
		if m.Unmarshal(b) == nil {
			s.answered(m)
		}
	case gptp.TypeSignaling:
		var m gptp.Signaling
		if m.Unmarshal(b) == nil && len(m.Requests) > 0 {
			s.grant(m)
		}
	}
}

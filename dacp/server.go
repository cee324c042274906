package dacp

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"airplay2mqtt/internal/duty"

	"github.com/rs/zerolog"
)

// Service is the type of service under which a Server is to be announced.
const Service = "_dacp._tcp"

// Config says how a Server is known. Its zero value works.
type Config struct {
	// ID is 16 upper-case hexadecimal digits, the first not 0. Empty: random.
	ID string
	// Rand makes numbers nobody should guess. Nil: crypto/rand.Reader.
	Rand io.Reader
	// Logger gets debug lines. Zero: silent.
	Logger zerolog.Logger
}

// A Server is where receivers call when somebody presses their buttons. Its
// methods may be called by any goroutine.
type Server struct {
	cfg Config
	db  string // DbId: 16 digits that stay the same

	mu      sync.Mutex // a leaf
	entries map[uint32]*entry
	waiting []call
	callers map[netip.Addr]int
	open    int // of callers, altogether

	wakeTeller duty.Bell
}

// A Session is one with a receiver, as the server knows it.
type Session struct {
	// Far is where the receiver is.
	Far netip.Addr
	// Number is the Active-Remote that it would like. Zero: any.
	Number uint32
	// IsNews takes in what the receiver said, and tells whether it is news. It
	// must not block.
	IsNews func(r Remote, now time.Time) bool
	// Tell is told what is news, after the receiver was answered, from one
	// goroutine for all sessions, so it must not block. It may be called once
	// more after the session has left. Nil: nobody wants to know.
	Tell func(Remote)
}

// An entry is a session by its Active-Remote.
type entry struct {
	Session
	since time.Time // when another input put an end to it; zero: it is not over
}

// over tells whether another input has put an end to the session.
func (e *entry) over() bool { return !e.since.IsZero() }

// A call is something that is to be told.
type call struct {
	tell func(Remote)
	said Remote
}

const (
	// A receiver sends one command at a time and hangs up.
	maxCallers        = 64
	maxCallersPerHost = 8
	// maxWaiting bounds what is not told yet.
	maxWaiting = 256
	// maxInterrupted bounds the sessions that are remembered until their
	// receivers are free again.
	maxInterrupted = 64

	patience = 5 * time.Second
)

// New makes a server, which is to be served by Serve.
func New(cfg Config) (*Server, error) {
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	var b [16]byte
	if _, err := io.ReadFull(cfg.Rand, b[:]); err != nil {
		return nil, fmt.Errorf("dacp: %w", err)
	}
	if cfg.ID == "" {
		cfg.ID = ID([8]byte(b[:8]))
	}
	if n, err := strconv.ParseUint(cfg.ID, 16, 64); err != nil || fmt.Sprintf("%016X", n) != cfg.ID || n>>60 == 0 {
		return nil, fmt.Errorf("dacp: %q is not 16 upper-case hexadecimal digits, the first not 0", cfg.ID)
	}
	return &Server{
		cfg: cfg, db: ID([8]byte(b[8:])), entries: map[uint32]*entry{}, callers: map[netip.Addr]int{},
		wakeTeller: duty.NewBell(),
	}, nil
}

// ID makes an id of eight random bytes. shairport-sync strips zeros in front of
// one of the two that it compares.
func ID(b [8]byte) string { return fmt.Sprintf("%016X", binary.BigEndian.Uint64(b[:])|1<<63) }

// ID is how receivers know the server.
func (s *Server) ID() string { return s.cfg.ID }

// Instance is the name under which the server is to be announced.
func (s *Server) Instance() string { return "iTunes_Ctrl_" + s.cfg.ID }

// TXT is the record with which it is to be announced.
func (s *Server) TXT() map[string]string {
	return map[string]string{"txtvers": "1", "Ver": "131075", "DbId": s.db, "OSsi": "0x1F5"}
}

// Serve answers receivers until ctx ends, and returns why it ended. It closes
// the listener, and waits for all that it started. It is to be called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	wg.Go(func() { s.tellAll(ctx) })
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return context.Cause(ctx)
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("dacp: %w", err)
		case err != nil:
			s.cfg.Logger.Debug().Err(err).Msg("remote control not let in")
			pause(ctx, 200*time.Millisecond)
			continue
		}
		from := duty.IP(conn.RemoteAddr())
		if !s.admit(from) {
			conn.Close()
			continue
		}
		wg.Go(func() {
			defer s.dismiss(from)
			s.talk(ctx, conn, from)
		})
	}
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// admit counts a caller, unless there are too many.
func (s *Server) admit(from netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= maxCallers || s.callers[from] >= maxCallersPerHost {
		return false
	}
	s.open++
	s.callers[from]++
	return true
}

func (s *Server) dismiss(from netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.callers[from]--; s.callers[from] == 0 {
		delete(s.callers, from)
	}
}

// talk answers the requests of one connection.
func (s *Server) talk(ctx context.Context, conn net.Conn, from netip.Addr) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	br := bufio.NewReaderSize(conn, maxLine)
	for {
		conn.SetDeadline(time.Now().Add(patience))
		req, err := readRequest(br)
		code := http.StatusBadRequest
		switch {
		case err == nil:
			code = s.answer(req, from, time.Now())
		case !errors.Is(err, errRequest):
			return
		}
		s.cfg.Logger.Debug().Stringer("address", from).Str("command", req.path).Str("query", req.query).
			Int("code", code).Err(err).Msg("remote control")
		more := err == nil && req.more
		if _, err := conn.Write(response(code, more)); err != nil || !more {
			return
		}
	}
}

func response(code int, more bool) []byte {
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nDate: %s\r\nDAAP-Server: iTunes/12.12 (airplay2mqtt/1.0)\r\n"+
		"Content-Type: application/x-dmap-tagged\r\nContent-Length: 0\r\n",
		code, http.StatusText(code), time.Now().UTC().Format(http.TimeFormat))
	if !more {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}

// answer takes a request in and returns the status for it. It waits for
// nothing: receivers give up after half a second.
func (s *Server) answer(req request, from netip.Addr, now time.Time) int {
	if req.method != "GET" && req.method != "POST" {
		return http.StatusMethodNotAllowed
	}
	said, ok := req.said()
	switch {
	case !ok && req.path == question:
		return http.StatusBadRequest
	case !ok:
		return http.StatusNotFound
	}
	e := s.find(req.number, from)
	if e == nil {
		return http.StatusForbidden
	}
	for _, r := range said {
		if s.isNews(e, r, now) && e.Tell != nil {
			s.wait(call{e.Tell, r})
		}
	}
	return http.StatusNoContent
}

// find knows a receiver by its Active-Remote; one that says none, by where it
// is, if it can be no other.
func (s *Server) find(number uint32, from netip.Addr) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number != 0 {
		return s.entries[number]
	}
	var found *entry
	for _, e := range s.entries {
		if e.Far.WithZone("") != from.WithZone("") || e.over() {
			continue
		}
		if found != nil {
			return nil
		}
		found = e
	}
	return found
}

// isNews takes in what a receiver said. Of one whose session another input put
// an end to, nothing counts but that it is free again, and that once: Denon
// Home says so also after a TEARDOWN of ours, and who went on then would go on
// for ever.
func (s *Server) isNews(e *entry, r Remote, now time.Time) bool {
	s.mu.Lock()
	over := e.over()
	free := over && r.Kind == Busy && !r.Busy && s.entries[e.Number] == e
	if free {
		delete(s.entries, e.Number)
	}
	s.mu.Unlock()
	return free || !over && e.IsNews(r, now)
}

// wait puts a call in the queue. What does not fit is forgotten: nobody presses
// so many buttons.
func (s *Server) wait(c call) {
	s.mu.Lock()
	if len(s.waiting) < maxWaiting {
		s.waiting = append(s.waiting, c)
	}
	s.mu.Unlock()
	s.wakeTeller.Ring()
}

// tellAll is the goroutine that tells, one after the other and in their order.
func (s *Server) tellAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wakeTeller:
		}
		s.mu.Lock()
		calls := s.waiting
		s.waiting = nil
		s.mu.Unlock()
		for _, c := range calls {
			c.tell(c.said)
		}
	}
}

// Enter makes a session known, and returns its Active-Remote, which no other
// has.
func (s *Server) Enter(session Session) (number uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for session.Number == 0 || s.entries[session.Number] != nil {
		session.Number++
	}
	for n, e := range s.entries {
		if e.Far == session.Far && e.over() {
			delete(s.entries, n) // who dials again waits no longer
		}
	}
	s.entries[session.Number] = &entry{Session: session}
	return session.Number
}

// Leave forgets a session that is over.
func (s *Server) Leave(number uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, number)
}

// Interrupt is Leave for a session that another input on its receiver put an end
// to. It is told when the receiver is free again.
func (s *Server) Interrupt(number uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[number]
	if e == nil {
		return
	}
	e.since = time.Now()
	count, oldest := 0, number
	for n, e := range s.entries {
		if !e.over() {
			continue
		}
		count++
		if e.since.Before(s.entries[oldest].since) {
			oldest = n
		}
	}
	if count > maxInterrupted {
		delete(s.entries, oldest)
	}
}

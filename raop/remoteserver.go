package raop

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

	"github.com/rs/zerolog"
)

// RemoteService is the type of service under which a RemoteServer is to be
// announced.
const RemoteService = "_dacp._tcp"

// RemoteConfig says how a RemoteServer is known. Its zero value works.
type RemoteConfig struct {
	// DACPID is 16 upper-case hexadecimal digits, the first not 0. Empty:
	// random.
	DACPID string
	// Rand makes numbers nobody should guess. Nil: crypto/rand.Reader.
	Rand io.Reader
	// Logger gets debug lines. Zero: silent.
	Logger zerolog.Logger
}

// A RemoteServer is where receivers call when somebody presses their buttons
// (DACP). A program has one for all its sessions. Receivers look for it by
// multicast DNS when a session begins, so it is served and announced before
// the first Dial:
//
//	buttons, err := raop.NewRemoteServer(raop.RemoteConfig{})
//	l, err := net.Listen("tcp", ":0")
//	go buttons.Serve(ctx, l)
//	go discovery.Announce(ctx, discovery.Config{}, discovery.Instance{
//		Name: buttons.Instance(), Type: raop.RemoteService, TXT: buttons.TXT(),
//		Port: uint16(l.Addr().(*net.TCPAddr).Port),
//	})
//	session, err := raop.Dial(ctx, address, info, &raop.Config{
//		RemoteServer: buttons, Remote: func(r raop.Remote) { ... },
//	})
type RemoteServer struct {
	cfg RemoteConfig
	db  string // DbId: 16 digits that stay the same

	mu      sync.Mutex // a leaf
	entries map[uint32]*remoteEntry
	waiting []remoteCall
	callers map[netip.Addr]int
	open    int // of callers, altogether

	wakeTeller chan struct{}
}

// A remoteEntry is a session as the server knows it, by its Active-Remote.
type remoteEntry struct {
	number  uint32
	far     netip.Addr
	tell    func(Remote) // nil: nobody wants to know
	session *Session     // nil: another input has put an end to it
	since   time.Time    // and when
}

// A remoteCall is something that is to be told.
type remoteCall struct {
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

	remotePatience = 5 * time.Second
)

// NewRemoteServer makes a server, which is to be served by Serve.
func NewRemoteServer(cfg RemoteConfig) (*RemoteServer, error) {
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	var b [16]byte
	if _, err := io.ReadFull(cfg.Rand, b[:]); err != nil {
		return nil, fmt.Errorf("raop: remote server: %w", err)
	}
	if cfg.DACPID == "" {
		cfg.DACPID = dacpID(b[:8])
	}
	if n, err := strconv.ParseUint(cfg.DACPID, 16, 64); err != nil || fmt.Sprintf("%016X", n) != cfg.DACPID || n>>60 == 0 {
		return nil, fmt.Errorf("raop: remote server: %q is not 16 upper-case hexadecimal digits, the first not 0", cfg.DACPID)
	}
	return &RemoteServer{
		cfg: cfg, db: dacpID(b[8:]), entries: map[uint32]*remoteEntry{}, callers: map[netip.Addr]int{},
		wakeTeller: make(chan struct{}, 1),
	}, nil
}

// dacpID makes an id of eight random bytes. shairport-sync strips zeros in
// front of one of the two that it compares.
func dacpID(b []byte) string { return fmt.Sprintf("%016X", binary.BigEndian.Uint64(b)|1<<63) }

// DACPID is how receivers know the server.
func (rs *RemoteServer) DACPID() string { return rs.cfg.DACPID }

// Instance is the name under which the server is to be announced.
func (rs *RemoteServer) Instance() string { return "iTunes_Ctrl_" + rs.cfg.DACPID }

// TXT is the record with which it is to be announced.
func (rs *RemoteServer) TXT() map[string]string {
	return map[string]string{"txtvers": "1", "Ver": "131075", "DbId": rs.db, "OSsi": "0x1F5"}
}

// Serve answers receivers until ctx ends, and returns why it ended. It closes
// the listener, and waits for all that it started. It is to be called once.
func (rs *RemoteServer) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	wg.Go(func() { rs.tellAll(ctx) })
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return context.Cause(ctx)
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("raop: remote server: %w", err)
		case err != nil:
			rs.cfg.Logger.Debug().Err(err).Msg("remote control not let in")
			pause(ctx, 200*time.Millisecond)
			continue
		}
		from := ipOf(conn.RemoteAddr())
		if !rs.admit(from) {
			conn.Close()
			continue
		}
		wg.Go(func() {
			defer rs.dismiss(from)
			rs.talk(ctx, conn, from)
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
func (rs *RemoteServer) admit(from netip.Addr) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.open >= maxCallers || rs.callers[from] >= maxCallersPerHost {
		return false
	}
	rs.open++
	rs.callers[from]++
	return true
}

func (rs *RemoteServer) dismiss(from netip.Addr) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.open--
	if rs.callers[from]--; rs.callers[from] == 0 {
		delete(rs.callers, from)
	}
}

// talk answers the requests of one connection.
func (rs *RemoteServer) talk(ctx context.Context, conn net.Conn, from netip.Addr) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	br := bufio.NewReaderSize(conn, maxRemoteLine)
	for {
		conn.SetDeadline(time.Now().Add(remotePatience))
		req, err := readRemote(br)
		code := http.StatusBadRequest
		switch {
		case err == nil:
			code = rs.answer(req, from, time.Now())
		case !errors.Is(err, errRemote):
			return
		}
		rs.cfg.Logger.Debug().Stringer("address", from).Str("command", req.path).Str("query", req.query).
			Int("code", code).Err(err).Msg("remote control")
		more := err == nil && req.more
		if _, err := conn.Write(remoteAnswer(code, more)); err != nil || !more {
			return
		}
	}
}

func remoteAnswer(code int, more bool) []byte {
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
func (rs *RemoteServer) answer(req remoteRequest, from netip.Addr, now time.Time) int {
	if req.method != "GET" && req.method != "POST" {
		return http.StatusMethodNotAllowed
	}
	said, ok := req.said()
	switch {
	case !ok && req.path == remoteProperty:
		return http.StatusBadRequest
	case !ok:
		return http.StatusNotFound
	}
	e := rs.find(req.number, from)
	if e == nil {
		return http.StatusForbidden
	}
	for _, r := range said {
		if rs.isNews(e, r, now) && e.tell != nil {
			rs.wait(remoteCall{e.tell, r})
		}
	}
	return http.StatusNoContent
}

// find knows a receiver by its Active-Remote; one that says none, by where it
// is, if it can be no other.
func (rs *RemoteServer) find(number uint32, from netip.Addr) *remoteEntry {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if number != 0 {
		return rs.entries[number]
	}
	var found *remoteEntry
	for _, e := range rs.entries {
		if e.far.WithZone("") != from.WithZone("") || e.session == nil {
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
func (rs *RemoteServer) isNews(e *remoteEntry, r Remote, now time.Time) bool {
	rs.mu.Lock()
	s := e.session
	free := s == nil && r.Kind == RemoteBusy && !r.Busy && rs.entries[e.number] == e
	if free {
		delete(rs.entries, e.number)
	}
	rs.mu.Unlock()
	return free || s != nil && s.hearRemote(r, now)
}

// wait puts a call in the queue. What does not fit is forgotten: nobody presses
// so many buttons.
func (rs *RemoteServer) wait(c remoteCall) {
	rs.mu.Lock()
	if len(rs.waiting) < maxWaiting {
		rs.waiting = append(rs.waiting, c)
	}
	rs.mu.Unlock()
	wake(rs.wakeTeller)
}

// tellAll is the goroutine that tells, one after the other and in their order.
func (rs *RemoteServer) tellAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-rs.wakeTeller:
		}
		rs.mu.Lock()
		calls := rs.waiting
		rs.waiting = nil
		rs.mu.Unlock()
		for _, c := range calls {
			c.tell(c.said)
		}
	}
}

// enter makes a session known by a number that no other has, beginning with
// one that it would like.
func (rs *RemoteServer) enter(s *Session, number uint32) uint32 {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for number == 0 || rs.entries[number] != nil {
		number++
	}
	for n, e := range rs.entries {
		if e.far == s.far && e.session == nil {
			delete(rs.entries, n) // who dials again waits no longer
		}
	}
	s.remote.number = number
	rs.entries[number] = &remoteEntry{number: number, far: s.far, tell: s.cfg.Remote, session: s}
	return number
}

// leave forgets a session that is over, unless it is to be told when its
// receiver is free again.
func (rs *RemoteServer) leave(number uint32, interrupted bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	e := rs.entries[number]
	if e == nil || !interrupted {
		delete(rs.entries, number)
		return
	}
	e.session, e.since = nil, time.Now()
	count, oldest := 0, number
	for n, e := range rs.entries {
		if e.session != nil {
			continue
		}
		count++
		if e.since.Before(rs.entries[oldest].since) {
			oldest = n
		}
	}
	if count > maxInterrupted {
		delete(rs.entries, oldest)
	}
}

// Package mediaserver gives one film to one receiver, over HTTP, and nothing to
// anybody else.
//
//	film, err := mediaserver.OpenFile(file)
//	s, err := mediaserver.Serve(film, mediaserver.Config{Receivers: []netip.Addr{tv}})
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	video, err := session.Play(ctx, s.URL(), 0)
//
// Its address is one that the receiver can reach, its port a random one, and its
// path holds 128 random bits and nothing of the film's name. It lives until it is
// closed, because players ask again after a pause. Content is a [File], a
// [Proxy] that passes on what the receiver cannot fetch itself, or a [Stream]
// that is made while it is played.
package mediaserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/netutil"
)

// Content is what is served. Its methods may be called by several goroutines.
type Content interface {
	// Name is what its URL ends with. Players look at the ending.
	Name() string
	// Serve answers a request, GET or HEAD, for a name: that of Name, or one
	// that an answer before has named. ErrNoSuchName: the server answers. Any
	// other error is one of the film's source, and was answered by Serve.
	Serve(w http.ResponseWriter, r *http.Request, name string) error
	// Close gives up what it holds. Serve is not called any more.
	Close() error
}

// ErrNoSuchName is returned by a Content for names that it does not know.
var ErrNoSuchName = errors.New("mediaserver: no such name")

// Config says to whom is served, and where. Receivers is needed.
type Config struct {
	// Receivers are the addresses that the receiver may ask from.
	Receivers []netip.Addr
	// Local is the address of ours that it is told. Zero: the one from which
	// the first of Receivers is reached.
	Local netip.Addr
	// Listen opens the port. Nil: net.Listen.
	Listen func(network, address string) (net.Listener, error)
	// Rand makes the path. Nil: crypto/rand.Reader.
	Rand io.Reader
	// Logger gets a line for each request. Zero: silent.
	Logger zerolog.Logger
}

// connectionsMost is how many connections there are at once. Players open two
// or three.
const connectionsMost = 32

// A Server serves one Content.
type Server struct {
	content   Content
	cfg       Config
	path      string // "/0123…/film.mp4"
	token     string
	url       string
	http      *http.Server
	listening sync.WaitGroup
	requests  sync.WaitGroup
	end       context.CancelFunc
	closing   sync.Once
	fetched   chan struct{} // closed when the receiver has asked

	mu      sync.Mutex
	closed  bool // no request is taken any more
	asked   bool
	strange string // who else has asked
	astray  string // what else the receiver has asked for
	err     error  // what the source's last trouble was
}

// Serve takes content over and begins to serve it. Content is closed with the
// server, and if Serve fails.
func Serve(content Content, cfg Config) (*Server, error) {
	s := &Server{content: content, cfg: cfg, fetched: make(chan struct{})}
	if err := s.begin(); err != nil {
		content.Close()
		return nil, fmt.Errorf("mediaserver: %w", err)
	}
	return s, nil
}

func (s *Server) begin() error {
	if len(s.cfg.Receivers) == 0 {
		return errors.New("nobody to serve")
	}
	local := s.cfg.Local
	if !local.IsValid() {
		var err error
		if local, err = localFor(s.cfg.Receivers[0]); err != nil {
			return fmt.Errorf("there is no address that %s could reach: %w", s.cfg.Receivers[0], err)
		}
	}
	local = local.Unmap()
	if local.IsLinkLocalUnicast() && local.Is6() {
		return fmt.Errorf("the receiver is reached by the address %s only, which no URL can hold; give it an IPv4 address", local)
	}
	token := make([]byte, 16)
	if _, err := io.ReadFull(orRandom(s.cfg.Rand), token); err != nil {
		return err
	}
	listen := s.cfg.Listen
	if listen == nil {
		listen = net.Listen
	}
	l, err := listen("tcp", net.JoinHostPort(local.String(), "0"))
	if err != nil {
		return err
	}
	s.token = hex.EncodeToString(token)
	s.path = "/" + s.token + "/" + s.content.Name()
	port := l.Addr().(*net.TCPAddr).Port
	s.url = "http://" + net.JoinHostPort(local.String(), strconv.Itoa(port)) + s.path
	s.serve(l)
	return nil
}

func orRandom(r io.Reader) io.Reader {
	if r == nil {
		return rand.Reader
	}
	return r
}

// localFor is the address of ours from which a receiver is reached. Nothing is
// sent for that.
func localFor(receiver netip.Addr) (netip.Addr, error) {
	c, err := net.Dial("udp", net.JoinHostPort(receiver.String(), "7000"))
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr(), nil
}

func (s *Server) serve(l net.Listener) {
	var life context.Context
	life, s.end = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return life },
		ErrorLog:          stdlog.New(io.Discard, "", 0),
	}
	s.listening.Go(func() { s.http.Serve(netutil.LimitListener(l, connectionsMost)) })
}

// URL is what the receiver is to play.
func (s *Server) URL() string { return s.url }

// Fetched is closed when the receiver has asked for the film.
func (s *Server) Fetched() <-chan struct{} { return s.fetched }

// Stranger is the address of somebody else who has asked, empty if nobody did:
// a receiver may ask from an address that nobody knows of.
func (s *Server) Stranger() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.strange
}

// Astray is what the receiver has asked for that is not here, cut short; empty
// if nothing: it reaches this server, if for the wrong thing.
func (s *Server) Astray() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.astray
}

// Err is what was wrong with the film's source last; nil: nothing was.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ServeHTTP answers the receiver, and refuses everybody else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		return
	}
	defer s.requests.Done()
	s.cfg.Logger.Debug().Str("method", r.Method).Str("address", r.RemoteAddr).
		Str("range", r.Header.Get("Range")).Str("agent", r.UserAgent()).Msg("media request")
	switch name, ok := s.named(r); {
	case !s.knows(r.RemoteAddr):
		w.Header().Set("Connection", "close")
		http.Error(w, "this is for another", http.StatusForbidden)
	case !ok:
		s.strays(r.URL.Path)
		http.NotFound(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "GET or HEAD", http.StatusMethodNotAllowed)
	default:
		s.answer(w, r, name)
	}
}

// strays notes what the receiver has asked for that is not here.
func (s *Server) strays(path string) {
	const most = 40
	if len(path) > most {
		path = path[:most]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.astray = cmp.Or(s.astray, strings.ToValidUTF8(path, "?"))
}

// enter counts a request, unless the server is closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.requests.Add(1)
	return true
}

// named is the name that is asked for, behind the token. The path is taken as
// it was sent: nothing in it is resolved.
func (s *Server) named(r *http.Request) (name string, ok bool) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	token, name, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	same := subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) == 1
	return name, ok && same && name != "" && !strings.Contains(name, "/")
}

// knows tells whether somebody is the receiver.
func (s *Server) knows(address string) bool {
	from, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	for _, a := range s.cfg.Receivers {
		if a.Unmap().WithZone("") == from.Addr().Unmap().WithZone("") {
			return true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strange = cmp.Or(s.strange, from.Addr().Unmap().String())
	return false
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, name string) {
	err := s.content.Serve(w, r, name)
	if errors.Is(err, ErrNoSuchName) {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && r.Context().Err() == nil {
		s.err = err
	}
	if !s.asked {
		s.asked = true
		close(s.fetched)
	}
}

// Close ends all connections, waits for what is being served, and closes the
// content. It may be called twice.
func (s *Server) Close() error {
	var err error
	s.closing.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.end()
		err = s.http.Close()
		s.listening.Wait()
		s.requests.Wait()
		err = errors.Join(err, s.content.Close())
	})
	return err
}

package web

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"airplay2mqtt/bridge/mqtt"

	"github.com/rs/zerolog"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
)

// Config says where the page is and what it is of.
type Config struct {
	// Address is where to listen, such as 127.0.0.1:8330.
	Address string
	// Token is asked of everybody. It may be empty only where Address is a
	// loopback address, or with Ingress.
	Token string
	// Ingress says that Home Assistant stands before the page: it alone is
	// served, and has asked people who they are.
	Ingress bool

	// Base begins all topics; Commands are the words of command topics,
	// Requests the names of requests of the bridge. Nothing else is published.
	Base               string
	Commands, Requests []string
	// Broker is how the broker is reached.
	Broker mqtt.Config

	// Uploads is a folder of the page's own, emptied by Run, for files that are
	// played once; Open of the media folders must lead there. MaxUpload bounds
	// all of them together, in bytes.
	Uploads   string
	MaxUpload int64

	Version string
	// Tail is the end of the log. Nil: the page shows none.
	Tail *Tail
	// Doctor finds out why a device is silent, and returns a JSON object. Nil:
	// the page does not ask.
	Doctor func(ctx context.Context, device string) (json.RawMessage, error)
	// Health says what is wrong, nil if nothing is; Measure what was counted.
	// Nil: all is well, and nothing was.
	Health  func() error
	Measure func() []Metric

	// Listen is net.Listen, unless it is set.
	Listen func(network, address string) (net.Listener, error)
	// Logger hears what happens; the zero value is silent.
	Logger zerolog.Logger
}

const (
	maxConns = 128 // connections of browsers and others
	maxPages = 32  // of these, WebSockets
)

// A Server is the page. New makes one, and Run serves it.
type Server struct {
	cfg   Config
	log   zerolog.Logger
	door  *door
	hub   *hub
	shelf *shelf
	pages sync.WaitGroup // their goroutines
	desk  chan struct{}  // holds a token while a doctor is at work
}

// New checks cfg. It opens nothing; Run does.
func New(cfg Config) (*Server, error) {
	if cfg.Listen == nil {
		cfg.Listen = net.Listen
	}
	if cfg.Health == nil {
		cfg.Health = func() error { return nil }
	}
	if cfg.Measure == nil {
		cfg.Measure = func() []Metric { return nil }
	}
	s := &Server{cfg: cfg, log: cfg.Logger, desk: make(chan struct{}, 1)}
	var err error
	if s.door, err = newDoor(cfg.Address, cfg.Token, cfg.Ingress); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s.shelf = newShelf(cfg.Uploads, cfg.MaxUpload, cfg.Logger)
	if s.hub, err = newHub(cfg, s.shelf.note); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	return s, nil
}

// Run serves until ctx ends, and returns nil then; an error says why it cannot.
func (s *Server) Run(ctx context.Context) error {
	listener, err := s.cfg.Listen("tcp", s.cfg.Address)
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	if err := s.shelf.open(); err != nil {
		s.log.Warn().Err(err).Msg("files cannot be uploaded to the page")
	}
	s.log.Info().Stringer("address", listener.Addr()).Msg("the page is served")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler:           s.Handler(ctx),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second, // an upload has its own
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(s.log, "", 0),
	}
	var parts errgroup.Group
	parts.Go(func() error { return s.hub.run(ctx) })
	parts.Go(func() error { s.shelf.run(ctx); return nil })
	parts.Go(func() error {
		<-ctx.Done()
		farewell, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer done()
		if server.Shutdown(farewell) != nil {
			return server.Close()
		}
		return nil
	})
	err = server.Serve(netutil.LimitListener(listener, maxConns))
	ended := ctx.Err() != nil
	cancel()
	other := parts.Wait() // no handler begins after this
	s.pages.Wait()
	if ended || errors.Is(err, http.ErrServerClosed) {
		return other
	}
	return fmt.Errorf("web: %w", err)
}

//go:embed assets
var embedded embed.FS

// Handler serves all paths. WebSockets end with ctx.
func (s *Server) Handler(ctx context.Context) http.Handler {
	assets, err := fs.Sub(embedded, "assets")
	if err != nil {
		panic("web: " + err.Error()) // a mistake of ours
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", cached(http.FileServerFS(assets)))
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /metrics", s.door.members(s.metrics))
	mux.HandleFunc("POST /login", s.door.login)
	mux.HandleFunc("POST /logout", s.door.logout)
	mux.HandleFunc("POST /upload", s.door.members(s.upload))
	mux.HandleFunc("GET /socket", s.door.members(func(w http.ResponseWriter, r *http.Request) { s.socket(ctx, w, r) }))
	return s.door.guard(mux)
}

// policy is what browsers may do with the page: nothing comes from elsewhere,
// nothing is run that stands within it, and nobody but Home Assistant, under
// the same name, shows it in a frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; require-trusted-types-for 'script'"

// cached lets browsers ask whether a part of the page has changed.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// refuse answers with an error that a person can use.
func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": fmt.Sprintf(format, args...)})
}

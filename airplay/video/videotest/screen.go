package videotest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/internal/plist"
)

// A ScreenConfig says what a screen plays, and what is odd about it. Its zero
// value plays everything, for 10 s.
type ScreenConfig struct {
	// DialContext connects to where films are. Nil: the real network.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Agent is what it calls itself when it fetches. Empty: an Apple TV 3's.
	Agent string
	// Tell is told what happens: "state", "reason", "error". Nil: nobody is.
	Tell func(event plist.Dict)
	// HangUp is called when HangUpAfter is over.
	HangUp func()
	// Before a film is loaded, Prepare is called. Nil: nothing is.
	Prepare func(ctx context.Context, address string) error
	// Lists gets playlists for it, instead of fetching them itself.
	Lists func(ctx context.Context, address string) (status int, text []byte, err error)

	Film        time.Duration // how long films are; zero: 10 s
	Live        bool          // films have no end and no duration
	Load        time.Duration // how long a film loads; zero: as long as fetching takes
	HoldsLast   bool          // it keeps the last picture, and tells no end
	NoRoute     bool          // it never fetches anything, as one in another network
	Unplayable  int64         // the code of its player's error for every film
	HangUpAfter time.Duration // after the start of a film; zero: never
	Paused      bool          // films wait until a rate is set
}

// A Screen loads films by their addresses as Apple's player does, and lets time
// pass. Its methods may be called from several goroutines.
type Screen struct {
	cfg  ScreenConfig
	life context.Context
	end  context.CancelFunc
	work sync.WaitGroup

	mu   sync.Mutex
	log  ScreenLog
	film *showing // nil: nothing is shown
}

// ScreenLog is what a screen remembers.
type ScreenLog struct {
	Played  []string        // addresses
	From    []time.Duration // where it was to begin
	Fetched []string        // "bytes=0-1 206 2": what of it, the answer, and how many bytes came
}

// A showing is a film on the screen. Time passes for it by itself.
type showing struct {
	end      context.CancelFunc
	loaded   bool
	err      plist.Dict
	rate     float64
	position time.Duration // at since
	since    time.Time
}

// NewScreen makes a screen. Its owner must Close it.
func NewScreen(cfg ScreenConfig) *Screen {
	cfg.Film = cmp.Or(cfg.Film, 10*time.Second)
	cfg.Agent = cmp.Or(cfg.Agent, "AppleCoreMedia/1.0.0.12H1006 (Apple TV; U; CPU OS 8_4_4 like Mac OS X; en_us)")
	if cfg.Tell == nil {
		cfg.Tell = func(plist.Dict) {}
	}
	s := &Screen{cfg: cfg}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// Close shows nothing any more, and waits.
func (s *Screen) Close() {
	s.end()
	s.Quit("")
	s.work.Wait()
}

// Log is what it remembers by now.
func (s *Screen) Log() ScreenLog {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ScreenLog{slices.Clone(s.log.Played), slices.Clone(s.log.From), slices.Clone(s.log.Fetched)}
}

// Play begins a film, in the place of what is shown.
func (s *Screen) Play(address string, from time.Duration) {
	s.Quit("")
	life, end := context.WithCancel(s.life)
	f := &showing{end: end, rate: 1, position: from, since: time.Now()}
	if s.cfg.Paused {
		f.rate = 0
	}
	s.mu.Lock()
	s.log.Played, s.log.From = append(s.log.Played, address), append(s.log.From, from)
	s.film = f
	s.mu.Unlock()
	s.work.Go(func() { s.show(life, f, address) })
}

// show loads a film, and waits for its end.
func (s *Screen) show(life context.Context, f *showing, address string) {
	s.cfg.Tell(plist.Dict{"state": "loading"})
	if s.cfg.NoRoute {
		<-life.Done()
		return
	}
	if err := s.load(life, address); err != nil {
		s.failed(life, f, err)
		return
	}
	if !pause(life, s.cfg.Load) {
		return
	}
	if s.cfg.Unplayable != 0 {
		s.failed(life, f, &playerError{"NSOSStatusErrorDomain", s.cfg.Unplayable})
		return
	}
	s.mu.Lock()
	f.loaded, f.since = true, time.Now()
	rate := f.rate
	s.mu.Unlock()
	if rate > 0 {
		s.cfg.Tell(plist.Dict{"state": "playing"})
	}
	for began := time.Now(); ; {
		if !pause(life, 100*time.Millisecond) {
			return
		}
		if s.cfg.HangUpAfter > 0 && time.Since(began) >= s.cfg.HangUpAfter {
			s.cfg.HangUp()
			return
		}
		if !s.cfg.Live && s.place(f) >= s.cfg.Film {
			break
		}
	}
	if s.cfg.HoldsLast {
		s.setRate(0)
		<-life.Done()
		return
	}
	s.Quit("ended")
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A playerError is what its player does not play.
type playerError struct {
	domain string
	code   int64
}

func (e *playerError) Error() string { return fmt.Sprintf("%s %d", e.domain, e.code) }

func (s *Screen) failed(life context.Context, f *showing, err error) {
	e, ok := err.(*playerError)
	if !ok {
		e = &playerError{"NSURLErrorDomain", -1004}
	}
	if life.Err() != nil {
		return
	}
	s.mu.Lock()
	f.err = plist.Dict{"code": e.code, "domain": e.domain}
	s.mu.Unlock()
	s.cfg.Tell(plist.Dict{"state": "stopped", "error": f.err})
}

// load fetches a film as Apple's player does: two bytes, all from the
// beginning, and the tail; of HLS the lists, and the first piece.
func (s *Screen) load(ctx context.Context, address string) error {
	if s.cfg.Prepare != nil {
		if err := s.cfg.Prepare(ctx, address); err != nil {
			return err
		}
	}
	if s.cfg.Lists != nil && strings.HasSuffix(address, ".m3u8") {
		return s.loadHLS(ctx, address, 0)
	}
	head, status, total, err := s.fetch(ctx, address, "bytes=0-1")
	if err != nil {
		return err
	}
	if status >= 400 {
		return &playerError{"NSURLErrorDomain", -1100}
	}
	if string(head) == "#E" || strings.HasSuffix(address, ".m3u8") {
		return s.loadHLS(ctx, address, 0)
	}
	if status != http.StatusPartialContent {
		return &playerError{"AVFoundationErrorDomain", -11850} // it wants parts
	}
	if _, _, _, err = s.fetch(ctx, address, "bytes=0-"); err != nil {
		return err
	}
	_, _, _, err = s.fetch(ctx, address, fmt.Sprintf("bytes=%d-", max(total-1000, 0)))
	return err
}

// loadHLS follows lists to the first piece.
func (s *Screen) loadHLS(ctx context.Context, address string, depth int) error {
	text, status, err := s.list(ctx, address)
	if err != nil {
		return err
	}
	if status != http.StatusOK || depth > 3 {
		return &playerError{"CoreMediaErrorDomain", -12938}
	}
	if !strings.HasPrefix(string(text), "#EXTM3U") {
		return nil // a piece
	}
	base, err := url.Parse(address)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			next, err := base.Parse(line)
			if err != nil {
				return err
			}
			return s.loadHLS(ctx, next.String(), depth+1)
		}
	}
	return &playerError{"CoreMediaErrorDomain", -12642}
}

// list gets a playlist, or a piece.
func (s *Screen) list(ctx context.Context, address string) (text []byte, status int, err error) {
	if s.cfg.Lists != nil && strings.HasSuffix(address, ".m3u8") {
		status, text, err = s.cfg.Lists(ctx, address)
		return text, status, err
	}
	text, status, _, err = s.fetch(ctx, address, "")
	return text, status, err
}

// fetch asks for a part of a film, and reads 1 MiB of it at most.
func (s *Screen) fetch(ctx context.Context, address, part string) (b []byte, status int, total int64, err error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if s.cfg.DialContext != nil {
		transport.DialContext = s.dial
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, 0, err
	}
	req.Header.Set("User-Agent", s.cfg.Agent)
	if part != "" {
		req.Header.Set("Range", part)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, 0, 0, err
	}
	defer resp.Body.Close()
	b, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var from, to int64
	fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &total)
	s.mu.Lock()
	s.log.Fetched = append(s.log.Fetched, strings.TrimSpace(fmt.Sprintf("%s %d %d", part, resp.StatusCode, len(b))))
	s.mu.Unlock()
	return b, resp.StatusCode, total, err
}

// dial connects, and gives up when the screen is switched off: net/http would go
// on.
func (s *Screen) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	return s.cfg.DialContext(ctx, network, address)
}

// place is where a film is by now.
func (s *Screen) place(f *showing) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.place(s.cfg)
}

// place wants mu held.
func (f *showing) place(cfg ScreenConfig) time.Duration {
	at := f.position
	if f.loaded {
		at += time.Duration(f.rate * float64(time.Since(f.since)))
	}
	if !cfg.Live {
		at = min(at, cfg.Film)
	}
	return at
}

// SetRate pauses, or goes on, and tells so.
func (s *Screen) SetRate(rate float64) {
	if !s.setRate(rate) {
		return
	}
	state := "playing"
	if rate == 0 {
		state = "paused"
	}
	s.cfg.Tell(plist.Dict{"state": state})
}

// setRate is true if that is a change for a film that is loaded.
func (s *Screen) setRate(rate float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.film
	if f == nil {
		return false
	}
	changed := f.loaded && f.rate != rate
	f.position, f.since, f.rate = f.place(s.cfg), time.Now(), rate
	return changed
}

// Scrub goes to another place.
func (s *Screen) Scrub(to time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.film; f != nil {
		f.position, f.since = to, time.Now()
	}
}

// Quit shows nothing any more. With a reason, it tells that.
func (s *Screen) Quit(reason string) {
	s.mu.Lock()
	f := s.film
	s.film = nil
	s.mu.Unlock()
	if f == nil {
		return
	}
	f.end()
	if reason != "" {
		s.cfg.Tell(plist.Dict{"state": "stopped", "reason": reason})
	}
}

// Info is what a playback-info answers.
func (s *Screen) Info() plist.Dict {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f := s.film; {
	case f == nil:
		return plist.Dict{"readyToPlay": false}
	case f.err != nil:
		return plist.Dict{"error": f.err}
	case !f.loaded:
		return plist.Dict{"readyToPlay": false, "playbackBufferEmpty": true}
	default:
		return s.describe(f)
	}
}

// describe wants mu held.
func (s *Screen) describe(f *showing) plist.Dict {
	at := f.place(s.cfg).Seconds()
	d := plist.Dict{
		"position": at, "rate": f.rate, "readyToPlay": true,
		"playbackBufferEmpty": false, "playbackBufferFull": true, "playbackLikelyToKeepUp": true,
		"loadedTimeRanges": []any{}, "seekableTimeRanges": []any{plist.Dict{"start": 0.0, "duration": at}},
	}
	if !s.cfg.Live {
		d["duration"] = s.cfg.Film.Seconds()
	}
	return d
}

// Glance fetches the icon of where a film is, and not the film, as tvOS 26 does
// that is told to play in a way of old.
func (s *Screen) Glance(address string) {
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	s.work.Go(func() {
		s.fetch(s.life, (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/favicon.ico"}).String(), "")
	})
}

package videotest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"airplay2mqtt/internal/plist"
)

// play begins a film, in the place of what is shown.
func (tv *Television) play(w http.ResponseWriter, r *http.Request, body []byte) {
	address, from, ok := tv.parsePlay(r, body)
	switch {
	case tv.cfg.Refuse != 0:
		w.WriteHeader(tv.cfg.Refuse)
		return
	case !ok:
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	tv.quit("")
	life, end := context.WithCancel(tv.life)
	s := &showing{end: end, rate: 1, position: from, since: time.Now()}
	tv.mu.Lock()
	tv.log.Played, tv.log.From = append(tv.log.Played, address), append(tv.log.From, from)
	tv.film, tv.empty = s, tv.cfg.EmptyInfos
	tv.mu.Unlock()
	tv.work.Go(func() { tv.show(life, s, address) })
}

// show loads a film, and waits for its end.
func (tv *Television) show(life context.Context, s *showing, address string) {
	tv.tell(plist.Dict{"category": "video", "state": "loading"})
	if tv.cfg.NoRoute {
		<-life.Done()
		return
	}
	if err := tv.load(life, address); err != nil {
		tv.failed(life, s, err)
		return
	}
	if !pause(life, tv.cfg.Load) {
		return
	}
	if tv.cfg.Unplayable != 0 {
		tv.failed(life, s, &playerError{"NSOSStatusErrorDomain", tv.cfg.Unplayable})
		return
	}
	tv.mu.Lock()
	s.loaded, s.since = true, time.Now()
	tv.mu.Unlock()
	tv.tell(plist.Dict{"category": "video", "state": "playing"})
	for began := time.Now(); ; {
		if !pause(life, 100*time.Millisecond) {
			return
		}
		if tv.cfg.HangUpAfter > 0 && time.Since(began) >= tv.cfg.HangUpAfter {
			tv.HangUp()
			return
		}
		if !tv.cfg.Live && tv.place(s) >= tv.cfg.Film {
			break
		}
	}
	if tv.cfg.HoldsLast {
		tv.setRate(0)
		<-life.Done()
		return
	}
	tv.quit("ended")
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

func (tv *Television) failed(life context.Context, s *showing, err error) {
	e, ok := err.(*playerError)
	if !ok {
		e = &playerError{"NSURLErrorDomain", -1004}
	}
	if life.Err() != nil {
		return
	}
	tv.mu.Lock()
	s.err = plist.Dict{"code": e.code, "domain": e.domain}
	tv.mu.Unlock()
	tv.tell(plist.Dict{"category": "video", "state": "stopped", "error": s.err})
}

// load fetches a film as Apple's player does: two bytes, all from the
// beginning, and the tail; of HLS the lists, and the first piece.
func (tv *Television) load(ctx context.Context, address string) error {
	if tv.cfg.Asks != "" {
		tv.tell(plist.Dict{"type": "unhandledURLRequest", "request": plist.Dict{"FCUP_Response_URL": tv.cfg.Asks, "FCUP_Response_RequestID": int64(7)}})
		select {
		case <-tv.asked:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	head, status, total, err := tv.fetch(ctx, address, "bytes=0-1")
	if err != nil {
		return err
	}
	if status >= 400 {
		return &playerError{"NSURLErrorDomain", -1100}
	}
	if string(head) == "#E" || strings.HasSuffix(address, ".m3u8") {
		return tv.loadHLS(ctx, address, 0)
	}
	if status != http.StatusPartialContent {
		return &playerError{"AVFoundationErrorDomain", -11850} // it wants parts
	}
	if _, _, _, err = tv.fetch(ctx, address, "bytes=0-"); err != nil {
		return err
	}
	_, _, _, err = tv.fetch(ctx, address, fmt.Sprintf("bytes=%d-", max(total-1000, 0)))
	return err
}

// loadHLS follows lists to the first piece.
func (tv *Television) loadHLS(ctx context.Context, address string, depth int) error {
	text, status, _, err := tv.fetch(ctx, address, "")
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
			return tv.loadHLS(ctx, next.String(), depth+1)
		}
	}
	return &playerError{"CoreMediaErrorDomain", -12642}
}

// fetch asks for a part of a film, and reads 1 MiB of it at most.
func (tv *Television) fetch(ctx context.Context, address, part string) (b []byte, status int, total int64, err error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if tv.cfg.Network != nil {
		transport.DialContext = tv.dial
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, 0, err
	}
	req.Header.Set("User-Agent", "AppleCoreMedia/1.0.0.12H1006 (Apple TV; U; CPU OS 8_4_4 like Mac OS X; en_us)")
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
	tv.mu.Lock()
	tv.log.Fetched = append(tv.log.Fetched, strings.TrimSpace(fmt.Sprintf("%s %d %d", part, resp.StatusCode, len(b))))
	tv.mu.Unlock()
	return b, resp.StatusCode, total, err
}

// dial connects, and gives up when the television is switched off: net/http
// would go on.
func (tv *Television) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(tv.life, cancel)()
	return tv.cfg.Network.DialContext(ctx, network, address)
}

// place is where a film is by now.
func (tv *Television) place(s *showing) time.Duration {
	tv.mu.Lock()
	defer tv.mu.Unlock()
	return s.place(tv.cfg)
}

// place wants mu held.
func (s *showing) place(cfg TelevisionConfig) time.Duration {
	at := s.position
	if s.loaded {
		at += time.Duration(s.rate * float64(time.Since(s.since)))
	}
	if !cfg.Live {
		at = min(at, cfg.Film)
	}
	return at
}

func (tv *Television) setRate(rate float64) {
	tv.mu.Lock()
	defer tv.mu.Unlock()
	if s := tv.film; s != nil {
		s.position, s.since, s.rate = s.place(tv.cfg), time.Now(), rate
	}
}

func (tv *Television) scrub(to time.Duration) {
	tv.mu.Lock()
	defer tv.mu.Unlock()
	if s := tv.film; s != nil {
		s.position, s.since, tv.empty = to, time.Now(), tv.cfg.EmptyInfos
	}
}

// quit shows nothing any more. With a reason, it tells that.
func (tv *Television) quit(reason string) {
	tv.mu.Lock()
	s := tv.film
	tv.film = nil
	tv.mu.Unlock()
	if s == nil {
		return
	}
	s.end()
	if reason != "" {
		tv.tell(plist.Dict{"category": "video", "state": "stopped", "reason": reason})
	}
}

// info answers playback-info.
func (tv *Television) info(w http.ResponseWriter) {
	tv.mu.Lock()
	defer tv.mu.Unlock()
	s := tv.film
	switch {
	case tv.cfg.RefuseInfo != 0:
		w.WriteHeader(tv.cfg.RefuseInfo)
	case s == nil:
		writePlist(w, plist.Dict{"readyToPlay": false})
	case s.err != nil:
		writePlist(w, plist.Dict{"error": s.err})
	case !s.loaded:
		writePlist(w, plist.Dict{"readyToPlay": false, "playbackBufferEmpty": true})
	case tv.empty > 0:
		tv.empty--
	default:
		writePlist(w, tv.describe(s))
	}
}

// describe wants mu held.
func (tv *Television) describe(s *showing) plist.Dict {
	at := s.place(tv.cfg).Seconds()
	d := plist.Dict{
		"position": at, "rate": s.rate, "readyToPlay": true,
		"playbackBufferEmpty": false, "playbackBufferFull": true, "playbackLikelyToKeepUp": true,
		"loadedTimeRanges": []any{}, "seekableTimeRanges": []any{plist.Dict{"start": 0.0, "duration": at}},
	}
	if !tv.cfg.Live {
		d["duration"] = tv.cfg.Film.Seconds()
	}
	return d
}

// action takes what it has asked the sender for.
func (tv *Television) action(body []byte) {
	d, err := plist.UnmarshalDict(body)
	if err != nil || d.Text("type") != "unhandledURLResponse" {
		return
	}
	tv.mu.Lock()
	tv.log.Answers = append(tv.log.Answers, d.Dict("params"))
	tv.mu.Unlock()
	select {
	case tv.asked <- d.Dict("params"):
	default:
	}
}

// tell says something on all reversed connections, and waits for the answers.
func (tv *Television) tell(event plist.Dict) {
	tv.mu.Lock()
	events := append([]*reversed(nil), tv.events...)
	tv.mu.Unlock()
	for _, e := range events {
		e.tell(event)
	}
}

func (e *reversed) tell(event plist.Dict) {
	said := plist.Dict{"sessionID": int64(1)}
	for name, value := range event {
		said[name] = value
	}
	body, err := plist.Marshal(said)
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conn.SetDeadline(time.Now().Add(5 * time.Second))
	head := fmt.Sprintf("POST /event HTTP/1.1\r\nX-Apple-Session-ID: %s\r\nContent-Type: application/x-apple-binary-plist\r\nContent-Length: %d\r\n\r\n", e.session, len(body))
	if _, err := e.conn.Write(append([]byte(head), body...)); err != nil {
		return
	}
	resp, err := http.ReadResponse(bufio.NewReader(e.conn), nil)
	if err == nil {
		resp.Body.Close()
	}
}

// Package videotest is a television that plays films by their addresses, as an
// Apple TV 3 does, and tells what it fetched and was asked. It needs no screen,
// no network and no testing package.
//
//	tv, err := videotest.NewTelevision(videotest.TelevisionConfig{})
//	if err != nil {
//		return err
//	}
//	defer tv.Close()
//	session, err := video.Dial(ctx, tv.Addr(), nil)
//
// The knobs of [TelevisionConfig] are oddities of receivers seen in the wild.
package videotest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/internal/legacy"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// A TelevisionConfig says what kind of television it is, and what is odd about
// it. Its zero value is an Apple TV 3 that plays everything, for 10 s.
type TelevisionConfig struct {
	// Network is where it is. Nil: the real one, on loopback.
	Network interface {
		Listen(network, address string) (net.Listener, error)
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	}
	// Address is where it listens. Empty: any port; of the real network, on
	// loopback.
	Address string
	// Password is asked for by digest.
	Password string
	// Pairing has it serve only who shows, on each connection, that he is paired
	// with it: an Apple TV with device authentication. Nil: it serves everybody.
	Pairing *legacy.Accessory
	// Film is how long films are. Zero: 10 s.
	Film time.Duration
	// Live films have no end and no duration.
	Live bool
	// Load is how long a film loads. Zero: no longer than fetching takes.
	Load time.Duration

	// Refuse is the code with which /play is answered: 403 and 470 by those
	// that want to be paired, 409 by UxPlay with another client, 500 by tvOS.
	Refuse int
	// RefuseInfo is the code with which /playback-info is always answered: 500
	// by tvOS 18 and later.
	RefuseInfo int
	// TextOnly is the oldest: it takes /play as text only, and no place to
	// begin at but a fraction.
	TextOnly bool
	// Eventless tells nothing by itself, and has no /reverse.
	Eventless bool
	// EmptyInfos is how many answers to /playback-info after the start, and
	// after each seek, are empty, as UxPlay's are.
	EmptyInfos int
	// HoldsLast keeps the last picture, and tells no end.
	HoldsLast bool
	// NoRoute never fetches anything, as a television in another network.
	NoRoute bool
	// Unplayable is the code of its player's error for every film: -6707 for a
	// camera.
	Unplayable int64
	// HangUpAfter is how long after the start of a film it drops all
	// connections. Zero: it does not.
	HangUpAfter time.Duration
	// Asks are addresses of playlists that it asks the sender to fetch, before
	// it plays (FCUP).
	Asks string
}

// A Television plays films by their addresses: it fetches them as a player
// does, and lets time pass.
type Television struct {
	cfg      TelevisionConfig
	listener net.Listener
	server   *http.Server
	work     sync.WaitGroup

	mu     sync.Mutex
	log    TelevisionLog
	events []*reversed
	empty  int
	asked  chan plist.Dict // the answer to FCUP
	screen *Screen
}

// TelevisionLog is what a television remembers.
type TelevisionLog struct {
	ScreenLog
	Requests []string // "POST /play", in their order, without playback-info
	Polls    int
	Answers  []plist.Dict    // to FCUP
	Sessions map[string]bool // values of X-Apple-Session-ID
	Stops    int
}

// reversed is a connection on which it tells what happens.
type reversed struct {
	conn    net.Conn
	session string
	mu      sync.Mutex
}

// NewTelevision starts a television. Its owner must Close it.
func NewTelevision(cfg TelevisionConfig) (*Television, error) {
	tv := &Television{cfg: cfg, asked: make(chan plist.Dict, 1), log: TelevisionLog{Sessions: map[string]bool{}}}
	tv.screen = NewScreen(tv.screenConfig())
	listen := net.Listen
	if cfg.Network != nil {
		listen = cfg.Network.Listen
	}
	address := cmp.Or(cfg.Address, ":0")
	if cfg.Network == nil {
		address = cmp.Or(cfg.Address, "127.0.0.1:0")
	}
	l, err := listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("videotest: %w", err)
	}
	tv.listener = l
	tv.server = &http.Server{Handler: tv, ErrorLog: stdlog.New(io.Discard, "", 0), ConnContext: tv.meet}
	tv.work.Go(func() { tv.server.Serve(l) })
	return tv, nil
}

// peerKey is where a connection's context has its half of pairing.
type peerKey struct{}

// meet begins a connection.
func (tv *Television) meet(ctx context.Context, _ net.Conn) context.Context {
	if tv.cfg.Pairing == nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, tv.cfg.Pairing.Connect())
}

// paired answers what is about pairing, and refuses who has not shown that he
// is. It is false if there is nothing more to answer.
func (tv *Television) paired(w http.ResponseWriter, r *http.Request, body []byte) bool {
	peer, ok := r.Context().Value(peerKey{}).(*legacy.Peer)
	if !ok {
		return true
	}
	if resp, ours := peer.Answer(rtsp.Request{Method: r.Method, URI: r.URL.Path, Body: body}); ours {
		w.WriteHeader(resp.Code)
		w.Write(resp.Body)
		return false
	}
	if !peer.Verified() {
		w.WriteHeader(470)
		return false
	}
	return true
}

// Addr is the host and port to dial.
func (tv *Television) Addr() string { return tv.listener.Addr().String() }

// Port is the port to announce.
func (tv *Television) Port() int { return tv.listener.Addr().(*net.TCPAddr).Port }

// TXT is its record of _airplay._tcp, that of an Apple TV 3.
func (tv *Television) TXT() map[string]string {
	txt := map[string]string{"deviceid": "10:20:30:40:50:60", "features": "0x5A7FFFF7,0x1E", "model": "AppleTV3,2", "srcvers": "220.68", "flags": "0x44"}
	if tv.cfg.Pairing != nil {
		txt["flags"], txt["pk"] = "0x244", fmt.Sprintf("%x", tv.cfg.Pairing.Key())
	}
	if tv.cfg.Password != "" {
		txt["pw"], txt["flags"] = "1", "0xc4"
	}
	return txt
}

// Log is what it remembers by now.
func (tv *Television) Log() TelevisionLog {
	tv.mu.Lock()
	defer tv.mu.Unlock()
	l := tv.log
	l.Requests, l.ScreenLog = slices.Clone(l.Requests), tv.screen.Log()
	return l
}

// Close switches it off, and waits for what it started.
func (tv *Television) Close() error {
	tv.drop()
	tv.screen.Close()
	err := tv.server.Close()
	tv.work.Wait()
	return err
}

// drop ends all connections on which it tells something.
func (tv *Television) drop() {
	tv.mu.Lock()
	events := tv.events
	tv.events = nil
	tv.mu.Unlock()
	for _, e := range events {
		e.conn.Close()
	}
}

// HangUp drops all connections, as one that is switched off.
func (tv *Television) HangUp() {
	tv.drop()
	tv.server.Close()
}

// Remote is what somebody does with its remote control: "pause", "play", "stop",
// and "other", which is another sender.
func (tv *Television) Remote(button string) {
	switch button {
	case "pause":
		tv.screen.SetRate(0)
	case "play":
		tv.screen.SetRate(1)
	case "stop", "other":
		tv.screen.Quit("")
		tv.tell(plist.Dict{"category": "video", "state": "stopped"})
		if button == "other" {
			tv.HangUp()
		}
	}
}

// ServeHTTP answers senders.
func (tv *Television) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	tv.note(r)
	if !tv.paired(w, r, body) || !tv.admits(w, r) {
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /server-info":
		writePlist(w, plist.Dict{"deviceid": "10:20:30:40:50:60", "features": int64(0x5A7FFFF7), "model": "AppleTV3,2", "protovers": "1.0", "srcvers": "220.68"})
	case "POST /reverse":
		tv.reverse(w, r)
	case "POST /play":
		tv.play(w, r, body)
	case "GET /playback-info":
		tv.info(w)
	case "POST /rate":
		var rate float64
		fmt.Sscan(r.URL.Query().Get("value"), &rate)
		tv.screen.setRate(rate) // who asked is not told
	case "POST /scrub":
		var at float64
		fmt.Sscan(r.URL.Query().Get("position"), &at)
		tv.scrub(time.Duration(at * float64(time.Second)))
	case "POST /stop":
		tv.mu.Lock()
		tv.log.Stops++
		tv.mu.Unlock()
		tv.screen.Quit("")
	case "POST /action":
		tv.action(body)
	default:
		http.NotFound(w, r)
	}
}

func (tv *Television) note(r *http.Request) {
	tv.mu.Lock()
	defer tv.mu.Unlock()
	tv.log.Sessions[r.Header.Get("X-Apple-Session-ID")] = true
	if r.URL.Path == "/playback-info" {
		tv.log.Polls++
		return
	}
	tv.log.Requests = append(tv.log.Requests, r.Method+" "+r.RequestURI)
}

// admits asks for the password.
func (tv *Television) admits(w http.ResponseWriter, r *http.Request) bool {
	d := rtsp.Digest{Challenge: rtsp.Challenge{Realm: "AirPlay", Nonce: "0123456789abcdef"}, Password: tv.cfg.Password}
	if tv.cfg.Password == "" || d.Verify(r.Header.Get("Authorization"), r.Method) {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Digest realm="AirPlay", nonce="0123456789abcdef"`)
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

// reverse turns the connection round.
func (tv *Television) reverse(w http.ResponseWriter, r *http.Request) {
	if tv.cfg.Eventless {
		http.NotFound(w, r)
		return
	}
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: PTTH/1.0\r\nConnection: Upgrade\r\n\r\n")
	tv.mu.Lock()
	tv.events = append(tv.events, &reversed{conn: conn, session: r.Header.Get("X-Apple-Session-ID")})
	tv.mu.Unlock()
}

func writePlist(w http.ResponseWriter, d plist.Dict) {
	b, err := plist.Marshal(d)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-apple-binary-plist")
	w.Write(b)
}

// parsePlay reads what is to be played: a property list, or lines.
func (tv *Television) parsePlay(r *http.Request, body []byte) (address string, from time.Duration, ok bool) {
	if !strings.Contains(r.Header.Get("Content-Type"), "plist") {
		for line := range strings.Lines(string(body)) {
			if name, value, _ := strings.Cut(strings.TrimSpace(line), ": "); name == "Content-Location" {
				address = value
			}
		}
		return address, 0, address != ""
	}
	d, err := plist.UnmarshalDict(body)
	if err != nil || tv.cfg.TextOnly {
		return "", 0, false
	}
	seconds, _ := d.Float("Start-Position-Seconds")
	return d.Text("Content-Location"), time.Duration(seconds * float64(time.Second)), d.Text("uuid") != ""
}

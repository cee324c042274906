package airplaytest

import (
	"crypto/sha256"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/dacp/dacptest"
	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/rtsp"
)

// A Receiver listens, plays and remembers.
type Receiver struct {
	cfg       Config
	accessory *hap.Accessory
	listener  net.Listener
	over      chan struct{}
	once      sync.Once
	wg        sync.WaitGroup
	cinema    *cinema // nil: it shows no films

	buttons dacptest.Panel

	mu      sync.Mutex
	conns   map[net.Conn]bool
	current *session // who is playing; nil: nobody
	pins    int      // how often the PIN was shown
	log     Log
	lines   []string // the transcript
	taken   bool     // by another sender
	dropped int      // audio packets that came, for Config.Drop
}

// Log is what a receiver remembers. Times are those at which it happened.
type Log struct {
	Spans      []Span // what was heard
	Gaps       int    // packets that were not there in time
	Late       int    // packets that came when their time had passed
	Early      int    // packets that came more than Config.Buffer ahead
	Forged     int    // packets that could not be decrypted
	Repeated   int    // packets sealed with a number that was used before
	Noises     int    // flushes of a receiver that must not be flushed, and times that it ran dry
	Volumes    []float64
	Texts      []Text
	Artworks   []string            // media types
	Progresses []string            // "start/current/end"
	Screens    []map[string]string // what a screen was told to show, by the ends of the keys
	Flushes    int
	Sessions   int // RECORDs
	Teardowns  int
	Syncs      int
	Anchors    int
	Pauses     int // rate 0
	Packets    int // audio packets that came, without those sent again
	Resent     int // that came again
	Requested  int // that were asked for again
	Feedbacks  int
	Answers    int // to events
}

// A Span is sound without a break in it.
type Span struct {
	At     time.Time // of its first frame
	Frames [][2]int16
}

// A Text is what was told of a track, by DMAP code.
type Text struct {
	RTPInfo string
	Items   map[string]string
}

// New starts a receiver. Its owner must Close it.
func New(cfg Config) (*Receiver, error) {
	cfg = cfg.withDefaults()
	l, err := cfg.Network.Listen("tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("airplaytest: %w", err)
	}
	seed := sha256.Sum256([]byte(cfg.ID))
	r := &Receiver{cfg: cfg, listener: l, over: make(chan struct{}), conns: make(map[net.Conn]bool)}
	r.accessory = r.newAccessory(seed[:])
	if cfg.Films != nil {
		r.cinema = r.newCinema(*cfg.Films)
	}
	r.wg.Add(1)
	go r.accept()
	return r, nil
}

// Addr is the host and port to dial.
func (r *Receiver) Addr() string { return r.listener.Addr().String() }

// Port is the port to announce.
func (r *Receiver) Port() int { return r.listener.Addr().(*net.TCPAddr).Port }

// ID is its hardware address, twelve digits.
func (r *Receiver) ID() string { return r.cfg.ID }

// Name is its name as a service of _airplay._tcp.
func (r *Receiver) Name() string { return r.cfg.Name }

// TXT is its record of _airplay._tcp.
func (r *Receiver) TXT() map[string]string { return r.cfg.txt(r.accessory.Key()) }

// Close ends all sessions and waits for the receiver's goroutines.
func (r *Receiver) Close() error {
	r.once.Do(func() {
		close(r.over)
		r.listener.Close()
		r.mu.Lock()
		for c := range r.conns {
			c.Close()
		}
		r.mu.Unlock()
		if r.cinema != nil {
			r.cinema.screen.Close()
		}
	})
	r.wg.Wait()
	return nil
}

func (r *Receiver) accept() {
	defer r.wg.Done()
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.conns[conn] = true
		r.mu.Unlock()
		r.wg.Add(1)
		go r.serve(conn)
		select {
		case <-r.over:
			conn.Close()
		default:
		}
	}
}

// HangUp ends all connections, as a receiver does that was switched off.
func (r *Receiver) HangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
	}
}

func (r *Receiver) note(f func(*Log)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.log)
}

// Log returns what is remembered so far.
func (r *Receiver) Log() Log {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.log
	l.Spans, l.Volumes, l.Texts = slices.Clone(l.Spans), slices.Clone(l.Volumes), slices.Clone(l.Texts)
	l.Artworks, l.Progresses = slices.Clone(l.Artworks), slices.Clone(l.Progresses)
	for i, s := range l.Spans {
		l.Spans[i].Frames = slices.Clip(s.Frames)
	}
	return l
}

// Heard returns all frames that were heard, one after the other, without the
// breaks between them.
func (r *Receiver) Heard() [][2]int16 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all [][2]int16
	for _, s := range r.log.Spans {
		all = append(all, s.Frames...)
	}
	return all
}

// Connections tells how many senders are connected.
func (r *Receiver) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// Busy tells whether somebody is connected to play.
func (r *Receiver) Busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current != nil
}

// PINsShown tells how often the PIN was shown.
func (r *Receiver) PINsShown() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pins
}

// Forget makes the receiver forget whom it was paired with.
func (r *Receiver) Forget() { r.accessory.Forget() }

// Requests returns the first lines of what was asked, pairing included:
// "SETUP rtsp://10.0.0.1/1", in their order.
func (r *Receiver) Requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// Methods returns what was asked without addresses, those of POST and GET
// with their paths, and feedback left out.
func (r *Receiver) Methods() []string {
	var all []string
	for _, line := range r.Requests() {
		method, uri, _ := strings.Cut(line, " ")
		switch {
		case uri == "/feedback":
			continue
		case method == "POST" || method == "GET":
			method = line
		}
		all = append(all, method)
	}
	return all
}

func (r *Receiver) transcribe(req rtsp.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, req.Method+" "+req.URI)
}

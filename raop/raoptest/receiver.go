package raoptest

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/dacp/dacptest"
	"airplay2mqtt/internal/rtsp"
)

// A Receiver listens, plays and remembers.
type Receiver struct {
	cfg      Config
	listener net.Listener
	over     chan struct{}
	once     sync.Once
	wg       sync.WaitGroup
	buttons  dacptest.Panel

	mu      sync.Mutex
	conns   map[net.Conn]bool
	current *session // who is playing; nil: nobody
	log     Log
	lines   []string // the transcript
	dropped int      // audio packets that came, for Config.Drop
}

// Log is what a receiver remembers. Times are those at which it happened.
type Log struct {
	Spans      []Span // what was heard; of those that are silence only the last
	Gaps       int    // packets that were not there in time
	Late       int    // packets that came when their time had passed
	Volumes    []Volume
	Texts      []Text
	Artworks   []Artwork
	Progresses []string // "start/current/end"
	Flushes    int
	Sessions   int // RECORDs
	Teardowns  int
	Syncs      []Sync
	SyncsLost  int // that came before it knew the sender's clock
	Markers    []uint16
	Packets    int // audio packets that came, without those sent again
	Resent     int // that came again
	Requested  int // that were asked for again
	KeepAlives int // OPTIONS and feedback
}

// A Span is sound without a break in it.
type Span struct {
	At      time.Time // of its first frame
	RTPTime uint32    // of its first frame
	Frames  [][2]int16
}

// A Volume was in force from a moment on.
type Volume struct {
	At       time.Time
	Decibels float64
	Own      bool // the receiver's doing
}

// A Text is what was told of a track, by DMAP code.
type Text struct {
	At      time.Time
	RTPTime string
	Items   map[string]string
}

// An Artwork is a picture as it came.
type Artwork struct {
	At   time.Time
	Type string
	Data []byte
}

// A Sync is a sync as it came.
type Sync struct {
	At            time.Time
	First         bool
	Time, Latency uint32
}

// New starts a receiver. Its owner must Close it.
func New(cfg Config) (*Receiver, error) {
	cfg = cfg.withDefaults()
	l, err := cfg.Network.Listen("tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("raoptest: %w", err)
	}
	r := &Receiver{cfg: cfg, listener: l, over: make(chan struct{}), conns: make(map[net.Conn]bool)}
	r.wg.Add(1)
	go r.accept()
	return r, nil
}

// Addr is the host and port to dial.
func (r *Receiver) Addr() string { return r.listener.Addr().String() }

// Port is the port to announce.
func (r *Receiver) Port() int { return r.listener.Addr().(*net.TCPAddr).Port }

// Instance is its name as a service of _raop._tcp, "020102030405@Kitchen".
func (r *Receiver) Instance() string { return r.cfg.ID + "@" + r.cfg.Name }

// TXT is its record of _raop._tcp.
func (r *Receiver) TXT() map[string]string { return r.cfg.txt() }

// Close hangs up on everybody and waits for what it started. It may be called
// again.
func (r *Receiver) Close() error {
	r.end(false)
	return nil
}

// Vanish ends the receiver as a kill would: connections are reset and ports
// closed, without a word.
func (r *Receiver) Vanish() { r.end(true) }

// HangUp hangs up on who is connected, as receivers do when somebody else
// takes them over.
func (r *Receiver) HangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
	}
}

// ClosePorts closes the ports of who plays, and not the connection: a receiver
// that has forgotten a session.
func (r *Receiver) ClosePorts() {
	r.mu.Lock()
	s := r.current
	r.mu.Unlock()
	s.closePorts()
}

func (r *Receiver) end(abrupt bool) {
	r.once.Do(func() {
		close(r.over)
		r.listener.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		for c := range r.conns {
			hangUp(c, abrupt)
		}
	})
	r.wg.Wait()
}

// hangUp closes a connection, orderly or by a reset.
func hangUp(c net.Conn, abrupt bool) {
	if l, ok := c.(interface{ SetLinger(int) error }); ok && abrupt {
		l.SetLinger(0)
	}
	c.Close()
}

func (r *Receiver) accept() {
	defer r.wg.Done()
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		if r.cfg.ResetsOnAccept {
			hangUp(conn, true)
			continue
		}
		r.mu.Lock()
		r.conns[conn] = true
		r.mu.Unlock()
		select {
		case <-r.over: // end did not see this one
			conn.Close()
		default:
		}
		r.wg.Add(1)
		go r.serve(conn)
	}
}

// note changes the log.
func (r *Receiver) note(change func(*Log)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.log)
}

// Log returns what happened so far. Frames in it are not copied: they must
// not be changed.
func (r *Receiver) Log() Log {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.log
	l.Spans, l.Volumes, l.Texts = slices.Clone(l.Spans), slices.Clone(l.Volumes), slices.Clone(l.Texts)
	l.Artworks, l.Progresses = slices.Clone(l.Artworks), slices.Clone(l.Progresses)
	l.Syncs, l.Markers = slices.Clone(l.Syncs), slices.Clone(l.Markers)
	return l
}

// Forget forgets what happened so far, but for the volume in force.
func (r *Receiver) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.log.Volumes[max(len(r.log.Volumes)-1, 0):]
	r.log, r.lines = Log{Volumes: slices.Clone(last)}, nil
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

// Volume returns the volume in force, in decibels.
func (r *Receiver) Volume() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.log.Volumes); n > 0 {
		return r.log.Volumes[n-1].Decibels
	}
	return ownVolume
}

// Busy tells whether somebody is connected to play.
func (r *Receiver) Busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current != nil
}

// Transcript returns everything that was said by RTSP: requests in lines that
// begin with ">", answers in lines that begin with "<".
func (r *Receiver) Transcript() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n") + "\n"
}

// transcribe notes a message.
func (r *Receiver) transcribe(mark, first string, header rtsp.Header, body []byte) {
	lines := []string{mark + " " + first}
	for _, f := range header {
		lines = append(lines, mark+" "+f.Name+": "+f.Value)
	}
	if len(body) > 0 {
		lines = append(lines, mark)
		if isText(body) {
			for line := range strings.Lines(string(body)) {
				lines = append(lines, mark+" "+strings.TrimRight(line, "\r\n"))
			}
		} else {
			lines = append(lines, fmt.Sprintf("%s (%d bytes)", mark, len(body)))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(append(r.lines, lines...), "")
}

func isText(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c < ' ' && c != '\r' && c != '\n' || c > '~' })
}

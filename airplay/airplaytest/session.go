package airplaytest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// A session is a sender that was let in. A nil session can be ended.
type session struct {
	r        *Receiver
	caller   *caller
	far      *net.TCPAddr
	born     time.Time
	events   net.Listener
	timing   net.PacketConn // NTP
	event    net.PacketConn // PTP
	general  net.PacketConn // PTP
	recorded bool           // of the goroutine that serves
	told     atomic.Bool    // what is playing
	films    int64          // the stream of the play queue; 0: none. Of the goroutine that serves
	silent   bool           // it tells nothing; constant once it is there
	timed    chan struct{}  // closed when the sender's time is known
	heard    chan struct{}  // closed when the sender listens to events
	beaten   atomic.Int64   // when the sender last said that it is there, in nanoseconds since born

	over chan struct{}
	once sync.Once
	wg   sync.WaitGroup
	wake chan struct{} // the player's

	mu      sync.Mutex
	clock   clock
	stream  *stream
	channel net.Conn // of events; nil: not connected
	seq     int      // of events
}

func newSession(c *caller, timing string) (*session, error) {
	l, err := c.r.cfg.Network.Listen("tcp", c.host())
	if err != nil {
		return nil, err
	}
	s := &session{r: c.r, caller: c, far: c.raw.RemoteAddr().(*net.TCPAddr), born: time.Now(), events: l,
		timed: make(chan struct{}), heard: make(chan struct{}), over: make(chan struct{}), wake: make(chan struct{}, 1), clock: clock{syncs: make(map[uint16]time.Time), times: make(map[uint16]time.Duration)}}
	s.wg.Go(s.serveEvents)
	return s, nil
}

// host is where the receiver listens for a sender, any port.
func (c *caller) host() string {
	return net.JoinHostPort(c.raw.LocalAddr().(*net.TCPAddr).IP.String(), "0")
}

func (s *session) listen() (net.PacketConn, error) {
	return s.r.cfg.Network.ListenPacket("udp", s.caller.host())
}

// end closes everything and waits.
func (s *session) end() {
	if s == nil {
		return
	}
	s.once.Do(func() {
		close(s.over)
		s.events.Close()
		s.mu.Lock()
		channel, stream := s.channel, s.stream
		s.mu.Unlock()
		if channel != nil {
			channel.Close()
		}
		for _, c := range []net.PacketConn{s.timing, s.event, s.general} {
			if c != nil {
				c.Close()
			}
		}
		stream.close()
		s.r.mu.Lock()
		last := s.r.current == s
		if last {
			s.r.current = nil
		}
		s.r.mu.Unlock()
		if last && s.r.cinema != nil {
			s.r.cinema.leave()
		}
	})
	s.wg.Wait()
}

// serveEvents tells the sender what it is told first everywhere, and reads its
// answers.
func (s *session) serveEvents() {
	raw, err := s.events.Accept()
	if err != nil {
		return
	}
	conn := hap.NewConn(raw)
	conn.Encrypt(s.caller.keys.Events().Reverse())
	s.mu.Lock()
	s.channel = conn
	s.mu.Unlock()
	close(s.heard)
	select {
	case <-s.over:
		raw.Close()
	default:
	}
	s.tell(plist.Dict{"type": "updateInfo", "value": s.r.info()})
	br := bufio.NewReader(conn)
	for {
		resp, err := rtsp.ReadResponse(br)
		if err != nil && s.r.cinema != nil { // a film ends with its channel of events
			s.caller.raw.Close()
		}
		if err != nil {
			return
		}
		if resp.Code == 200 {
			s.r.note(func(l *Log) { l.Answers++ })
		}
	}
}

// tell sends an event. The sender may have connected and not be accepted yet.
func (s *session) tell(event plist.Dict) error {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-s.heard:
	case <-s.over:
	case <-timer.C:
	}
	body, err := plist.Marshal(event)
	if err != nil {
		return err
	}
	s.mu.Lock()
	conn := s.channel
	s.seq++
	req := rtsp.Request{Method: "POST", URI: "/command", Body: body, Header: rtsp.Header{
		{Name: "CSeq", Value: fmt.Sprint(s.seq)}, {Name: "Content-Type", Value: "application/x-apple-binary-plist"}}}
	s.mu.Unlock()
	if conn == nil {
		return errors.New("airplaytest: nobody listens to events")
	}
	_, err = conn.Write(req.AppendTo(nil))
	return err
}

// kick makes the player look again.
func (s *session) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

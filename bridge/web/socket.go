package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	pingEvery   = 20 * time.Second
	pongWithin  = 50 * time.Second
	writeWithin = 10 * time.Second
	// behind is how many frames a page may be late; who is later is sent away,
	// comes again and is told everything.
	behind = 512
)

// An ask is what a page wants: one of these.
type ask struct {
	Topic   string `json:"topic"`   // publish there
	Payload string `json:"payload"` // this
	Tail    string `json:"tail"`    // on: show the log from now on; off: no more
	Doctor  string `json:"doctor"`  // find out why a device is silent
}

// parseAsk reads what a page says.
func parseAsk(text []byte) (ask, error) {
	var a ask
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, fmt.Errorf("a JSON object is wanted: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return a, errors.New("one JSON object is wanted, and nothing after it")
	}
	wants := 0
	for _, s := range []string{a.Topic, a.Tail, a.Doctor} {
		if s != "" {
			wants++
		}
	}
	switch {
	case wants != 1:
		return a, errors.New("one of topic, tail and doctor is wanted")
	case a.Payload != "" && a.Topic == "":
		return a, errors.New("a payload wants a topic")
	case a.Tail != "" && a.Tail != "on" && a.Tail != "off":
		return a, errors.New("tail is on or off")
	}
	return a, nil
}

// A page is one WebSocket. One goroutine reads it and obeys, another writes.
type page struct {
	conn  *websocket.Conn
	first []frame    // said before all else
	out   chan frame // what is to be said
	late  chan struct{}
	once  sync.Once // closes late
}

// tell puts a frame in line and never blocks. The frame must not change.
func (p *page) tell(f frame) {
	select {
	case p.out <- f:
	default:
		p.once.Do(func() { close(p.late) })
	}
}

// complain tells a page that something it asked for was not done.
func (p *page) complain(err error) {
	p.tell(encode(struct {
		Error string `json:"error"`
	}{err.Error()}))
}

// hello is what a page is told first.
type hello struct {
	Hello     string   `json:"hello"` // the version
	Base      string   `json:"base"`
	Now       int64    `json:"now"` // milliseconds since 1970: clocks of browsers differ
	MaxUpload int64    `json:"max_upload"`
	Requests  []string `json:"requests"`
	Tail      bool     `json:"tail"`
	Doctor    bool     `json:"doctor"`
	Asked     bool     `json:"asked"` // for a token, so that one can log out
}

// socket serves one page until it leaves or ctx ends.
func (s *Server) socket(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	s.pages.Add(1)
	defer s.pages.Done()
	p := &page{out: make(chan frame, behind), late: make(chan struct{})}
	greeting := encode(hello{
		Hello: s.cfg.Version, Base: s.cfg.Base, Now: time.Now().UnixMilli(), MaxUpload: s.cfg.MaxUpload, Requests: s.cfg.Requests,
		Tail: s.cfg.Tail != nil, Doctor: s.cfg.Doctor != nil, Asked: s.door.asks,
	})
	if !s.hub.join(p, greeting) {
		refuse(w, http.StatusServiceUnavailable, "%d pages are open already; close one of them", maxPages)
		return
	}
	defer s.hub.leave(p)
	up := websocket.Upgrader{
		HandshakeTimeout: 5 * time.Second, ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10,
		CheckOrigin: func(*http.Request) bool { return true }, // the door has done so
	}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // it has been answered
	}
	p.conn = conn
	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { defer cancel(); p.write(ctx) })
	defer cancel()
	s.read(ctx, p, &parts)
}

// write says what is in line, and closes the connection at its end.
func (p *page) write(ctx context.Context) {
	defer p.conn.Close()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for _, f := range p.first {
		if p.send(f) != nil {
			return
		}
	}
	p.first = nil
	for {
		select {
		case f := <-p.out:
			if p.send(f) != nil {
				return
			}
		case <-ping.C:
			if p.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWithin)) != nil {
				return
			}
		case <-p.late:
			p.bye(websocket.CloseTryAgainLater, "too slow")
			return
		case <-ctx.Done():
			p.bye(websocket.CloseGoingAway, "the bridge ends")
			return
		}
	}
}

func (p *page) send(f frame) error {
	if err := p.conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	return p.conn.WriteMessage(websocket.TextMessage, f)
}

func (p *page) bye(code int, why string) {
	_ = p.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(time.Second))
}

// pagePace is what a page may say: a slider that is drawn, and no more.
const pageBurst, pageRate = 60, 30

// read obeys a page until its connection ends.
func (s *Server) read(ctx context.Context, p *page, parts *sync.WaitGroup) {
	p.conn.SetReadLimit(2 * maxSaid)
	alive := func(string) error { return p.conn.SetReadDeadline(time.Now().Add(pongWithin)) }
	p.conn.SetPongHandler(alive)
	pace := bucket{left: pageBurst, at: time.Now()}
	stop := func() {}
	defer func() { stop() }()
	for alive("") == nil {
		kind, text, err := p.conn.ReadMessage()
		if err != nil {
			return
		}
		a, err := parseAsk(text)
		switch {
		case kind != websocket.TextMessage:
			p.complain(errors.New("text is wanted"))
		case err != nil:
			p.complain(err)
		case !pace.take(pageBurst, pageRate):
			p.complain(errors.New("too many messages at once; this one was dropped"))
		case a.Topic != "":
			if err := s.hub.say(ctx, a.Topic, a.Payload); err != nil {
				p.complain(err)
			}
		case a.Doctor != "":
			parts.Go(func() { s.examine(ctx, p, a.Doctor) })
		case s.cfg.Tail != nil:
			stop()
			stop = func() {}
			if a.Tail == "on" {
				stop = s.cfg.Tail.follow(p.tell)
			}
		}
	}
}

// doctorPatience bounds one visit of the doctor.
const doctorPatience = time.Minute

// examine asks the doctor, who sees one device at a time.
func (s *Server) examine(ctx context.Context, p *page, device string) {
	diagnosis := struct {
		Device    string          `json:"device"`
		Diagnosis json.RawMessage `json:"diagnosis,omitempty"`
		Error     string          `json:"error,omitempty"`
	}{Device: device}
	switch {
	case s.cfg.Doctor == nil:
		diagnosis.Error = "there is no doctor here; run bridge doctor instead"
	default:
		select {
		case s.desk <- struct{}{}:
			ctx, cancel := context.WithTimeout(ctx, doctorPatience)
			found, err := s.cfg.Doctor(ctx, device)
			cancel()
			<-s.desk
			if diagnosis.Diagnosis = found; err != nil {
				diagnosis.Diagnosis, diagnosis.Error = nil, err.Error()
			}
		default:
			diagnosis.Error = "the doctor is with another device; ask again in a minute"
		}
	}
	p.tell(encode(struct {
		Doctor any `json:"doctor"`
	}{diagnosis}))
}

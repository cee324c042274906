package video

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"airplay2mqtt/internal/legacy"
	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// A plain link is a line for questions, and one on which the receiver tells
// what happens.
type plain struct {
	controls
	session *Session
	id      string
	line    *line
	events  *line // nil: the receiver has none
	life    context.Context
	end     context.CancelFunc
	done    chan struct{}
}

// dialPlain connects in the first way.
func (s *Session) dialPlain(ctx context.Context) (link, error) {
	id, err := newID(s.cfg.Rand)
	if err != nil {
		return nil, err
	}
	conn, err := s.cfg.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	header := []pair{
		{"Host", s.address}, {"User-Agent", "MediaControl/1.0"}, {"X-Apple-Session-ID", id}, {"X-Apple-Client-Name", s.cfg.Name},
	}
	p := &plain{session: s, id: id, line: newLine(conn, s.cfg, header), done: make(chan struct{})}
	p.controls = controls{p.line}
	p.life, p.end = context.WithCancel(context.Background())
	if err := p.open(ctx, header); err != nil {
		p.end()
		conn.Close()
		return nil, err
	}
	go p.hear() // close waits
	return p, nil
}

func (p *plain) open(ctx context.Context, header []pair) error {
	if err := p.session.verify(ctx, p.line); err != nil {
		return err
	}
	a, err := p.line.ask(ctx, "GET", "/server-info", "", nil)
	if err == nil && a.code != 404 { // some have none
		err = a.ok("server-info")
	}
	if err != nil {
		return err
	}
	return p.reverse(ctx, header)
}

// verify shows a receiver of the older kind that it is paired with us, on a
// connection. One that does not ask is let be: UxPlay answers nothing to it over
// HTTP (docs/protocols/airplay2.md, legacy pairing).
func (s *Session) verify(ctx context.Context, l *line) error {
	own := s.cfg.Credentials
	if !own.Legacy() {
		return nil
	}
	c := legacy.Controller{Rand: s.cfg.Rand, Post: func(ctx context.Context, path string, h rtsp.Header, body []byte) (rtsp.Response, error) {
		a, err := l.ask(ctx, "POST", path, h.Get("Content-Type"), body)
		return rtsp.Response{Code: a.code, Reason: a.reason, Body: a.body}, err
	}}
	err := c.Verify(ctx, legacy.Credentials{ID: own.ID, Seed: own.Seed, ReceiverKey: own.ReceiverKey})
	var no *pairing.Error
	switch {
	case errors.Is(err, pairing.Because(pairing.NotSpoken)):
		return nil
	case errors.As(err, &no):
		return fmt.Errorf("%w: %w", ErrPairing, err)
	}
	return err
}

// reverse opens the line on which the receiver asks and we answer. Receivers
// that have none are polled only.
func (p *plain) reverse(ctx context.Context, header []pair) error {
	conn, err := p.session.cfg.DialContext(ctx, "tcp", p.session.address)
	if err != nil {
		return err
	}
	upgrade := []pair{{"Upgrade", "PTTH/1.0"}, {"Connection", "Upgrade"}, {"X-Apple-Purpose", "event"}}
	l := newLine(conn, p.session.cfg, header)
	err = p.session.verify(ctx, l)
	l.header = append(upgrade, header...)
	var a answer
	if err == nil {
		a, err = l.ask(ctx, "POST", "/reverse", "", nil)
	}
	switch {
	case err != nil:
		conn.Close()
		return err
	case a.code == 101:
		conn.SetDeadline(time.Time{})
		p.events = l
		return nil
	case a.code == 404, a.code == 405, a.code == 501:
		conn.Close()
		return nil
	}
	conn.Close()
	return a.ok("reverse")
}

// play asks with a property list, which UxPlay demands, and with text where
// that is not understood, as by the oldest receivers.
func (p *plain) play(ctx context.Context, f request) error {
	if err := f.check(); err != nil {
		return err
	}
	body, err := plist.Marshal(plist.Dict{
		"Content-Location": f.address, "Start-Position-Seconds": f.from.Seconds(), "uuid": f.id,
		"X-Apple-Session-ID": p.id, "rate": 1.0, "clientProcName": p.session.cfg.Name, // UxPlay wants to know
	})
	if err != nil {
		return err
	}
	a, err := p.line.ask(ctx, "POST", "/play", listType, body)
	if err == nil && (a.code == 400 || a.code == 406 || a.code == 415) {
		text := "Content-Location: " + f.address + "\nStart-Position: 0.000000\n"
		refused := a.ok("play")
		if a, err = p.line.ask(ctx, "POST", "/play", "text/parameters", []byte(text)); err != nil {
			return refused // it was not the form that was wrong
		}
	}
	if err == nil {
		err = anotherWay(a.ok("play"))
	}
	return err
}

// eventMost is how many bytes an event may have.
const eventMost = 1 << 20

// hear reads what the receiver tells on the reversed line, and answers. When
// that line ends, polling goes on.
func (p *plain) hear() {
	defer close(p.done)
	if p.events == nil {
		return
	}
	defer p.events.close()
	for {
		req, err := http.ReadRequest(p.events.r)
		if err != nil {
			p.session.cfg.Logger.Debug().Err(err).Msg("video events end")
			return
		}
		body, err := io.ReadAll(io.LimitReader(req.Body, eventMost+1))
		if err != nil || len(body) > eventMost {
			return
		}
		p.events.conn.SetWriteDeadline(time.Now().Add(answerPatience))
		if _, err := io.WriteString(p.events.conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
		event, err := plist.UnmarshalDict(body)
		if err != nil {
			continue // it was acknowledged; what it says is not understood
		}
		if event.Text("type") == "unhandledURLRequest" {
			p.session.grant(p.life, p, wish{request: event.Dict("request")})
			continue
		}
		p.session.heard(p, event)
	}
}

func (p *plain) addresses() (near, far net.Addr) {
	return p.line.conn.LocalAddr(), p.line.conn.RemoteAddr()
}

func (p *plain) close() {
	p.end()
	p.line.close()
	if p.events != nil {
		p.events.close()
	}
	<-p.done
}

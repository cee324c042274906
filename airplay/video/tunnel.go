package video

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/parameter"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

const (
	connectPatience = 3 * time.Second
	// setupPatience is for receivers that ask us for the time first: Apple TVs
	// give up after half a minute.
	setupPatience    = 12 * time.Second
	feedbackBetween  = 2 * time.Second
	feedbackPatience = 6 * time.Second
)

// A tunnel is a session of AirPlay 2 without sound: an encrypted connection, a
// channel on which the receiver tells things, and a beat that keeps both alive.
// What is played in it ends with it.
type tunnel struct {
	session *Session
	names   names
	agent   string
	near    netip.AddrPort
	far     netip.AddrPort
	client  *rtsp.Client
	keys    hap.Keys
	port    uint16   // of events
	events  net.Conn // nil: not connected yet
	clock   *clock   // nil: none is kept
	told    func(plist.Dict)
	link    link // that it is the tunnel of

	// busy is full while requests are sent that must follow each other: a beat
	// between them ends the connection (docs/protocols/video.md, play queue).
	busy chan struct{}
	life context.Context
	end  context.CancelFunc
	work sync.WaitGroup
	once sync.Once
}

// names are those by which the receiver knows us in a tunnel.
type names struct {
	device  string // as a hardware address
	session string // UUID
	remote  string // DACP-ID
	number  uint32
}

func (s *Session) newNames() (n names, err error) {
	var b [18]byte
	if _, err = io.ReadFull(s.cfg.Rand, b[:]); err != nil {
		return n, err
	}
	b[0] = b[0]&^1 | 2 // locally administered
	n.device = strings.ToUpper(net.HardwareAddr(b[:6]).String())
	n.remote = strings.ToUpper(hex.EncodeToString(b[6:14]))
	n.number = uint32(b[14])<<24 | uint32(b[15])<<16 | uint32(b[16])<<8 | uint32(b[17])
	id, err := newID(s.cfg.Rand)
	n.session = strings.ToUpper(id)
	return n, err
}

// connectTunnel connects, shows who we are, and encrypts.
func (s *Session) connectTunnel(ctx context.Context, by proof, agent string) (*tunnel, error) {
	connecting, cancel := context.WithTimeout(ctx, connectPatience)
	raw, err := s.cfg.DialContext(connecting, "tcp", s.address)
	cancel()
	if err != nil {
		return nil, err
	}
	near, errNear := netip.ParseAddrPort(raw.LocalAddr().String())
	far, errFar := netip.ParseAddrPort(raw.RemoteAddr().String())
	own, err := s.newNames()
	if err := errors.Join(errNear, errFar, err); err != nil {
		raw.Close()
		return nil, err
	}
	conn := hap.NewConn(raw)
	t := &tunnel{session: s, names: own, agent: agent, near: near, far: far, busy: make(chan struct{}, 1), told: func(plist.Dict) {}}
	t.life, t.end = context.WithCancel(context.Background())
	t.client = rtsp.NewClient(conn, rtsp.Config{Password: s.cfg.Password, Patience: answerPatience, Logger: s.cfg.Logger,
		Header: rtsp.Header{
			{Name: "User-Agent", Value: agent}, {Name: "DACP-ID", Value: own.remote}, {Name: "Client-Instance", Value: own.remote},
			{Name: "Active-Remote", Value: strconv.FormatUint(uint64(own.number), 10)}, {Name: "X-Apple-Session-ID", Value: own.session},
		}})
	if t.keys, err = s.prove(ctx, t.client, by); err != nil {
		t.close()
		return nil, err
	}
	conn.Encrypt(t.keys.Control())
	return t, nil
}

func (t *tunnel) url() string {
	host := t.near.Addr().WithZone("").String()
	if t.near.Addr().Is6() {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("rtsp://%s/%d", host, t.names.number)
}

// say asks for something of the session, in RTSP, and takes nothing but 200.
func (t *tunnel) say(ctx context.Context, patience time.Duration, method string, d plist.Dict) (plist.Dict, error) {
	req := rtsp.Request{Method: method, URI: t.url()}
	if d != nil {
		b, err := plist.Marshal(d)
		if err != nil {
			return nil, err
		}
		req.Body, req.Header = b, rtsp.Header{{Name: "Content-Type", Value: listType}}
	}
	resp, err := t.client.DoWithin(ctx, patience, req)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", strings.ToLower(method), err)
	case resp.Code != 200:
		return nil, &StatusError{Request: strings.ToLower(method), Code: resp.Code, Reason: resp.Reason}
	case len(resp.Body) == 0:
		return plist.Dict{}, nil
	}
	return plist.UnmarshalDict(resp.Body)
}

// begin goes through what both ways have in common: names and time, the channel
// of events, the beat. told is called with each event, and must not wait.
func (t *tunnel) begin(ctx context.Context, by timing, told func(plist.Dict)) error {
	t.told = told
	body := plist.Dict{
		"deviceID": t.names.device, "macAddress": t.names.device, "sessionUUID": t.names.session, "name": t.session.cfg.Name,
		"sessionCorrelationUUID": t.names.session,
		// What Apple's senders say besides.
		"model": "iPhone14,3", "osName": "iPhone OS", "osVersion": "16.5", "osBuildVersion": "20F66", "sourceVersion": "690.7.1",
		"isMultiSelectAirPlay": true, "groupContainsGroupLeader": false, "senderSupportsRelay": false, "statsCollectionEnabled": false,
	}
	if err := t.keepTime(by, body); err != nil {
		return err
	}
	answer, err := t.say(ctx, setupPatience, "SETUP", body)
	if err != nil {
		return t.untimed(by, err)
	}
	port, ok := answer.Int("eventPort")
	if !ok || port <= 0 || port >= 1<<16 {
		return fmt.Errorf("%w: %w: it answered 200 to nothing", errTimes, ErrTiming)
	}
	t.port = uint16(port)
	if err := t.connectEvents(ctx); err != nil {
		return err
	}
	t.work.Go(t.beat)
	t.work.Go(t.watch)
	return nil
}

// connectEvents connects the channel of events. Some listen a little later than
// they say (airplay2-receiver).
func (t *tunnel) connectEvents(ctx context.Context) error {
	address := netip.AddrPortFrom(t.far.Addr(), t.port).String()
	var err error
	for range 6 {
		var conn net.Conn
		if conn, err = t.session.cfg.DialContext(ctx, "tcp", address); err == nil {
			c := hap.NewConn(conn)
			c.Encrypt(t.keys.Events())
			t.events = c
			t.work.Go(t.hear)
			return nil
		}
		if !wait(ctx, 250*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
	return fmt.Errorf("event channel: %w", err)
}

// wait is false if ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// hear is the goroutine that answers what the receiver tells by itself. An
// Apple TV drops a session whose events are not answered.
func (t *tunnel) hear() {
	br := bufio.NewReader(t.events)
	for {
		req, err := rtsp.ReadRequest(br)
		if err == nil {
			if event, bad := unwrap(req.Body); bad == nil {
				t.told(event)
			}
			resp := rtsp.Response{Code: 200, Reason: "OK", Protocol: req.Protocol, Header: rtsp.Header{{Name: "Content-Length", Value: "0"}}}
			if n := req.Header.Get("CSeq"); n != "" {
				resp.Header.Add("CSeq", n)
			}
			t.events.SetWriteDeadline(time.Now().Add(answerPatience))
			_, err = t.events.Write(resp.AppendTo(nil))
		}
		if err != nil {
			t.gone(fmt.Errorf("its channel of events has ended: %w", err))
			return
		}
	}
}

// unwrap takes an event out of the message that it is wrapped in.
func unwrap(body []byte) (plist.Dict, error) {
	outer, err := plist.UnmarshalDict(body)
	if err != nil {
		return nil, err
	}
	if inner := outer.Dict("params").Bytes("data"); inner != nil {
		return plist.UnmarshalDict(inner)
	}
	return outer, nil
}

// beat is the goroutine that says that we are still here.
func (t *tunnel) beat() {
	for wait(t.life, feedbackBetween) {
		select {
		case t.busy <- struct{}{}:
			// Every answer is good; none ends the connection, and so the session.
			t.client.DoWithin(t.life, feedbackPatience, rtsp.Request{Method: "POST", URI: "/feedback"})
			t.release()
		default:
		}
	}
}

// occupy keeps the beat out until release.
func (t *tunnel) occupy(ctx context.Context) error {
	select {
	case t.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *tunnel) release() { <-t.busy }

// watch tells the session when the connection ends.
func (t *tunnel) watch() {
	select {
	case <-t.life.Done():
	case <-t.client.Done():
		t.gone(t.client.Err())
	}
}

// gone ends a tunnel that the receiver has ended.
func (t *tunnel) gone(err error) {
	if t.life.Err() == nil {
		t.session.lost(t.link, err)
	}
}

// fetch is the goroutine that fetches playlists for the receiver, one after the
// other.
func (t *tunnel) fetch(wishes <-chan wish) {
	for {
		select {
		case <-t.life.Done():
			return
		case w := <-wishes:
			t.session.grant(t.life, t.link, w)
		}
	}
}

// ask asks for something about films, in HTTP on the same connection.
func (t *tunnel) ask(ctx context.Context, method, path, mime string, body []byte) (answer, error) {
	req := rtsp.Request{Method: method, URI: path, Body: body, Protocol: rtsp.HTTP, Header: rtsp.Header{
		{Name: "X-Apple-ProtocolVersion", Value: "1"}, {Name: "X-Apple-Stream-ID", Value: "1"}}}
	if mime != "" {
		req.Header.Add("Content-Type", mime)
	}
	if len(body) == 0 && method != "GET" {
		req.Header.Add("Content-Length", "0")
	}
	return t.do(ctx, req)
}

func (t *tunnel) do(ctx context.Context, req rtsp.Request) (answer, error) {
	resp, err := t.client.Do(ctx, req)
	return answer{code: resp.Code, reason: resp.Reason, body: resp.Body}, err
}

// volume sets that of the receiver, which not every television takes.
func (t *tunnel) volume(ctx context.Context, level float64) error {
	resp, err := t.client.Do(ctx, rtsp.Request{Method: "SET_PARAMETER", URI: t.url(), Body: parameter.Volume(level),
		Header: rtsp.Header{{Name: "Content-Type", Value: "text/parameters"}}})
	if err == nil && resp.Code != 200 {
		err = fmt.Errorf("%w: %w", ErrNoVolume, &StatusError{Request: "set_parameter", Code: resp.Code, Reason: resp.Reason})
	}
	return err
}

func (t *tunnel) addresses() (near, far net.Addr) {
	return net.TCPAddrFromAddrPort(t.near), net.TCPAddrFromAddrPort(t.far)
}

// close says goodbye, so that others can use the receiver, hangs up, and waits.
func (t *tunnel) close() {
	t.once.Do(func() {
		t.end()
		if t.events != nil && t.client.Err() == nil {
			ctx, cancel := context.WithTimeout(context.Background(), goodbye)
			t.say(ctx, goodbye, "TEARDOWN", plist.Dict{})
			cancel()
		}
		if t.events != nil {
			t.events.Close()
		}
		if t.clock != nil {
			t.clock.close()
		}
		t.client.Close()
	})
	t.work.Wait()
}

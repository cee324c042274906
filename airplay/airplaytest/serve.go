package airplaytest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"airplay2mqtt/internal/fake"
	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// A caller is a connection. It belongs to the goroutine that serves it.
type caller struct {
	r       *Receiver
	raw     net.Conn
	conn    *hap.Conn
	peer    *hap.Peer
	keys    hap.Keys // once paired
	secured bool
	encrypt bool // once this is answered
	session *session
	bye     bool
}

// serve answers the requests of one connection.
func (r *Receiver) serve(conn net.Conn) {
	defer r.wg.Done()
	c := &caller{r: r, raw: conn, conn: hap.NewConn(conn), peer: r.accessory.Connect()}
	defer func() {
		conn.Close()
		r.mu.Lock()
		delete(r.conns, conn)
		r.mu.Unlock()
		c.session.end()
	}()
	br := bufio.NewReader(c.conn)
	for !c.bye {
		req, err := rtsp.ReadRequest(br)
		if err != nil {
			return
		}
		r.transcribe(req)
		if !c.think(req.Method) {
			return
		}
		if raw, ok := c.hostile(req); ok {
			io.WriteString(c.raw, raw)
			continue
		}
		resp := c.answer(req)
		resp.Protocol = req.Protocol
		resp.Header = append(rtsp.Header{{Name: "CSeq", Value: req.Header.Get("CSeq")}, {Name: "Server", Value: "AirTunes/" + r.cfg.Version}}, resp.Header...)
		if len(resp.Body) == 0 {
			resp.Header.Add("Content-Length", "0")
		}
		if _, err := c.conn.Write(resp.AppendTo(nil)); err != nil {
			return
		}
		if c.encrypt {
			c.encrypt, c.secured = false, true
			c.conn.Encrypt(c.keys.Control().Reverse())
		}
	}
}

// hostile is what is said instead of an answer.
func (c *caller) hostile(req rtsp.Request) (raw string, ok bool) {
	for _, key := range []string{req.Method, req.Method + " " + req.URI} {
		if raw, ok = c.r.cfg.Raw[key]; ok {
			return raw, true
		}
	}
	return "", false
}

// think waits as long as the receiver thinks about a method. It is false if
// that is for ever.
func (c *caller) think(method string) bool { return fake.Think(c.r.cfg.Delays[method], c.r.over) }

func code(n int, reason string) rtsp.Response { return rtsp.Response{Code: n, Reason: reason} }

func ok() rtsp.Response { return code(200, "OK") }

// list answers with a property list.
func list(d plist.Dict) rtsp.Response {
	b, err := plist.Marshal(d)
	if err != nil {
		return code(500, "Internal Server Error")
	}
	resp := ok()
	resp.Header.Add("Content-Type", "application/x-apple-binary-plist")
	resp.Body = b
	return resp
}

// answer decides what to say to a request.
func (c *caller) answer(req rtsp.Request) rtsp.Response {
	for _, key := range []string{req.Method, req.Method + " " + req.URI} {
		if n := c.r.cfg.Answers[key]; n != 0 {
			return code(n, "As Told")
		}
	}
	if req.URI == "/info" {
		return list(c.r.info())
	}
	if resp, ok := c.pair(req); ok {
		return resp
	}
	if !c.secured {
		return code(470, "Connection Authorization Required")
	}
	if resp, ok := c.films(req); ok {
		return resp
	}
	switch req.Method {
	case "SETUP":
		return c.setup(req)
	case "POST":
		return c.post(req)
	}
	if c.session == nil {
		return code(455, "Method Not Valid in This State")
	}
	switch req.Method {
	case "RECORD":
		c.session.recorded = true
		c.r.note(func(l *Log) { l.Sessions++ })
		return ok()
	case "SETPEERS", "SETPEERSX":
		return c.setPeers(req)
	case "SET_PARAMETER":
		return c.setParameter(req)
	case "FLUSH":
		c.session.flush()
		return ok()
	case "SETRATEANCHORTIME", "FLUSHBUFFERED":
		return c.control(req)
	case "TEARDOWN":
		return c.tearDown(req)
	}
	return code(501, "Not Implemented")
}

// inUse is the status flag of a receiver on which somebody plays.
const inUse = 1 << 17

// info is what it says of itself when it is asked.
func (r *Receiver) info() plist.Dict {
	flags := r.cfg.Flags
	r.mu.Lock()
	if r.taken {
		flags |= inUse
	}
	r.mu.Unlock()
	return plist.Dict{
		"deviceID": r.TXT()["deviceid"], "model": r.cfg.Model, "manufacturer": r.cfg.Manufacturer, "name": r.cfg.Name,
		"features": int64(r.cfg.Features), "statusFlags": int64(flags), "sourceVersion": r.cfg.Version,
		"initialVolume": -15.0,
	}
}

func (c *caller) post(req rtsp.Request) rtsp.Response {
	switch req.URI {
	case "/feedback":
		c.r.note(func(l *Log) { l.Feedbacks++ })
		return ok()
	case "/command":
		return c.command(req)
	}
	return code(404, "Not Found")
}

// command takes what a screen is to show: 400 where it is not wrapped as it
// ought to be (airplay-cli).
func (c *caller) command(req rtsp.Request) rtsp.Response {
	body, err := plist.UnmarshalDict(req.Body)
	if err != nil {
		return code(400, "Bad Request")
	}
	if body.Text("type") != "updateMRNowPlayingInfo" {
		return ok()
	}
	wrapped := body.Dict("params")
	policy := wrapped.Text("mergePolicy")
	if wrapped.Text("type") != "npi-text" || policy != "replace" && policy != "update" {
		return code(400, "Bad Request")
	}
	said := map[string]string{"mergePolicy": policy}
	for key, value := range wrapped.Dict("params") {
		said[strings.TrimPrefix(key, "kMRMediaRemoteNowPlayingInfo")] = fmt.Sprint(value)
	}
	c.r.note(func(l *Log) { l.Screens = append(l.Screens, said) })
	return ok()
}

// setup takes both kinds of SETUP.
func (c *caller) setup(req rtsp.Request) rtsp.Response {
	if c.r.cfg.Digest != "" {
		d := rtsp.Digest{Challenge: rtsp.Challenge{Realm: "airplay", Nonce: "jpQdjBveIvw"}, Password: c.r.cfg.Digest}
		if !d.Verify(req.Header.Get("Authorization"), req.Method) {
			resp := code(401, "Unauthorized")
			resp.Header.Add("WWW-Authenticate", `Digest realm="airplay", nonce="jpQdjBveIvw"`)
			return resp
		}
	}
	body, err := plist.UnmarshalDict(req.Body)
	if err != nil {
		return code(400, "Bad Request")
	}
	if streams := body.List("streams"); streams != nil {
		return c.setupStream(streams)
	}
	c.r.buttons.Remember(req.Header)
	return c.setupSession(body)
}

// setupSession lets a sender in; the one before is hung up on.
func (c *caller) setupSession(body plist.Dict) rtsp.Response {
	cfg := c.r.cfg
	timing := body.Text("timingProtocol")
	switch {
	case timing == "NTP" && cfg.NoNTP && !cfg.OwnClock:
		return ok() // shairport-sync: 200, and nothing in it [T]
	case timing != "NTP" && timing != "PTP", timing == "PTP" && clockless(body) && (cfg.Films == nil || cfg.Films.RefusesPTP):
		return code(400, "Bad Request")
	}
	s, err := newSession(c, timing)
	if err != nil {
		return code(500, "Internal Server Error")
	}
	c.r.mu.Lock()
	before := c.r.current
	c.r.current = s
	c.r.mu.Unlock()
	if before != nil && before.caller != c {
		before.caller.raw.Close()
	}
	c.session = s
	port := 0
	if timing == "NTP" {
		n, _ := body.Int("timingPort")
		if err := s.askNTP(int(n)); err != nil {
			return code(500, "Internal Server Error")
		}
		port = fake.Port(s.timing)
		if cfg.Films != nil && !s.learnsTime() {
			return code(400, "Bad Request")
		}
	}
	if cfg.Films != nil {
		s.watchFilms(timing)
	}
	return list(plist.Dict{"eventPort": int64(s.events.Addr().(*net.TCPAddr).Port), "timingPort": int64(port)})
}

// clockless tells whether PTP is there in name only, which is enough for films.
func clockless(setup plist.Dict) bool {
	_, named := setup.Dict("timingPeerInfo")["ClockID"]
	return !named
}

// setPeers names whose clocks count.
func (c *caller) setPeers(req rtsp.Request) rtsp.Response {
	v, err := plist.Unmarshal(req.Body)
	peers, isList := v.([]any)
	if err != nil || !isList || len(peers) == 0 {
		return code(400, "Bad Request")
	}
	if err := c.session.keepPTP(); err != nil {
		return code(500, "Internal Server Error")
	}
	return ok()
}

func (c *caller) setupStream(streams []any) rtsp.Response {
	stream, isDict := streams[0].(plist.Dict)
	if c.session == nil || !isDict {
		return code(455, "Method Not Valid in This State")
	}
	open := c.session.open
	if kind, _ := stream.Int("type"); kind == 130 && c.r.cinema != nil {
		open = func(d plist.Dict) (plist.Dict, error) { return c.r.cinema.openStream(c.session, d) }
	}
	answer, err := open(stream)
	if err != nil {
		return code(400, err.Error())
	}
	return list(plist.Dict{"streams": []any{answer}})
}

func (c *caller) tearDown(req rtsp.Request) rtsp.Response {
	body, err := plist.UnmarshalDict(req.Body)
	if err != nil {
		return code(400, "Bad Request")
	}
	if body.List("streams") == nil {
		c.r.note(func(l *Log) { l.Teardowns++ })
		c.bye = true
	}
	return ok()
}

func (c *caller) setParameter(req rtsp.Request) rtsp.Response {
	info := req.Header.Get("RTP-Info")
	switch kind := req.Header.Get("Content-Type"); {
	case kind == "text/parameters":
		return c.setText(string(req.Body))
	case info == "": // Sonos: 400 without it (airplay-cli)
		return code(400, "Bad Request")
	case kind == "application/x-dmap-tagged":
		items, err := fake.DMAP(req.Body)
		if err != nil {
			return code(400, "Bad Request")
		}
		c.session.told.Store(true)
		c.r.note(func(l *Log) { l.Texts = append(l.Texts, Text{info, items}) })
	case strings.HasPrefix(kind, "image/"):
		c.r.note(func(l *Log) { l.Artworks = append(l.Artworks, kind) })
	default:
		return code(415, "Unsupported Media Type")
	}
	return ok()
}

// setText reads "name: value".
func (c *caller) setText(body string) rtsp.Response {
	name, value, _ := strings.Cut(strings.TrimSpace(body), ": ")
	switch name {
	case "volume":
		db, err := strconv.ParseFloat(value, 64)
		if err != nil || db != -144 && (db < -30 || db > 0) {
			return code(400, "Bad Request")
		}
		if c.r.cfg.Films != nil && c.r.cfg.Films.NoVolume {
			return code(501, "Not Implemented")
		}
		c.r.note(func(l *Log) { l.Volumes = append(l.Volumes, db) })
	case "progress":
		c.r.note(func(l *Log) { l.Progresses = append(l.Progresses, value) })
	}
	return ok()
}

// control is how buffered sound is started, stopped and forgotten.
func (c *caller) control(req rtsp.Request) rtsp.Response {
	body, err := plist.UnmarshalDict(req.Body)
	if err != nil || c.session.stream == nil {
		return code(400, "Bad Request")
	}
	if req.Method == "FLUSHBUFFERED" {
		c.session.flush()
		return ok()
	}
	if !c.session.anchorAt(body) {
		return code(400, "Bad Request")
	}
	return ok()
}

// Sender returns by which DACP-ID who plays, or played last, is to be found,
// and by which Active-Remote the receiver signs what it tells him.
func (r *Receiver) Sender() (dacpID string, activeRemote uint32) { return r.buttons.Sender() }

// PressButton does what shairport-sync does when one of its buttons is pressed;
// see dacptest.Panel.
func (r *Receiver) PressButton(ctx context.Context, server, command string) (code int, err error) {
	return r.buttons.Press(ctx, r.cfg.Network, server, command)
}

// Press tells the sender that somebody touched the receiver: "paus", "nitm".
func (r *Receiver) Press(wish string) error {
	r.mu.Lock()
	s := r.current
	r.mu.Unlock()
	if s == nil {
		return fmt.Errorf("airplaytest: nobody plays")
	}
	return s.tell(plist.Dict{"type": "sendMediaRemoteCommand", "value": wish})
}

package raoptest

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"airplay2mqtt/internal/fake"
	"airplay2mqtt/internal/legacy"
	"airplay2mqtt/internal/rtsp"
)

// ownVolume is what shairport-sync begins with.
const ownVolume = -24.0

// A caller is a connection. It belongs to the goroutine that serves it.
type caller struct {
	r         *Receiver
	conn      net.Conn
	authSetup bool
	paired    *legacy.Peer // nil: everybody may play
	session   *session     // since ANNOUNCE
	bye       bool
}

// serve answers the requests of one connection.
func (r *Receiver) serve(conn net.Conn) {
	defer r.wg.Done()
	c := &caller{r: r, conn: conn}
	if r.cfg.Pairing != nil {
		c.paired = r.cfg.Pairing.Connect()
	}
	defer func() {
		conn.Close()
		r.mu.Lock()
		delete(r.conns, conn)
		r.mu.Unlock()
		c.session.end()
	}()
	br := bufio.NewReader(conn)
	for !c.bye {
		if r.cfg.QuietLimit > 0 {
			conn.SetReadDeadline(time.Now().Add(r.cfg.QuietLimit))
		}
		req, err := rtsp.ReadRequest(br)
		if err != nil {
			return
		}
		r.transcribe(">", req.Method+" "+req.URI, req.Header, req.Body)
		if !c.think(req.Method) {
			return
		}
		if b := r.cfg.Breaks[req.Method]; b != 0 {
			if !c.breakOff(b) {
				return
			}
			continue
		}
		resp := c.answer(req)
		if err := c.say(req, resp); err != nil {
			return
		}
		c.afterwards(req, resp)
	}
}

// breakOff fails to answer, and tells whether the connection stands.
func (c *caller) breakOff(b Break) bool {
	switch b {
	case Garbage:
		_, err := c.conn.Write([]byte("\x16\x03\x01 what listens here\r\nspeaks something else\r\n\r\n"))
		return err == nil
	case Half, HalfHangsUp:
		_, err := c.conn.Write([]byte("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Le"))
		return err == nil && b == Half
	}
	return false
}

// think waits as long as the receiver thinks about a method. It is false if
// that is for ever.
func (c *caller) think(method string) bool { return fake.Think(c.r.cfg.Delays[method], c.r.over) }

// say sends an answer in the manner of the receiver.
func (c *caller) say(req rtsp.Request, resp rtsp.Response) error {
	cseq := req.Header.Get("CSeq")
	if c.r.cfg.WrongCSeq {
		cseq = "1"
	}
	header := append(rtsp.Header{{Name: "CSeq", Value: cseq}, {Name: "Server", Value: "AirTunes/105.1"}}, resp.Header...)
	if len(resp.Body) == 0 && !c.r.cfg.NoContentLength {
		header.Add("Content-Length", "0")
	}
	if c.r.cfg.LowerCase {
		for i := range header {
			header[i].Name = strings.ToLower(header[i].Name)
		}
	}
	resp.Header = header
	c.r.transcribe("<", fmt.Sprintf("%d %s", resp.Code, resp.Reason), resp.Header, resp.Body)
	b := resp.AppendTo(nil)
	step := len(b)
	if c.r.cfg.Drips {
		step = 1
	}
	for ; len(b) > 0; b = b[step:] {
		if _, err := c.conn.Write(b[:step]); err != nil {
			return err
		}
	}
	return nil
}

func code(n int, reason string) rtsp.Response { return rtsp.Response{Code: n, Reason: reason} }

func ok(header ...rtsp.Field) rtsp.Response {
	return rtsp.Response{Code: 200, Reason: "OK", Header: header}
}

// answer decides what to say to a request.
func (c *caller) answer(req rtsp.Request) rtsp.Response {
	cfg := c.r.cfg
	if !c.authorized(req) {
		return rtsp.Response{Code: 401, Reason: "Unauthorized", Header: rtsp.Header{{Name: "WWW-Authenticate", Value: cfg.Challenge}}}
	}
	for _, key := range []string{req.Method, req.Method + " " + req.URI} {
		if n := cfg.Answers[key]; n != 0 {
			return code(n, "As Told")
		}
	}
	if c.session == nil {
		switch req.Method {
		case "SETUP", "RECORD", "FLUSH", "SET_PARAMETER":
			return code(451, "Unavailable")
		}
	}
	switch req.Method {
	case "OPTIONS":
		c.r.note(func(l *Log) { l.KeepAlives++ })
		return ok(rtsp.Field{Name: "Public", Value: "ANNOUNCE, SETUP, RECORD, PAUSE, FLUSH, TEARDOWN, OPTIONS, GET_PARAMETER, SET_PARAMETER"})
	case "POST":
		return c.post(req)
	case "ANNOUNCE":
		return c.announce(req)
	case "SETUP":
		return c.setup(req)
	case "RECORD":
		return c.record(req)
	case "FLUSH":
		_, rtptime := parseRTPInfo(req.Header.Get("RTP-Info"))
		c.session.flush(rtptime)
		return ok()
	case "SET_PARAMETER":
		return c.setParameter(req)
	case "GET_PARAMETER":
		return c.getParameter(req)
	case "TEARDOWN":
		c.r.note(func(l *Log) { l.Teardowns++ })
		c.session.end()
		c.session, c.bye = nil, true
		return ok(rtsp.Field{Name: "Connection", Value: "close"})
	}
	return code(501, "Not Implemented")
}

func (c *caller) authorized(req rtsp.Request) bool {
	cfg := c.r.cfg
	if cfg.Password == "" {
		return true
	}
	challenge, _ := rtsp.ParseChallenge(cfg.Challenge)
	d := rtsp.Digest{Challenge: challenge, Password: cfg.Password, Upper: cfg.UpperDigest}
	return d.Verify(req.Header.Get("Authorization"), req.Method)
}

func (c *caller) post(req rtsp.Request) rtsp.Response {
	if c.paired != nil {
		if resp, ok := c.paired.Answer(req); ok {
			return resp
		}
	}
	switch req.URI {
	case "/feedback":
		c.r.note(func(l *Log) { l.KeepAlives++ })
		return ok()
	case "/auth-setup":
		if c.r.cfg.AuthSetupFails {
			c.bye = true
			return code(500, "Internal Server Error")
		}
		if len(req.Body) != 33 || req.Body[0] != 1 {
			return code(400, "Bad Request")
		}
		c.authSetup = true
		resp := ok(rtsp.Field{Name: "Content-Type", Value: "application/octet-stream"})
		resp.Body = make([]byte, 700)
		return resp
	}
	return code(404, "Not Found")
}

func (c *caller) announce(req rtsp.Request) rtsp.Response {
	cfg := c.r.cfg
	sound, err := parseSound(req.Body, cfg.Key)
	switch {
	case c.paired != nil && !c.paired.Verified():
		return code(470, "Client Authentication Required")
	case cfg.NeedsAuthSetup && !c.authSetup:
		return code(403, "Forbidden")
	case cfg.Busy:
		return code(453, "Not Enough Bandwidth")
	case cfg.RefusesKeys && sound.encrypted:
		return code(406, "Not Acceptable")
	case cfg.NeedsKey && !sound.encrypted:
		return code(406, "Not Acceptable")
	case err != nil:
		return code(456, err.Error())
	}
	s := newSession(c.r, c.conn, sound)
	if !c.r.take(s) {
		return code(453, "Not Enough Bandwidth")
	}
	c.session = s
	c.r.buttons.Remember(req.Header)
	return ok()
}

// take makes s the one who plays. It is false if somebody else does and is
// not to be interrupted.
func (r *Receiver) take(s *session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil {
		if !r.cfg.Interruptible {
			return false
		}
		r.current.conn.Close()
	}
	r.current = s
	return true
}

func (c *caller) setup(req rtsp.Request) rtsp.Response {
	cfg := c.r.cfg
	control, timing := parsePorts(req.Header.Get("Transport"))
	if control == 0 || timing == 0 {
		return code(400, "Bad Request")
	}
	if err := c.session.open(control, timing); err != nil {
		return code(500, err.Error())
	}
	if cfg.AsksTimeAtSetup {
		c.session.askTime()
		if !c.session.waitForTime(500 * time.Millisecond) {
			return code(520, "Origin Error")
		}
	}
	timingPort := fake.Port(c.session.timing)
	if cfg.ZeroTimingPort {
		timingPort = 0
	}
	session := rtsp.Field{Name: "Session", Value: cfg.SessionID}
	audio, control := fake.Port(c.session.audio), fake.Port(c.session.control)
	if cfg.Jack {
		return ok(session, rtsp.Field{Name: "Audio-Jack-Status", Value: "connected; type=analog"},
			rtsp.Field{Name: "Transport", Value: fmt.Sprintf("RTP/AVP/UDP;unicast;mode=record;server_port=%d;control_port=%d;timing_port=%d", audio, control, timingPort)})
	}
	return ok(session, rtsp.Field{Name: "Transport",
		Value: fmt.Sprintf("RTP/AVP/UDP;unicast;interleaved=0-1;mode=record;control_port=%d;timing_port=%d;server_port=%d", control, timingPort, audio)})
}

func (c *caller) record(req rtsp.Request) rtsp.Response {
	cfg := c.r.cfg
	if c.session.audio == nil {
		return code(455, "Method Not Valid in This State")
	}
	if !cfg.NeverAsksTime {
		c.session.askTime()
	}
	if cfg.RecordWaitsForTime && !c.session.waitForTime(30*time.Second) {
		return code(500, "Internal Server Error")
	}
	seq, rtptime := parseRTPInfo(req.Header.Get("RTP-Info"))
	c.session.record(seq, rtptime)
	c.r.note(func(l *Log) { l.Sessions++ })
	if cfg.AudioLatency < 0 {
		return ok()
	}
	return ok(rtsp.Field{Name: "Audio-Latency", Value: strconv.Itoa(cfg.AudioLatency)})
}

// afterwards does what receivers do by themselves after RECORD.
func (c *caller) afterwards(req rtsp.Request, resp rtsp.Response) {
	if req.Method != "RECORD" || resp.Code != 200 {
		return
	}
	if c.r.cfg.OverwritesVolume {
		c.session.after(5*time.Millisecond, func() { c.r.setVolume(ownVolume, true) })
	}
	if d := c.r.cfg.HangsUpAfter; d > 0 {
		c.session.after(d, func() { c.conn.Close() })
	}
}

func (r *Receiver) setVolume(decibels float64, own bool) {
	r.note(func(l *Log) { l.Volumes = append(l.Volumes, Volume{time.Now(), decibels, own}) })
}

func (c *caller) getParameter(req rtsp.Request) rtsp.Response {
	if strings.TrimSpace(string(req.Body)) != "volume" {
		return ok()
	}
	resp := ok(rtsp.Field{Name: "Content-Type", Value: "text/parameters"})
	resp.Body = fmt.Appendf(nil, "volume: %f\r\n", c.r.Volume())
	return resp
}

func (c *caller) setParameter(req rtsp.Request) rtsp.Response {
	now, info := time.Now(), req.Header.Get("RTP-Info")
	switch kind := req.Header.Get("Content-Type"); {
	case kind == "text/parameters":
		return c.setText(string(req.Body))
	case kind == "application/x-dmap-tagged":
		items, err := fake.DMAP(req.Body)
		if err != nil {
			return code(400, "Bad Request")
		}
		c.r.note(func(l *Log) { l.Texts = append(l.Texts, Text{now, strings.TrimPrefix(info, "rtptime="), items}) })
	case strings.HasPrefix(kind, "image/"):
		c.r.note(func(l *Log) { l.Artworks = append(l.Artworks, Artwork{now, kind, req.Body}) })
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
		if c.r.cfg.RefusesEarlyVolume && !c.session.recording() {
			return code(455, "Method Not Valid in This State")
		}
		c.r.setVolume(db, false)
	case "progress":
		c.r.note(func(l *Log) { l.Progresses = append(l.Progresses, value) })
	}
	return ok()
}

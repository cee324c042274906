package raop

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"airplay2mqtt/dacp"
	"airplay2mqtt/internal/duty"
	"airplay2mqtt/internal/ntp"
	"airplay2mqtt/internal/parameter"
	"airplay2mqtt/internal/rtsp"
)

const (
	connectPatience = 3 * time.Second
	requestPatience = 10 * time.Second
	// warmUp is how long Dial waits for the first timing request: before it a
	// receiver cannot use what Start says.
	warmUp = 350 * time.Millisecond
)

// Dial makes a receiver ready to play: it connects, authenticates, agrees on
// sound and ports, and waits a moment for the receiver to ask for the time.
// The address is host and port of the receiver's _raop._tcp record. The zero
// Info and a nil Config will do for most receivers.
//
// If the receiver refuses the way of authentication, the others are tried. ctx
// bounds dialling, not the session. Errors name the step that failed, and wrap
// ErrPassword, ErrBusy, ErrPairing, ErrImposter, ErrTiming or a *StatusError where these
// apply.
func Dial(ctx context.Context, address string, info Info, cfg *Config) (*Session, error) {
	d := &dialer{address: address, info: info, cfg: cfg.withDefaults()}
	s, err := d.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("raop: dial %s: %w", address, d.explain(err))
	}
	return s, nil
}

// A dialer tries until a receiver says yes.
type dialer struct {
	address  string
	info     Info
	cfg      Config
	answered bool // the receiver has answered anything on the last connection
}

func (d *dialer) dial(ctx context.Context) (*Session, error) {
	way := d.cfg.Auth
	if way == "" {
		way, _ = d.info.Auth()
	}
	tried := []Auth{way}
	for {
		s, err := d.try(ctx, way)
		if err == nil {
			return s, nil
		}
		next, ok := d.info.another(announceStatus(err), tried)
		if errors.Is(err, errAuthSetup) {
			// Marantz NR1506 answers 500 and is of no use on that
			// connection (docs/protocols/raop.md, quirks).
			next, ok = AuthNone, !slices.Contains(tried, AuthNone)
		}
		if !ok || ctx.Err() != nil {
			return nil, err
		}
		d.cfg.Logger.Debug().Err(err).Str("auth", string(next)).Msg("refused, trying another way")
		way, tried = next, append(tried, next)
	}
}

// announceStatus returns the status with which ANNOUNCE was refused, or 0.
func announceStatus(err error) int {
	var e *StatusError
	if errors.As(err, &e) && e.Method == "ANNOUNCE" {
		return e.Code
	}
	return 0
}

// try goes through the start ladder on one connection.
func (d *dialer) try(ctx context.Context, way Auth) (*Session, error) {
	d.answered = false
	connecting, cancel := context.WithTimeout(ctx, connectPatience)
	conn, err := d.cfg.DialContext(connecting, "tcp", d.address)
	cancel()
	if err != nil {
		return nil, err
	}
	s, err := d.session(conn, way)
	if err != nil {
		return nil, err
	}
	for _, step := range []func(*Session, context.Context) error{
		(*Session).verify,
		(*Session).setupAuth,
		(*Session).bind, // before SETUP: HomePod tries our timing port then
		(*Session).announceSound,
		(*Session).setup,
		(*Session).firstVolume,
		(*Session).record,
		(*Session).firstVolume,
		(*Session).warm,
	} {
		if err := step(s, ctx); err != nil {
			d.answered = s.answered
			s.fail(err)
			s.wg.Wait()
			return nil, err
		}
	}
	s.wg.Add(3)
	go s.watch()
	go s.doChores()
	go s.keepAwake()
	return s, nil
}

// session takes conn over.
func (d *dialer) session(conn net.Conn, way Auth) (*Session, error) {
	s := &Session{
		cfg: d.cfg, info: d.info, quirk: quirkOf(d.info), auth: way, said: -1,
		log:  d.cfg.Logger.With().Str("address", d.address).Logger(),
		near: duty.IP(conn.LocalAddr()), far: duty.IP(conn.RemoteAddr()),
		pcm:   d.info.Codecs != 0 && !d.info.Codecs.Has(CodecALAC),
		clock: ntp.NewClock(), born: time.Now(), offset: d.cfg.Offset,
		asked: make(chan struct{}), wakeSync: duty.NewBell(), volume: duty.NewVolume(),
		agenda: duty.NewAgenda(chores), end: duty.NewEnd("raop", ErrClosed, ErrClosedByReceiver),
	}
	if d.cfg.AudioLatency > 0 {
		s.said = min(int(d.cfg.AudioLatency*44100/time.Second), maxLatency)
	}
	header, number, err := s.draw()
	if err == nil && way == AuthRSA {
		s.crypt, err = newCBC(d.cfg.Rand)
	}
	if err == nil && !(s.near.IsValid() && s.far.IsValid()) {
		err = errors.New("connection has no IP addresses")
	}
	if err != nil {
		conn.Close()
		s.leaveRemote()
		return nil, err
	}
	s.number, s.url = number, sessionURL(s.near, number)
	s.rtsp = rtsp.NewClient(conn, rtsp.Config{Header: header, Password: d.cfg.Password,
		UpperDigest: s.quirk.upper, Patience: requestPatience, Logger: s.log})
	return s, nil
}

// draw fills in what is random: where sequence numbers and time stamps begin,
// and the names by which the receiver knows us.
func (s *Session) draw() (header rtsp.Header, number uint32, err error) {
	var b [26]byte
	if _, err := io.ReadFull(s.cfg.Rand, b[:]); err != nil {
		return nil, 0, err
	}
	s.beat.seq = binary.BigEndian.Uint16(b[0:])
	s.beat.next = max(1, binary.BigEndian.Uint32(b[2:])) // shairport-sync takes 0 for none
	s.ssrc = binary.BigEndian.Uint32(b[6:])
	number = binary.BigEndian.Uint32(b[10:])
	id, remote := s.cfg.DACPID, s.cfg.ActiveRemote
	if id == "" {
		id = dacp.ID([8]byte(b[14:22]))
	}
	if remote == 0 {
		remote = max(1, binary.BigEndian.Uint32(b[22:]))
	}
	if rs := s.cfg.RemoteServer; rs != nil {
		id = rs.ID()
		remote = rs.Enter(dacp.Session{Far: s.far, Number: remote, IsNews: s.isNews, Tell: s.cfg.Remote})
		s.active = remote
	}
	header = rtsp.Header{
		{Name: "User-Agent", Value: s.cfg.UserAgent},
		{Name: "Client-Instance", Value: id},
		{Name: "DACP-ID", Value: id},
		{Name: "Active-Remote", Value: strconv.FormatUint(uint64(remote), 10)},
	}
	if s.cfg.Name != "" {
		header.Add("X-Apple-Client-Name", s.cfg.Name)
	}
	return header, number, nil
}

// dress completes a request of this session.
func (s *Session) dress(req rtsp.Request) rtsp.Request {
	if req.URI == "" {
		req.URI = s.url
	}
	if s.id != "" {
		req.Header = append(rtsp.Header{{Name: "Session", Value: s.id}}, req.Header...)
	}
	return req
}

// ask sends a request and takes nothing but 200 for an answer.
func (s *Session) ask(ctx context.Context, req rtsp.Request) (rtsp.Response, error) {
	return s.askWithin(ctx, requestPatience, req)
}

func (s *Session) askWithin(ctx context.Context, patience time.Duration, req rtsp.Request) (rtsp.Response, error) {
	resp, err := s.rtsp.DoWithin(ctx, patience, s.dress(req))
	switch {
	case err != nil:
		return resp, fmt.Errorf("%s: %w", strings.ToLower(req.Method), err)
	case resp.Code != 200:
		return resp, &StatusError{Method: req.Method, Code: resp.Code, Reason: resp.Reason}
	}
	return resp, nil
}

var errAuthSetup = errors.New("auth-setup broke the connection")

// authSetup is a public key that somebody else has the private half of. The
// receiver's answer is signed for it; nobody checks it, and after it the
// receiver takes unencrypted sound.
var authSetup = []byte("\x01" +
	"\x59\x02\xed\xe9\x0d\x4e\xf2\xbd\x4c\xb6\x8a\x63\x30\x03\x82\x07" +
	"\xa9\x4d\xbd\x50\xd8\xaa\x46\x5b\x5d\x8c\x01\x2a\x0c\x7e\x1d\x4e")

// setupAuth says so, if that is the way. A receiver that knows nothing of it
// says no and goes on; one that fails over it wants a new connection.
func (s *Session) setupAuth(ctx context.Context) error {
	if s.auth != AuthSetup {
		return nil
	}
	resp, err := s.rtsp.Do(ctx, rtsp.Request{Method: "POST", URI: "/auth-setup",
		Header: rtsp.Header{{Name: "Content-Type", Value: "application/octet-stream"}}, Body: authSetup})
	switch {
	case err != nil && rtsp.HungUp(err):
		return fmt.Errorf("%w: %w", errAuthSetup, err)
	case err != nil:
		return fmt.Errorf("auth-setup: %w", err)
	case resp.Code >= 500:
		return fmt.Errorf("%w: %w", errAuthSetup, &StatusError{Method: "POST", Code: resp.Code, Reason: resp.Reason})
	case resp.Code == 401:
		return &StatusError{Method: "POST", Code: resp.Code, Reason: resp.Reason}
	}
	s.answered = true
	return nil
}

// bind opens our ports at the address that the receiver sees, and begins to
// tell the time.
func (s *Session) bind(context.Context) (err error) {
	if s.control, err = s.listen(); err != nil {
		return fmt.Errorf("control port: %w", err)
	}
	if s.timing, err = s.listen(); err != nil {
		return fmt.Errorf("timing port: %w", err)
	}
	s.wg.Add(1)
	go s.answerTimings()
	return nil
}

func (s *Session) listen() (net.PacketConn, error) {
	return duty.Listen(s.cfg.ListenPacket, s.near, s.cfg.FirstPort, s.cfg.LastPort)
}

// announceSound describes the sound.
func (s *Session) announceSound(ctx context.Context) error {
	keys := ""
	if s.crypt != nil {
		var err error
		if keys, err = s.crypt.sdp(s.cfg.Rand, s.cfg.AirportKey); err != nil {
			return err
		}
	}
	resp, err := s.ask(ctx, rtsp.Request{Method: "ANNOUNCE",
		Header: rtsp.Header{{Name: "Content-Type", Value: "application/sdp"}},
		Body:   describe(s.number, s.near, s.far, s.pcm, keys)})
	s.answered = s.answered || resp.Code != 0
	s.server = resp.Header.Get("Server")
	return err
}

// setup exchanges ports.
func (s *Session) setup(ctx context.Context) error {
	resp, err := s.ask(ctx, rtsp.Request{Method: "SETUP", Header: rtsp.Header{{Name: "Transport",
		Value: fmt.Sprintf("RTP/AVP/UDP;unicast;interleaved=0-1;mode=record;control_port=%d;timing_port=%d",
			duty.Port(s.control), duty.Port(s.timing))}}})
	if err != nil {
		return err
	}
	t, err := parseTransport(resp.Header.Get("Transport"))
	if err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	s.id, _, _ = strings.Cut(resp.Header.Get("Session"), ";")
	s.id = strings.TrimSpace(s.id)
	if s.info.Model == "" && isShairport(resp.Header) {
		s.quirk = quirkOf(Info{Model: shairport})
	}
	s.hear(resp)
	if s.audio, err = s.dialAudio(ctx, t.server); err != nil {
		return fmt.Errorf("audio port: %w", err)
	}
	s.controlAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.far, t.control))
	if s.quirk.knock && t.timing != 0 {
		s.timing.WriteTo(nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.far, t.timing)))
	}
	s.wg.Add(2)
	go s.answerResends()
	go s.tellSyncs()
	return nil
}

// audioBuffer is room for a second and a half of packets.
const audioBuffer = 256 << 10

func (s *Session) dialAudio(ctx context.Context, port uint16) (*duty.Sender, error) {
	conn, err := s.cfg.DialContext(ctx, "udp", netip.AddrPortFrom(s.far, port).String())
	if err != nil {
		return nil, err
	}
	if c, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
		c.SetWriteBuffer(audioBuffer)
	}
	return duty.NewSender(conn), nil
}

// hear notes the latency that a receiver says that it needs.
func (s *Session) hear(resp rtsp.Response) {
	n, err := strconv.Atoi(resp.Header.Get("Audio-Latency"))
	if err == nil && n >= 0 && n <= maxLatency {
		s.said = n
	}
}

// firstVolume sets the volume that the Config asks for. It comes before RECORD
// for receivers that begin loudly, and after it for those that refuse it
// before, like Sonos; so a refusal is none. It comes once more when shairport-sync
// has put its default over it (docs/protocols/raop.md, volume).
func (s *Session) firstVolume(ctx context.Context) error {
	if s.cfg.Volume == nil {
		return nil
	}
	level := min(max(*s.cfg.Volume, 0), 1)
	if err := s.sendVolume(ctx, level); err != nil && status(err) == 0 {
		return err
	}
	s.volume.Told(level)
	return nil
}

// record says where numbers begin. Some receivers answer only after they have
// got the time from us.
func (s *Session) record(ctx context.Context) error {
	resp, err := s.askWithin(ctx, s.quirk.record, rtsp.Request{Method: "RECORD", Header: rtsp.Header{
		{Name: "Range", Value: "npt=0-"}, {Name: "RTP-Info", Value: rtpInfo(s.beat.seq, s.beat.next)}}})
	if err != nil {
		silent := status(err) == 500 || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
		if silent && s.lastAsked.Load() == 0 {
			return fmt.Errorf("%w: %w", ErrTiming, err)
		}
		return err
	}
	s.hear(resp)
	now := time.Now()
	s.mu.Lock()
	s.recorded, s.beat.used = now, now
	s.ear.Began(now)
	s.mu.Unlock()
	s.agenda.Move(repeatVolume, now.Add(settled))
	return nil
}

// warm waits until the receiver has got the time from us, and meanwhile asks
// for its volume. It is not an error if neither comes.
func (s *Session) warm(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, warmUp)
	defer cancel()
	if s.cfg.Volume == nil {
		s.askVolume(waiting)
	}
	select {
	case <-s.asked:
	case <-waiting.Done():
	case <-s.rtsp.Done():
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.rtsp.Err() // it may have hung up meanwhile
}

func (s *Session) askVolume(ctx context.Context) {
	resp, err := s.ask(ctx, rtsp.Request{Method: "GET_PARAMETER",
		Header: rtsp.Header{{Name: "Content-Type", Value: "text/parameters"}}, Body: []byte("volume\r\n")})
	if err != nil {
		s.log.Debug().Err(err).Msg("receiver does not tell its volume")
		return
	}
	if level, ok := parameter.ParseVolume(resp.Body); ok {
		s.volume.Learn(level)
	}
}

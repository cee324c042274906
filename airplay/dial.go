package airplay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"airplay2mqtt/internal/duty"
	"airplay2mqtt/internal/features"
	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// Dial makes a receiver ready to play: it connects, pairs, agrees on time,
// sound and ports, and waits until the receiver keeps time with us. The
// address is host and port of the receiver's _airplay._tcp record. What the
// receiver says of itself when it is asked counts more than info, so that the
// zero Info will do for most.
//
// If the receiver refuses the way of pairing or of keeping time, the others
// are tried, each on a connection of its own. ctx bounds dialling, not the
// session. Errors name the step that failed, and wrap ErrPassword, ErrBusy,
// ErrPairing, ErrImposter, ErrNoClock, ErrTiming, ErrNotAirPlay2, ptp.ErrPorts
// or a *StatusError where these apply.
func Dial(ctx context.Context, address string, info Info, cfg *Config) (*Session, error) {
	d := &dialer{address: address, info: info, cfg: cfg.withDefaults()}
	s, err := d.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("airplay: dial %s: %w", address, d.explain(err))
	}
	return s, nil
}

// A dialer tries until a receiver says yes.
type dialer struct {
	address  string
	info     Info
	cfg      Config
	answered bool     // the receiver has answered anything on the last connection
	timings  []Timing // that are yet to be tried; nil: not decided
	proofs   []proof  // likewise
	reasons  []error  // why others were not taken
	refused  bool     // the receiver did not keep time in the way tried before
}

func (d *dialer) dial(ctx context.Context) (*Session, error) {
	for {
		s, err := d.try(ctx)
		if err == nil {
			s.reason, s.first = d.reason(), d.first(s.timing)
			return s, nil
		}
		if ctx.Err() != nil || !d.next(err) {
			return nil, errors.Join(append(d.reasons, err)...)
		}
		d.cfg.Logger.Debug().Err(err).Msg("refused, trying another way")
	}
}

// reason tells why the first choice was not taken.
func (d *dialer) reason() string {
	if err := errors.Join(d.reasons...); err != nil {
		return err.Error()
	}
	return ""
}

// first tells what to try first the next time, after a way has worked: that it
// is not the best is the receiver's doing only if it had the choice.
func (d *dialer) first(worked Timing) Timing {
	if worked == NTP && (d.refused || d.cfg.First == NTP) {
		return NTP
	}
	return AutoTiming
}

// next gives up what a receiver has refused. It is false if that was the last
// way.
func (d *dialer) next(err error) bool {
	switch {
	case errors.Is(err, errRejected) && len(d.proofs) > 1:
		d.proofs = d.proofs[1:]
		return true
	case (errors.Is(err, ErrNoClock) || errors.Is(err, ErrTiming)) && len(d.timings) > 1:
		d.reasons = append(d.reasons, err)
		d.timings, d.refused = d.timings[1:], true
		return true
	}
	return false
}

// decide chooses the ways of keeping time, the best first.
func (d *dialer) decide() error {
	if d.timings != nil {
		return nil
	}
	wanted := d.cfg.Timing == PTP || d.cfg.Timing == AutoTiming && features.Set(d.info.Features).Has(features.PTP)
	if wanted {
		if err := d.havePTP(); err != nil {
			d.reasons = append(d.reasons, err)
		} else {
			d.timings = append(d.timings, PTP)
		}
	}
	// A HomePod with software 27 accepts NTP and stays silent.
	if silent, _ := d.info.HomePod27(); d.cfg.Timing == NTP || d.cfg.Timing == AutoTiming && !silent {
		d.timings = append(d.timings, NTP)
	}
	if slices.Contains(d.timings[min(1, len(d.timings)):], d.cfg.First) {
		slices.Reverse(d.timings)
	}
	if len(d.timings) == 0 {
		return fmt.Errorf("%w: it keeps time by PTP only", ErrTiming)
	}
	return nil
}

var errNoEngine = errors.New("this program keeps no PTP clock")

func (d *dialer) havePTP() error {
	if d.cfg.Clock == nil {
		return errNoEngine
	}
	return d.cfg.Clock.Open()
}

// try goes through the whole order on one connection.
func (d *dialer) try(ctx context.Context) (*Session, error) {
	d.answered = false
	connecting, cancel := context.WithTimeout(ctx, connectPatience)
	conn, err := d.cfg.DialContext(connecting, "tcp", d.address)
	cancel()
	if err != nil {
		return nil, err
	}
	s, err := d.introduce(ctx, conn)
	if err != nil {
		return nil, err
	}
	for _, step := range []func(*Session, context.Context) error{
		(*Session).keepTime, // before SETUP: an Apple TV tries our timing port then
		(*Session).setupSession,
		(*Session).connectEvents,
		(*Session).record,
		(*Session).setPeers,
		(*Session).setupStream,
		(*Session).primeAnchor,
		(*Session).firstVolume,
		(*Session).awaitClock,
	} {
		if err := step(s, ctx); err != nil {
			s.fail(err)
			s.wg.Wait()
			return nil, err
		}
	}
	s.wg.Add(2)
	go s.watch()
	go s.doChores()
	return s, nil
}

// introduce asks the receiver what it is, proves ourselves, and takes the
// connection over.
func (d *dialer) introduce(ctx context.Context, raw net.Conn) (*Session, error) {
	near, far := duty.IP(raw.LocalAddr()), duty.IP(raw.RemoteAddr())
	if !near.IsValid() || !far.IsValid() {
		raw.Close()
		return nil, errors.New("connection has no IP addresses")
	}
	self, err := draw(d.cfg.Rand, d.cfg.DeviceID)
	if err != nil {
		raw.Close()
		return nil, err
	}
	s := &Session{
		cfg: d.cfg, log: d.cfg.Logger.With().Str("address", d.address).Logger(),
		born: time.Now(), url: sessionURL(near, self.number), near: near, far: far, self: self, offset: d.cfg.Offset,
		asked: make(chan struct{}), wakeSpool: duty.NewBell(), wakeSync: duty.NewBell(),
		volume: duty.NewVolume(), agenda: duty.NewAgenda(chores), end: duty.NewEnd("airplay", ErrClosed, ErrClosedByReceiver),
	}
	s.enterRemote()
	if err := d.agree(ctx, s, hap.NewConn(raw)); err != nil {
		s.leaveRemote()
		return nil, err
	}
	return s, nil
}

// agree goes on by a connection until that is encrypted.
func (d *dialer) agree(ctx context.Context, s *Session, conn *hap.Conn) error {
	s.rtsp = rtsp.NewClient(conn, rtsp.Config{Header: s.self.header(d.cfg), Password: d.cfg.Password,
		Patience: requestPatience, Logger: s.log})
	keys, said, err := d.prepare(ctx, s.rtsp)
	if err != nil {
		s.rtsp.Close()
		return err
	}
	conn.Encrypt(keys.Control())
	s.paired = d.proofs[0] == byCredentials
	s.info, s.quirk, s.keys, s.timing = d.info, quirkOf(d.info), keys, d.timings[0]
	s.choose()
	s.beat.seq, s.beat.line.base = s.self.firstSeq, s.self.firstTime
	s.learnVolume(said)
	return nil
}

// prepare does what is said in plain.
func (d *dialer) prepare(ctx context.Context, client *rtsp.Client) (hap.Keys, plist.Dict, error) {
	said, err := d.askInfo(ctx, client)
	if err != nil {
		return hap.Keys{}, nil, err
	}
	if err := d.decide(); err != nil {
		return hap.Keys{}, nil, err
	}
	keys, err := d.prove(ctx, client)
	return keys, said, err
}

// choose decides what follows from the kind of receiver.
func (s *Session) choose() {
	s.kind = Realtime
	able := s.timing == PTP && features.Set(s.info.Features).Has(features.BufferedAudio)
	if able && (s.cfg.Kind == Buffered || s.cfg.Kind == AutoKind && s.quirk.buffered) {
		s.kind = Buffered
	}
	s.floor = s.quirk.floor
	if s.cfg.Floor > 0 {
		s.floor = s.cfg.Floor
	}
	s.depth, s.rest = s.quirk.depth, rest
	s.fill = max(s.floor-100*time.Millisecond, 50*time.Millisecond)
	if s.quirk.endless {
		s.fill = min(s.depth, max(s.floor-50*time.Millisecond, 50*time.Millisecond))
		s.depth, s.rest = s.fill, shortRest
	}
	s.ssrc = s.self.sessionSSRC
	switch {
	case s.kind == Buffered:
		s.ssrc, s.depth, s.fill = s.quirk.ssrc, time.Hour, 0
	case s.timing == PTP:
		s.ssrc = 0
	}
}

// explain adds to an error what a caller can decide on.
func (d *dialer) explain(err error) error {
	switch code := status(err); {
	case d.proofs != nil && d.proofs[0] == byCredentials && errors.Is(err, pairing.Because(pairing.Imposter)):
		return fmt.Errorf("%w: %w", ErrImposter, err)
	case (code == 401 || errors.Is(err, errRejected)) && d.cfg.Password != "":
		return fmt.Errorf("%w, and refused the one it was given: %w", ErrPassword, err)
	case code == 401 || errors.Is(err, errRejected) && d.info.Password:
		return fmt.Errorf("%w: %w", ErrPassword, err)
	case code == 453:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	case code == 470, code == 403, errors.Is(err, errRejected):
		return fmt.Errorf("%w: %w", ErrPairing, err)
	case code == 0 && !d.answered && rtsp.HungUp(err):
		return fmt.Errorf("%w: it hung up before it answered: %w", ErrBusy, err)
	}
	return err
}

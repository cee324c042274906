package bridge

import (
	"context"
	"errors"
	"maps"
	"net"
	"strconv"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/discovery"
	"airplay2mqtt/raop"
)

// This file is the only place where a protocol and a player meet.

// A target is where and how a device is reached. It is a value that never
// changes: when the device does, it gets another.
type target struct {
	id         string   // the device's
	addresses  []string // host:port, the best first
	pairing    []string // likewise, where to pair
	protocol   airplay.Protocol
	speaksRAOP bool
	raop       raop.Info
	airplay    airplay.Info
	password   string
	second     second // how it is reached by AirPlay 2
	refusal    error  // why it cannot be played to at all; nil: it can
	screen     screen
}

// A refusal is why a device is not even tried.
type refusal struct{ code, why string }

func (r *refusal) Error() string { return r.why }

// targetOf finds out how a device is reached, from what discovery and the
// configuration say.
func targetOf(d discovery.Device, c config.Device) *target {
	t := &target{
		id:         d.ID,
		protocol:   protocolOf(c),
		airplay:    airplay.ParseInfo(both(d.RAOP, d.AirPlay)),
		raop:       raop.ParseInfo(both(d.AirPlay, d.RAOP)),
		speaksRAOP: d.RAOP != nil || c.Host != "",
	}
	var err error
	if t.password, err = c.Secret(); err != nil {
		t.refusal = &refusal{"password_required", "the device's password cannot be read: " + err.Error()}
	}
	switch {
	case c.Host != "":
		t.addresses = []string{net.JoinHostPort(c.Host, strconv.Itoa(c.Port))}
	case !t.speaksRAOP:
	default:
		for _, a := range d.Addrs {
			t.addresses = append(t.addresses, net.JoinHostPort(a.String(), strconv.Itoa(int(d.RAOP.Port))))
		}
	}
	t.second = secondOf(t.airplay, d, c)
	t.screen = screenOf(t, d, c)
	t.pairing = pairingAddresses(d, t.addresses)
	if t.refusal == nil && c.Protocol != "raop" {
		t.refusal = t.refuses(c)
	}
	return t
}

// refuses tells the devices that can be played to by neither protocol. To
// configure `protocol: raop` overrules it.
func (t *target) refuses(c config.Device) error {
	kind, why := t.airplay.Pairing()
	unplayable := t.raop.Unplayable()
	switch {
	case kind == airplay.Unsupported:
		return &refusal{"access_restricted", why}
	case len(t.second.addresses) > 0:
		return nil
	case c.Protocol == "airplay":
		return &refusal{"unsupported_format", "the device is to be played to by AirPlay 2 and does not announce it: " + t.second.why}
	case !t.speaksRAOP:
		return &refusal{"unsupported_format", "the device announces nothing that sound can be sent to: " + t.second.why}
	case unplayable != "":
		return &refusal{"unsupported_format", "it cannot be played to by AirPlay 1: " + unplayable}
	}
	return nil
}

// both is what a device says in its two records; of what both say, the second
// counts.
func both(first, second *discovery.Service) map[string]string {
	txt := map[string]string{}
	for _, s := range []*discovery.Service{first, second} {
		if s != nil {
			maps.Copy(txt, s.TXT)
		}
	}
	return txt
}

// A network is how sessions reach receivers; tests give another.
type network struct {
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	listen func(network, address string) (net.PacketConn, error)
}

// dial opens a session with the device, a player's Config.Dial, and counts that.
func (d *device) dial(ctx context.Context) (player.Session, error) {
	s, err := d.connect(ctx)
	d.counts.dialled(err, errors.Is(ctx.Err(), context.Canceled))
	return s, err
}

// connect opens a session: by AirPlay 2 where the device speaks that, and by
// AirPlay 1 where it does not, or refuses.
func (d *device) connect(ctx context.Context) (player.Session, error) {
	t := d.target.Load()
	if t.refusal != nil {
		return nil, t.refusal
	}
	if len(t.addresses)+len(t.second.addresses) == 0 {
		return nil, &refusal{"device_offline", "the device has no known address; is it switched on?"}
	}
	if decision, _ := t.decide(d.vault); decision.KeyChanged {
		d.refused(true)
		return nil, &refusal{"pairing_required", decision.Why}
	}
	if len(t.second.addresses) > 0 && !(d.needsPairing(t) && t.speaksRAOP) {
		s, err := d.dialSecond(ctx, t)
		switch {
		case err == nil, errors.Is(ctx.Err(), context.Canceled):
			return s, err
		case d.override().Protocol == "airplay" || !t.fallsBack(err):
			d.reached(!unreachable(err))
			if unreachable(err) {
				return nil, absence{err}
			}
			return nil, err
		}
		d.log.Warn().Err(err).Msg("does not play by AirPlay 2, trying AirPlay 1")
	}
	return d.dialFirst(ctx, t)
}

// dialFirst opens a session by AirPlay 1.
func (d *device) dialFirst(ctx context.Context, t *target) (player.Session, error) {
	var last error
	for _, address := range t.addresses {
		s, err := raop.Dial(ctx, address, t.raop, d.settings(t))
		if err == nil {
			d.reached(true)
			d.learns(func(l learned) learned { return l.agreed(s.Facts()) })
			return d.attend(s, address, func() sent { return sentByFirst(s.Stats()) }, func() {
				d.learns(func(l learned) learned { return l.heard(s.Stats(), s.MinLead()) })
				d.diagnose(s.Stats())
			}), nil
		}
		last = err
		if errors.Is(ctx.Err(), context.Canceled) { // called off, which says nothing of the device
			return nil, err
		}
		if imposter := errors.Is(err, raop.ErrImposter); imposter || errors.Is(err, raop.ErrPairing) {
			d.refused(imposter)
		}
		if !unreachable(err) {
			d.reached(true)
			if errors.Is(err, raop.ErrBusy) {
				err = occupied{err}
			}
			return nil, err
		}
	}
	d.reached(false)
	return nil, absence{last}
}

// settings are how sessions with the device are to be.
func (d *device) settings(t *target) *raop.Config {
	cfg := &raop.Config{
		Password:     t.password,
		Floor:        time.Duration(d.floor.Load()), // who names a latency has tried it
		Announce:     announceOf(d.override()),
		Offset:       time.Duration(d.offset.Load()),
		RemoteServer: d.buttons,
		Remote:       d.pressed,
		DialContext:  d.net.dial,
		ListenPacket: d.net.listen,
		Logger:       d.log,
	}
	d.learned.Load().settings(cfg)
	if e, ok := d.vault.Get(t.id); ok && e.Credentials.Legacy() {
		cfg.Credentials, cfg.ReceiverKey = e.Credentials.Text(), e.Credentials.ReceiverKey
	}
	return cfg
}

// An occupied device is one that somebody else has.
type occupied struct{ error }

// Busy is for players, which try again for a bell.
func (occupied) Busy() bool { return true }

func (o occupied) Unwrap() error { return o.error }

// An absence is that nobody answers where a device should be.
type absence struct{ error }

// Unreachable is for players, which try again for a while.
func (absence) Unreachable() bool { return true }

func (a absence) Unwrap() error { return a.error }

// unreachable tells whether another address of the same device may do better.
func unreachable(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || errors.Is(err, context.DeadlineExceeded)
}

// probe asks whether a device that nothing announces is there: it connects and
// hangs up. Receivers that play are not asked (raop.md, OPTIONS).
func (d *device) probe(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	dial := d.net.dialer()
	for _, address := range d.target.Load().addresses {
		if conn, err := dial(ctx, "tcp", address); err == nil {
			conn.Close()
			return true
		}
	}
	return false
}

// announceOf is the latency that a device is told. The plain way is for those
// that take it at its word (docs/protocols/raop.md, the play line).
func announceOf(c config.Device) time.Duration {
	if c.Line == "plain" {
		return raop.Plain
	}
	return 0
}

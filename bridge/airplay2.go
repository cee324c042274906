package bridge

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/discovery"
)

// A second is how a device is reached by AirPlay 2. The zero value is not at
// all.
type second struct {
	addresses []string
	timing    airplay.Timing
	why       string // it is not, in a sentence; empty: nobody thought that it is
}

// secondOf finds out whether and where a device speaks AirPlay 2.
func secondOf(info airplay.Info, d discovery.Device, c config.Device) second {
	s := second{timing: timingOf(c)}
	able, why := info.AirPlay2()
	kind, _ := info.Pairing()
	switch {
	case c.Protocol == "raop":
		return second{}
	case c.Host != "" && c.Protocol == "airplay":
		s.addresses = []string{net.JoinHostPort(c.Host, strconv.Itoa(c.Port))}
		return s
	case d.AirPlay == nil, !able && c.Protocol != "airplay":
		return second{why: why}
	case kind == airplay.Unsupported:
		return second{why: "it takes only those whom its Apple home or account names"}
	}
	for _, a := range d.Addrs {
		s.addresses = append(s.addresses, net.JoinHostPort(a.String(), strconv.Itoa(int(d.AirPlay.Port))))
	}
	return s
}

// timingOf is how the configuration wants time to be kept.
func timingOf(c config.Device) airplay.Timing {
	if c.Timing == "auto" {
		return airplay.AutoTiming
	}
	return airplay.Timing(c.Timing)
}

// needsPairing tells whether AirPlay 2 is in vain before somebody has typed a
// PIN.
func (d *device) needsPairing(t *target) bool {
	decision, _ := t.decide(d.vault)
	return decision.Pairing.NeedsUser()
}

// credentials are those of a pairing for AirPlay 2; zero: none.
func (d *device) credentials(t *target) airplay.Credentials {
	if e, ok := d.vault.Get(t.id); ok && !e.Credentials.Legacy() {
		return e.Credentials
	}
	return airplay.Credentials{}
}

// dialSecond opens a session by AirPlay 2.
func (d *device) dialSecond(ctx context.Context, t *target) (player.Session, error) {
	var last error
	for _, address := range t.second.addresses {
		s, err := airplay.Dial(ctx, address, t.airplay, &airplay.Config{
			Password:     t.password,
			Credentials:  d.credentials(t),
			Timing:       t.second.timing,
			First:        d.learned.Load().Timing,
			Clock:        d.clock,
			Floor:        time.Duration(d.floor.Load()), // who names a latency has tried it
			Offset:       time.Duration(d.offset.Load()),
			RemoteServer: d.buttons,
			Remote:       d.pressed,
			DialContext:  d.net.dial,
			ListenPacket: d.net.listen,
			Logger:       d.log,
		})
		if err == nil {
			d.reached(true)
			d.learns(func(l learned) learned { return l.timed(s.Facts()) })
			d.tellTiming(s.Facts())
			return d.attend(s, address, func() sent { return sentBySecond(s.Stats()) }, func() {}), nil
		}
		last = err
		if imposter := errors.Is(err, airplay.ErrImposter); imposter || errors.Is(err, airplay.ErrPairing) {
			d.refused(imposter)
		}
		if ctx.Err() != nil || !unreachable(err) {
			return nil, err
		}
	}
	return nil, last
}

// tellTiming says once how time is kept, where that is not the first choice.
func (d *device) tellTiming(f airplay.Facts) {
	if f.Reason == "" {
		d.log.Debug().Str("timing", string(f.Timing)).Str("kind", string(f.Kind)).Msg("plays by AirPlay 2")
		return
	}
	if d.timingTold.Swap(true) {
		return
	}
	d.log.Warn().Str("timing", string(f.Timing)).Str("reason", f.Reason).Msg("time is kept in another way than the device prefers")
}

// fallsBack tells whether to try AirPlay 1 after AirPlay 2 did not come about:
// where the device announces it, plays it, and has not refused us.
func (t *target) fallsBack(err error) bool {
	if !t.speaksRAOP || t.raop.Unplayable() != "" || len(t.addresses) == 0 {
		return false
	}
	for _, final := range []error{airplay.ErrPassword, airplay.ErrBusy, airplay.ErrImposter} {
		if errors.Is(err, final) {
			return false
		}
	}
	return !unreachable(err)
}

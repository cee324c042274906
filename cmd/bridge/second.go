package main

import (
	"context"
	"errors"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/ptp"
)

// bySecond is the way to a speaker that speaks AirPlay 2, once it is known that
// something answers there: whether time can be kept, and a session.
func (d *doctor) bySecond(ctx context.Context) {
	for _, step := range []func(context.Context) bool{d.speaksSecond, d.pairing, d.address, d.route, d.port, d.clockPorts, d.agreesSecond} {
		if !step(ctx) || ctx.Err() != nil {
			return
		}
	}
	d.Well = true
}

func (d *doctor) speaksSecond(context.Context) bool {
	kind, why := d.speaker.airplay.Pairing()
	return d.note("protocol", statusOK, "AirPlay 2, %s; pairing: %s (%s)", d.speaker.airplay.Model, kind, why)
}

// clockPorts tells whether this machine can keep time by PTP.
func (d *doctor) clockPorts(context.Context) bool {
	if err := d.clock.Open(); err != nil {
		return d.note("clock ports", statusWarning, "%v", err)
	}
	return d.note("clock ports", statusOK, "UDP 319 and 320 are ours")
}

// agreesSecond opens a session, which is heard of only if the speaker keeps
// time with us.
func (d *doctor) agreesSecond(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 45*time.Second)
	defer cancel()
	began := time.Now()
	s, err := airplay.Dial(ctx, d.speaker.second, d.speaker.airplay,
		&airplay.Config{Password: d.speaker.password, Credentials: d.credentials(d.speaker), Timing: d.speaker.timing, Clock: d.clock})
	if err != nil {
		cause, advice := secondCause(err)
		return d.fails("session", err.Error(), cause, advice)
	}
	defer s.Close()
	f := s.Facts()
	if f.Reason != "" {
		d.note("time", statusWarning, "by %s, because: %s", f.Timing, f.Reason)
	}
	return d.note("session", statusOK, "agreed after %.1f s, %s sound, time by %s, clock %s",
		time.Since(began).Seconds(), f.Kind, f.Timing, s.Confidence())
}

// secondCause tells what an error of AirPlay 2 means, and what to do.
func secondCause(err error) (cause, advice string) {
	switch {
	case errors.Is(err, airplay.ErrPassword):
		return "the speaker asks for a password, and the one that was given is none or wrong",
			"say -password, or set password for this device in the configuration"
	case errors.Is(err, airplay.ErrPairing):
		return "the speaker does not let this program in: it wants to be paired, or takes only members of its home",
			"pair with it (`bridge pair`), or allow everybody on the same network in its AirPlay settings"
	case errors.Is(err, airplay.ErrImposter):
		return "the speaker is not the one that was paired, or was reset since", "if that is right, pair with it again (`bridge pair`)"
	case errors.Is(err, airplay.ErrBusy):
		return "somebody else plays on the speaker", "try again when it is free"
	case errors.Is(err, ptp.ErrPorts):
		return "the speaker keeps time by PTP only, and this machine cannot: " + err.Error(), "grant or free UDP ports 319 and 320"
	case errors.Is(err, airplay.ErrNoClock), errors.Is(err, airplay.ErrTiming):
		return "the speaker does not keep time with this machine, and would stay silent: " + err.Error(),
			"let UDP ports 319 and 320 through, in a container use the host's network, or try timing: ntp for this device"
	case errors.Is(err, airplay.ErrNotAirPlay2):
		return "the speaker announces AirPlay 2 and does not speak it", "set protocol: raop for this device"
	}
	return "the speaker does not agree to a session: " + err.Error(), "switch it off and on; if that does not help, try protocol: raop"
}

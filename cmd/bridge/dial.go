package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"

	"airplay2mqtt/airplay"
	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/discovery"
	"airplay2mqtt/raop"
)

// A speaker is where to dial, by either protocol.
type speaker struct {
	name, password string
	address        string // by AirPlay 1; empty: not at all
	info           raop.Info
	second         string // by AirPlay 2; empty: not at all
	airplay        airplay.Info
	timing         airplay.Timing
	only           bool // AirPlay 2 or nothing
	found          discovery.Device
	override       config.Device
}

// config is how it is dialled by AirPlay 1.
func (p *playing) config(s speaker) raop.Config {
	return bridge.Prove(raop.Config{Password: s.password}, s.found, p.vault)
}

// credentials are those of a pairing for AirPlay 2; zero: none.
func (p *playing) credentials(s speaker) airplay.Credentials {
	e, ok := p.vault.Get(bridge.IDOf(s.found))
	if !ok || e.Credentials.Legacy() {
		return airplay.Credentials{}
	}
	return e.Credentials
}

// discoveredSpeaker is what discovery found, as the configuration wants it.
func discoveredSpeaker(d discovery.Device, c config.Device) (speaker, bool) {
	s := speaker{name: d.Name, timing: timingOf(c), only: c.Protocol == "airplay", found: d, override: c}
	at := func(service *discovery.Service) string {
		return net.JoinHostPort(d.Addrs[0].String(), fmt.Sprint(service.Port))
	}
	if d.RAOP != nil && !s.only {
		s.address, s.info = at(d.RAOP), raop.ParseInfo(d.RAOP.TXT)
	}
	if d.AirPlay != nil && c.Protocol != "raop" {
		s.airplay = airplay.ParseInfo(d.AirPlay.TXT)
		able, _ := s.airplay.AirPlay2()
		kind, _ := s.airplay.Pairing()
		if s.only || able && kind != airplay.Unsupported {
			s.second = at(d.AirPlay)
		}
	}
	return s, s.address != "" || s.second != ""
}

// configuredSpeaker is one that needs no discovery.
func configuredSpeaker(c config.Device) speaker {
	s := speaker{name: c.Name, timing: timingOf(c), only: c.Protocol == "airplay", override: c,
		found: discovery.Device{ID: config.NormalID(c.ID), Name: c.Name}}
	if at := net.JoinHostPort(c.Host, fmt.Sprint(c.Port)); s.only {
		s.second = at
	} else {
		s.address = at
	}
	return s
}

func timingOf(c config.Device) airplay.Timing {
	if c.Timing == "auto" {
		return airplay.AutoTiming
	}
	return airplay.Timing(c.Timing)
}

// dial opens a session: by AirPlay 2 where the speaker speaks that, and by
// AirPlay 1 where it does not, or refuses.
func (p *playing) dial(ctx context.Context, s speaker) (player.Session, error) {
	if s.second != "" {
		session, err := airplay.Dial(ctx, s.second, s.airplay, &airplay.Config{Password: s.password, Credentials: p.credentials(s), Timing: s.timing, Clock: p.clock})
		switch {
		case err == nil:
			if why := session.Facts().Reason; why != "" {
				fmt.Fprintf(p.stderr, "%s: time is kept by %s: %s\n", s.name, session.Facts().Timing, oneLine(why))
			}
			return session, nil
		case s.address == "" || ctx.Err() != nil || errors.Is(err, airplay.ErrPassword) || errors.Is(err, airplay.ErrBusy):
			return nil, err
		}
		fmt.Fprintf(p.stderr, "%s: %s; trying AirPlay 1\n", s.name, oneLine(err.Error()))
	}
	cfg := p.config(s)
	session, err := raop.Dial(ctx, s.address, s.info, &cfg)
	if err != nil {
		return nil, err
	}
	return session, nil
}

// where is the speaker's address, the better one first.
func (s speaker) where() string { return cmp.Or(s.second, s.address) }

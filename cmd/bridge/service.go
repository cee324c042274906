package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/internal/systemd"

	"github.com/rs/zerolog"
)

// A service tells systemd, where that wants to know, how the bridge is, and has it
// read its configuration again.
type service struct {
	bridge *bridge.Bridge
	notify systemd.Notifier
	log    zerolog.Logger
	load   func() (config.Config, error)
	again  <-chan os.Signal // SIGHUP
}

// answerTime is how long the bridge may take to say that it is alive.
const answerTime = 5 * time.Second

// run tells until ctx ends: that the bridge is ready, that it is alive, and
// that it stops, or begins again. A bridge that does not answer any more is not told of, so that
// systemd starts it again.
func (s service) run(ctx context.Context) {
	every := 10 * time.Second
	if w := s.notify.Watchdog(); w > 0 {
		every = min(every, w/2)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	told := ""
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, answerTime)
		err := s.bridge.Alive(asking)
		cancel()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			s.log.Error().Err(err).Msg("the bridge hangs")
		case told != s.status():
			told = s.status()
			s.tell(systemd.Ready, systemd.Alive, systemd.Status+told)
		default:
			s.tell(systemd.Alive)
		}
		select {
		case <-tick.C:
		case <-s.again:
			s.reload(ctx)
			told = "" // systemd waits to hear that it is ready
		case <-ctx.Done():
		}
	}
	if errors.Is(context.Cause(ctx), bridge.ErrRestart) {
		s.tell(systemd.Reloading)
		return
	}
	s.tell(systemd.Stopping)
}

// reload has the bridge take over what it can of the configuration. One with
// mistakes is not taken.
func (s service) reload(ctx context.Context) {
	s.tell(systemd.Reloading)
	cfg, err := s.load()
	if err != nil {
		s.log.Error().Err(err).Msg("the configuration from before is used on")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	later, err := s.bridge.Reload(ctx, cfg)
	switch {
	case err != nil:
		s.log.Error().Err(err).Msg("the configuration from before is used on")
	case len(later) > 0:
		s.log.Warn().Strs("keys", later).Msg("the configuration was read again; these keys are heeded after a restart only")
	default:
		s.log.Info().Msg("the configuration was read again")
	}
}

// status is what `systemctl status` shows.
func (s service) status() string {
	if s.bridge.Connected() {
		return "connected to the broker"
	}
	return "waiting for the broker"
}

func (s service) tell(what ...string) {
	if err := s.notify.Tell(what...); err != nil {
		s.log.Warn().Err(err).Msg(fmt.Sprintf("systemd is not told %s", what[0]))
	}
}

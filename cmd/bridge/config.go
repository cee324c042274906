package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/vault"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// usualConfig is read where no other file is named, if it is there.
const usualConfig = "config.yaml"

const configHelp = "read the configuration from this `file` (default ./config.yaml if it is there)"

// load reads the configuration. Mistakes are told here, all of them.
func (w world) load(path string) (config.Config, error) {
	if path == "" {
		if _, err := os.Stat(usualConfig); err == nil {
			path = usualConfig
		}
	}
	environ, err := w.supervised()
	if err != nil {
		return config.Default(), err
	}
	cfg, err := config.Load(path, environ)
	if err == nil && cfg.MQTT.Server == "" && w.token() != "" {
		broker, err := w.supervisedBroker()
		if err != nil {
			return cfg, err
		}
		if cfg, err = config.Load(path, append(environ, broker...)); err != nil {
			return cfg, err
		}
	}
	var mistakes config.Mistakes
	switch {
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			fmt.Fprintln(w.stderr, m)
		}
		if len(mistakes) == 1 {
			return cfg, errors.New("there is a mistake in the configuration")
		}
		return cfg, fmt.Errorf("there are %d mistakes in the configuration", len(mistakes))
	case errors.Is(err, fs.ErrNotExist):
		return cfg, fmt.Errorf("%w; without -config the defaults are used", err)
	case err != nil:
		return cfg, err
	}
	return cfg, bridge.CheckCommands(cfg.Limits)
}

// logging is the world with a log in place of standard error, for mistakes that are
// found while the bridge runs.
func (w world) logging(log zerolog.Logger) world {
	w.stderr = lines{log}
	return w
}

// lines writes each line to a log.
type lines struct{ log zerolog.Logger }

func (l lines) Write(b []byte) (int, error) {
	l.log.Error().Msg(strings.TrimSpace(string(b)))
	return len(b), nil
}

// unlock opens what pairings have left. Where that cannot be read it is told,
// and unpaired devices are still played to.
func (w world) unlock(command string, cfg config.Config) *vault.Vault {
	v, err := bridge.OpenVault(cfg)
	if err != nil {
		fmt.Fprintf(w.stderr, "bridge %s: %v\n", command, err)
	}
	return v
}

// logger writes what happens to standard error, and as JSON to others who want
// to know.
func (w world) logger(l config.Log, others ...io.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(l.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	var out io.Writer = w.stderr
	if l.Format != "json" {
		out = zerolog.ConsoleWriter{Out: w.stderr, NoColor: !isTerminal(w.stderr), TimeFormat: time.TimeOnly}
	}
	if len(others) > 0 {
		out = zerolog.MultiLevelWriter(append([]io.Writer{out}, others...)...)
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

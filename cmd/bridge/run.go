package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/web"
	"airplay2mqtt/internal/systemd"

	"github.com/rs/zerolog"
)

const runHelp = `Without mqtt.server in the configuration an embedded broker is started on
127.0.0.1:1883, or the next free port, and its address is printed. The bridge
ends on SIGINT or SIGTERM, after it has told the broker that it goes. On SIGHUP it
reads names, limits, groups and chimes again, and nothing that plays is disturbed;
on a terminal, SIGHUP ends it, for then the terminal was closed.

  bridge                          everything by default
  bridge -config /etc/bridge.yaml
  AIRPLAY2MQTT_MQTT_SERVER=mqtt://192.168.1.2 bridge
`

// run is the bridge itself.
func (w world) run(ctx context.Context, args []string) error {
	f := w.flags("run")
	path := f.String("config", "", configHelp)
	if err := w.parse(f, args, 0, 0); err != nil {
		return err
	}
	cfg, err := w.load(*path)
	if err != nil {
		return err
	}
	house := household{world: w, again: make(chan os.Signal, 1)}
	defer house.close()
	if !isTerminal(w.stderr) { // where it is, SIGHUP says that it was closed
		signal.Notify(house.again, syscall.SIGHUP)
		defer signal.Stop(house.again)
	}
	for {
		log, err := house.live(ctx, *path, cfg)
		if !errors.Is(err, bridge.ErrRestart) {
			return err
		}
		cfg = w.reload(*path, cfg, log)
	}
}

// A household is what stays while one bridge follows another.
type household struct {
	world
	broker *mqtt.Broker   // the embedded one; nil: there was no need for it
	again  chan os.Signal // SIGHUP: the configuration is to be read again
}

func (h *household) close() {
	if h.broker != nil {
		h.broker.Close()
	}
}

// live runs a bridge to its end.
func (h *household) live(ctx context.Context, path string, cfg config.Config) (zerolog.Logger, error) {
	var tail *web.Tail // for the page
	var readers []io.Writer
	if cfg.Web.Listen != "" {
		tail = web.NewTail(cfg.Secrets()...)
		readers = append(readers, tail)
	}
	log := h.logger(cfg.Log, readers...)
	loud := config.Log{Level: "debug", Format: cfg.Log.Format} // the bridge itself knows how much is to be written by now
	log.Info().Str("version", release()).Msg("airplay2mqtt begins")
	used := cfg
	if err := h.findBroker(&used, log); err != nil {
		return log, err
	}
	b, err := bridge.New(bridge.Config{
		Settings: used, Version: release(), Commit: commit(), Logger: h.logger(loud, readers...), Tail: tail,
		Doctor: func(ctx context.Context, device string, clock *ptp.Engine) (json.RawMessage, error) {
			return json.Marshal(h.diagnose(ctx, used, device, clock))
		},
	})
	if err != nil {
		return log, err
	}
	var watched sync.WaitGroup
	watching, end := context.WithCancelCause(ctx)
	watcher := service{b, systemd.FromEnviron(h.environ), log, func() (config.Config, error) {
		cfg, err := h.logging(log).load(path)
		cfg.MQTT.Server = cmp.Or(cfg.MQTT.Server, used.MQTT.Server) // the embedded broker stays
		return cfg, err
	}, h.again}
	watched.Go(func() { watcher.run(watching) })
	err = b.Run(ctx)
	end(err)
	watched.Wait()
	log.Info().Msg("airplay2mqtt ends")
	return log, err
}

// reload reads the configuration for a bridge that begins again. One with
// mistakes must not leave the house silent: that from before is used on.
func (w world) reload(path string, was config.Config, log zerolog.Logger) config.Config {
	cfg, err := w.logging(log).load(path)
	if err != nil {
		log.Error().Err(err).Msg("the configuration from before is used on")
		return was
	}
	return cfg
}

// embedded is where the broker listens that is started when none is configured.
const embedded = "127.0.0.1:1883"

// embeddedSearch is how many ports after that are tried.
const embeddedSearch = 20

// findBroker starts the embedded broker where none is configured, and puts its
// address into cfg.
func (h *household) findBroker(cfg *config.Config, log zerolog.Logger) (err error) {
	if cfg.MQTT.Server != "" {
		return nil
	}
	if h.broker == nil {
		if h.broker, err = mqtt.StartBroker(mqtt.BrokerConfig{Address: embedded, Search: embeddedSearch, Logger: log}); err != nil {
			return fmt.Errorf("the embedded broker: %w; configure another with mqtt.server", err)
		}
	}
	cfg.MQTT.Server = "mqtt://" + h.broker.Addr().String()
	log.Info().Str("address", cfg.MQTT.Server).Msg("no broker is configured; the embedded one is used")
	fmt.Fprintf(h.stdout, "Embedded broker: %s (only this machine can reach it; set mqtt.server to use yours)\n", cfg.MQTT.Server)
	return nil
}

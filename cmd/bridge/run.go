package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/web"

	"github.com/rs/zerolog"
)

const runHelp = `Without mqtt.server in the configuration an embedded broker is started on
127.0.0.1:1883, or the next free port, and its address is printed. The bridge
ends on SIGINT or SIGTERM, after it has told the broker that it goes.

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
	var tail *web.Tail // for the page
	var readers []io.Writer
	if cfg.Web.Listen != "" {
		tail = web.NewTail(cfg.Secrets()...)
		readers = append(readers, tail)
	}
	log := w.logger(cfg.Log, readers...)
	log.Info().Str("version", release()).Msg("airplay2mqtt begins")
	if cfg.MQTT.Server == "" {
		broker, err := w.startBroker(&cfg, log)
		if err != nil {
			return err
		}
		defer broker.Close()
	}
	b, err := bridge.New(bridge.Config{
		Settings: cfg, Version: release(), Commit: commit(), Logger: log, Tail: tail,
		Doctor: func(ctx context.Context, device string, clock *ptp.Engine) (json.RawMessage, error) {
			return json.Marshal(w.diagnose(ctx, cfg, device, clock))
		},
	})
	if err != nil {
		return err
	}
	err = b.Run(ctx)
	log.Info().Msg("airplay2mqtt ends")
	return err
}

// embedded is where the broker listens that is started when none is configured.
const embedded = "127.0.0.1:1883"

// startBroker starts the embedded broker and puts its address into cfg.
func (w world) startBroker(cfg *config.Config, log zerolog.Logger) (*mqtt.Broker, error) {
	broker, err := mqtt.StartBroker(mqtt.BrokerConfig{Address: embedded, Search: 20, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("the embedded broker: %w; configure another with mqtt.server", err)
	}
	cfg.MQTT.Server = "mqtt://" + broker.Addr().String()
	log.Info().Str("address", cfg.MQTT.Server).Msg("no broker is configured; the embedded one is used")
	fmt.Fprintf(w.stdout, "Embedded broker: %s (only this machine can reach it; set mqtt.server to use yours)\n", cfg.MQTT.Server)
	return broker, nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/internal/nearest"
)

const checkHelp = `Every mistake is told at once, with its line. Exit status 0 means that the
bridge would start with it. Every key can also come from the environment:
mqtt.server is AIRPLAY2MQTT_MQTT_SERVER. config.example.yaml lists all keys.
`

// check tells all mistakes of the configuration, and what it means where there
// are none.
func (w world) check(_ context.Context, args []string) error {
	f := w.flags("check")
	path := f.String("config", "", configHelp)
	if err := w.parse(f, args, 0, 0); err != nil {
		return err
	}
	cfg, err := w.load(*path)
	if err != nil {
		return err
	}
	fmt.Fprintln(w.stdout, "The configuration has no mistakes.")
	w.explain(cfg)
	return nil
}

// explain says what a configuration will do, and what may surprise.
func (w world) explain(cfg config.Config) {
	broker := cfg.MQTT.Server
	if broker == "" {
		broker = "none is configured: an embedded one will be started on this machine"
	}
	fmt.Fprintf(w.stdout, "  broker   %s\n  topics   %s/...\n", broker, cfg.MQTT.BaseTopic)
	fmt.Fprintf(w.stdout, "  devices  %d configured, discovery %s\n", len(cfg.Devices), onOff(cfg.Discovery.MDNS))
	for _, folder := range cfg.Media.Folders {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			fmt.Fprintf(w.stdout, "  note: the media folder %s does not exist; play_file will find nothing in it\n", folder)
		}
	}
	var names []string
	for _, d := range cfg.Devices {
		names = append(names, d.Name)
	}
	for _, g := range cfg.Groups {
		for _, m := range g.Members {
			if meant := nearest.Word(m, names); meant != "" && !strings.EqualFold(meant, m) {
				fmt.Fprintf(w.stdout, "  note: %s, of the group %s, is no configured device, did you mean %q?\n", m, g.Name, meant)
			}
		}
	}
	if !cfg.Discovery.MDNS && len(cfg.Devices) == 0 {
		fmt.Fprintln(w.stdout, "  note: discovery is off and no device is configured; there is nothing to play on")
	}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

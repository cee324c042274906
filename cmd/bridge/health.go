package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
)

const healthHelp = `It asks the bridge by its own topics, with the broker and the password of the
configuration: exit status 0 says that the broker is there, and that the bridge
hears it and does what it is told. Docker and others ask so now and then:

  HEALTHCHECK CMD ["/bridge", "health"]
  bridge health -within 3s || systemctl restart airplay2mqtt
`

// health asks whether a bridge that runs is well.
func (w world) health(ctx context.Context, args []string) error {
	f := w.flags("health")
	path := f.String("config", "", configHelp)
	limit := f.Duration("within", 5*time.Second, "how soon it must answer")
	if err := w.parse(f, args, 0, 0); err != nil {
		return err
	}
	cfg, err := w.load(*path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	servers := []string{cfg.MQTT.Server}
	if cfg.MQTT.Server == "" {
		servers = embeddedServers()
	}
	answers := make(chan error, len(servers))
	for _, server := range servers {
		go func() { answers <- w.ask(ctx, cfg, server) }()
	}
	well := false
	for range servers {
		if e := <-answers; e == nil {
			well = true
			cancel() // the others need not wait
		} else if err == nil {
			err = e
		}
	}
	if well {
		return nil
	}
	return err
}

// embeddedServers are where an embedded broker may be.
func embeddedServers() []string {
	host, text, _ := net.SplitHostPort(embedded)
	port, _ := strconv.Atoi(text)
	servers := make([]string, 0, embeddedSearch+1)
	for n := range embeddedSearch + 1 {
		servers = append(servers, "mqtt://"+net.JoinHostPort(host, strconv.Itoa(port+n)))
	}
	return servers
}

// ask asks the bridge at one broker.
func (w world) ask(ctx context.Context, cfg config.Config, server string) error {
	cfg.MQTT.Server, cfg.MQTT.ClientID = server, ""
	broker, err := bridge.Reach(cfg.MQTT)
	if err != nil {
		return err
	}
	question := rand.Text()
	payload, _ := json.Marshal(map[string]string{"transaction": question})
	var client *mqtt.Client
	var asked atomic.Bool
	broker.OnConnect = func(ctx context.Context) {
		if client.Listen(ctx) == nil {
			m := mqtt.Message{Topic: cfg.MQTT.BaseTopic + "/bridge/request/ping", Payload: payload, QoS: 1}
			asked.Store(client.Publish(ctx, m) == nil)
		}
	}
	if client, err = mqtt.New(broker); err != nil {
		return err
	}
	heard := make(chan json.RawMessage, 1)
	client.Handle(cfg.MQTT.BaseTopic+"/bridge/response/ping", func(m mqtt.Message) {
		var r struct {
			Transaction string
			Data        json.RawMessage
		}
		if json.Unmarshal(m.Payload, &r) == nil && r.Transaction == question && len(heard) == 0 {
			heard <- r.Data
		}
	})
	running, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = client.Run(running) }()
	defer func() { end(); <-ended }()
	select {
	case data := <-heard:
		fmt.Fprintf(w.stdout, "%s\n", data)
		return nil
	case <-ctx.Done():
	}
	if !asked.Load() {
		return fmt.Errorf("the broker at %s cannot be reached", client.Address())
	}
	return fmt.Errorf("no bridge with the base topic %s answers over %s", cfg.MQTT.BaseTopic, client.Address())
}

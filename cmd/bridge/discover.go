package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"airplay2mqtt/bridge"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/vault"
	"airplay2mqtt/discovery"
)

const discoverHelp = `It listens for -for and then lists what it heard, and the devices of the
configuration. Devices that cannot be played to are listed with the reason.

  bridge discover
  bridge discover -json | jq -r '.[] | .slug'
  bridge discover -interfaces lo -for 5s
`

func (w world) discover(ctx context.Context, args []string) error {
	f := w.flags("discover")
	path := f.String("config", "", configHelp)
	asJSON := f.Bool("json", false, "write a JSON array, one object a device, as <base>/bridge/devices holds it")
	verbose := f.Bool("v", false, "tell how each device is shown who we are, and why in that way")
	long := f.Duration("for", 3*time.Second, "how long to listen")
	interfaces := f.String("interfaces", "", "listen on these `names`, separated by commas (default: those of the configuration)")
	if err := w.parse(f, args, 0, 0); err != nil {
		return err
	}
	cfg, err := w.load(*path)
	if err != nil {
		return err
	}
	if *interfaces != "" {
		cfg.Discovery = config.Discovery{MDNS: true, Interfaces: strings.Split(*interfaces, ",")}
	}
	devices, err := w.find(ctx, cfg, *long, nil)
	if err != nil {
		return err
	}
	list := listings(cfg, devices, w.unlock("discover", cfg))
	if *asJSON {
		e := json.NewEncoder(w.stdout)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	if *verbose && len(list) > 0 {
		return w.proofs(list)
	}
	return w.table(list)
}

// proofs tells how each device is shown who we are, and why in that way.
func (w world) proofs(list []bridge.Listing) error {
	for _, l := range list {
		fmt.Fprintf(w.stdout, "%s (%s, %s)\n  speaks   %s\n  pairing  %s\n  proof    %s: %s\n",
			l.Name, l.ID, l.Model, strings.Join(l.Protocols, ", "), l.Pairing, l.Proof, l.ProofReason)
		if l.Reason != "" {
			fmt.Fprintf(w.stdout, "  note     %s\n", l.Reason)
		}
	}
	return nil
}

// find listens for devices until the time is over, or until enough says so.
func (w world) find(ctx context.Context, cfg config.Config, long time.Duration, enough func(discovery.Device) bool) (map[string]discovery.Device, error) {
	devices := map[string]discovery.Device{}
	if !cfg.Discovery.MDNS {
		return devices, nil
	}
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	var mu sync.Mutex
	err := discovery.Browse(ctx, discovery.Config{Interfaces: cfg.Discovery.Interfaces, Logger: w.logger(cfg.Log)}, func(e discovery.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Gone {
			delete(devices, e.Device.ID)
			return
		}
		devices[e.Device.ID] = e.Device
		if enough != nil && enough(e.Device) {
			cancel()
		}
	})
	mu.Lock()
	defer mu.Unlock()
	if ctx.Err() != nil {
		err = nil // that is how it ends
	}
	return devices, err
}

// listings describes what was found and what is configured, each device once.
func listings(cfg config.Config, found map[string]discovery.Device, v *vault.Vault) []bridge.Listing {
	list := []bridge.Listing{}
	for _, c := range cfg.Devices {
		if c.Host == "" {
			continue
		}
		d := discovery.Device{ID: config.NormalID(c.ID), Name: c.Name}
		for id, other := range found {
			if id == d.ID || d.ID == "" && strings.EqualFold(other.Name, c.Name) {
				d = other
				delete(found, id)
				break
			}
		}
		list = append(list, bridge.List(d, c, v))
	}
	for _, d := range found {
		list = append(list, bridge.List(d, overrideOf(cfg, d), v))
	}
	slices.SortFunc(list, func(a, b bridge.Listing) int { return strings.Compare(a.Slug+a.ID, b.Slug+b.ID) })
	return list
}

// overrideOf is what the configuration says of a discovered device.
func overrideOf(cfg config.Config, d discovery.Device) config.Device {
	for _, c := range cfg.Devices {
		if c.ID != "" && config.NormalID(c.ID) == d.ID || c.ID == "" && strings.EqualFold(c.Name, d.Name) {
			return c
		}
	}
	return config.Device{}
}

func (w world) table(list []bridge.Listing) error {
	if len(list) == 0 {
		fmt.Fprintln(w.stdout, "No device was found. Are the speakers on, in this network, and is multicast let through? A device can be configured by host and port.")
		return nil
	}
	t := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSLUG\tADDRESS\tMODEL\tSPEAKS\tREMARKS")
	for _, l := range list {
		remarks := l.Reason
		if remarks == "" && slices.Contains(l.Features, "password") {
			remarks = "needs a password"
		}
		fmt.Fprintf(t, "%s\t%s\t%s:%d\t%s\t%s\t%s\n", l.Name, l.Slug, l.Address, l.Port, l.Model, strings.Join(l.Protocols, ", "), remarks)
	}
	return t.Flush()
}

package bridge

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"airplay2mqtt/bridge/config"
)

// rereads are the keys that a bridge takes over while it runs. All others are
// read at its start only (docs/decisions/0019-what-is-reread.md).
var rereads = []string{"devices", "groups", "quiet_hours", "limits", "log.level", "announcements.cooldown", "announcements.per_hour"}

// Reload takes over names, limits, groups and chimes of other settings, without
// touching what plays. It returns the keys that differ as well and are heeded
// after a restart only.
func (b *Bridge) Reload(ctx context.Context, s config.Config) (later []string, err error) {
	if err := CheckCommands(s.Limits); err != nil {
		return nil, err
	}
	taken := make(chan []string, 1)
	select {
	case b.calls <- func() { taken <- b.reload(s) }:
	case <-ctx.Done():
		return nil, fmt.Errorf("bridge: reload: %w", ctx.Err())
	}
	select {
	case later = <-taken:
		return later, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("bridge: reload: %w", ctx.Err())
	}
}

// reload is Reload on the switchboard. Others read the settings that it leaves.
func (b *Bridge) reload(s config.Config) (later []string) {
	for _, key := range config.Changes(b.cfg, s) {
		if !slices.ContainsFunc(rereads, func(known string) bool { return key == known || strings.HasPrefix(key, known+".") }) {
			later = append(later, key)
		}
	}
	b.cfg.Devices, b.cfg.Groups, b.cfg.Limits, b.cfg.QuietHours = s.Devices, s.Groups, s.Limits, s.QuietHours
	b.cfg.Announcements.Cooldown, b.cfg.Announcements.PerHour = s.Announcements.Cooldown, s.Announcements.PerHour
	b.cfg.Log.Level = s.Log.Level
	b.hours.Store(&s.QuietHours)
	b.gate.rules = s.Limits
	b.levels.choose("", s.Log.Level)
	b.reloadDevices()
	b.reloadGroups()
	for _, d := range append(slices.Collect(maps.Values(b.devices)), b.all) {
		b.adjust(d)
	}
	b.regroup()
	b.chores.Go(func() error { b.chimes.scan(b.living); return nil })
	b.tellInfo()
	b.tellDevices()
	return later
}

// reloadDevices has devices be as they are configured by now.
func (b *Bridge) reloadDevices() {
	configured := map[string]bool{} // by id, those that need no discovery
	for _, c := range b.cfg.Devices {
		if c.Host == "" {
			continue
		}
		id := cmp.Or(config.NormalID(c.ID), staticID(c.Name))
		if configured[id] = true; b.devices[id] == nil {
			b.addStatic(c)
		}
		rec := b.devices[id].record
		rec.Static, rec.Device.Name = true, c.Name
	}
	for id, d := range b.devices {
		found, there := b.there[id]
		switch {
		case d.isGroup():
			continue
		case d.record.Static && !configured[id] && !there:
			b.remove(d)
			continue
		case d.record.Static && !configured[id]: // it needs no entry
			d.record.Static, d.record.Device = false, found
		}
		d.configure(b.overrideOf(d.record))
		d.face.setPairing(d.pairingWord())
		b.tellHome(d)
		b.tellOptions(d)
	}
	b.registry.dirty = true
}

// reloadGroups makes, changes and ends groups of the configuration.
func (b *Bridge) reloadGroups() {
	configured := map[string]bool{}
	for _, g := range b.cfg.Groups {
		id := groupID(g.Name)
		configured[id] = true
		if d := b.devices[id]; d != nil && d.isGroup() {
			d.record.Group.Members, d.record.Group.Static = g.Members, true
			continue
		}
		b.configured(g)
	}
	for id, d := range b.devices {
		if d.isGroup() && d.record.Group.Static && !configured[id] {
			b.remove(d)
			delete(b.registry.devices, id)
		}
	}
	b.registry.dirty = true
}

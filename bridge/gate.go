package bridge

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/internal/nearest"

	"github.com/rs/zerolog"
)

// A gate lets commands in: those that the configuration allows, and no more of
// them than a house needs. Whoever reaches the broker can give commands, and
// MQTT does not tell from whom they are; so each device has a measure of its
// own, and a flood for one does not reach the others. It belongs to the
// switchboard.
type gate struct {
	rules config.Limits
	log   zerolog.Logger

	overall   bucket
	of        map[string]*bucket // by id of a device
	strangers bucket             // for devices that there are not
	bridge    bucket             // requests to the bridge itself
	data      bucket             // bytes of play_data
	told      bucket             // refusals that are answered

	refused int       // since it was last logged
	logged  time.Time // when that was
}

func newGate(rules config.Limits, log zerolog.Logger) *gate {
	return &gate{rules: rules, log: log, of: map[string]*bucket{}}
}

// errFlood is why a command that is one too many is not obeyed.
var errFlood = &refusal{"rate_limited", "too many commands come; this one was dropped (limits)"}

// admit tells why a command for a device (nil: there is no such) is not let in;
// nil: it is. size is that of the sound that it brings along.
func (g *gate) admit(name string, d *device, size int, largest config.Size, now time.Time) error {
	if err := g.allows(name); err != nil {
		return err
	}
	measure := &g.strangers
	if d != nil {
		if measure = g.of[d.id()]; measure == nil {
			measure = new(bucket)
			g.of[d.id()] = measure
		}
	}
	rate := float64(g.rules.PerDevice)
	modest := measure.drain(now, rate) < rate/4 && d != nil // it is heard whatever becomes of others
	if !measure.take(now, 1, rate, burst) || !modest && !g.overall.take(now, 1, float64(g.rules.Overall), burst) {
		return errFlood
	}
	if !g.data.take(now, float64(size), float64(largest)/2, 8) { // four of the largest at once, then one each two seconds
		return &refusal{"rate_limited", "too many sounds come as messages; this one was dropped"}
	}
	return nil
}

// admitRequest is admit for what is asked of the bridge itself.
func (g *gate) admitRequest(name string, now time.Time) error {
	if err := g.allows(requestPrefix + name); err != nil {
		return err
	}
	if !g.bridge.take(now, 1, float64(g.rules.PerDevice), burst) {
		return errFlood
	}
	return nil
}

// requestPrefix is what requests are called with in limits.commands.
const requestPrefix = "bridge/request/"

// allows tells why the configuration forbids a command; nil: it does not.
func (g *gate) allows(name string) error {
	switch {
	case g.rules.ReadOnly:
		return &refusal{"forbidden_command", "the bridge only tells and obeys nobody (limits.read_only)"}
	case len(g.rules.Commands) > 0 && !slices.Contains(g.rules.Commands, name):
		return &refusal{"forbidden_command", fmt.Sprintf("%s is not one of the commands that are allowed (limits.commands)", name)}
	}
	return nil
}

// tellsRefusal tells whether one more refusal is answered: in a flood not all
// are, or else the answers would be a flood as well.
func (g *gate) tellsRefusal(now time.Time) bool {
	if g.told.take(now, 1, float64(g.rules.PerDevice), burst) {
		return true
	}
	if g.refused++; now.Sub(g.logged) >= time.Minute {
		g.log.Warn().Int("commands", g.refused).Msg("commands come faster than they are obeyed; refusals without an answer")
		g.refused, g.logged = 0, now
	}
	return false
}

// forget drops the measure of a device that is no more.
func (g *gate) forget(d *device) { delete(g.of, d.id()) }

// burst is how many seconds' worth may come at once, after a pause.
const burst = 2

// A bucket holds what may be done at once, and fills again as time passes. The
// zero value is full.
type bucket struct {
	taken float64 // of what it holds
	at    time.Time
}

// take takes n, if the bucket has as much. It is filled at a rate, up to what
// that makes in some seconds.
func (b *bucket) take(now time.Time, n, rate, seconds float64) bool {
	if b.drain(now, rate)+n > rate*seconds {
		return false
	}
	b.taken += n
	return true
}

// drain is how much is taken by now.
func (b *bucket) drain(now time.Time, rate float64) float64 {
	b.taken = max(0, b.taken-rate*max(0, now.Sub(b.at).Seconds()))
	b.at = now
	return b.taken
}

// CheckCommands tells what is wrong with limits.commands of a configuration:
// which commands there are is known here.
func CheckCommands(l config.Limits) error {
	known := verbNames()
	for name := range maps.Keys(requests) {
		known = append(known, requestPrefix+name)
	}
	for i, name := range l.Commands {
		if !slices.Contains(known, name) {
			return fmt.Errorf("limits.commands[%d]: there is no command %q%s", i, name, nearest.Hint(name, known))
		}
	}
	return nil
}

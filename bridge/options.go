package bridge

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/player"
)

// optionKeys are what can be changed of a device at run time. It is remembered,
// and counts before what the configuration says.
var optionKeys = []string{"offset", "latency", "max_volume"}

// asConfigured takes an option back.
const asConfigured = "default"

// setOptions changes what a device does from now on.
func (b *Bridge) setOptions(f fields) (any, error) {
	d, err := b.whom(f)
	switch {
	case err != nil:
		return nil, err
	case d.isGroup():
		return nil, bad("%s is a group; only devices have options", d.slug())
	}
	changed := *d.record // all of it can be understood, or nothing is changed
	for _, key := range optionKeys {
		if raw, ok := f[key]; ok {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				text = string(raw)
			}
			if err := changed.set(key, strings.TrimSpace(text), raw); err != nil {
				return nil, err
			}
			b.registry.dirty = true
		}
	}
	*d.record = changed
	b.adjust(d)
	b.tellOptions(d)
	b.tellHome(d) // it may be a latency without a name
	return d.options(), nil
}

// set changes one option.
func (r *record) set(key, text string, raw json.RawMessage) error {
	switch {
	case key == "offset" && text == asConfigured:
		r.Offset = nil
	case key == "offset":
		offset, err := config.ParseOffset(text)
		if err != nil {
			return bad("offset must be from -2s to 2s, such as 40ms or -40 (milliseconds), or default, not %s", short(raw))
		}
		ms := round(float64(offset)/1e6, 3)
		r.Offset = &ms
	case key == "latency" && text == asConfigured:
		r.Latency = 0
	case key == "latency":
		latency, err := config.ParseLatency(text)
		if err != nil {
			return bad("latency must be chime, normal, robust, 100ms to 10s, or default, not %s", short(raw))
		}
		r.Latency = latency
	case key == "max_volume" && text == asConfigured:
		r.MaxVolume = 0
	default:
		most, err := config.ParsePercent(text)
		if err != nil {
			return bad("max_volume must be a whole number from 1 to 100, or default, not %s", short(raw))
		}
		r.MaxVolume = most
	}
	return nil
}

// adjust has a device do as its options and the configuration say by now.
func (b *Bridge) adjust(d *device) {
	d.shift()
	d.floor.Store(int64(d.latency()))
	tune := player.Tune{
		Lead: d.lead(), MaxVolume: d.mostVolume(), HangUp: time.Duration(d.override().KeepWarm),
		Cooldown: time.Duration(b.cfg.Announcements.Cooldown), PerHour: b.cfg.Announcements.PerHour,
	}
	if err := d.player.Send(tune, nil); err != nil {
		d.log.Warn().Err(err).Msg("its options are heeded after a restart only")
	}
}

// options are those that hold now.
type options struct {
	Device    string  `json:"device"`
	Offset    float64 `json:"offset"`  // in milliseconds
	Latency   string  `json:"latency"` // chime, normal, robust, or as 400ms
	MaxVolume int     `json:"max_volume"`
}

func (d *device) options() options {
	return options{
		Device:    d.slug(),
		Offset:    round(float64(d.delay())/1e6, 3),
		Latency:   config.Latency(d.lead()).String(),
		MaxVolume: int(cmp.Or(d.most(), 100)),
	}
}

// tellOptions tells them.
func (b *Bridge) tellOptions(d *device) {
	if !d.isGroup() {
		d.face.retain(mqtt.Message{Topic: d.face.topic("options"), Payload: encode(d.options())})
	}
}

// delay is how much later than the others of a group a device plays.
func (d *device) delay() time.Duration {
	if ms := d.record.Offset; ms != nil {
		return time.Duration(*ms * float64(time.Millisecond))
	}
	return time.Duration(d.override().Offset)
}

// latency is the one that the user has chosen for a device; zero: none.
func (d *device) latency() config.Latency { return cmp.Or(d.record.Latency, d.override().Latency) }

// lead is how long after a command its sound is heard.
func (d *device) lead() time.Duration { return time.Duration(cmp.Or(d.latency(), config.Normal)) }

// most is what is never exceeded; zero: nothing is said. What the configuration
// forbids is not allowed at run time.
func (d *device) most() config.Percent {
	if d.record.MaxVolume == 0 || d.override().MaxVolume == 0 {
		return cmp.Or(d.record.MaxVolume, d.override().MaxVolume)
	}
	return min(d.record.MaxVolume, d.override().MaxVolume)
}

func (d *device) mostVolume() float64 { return float64(d.most()) / 100 }

// shift makes a device later than the others of a group, at once.
func (d *device) shift() {
	delay := d.delay()
	d.offset.Store(int64(delay))
	if s := d.live.Load(); s != nil {
		s.SetOffset(delay)
	}
}

package bridge

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"

	"airplay2mqtt/discovery"
)

// ErrRestart is returned by Run after the request restart: whoever runs the
// bridge reads the configuration anew and runs another.
var ErrRestart = errors.New("bridge: it was asked to restart")

// rescan looks for devices, and for chimes, at once.
func (b *Bridge) rescan(fields) (any, error) {
	select {
	case b.look <- struct{}{}:
	default: // it is looked already
	}
	for _, found := range b.there {
		if b.known(found) == nil {
			b.discovered(discovery.Event{Device: found})
		}
	}
	for _, d := range b.devices {
		if d.record.Static && !d.online && !d.probing {
			b.probe(d)
		}
	}
	b.chores.Go(func() error { b.chimes.scan(b.living); return nil })
	return struct {
		Devices int `json:"devices"`
	}{len(b.devices)}, nil
}

// republish says once more all that is retained.
func (b *Bridge) republish(fields) (any, error) {
	b.tell.repeat()
	return nil, nil
}

// restart ends the bridge, so that another begins.
func (b *Bridge) restart(fields) (any, error) {
	b.log.Info().Msg("a restart was asked for")
	b.again = true
	b.leave()
	return nil, nil
}

// diagnostics is what helps who helps: everything about this bridge and its
// devices that is no secret.
type diagnostics struct {
	Version       string        `json:"version"`
	Commit        string        `json:"commit"`
	Go            string        `json:"go"`
	Platform      string        `json:"platform"`
	At            string        `json:"at"`
	Health        Health        `json:"health"`
	Configuration any           `json:"configuration"`
	Devices       []deviceFacts `json:"devices"`
}

// deviceFacts is a device with what it announces and has taught us.
type deviceFacts struct {
	Listing
	Options *options          `json:"options,omitempty"` // not of groups
	Learned *learned          `json:"learned,omitempty"`
	RAOP    map[string]string `json:"raop,omitempty"`    // its records
	AirPlay map[string]string `json:"airplay,omitempty"` // likewise
	State   document          `json:"state"`
}

func (b *Bridge) diagnose(fields) (any, error) {
	d := diagnostics{
		Version: b.about.Version, Commit: b.about.Commit,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		At:            time.Now().UTC().Format(stamp),
		Health:        b.condition(time.Now()),
		Configuration: b.cfg.Redacted().Map(),
	}
	for _, one := range b.devices {
		d.Devices = append(d.Devices, one.facts())
	}
	slices.SortFunc(d.Devices, func(a, b deviceFacts) int { return strings.Compare(a.Slug, b.Slug) })
	return d, nil
}

func (d *device) facts() deviceFacts {
	f := deviceFacts{Listing: d.listing(), State: d.face.document(), Learned: d.learned.Load()}
	if d.isGroup() {
		f.Learned = nil
		return f
	}
	o := d.options()
	f.Options = &o
	if s := d.record.Device.RAOP; s != nil {
		f.RAOP = s.TXT
	}
	if s := d.record.Device.AirPlay; s != nil {
		f.AirPlay = s.TXT
	}
	return f
}

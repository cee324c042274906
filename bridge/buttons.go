package bridge

import (
	"context"
	"fmt"
	"math"
	"net"
	"time"

	"airplay2mqtt/bridge/player"
	"airplay2mqtt/dacp"
	"airplay2mqtt/discovery"
)

// serveButtons answers receivers whose buttons are pressed, and makes known
// where we do, until ctx ends. Without that all else works.
func (b *Bridge) serveButtons(ctx context.Context) error {
	listen := b.about.Listen
	if listen == nil {
		listen = net.Listen
	}
	l, err := listen("tcp", ":0")
	if err != nil {
		b.log.Warn().Err(err).Msg("buttons of speakers are not heard")
		return nil
	}
	b.chores.Go(func() error { return b.announce(ctx, l.Addr()) })
	if err := b.buttons.Serve(ctx, l); ctx.Err() == nil {
		b.log.Warn().Err(err).Msg("buttons of speakers are not heard any more")
	}
	return nil
}

// announce makes known where receivers find us.
func (b *Bridge) announce(ctx context.Context, at net.Addr) error {
	announce := b.about.Announce
	if announce == nil {
		announce = func(ctx context.Context, i discovery.Instance) error {
			return discovery.Announce(ctx, discovery.Config{Interfaces: b.cfg.Discovery.Interfaces, Logger: b.log}, i)
		}
	}
	tcp, ok := at.(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("bridge: buttons: %v is no TCP address", at)
	}
	err := announce(ctx, discovery.Instance{
		Name: b.buttons.Instance(), Type: dacp.Service, TXT: b.buttons.TXT(), Port: uint16(tcp.Port),
	})
	if ctx.Err() == nil {
		b.log.Warn().Err(err).Msg("speakers do not find us when their buttons are pressed")
	}
	return nil
}

// pressed takes what a speaker's buttons say: a Config's Remote. It tells
// it, and does it, unless the user wants to be told only. What is a fact, as a
// volume that has changed, is taken over all the same.
func (d *device) pressed(r dacp.Remote) {
	d.log.Debug().Str("button", r.Kind).Msg("pressed")
	d.face.pressed(r)
	if r.Kind == dacp.Busy {
		d.occupancy.chosen(r.Busy)
		d.tellBusy()
	}
	c := commandOf(r)
	_, fact := c.(player.VolumeChanged)
	if c == nil || d.override().Buttons == "report" && !fact {
		return
	}
	if err := d.player.Send(c, nil); err != nil {
		d.log.Debug().Err(err).Str("button", r.Kind).Msg("nothing is done about it")
	}
}

const (
	volumeStep = 0.05
	// skip is how far a button that winds goes: there is no winding.
	skip = 10 * time.Second
)

// commandOf is what a button asks for; nil: nothing that we do.
func commandOf(r dacp.Remote) player.Command {
	switch r.Kind {
	case dacp.Play:
		return player.Resume{}
	case dacp.Pause:
		return player.Pause{}
	case dacp.PlayPause:
		return player.PlayPause{}
	case dacp.Stop:
		return player.Stop{}
	case dacp.Next:
		return player.Next{}
	case dacp.Previous:
		return player.Previous{}
	case dacp.FastForward:
		return player.Seek{To: skip, Relative: true}
	case dacp.Rewind:
		return player.Seek{To: -skip, Relative: true}
	case dacp.Volume:
		return player.VolumeChanged{Level: r.Level}
	case dacp.VolumeUp:
		return player.SetVolume{Level: volumeStep, Relative: true}
	case dacp.VolumeDown:
		return player.SetVolume{Level: -volumeStep, Relative: true}
	case dacp.MuteToggle:
		return player.Mute{To: player.MuteToggle}
	}
	return nil // shuffle and busy; what comes of busy the session tells
}

// percent is a level as users write it.
func percent(level float64) *int {
	v := int(math.Round(level * 100))
	return &v
}

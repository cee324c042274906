package bridge

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"airplay2mqtt/audio"
	"airplay2mqtt/bridge/player"
)

// longestSpeech is how long a clip may be that is no chime: it is held in memory.
const longestSpeech = 2 * time.Minute

// announcements is how a device announces.
func (b *Bridge) announcements(d *device) player.Announcements {
	c, id := b.cfg.Announcements, d.record.Device.ID
	return player.Announcements{
		Clip:     b.makeClip,
		Kept:     b.keptClip,
		Policy:   player.Policy(c.Policy),
		Bed:      math.Pow(10, float64(c.Bed)/20),
		Cooldown: time.Duration(c.Cooldown),
		PerHour:  c.PerHour,
		Raised: func(was float64) {
			if err := b.journal.begin(id, was); err != nil {
				d.log.Warn().Err(err).Msg("a raised volume could not be noted")
			}
		},
		Lowered: func() {
			if err := b.journal.end(id); err != nil {
				d.log.Warn().Err(err).Msg("a volume that is back could not be noted")
			}
		},
	}
}

// keptClip gives a clip that is in memory: nothing is opened or decoded for it.
func (b *Bridge) keptClip(s player.Sound) (*audio.Clip, bool) {
	if s.Chime != "" {
		return b.chimes.kept(s.Chime)
	}
	return b.kept(s.File)
}

// makeClip makes a clip, inside the borders that the configuration sets.
func (b *Bridge) makeClip(ctx context.Context, s player.Sound) (*audio.Clip, error) {
	if s.Chime != "" {
		return b.chimes.get(ctx, s.Chime)
	}
	open := b.openSource
	if s.Text != "" {
		open = func(ctx context.Context, _ player.Play) (audio.Track, error) { return b.speak(ctx, s) }
	}
	track, err := open(ctx, player.Play{URL: s.URL, File: s.File})
	if err != nil {
		return nil, err
	}
	defer track.Close()
	if track.Live {
		return nil, &refusal{"unsupported_format", "a radio or a live input has no end and cannot be announced; play it"}
	}
	clip, err := audio.ReadClip(ctx, track.Source, longestSpeech)
	if errors.Is(err, audio.ErrTooLong) {
		return nil, &refusal{"unsupported_format", fmt.Sprintf("an announcement lasts %v at most; play what is longer", longestSpeech)}
	}
	if err != nil {
		return nil, err
	}
	return b.level(clip)
}

// chimeLoudness is how loud our own chimes are, in LUFS.
const chimeLoudness = -16

// level brings a clip to the loudness that all of them are to have.
func (b *Bridge) level(clip *audio.Clip) (*audio.Clip, error) {
	if b.cfg.Announcements.Loudness == 0 {
		return clip, nil
	}
	return clip.Normalise(float64(b.cfg.Announcements.Loudness), -1)
}

// giveBack gives devices the volume that announcements took, which the bridge
// before did not live to give back.
func (b *Bridge) giveBack() {
	for id, was := range b.journal.left() {
		d := b.devices[id]
		if d == nil {
			if err := b.journal.end(id); err != nil {
				b.log.Warn().Err(err).Msg("the journal of volumes cannot be written")
			}
			continue
		}
		d.log.Info().Msg("the volume from before an announcement is given back")
		b.send(d, []player.Command{player.Restore{Level: was}}, nil)
	}
}

// quiet tells why an announcement is not heard at this hour; nil: it is.
func (b *Bridge) quiet(o order, now time.Time) error {
	if _, ok := o.command.(player.Announce); !ok || o.critical || b.cfg.QuietHours.Announcements != "refuse" {
		return nil
	}
	if quiet, until := b.cfg.QuietHours.Within(now); quiet {
		return &refusal{"quiet_hours", "it is to be quiet until " + until.Format("15:04") + ` (quiet_hours); "critical": true is heard all the same`}
	}
	return nil
}

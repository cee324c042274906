package bridge

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/airplay/video"
	"airplay2mqtt/audio"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/bridge/vault"
	"airplay2mqtt/dacp"
	"airplay2mqtt/discovery"

	"github.com/rs/zerolog"
)

// A device is one speaker in the bridge's books: what is known of it, its
// player, and its face towards the broker. The switchboard owns it; what
// others use is marked.
type device struct {
	record   *record
	online   bool
	probing  bool
	nextLook time.Time // when a device that nothing announces is probed again
	end      func()    // ends its player
	members  []*device // of a group: whom its player was told; nil: nobody yet
	joined   string    // the slug of whom it has joined, as its player told last
	rejoined bool      // its player was told whom it had joined before
	desk     pairingDesk

	// Used by the player's goroutines as well.
	said    atomic.Pointer[config.Device] // what the configuration says of it
	target  atomic.Pointer[target]
	learned atomic.Pointer[learned]
	live    atomic.Pointer[session]   // the newest
	offset  atomic.Int64              // how much later than others it plays, a time.Duration
	floor   atomic.Int64              // the latency that the user has chosen, likewise; 0: none
	busy    atomic.Bool               // it is not idle
	way     atomic.Pointer[video.Way] // in which it was last shown a film; nil: as it announces
	counts  counts
	net     network
	face    *face
	player  *player.Player
	buttons *dacp.Server
	clock   *ptp.Engine
	log     zerolog.Logger
	// occupancy is whether somebody else plays on it.
	occupancy occupancy
	// timingTold is set once it was said that time is kept in another way.
	timingTold atomic.Bool
	vault      *vault.Vault
	// remember tells the switchboard what was learned, reached how a dial went,
	// refused that it wants to be paired or is not the one that was.
	remember func(learned)
	reached  func(ok bool)
	refused  func(imposter bool)
}

func (d *device) id() string   { return d.record.Device.ID }
func (d *device) slug() string { return d.record.Slug }

// name is what the user calls it.
func (d *device) name() string {
	if d.record.Name != "" {
		return d.record.Name
	}
	if d.override().Name != "" && d.override().Host != "" {
		return d.override().Name
	}
	return d.record.Device.Name
}

// override is what the configuration says of a device.
func (d *device) override() config.Device { return *d.said.Load() }

// configure has a device be as the configuration says by now. What is under way
// goes on.
func (d *device) configure(c config.Device) {
	d.said.Store(&c)
	d.target.Store(targetOf(d.record.Device, c))
}

// newDevice makes a device whose player is not running yet.
func (b *Bridge) newDevice(rec *record, override config.Device) *device {
	d := &device{record: rec, net: b.net, buttons: b.buttons, clock: b.clock, vault: b.vault}
	d.said.Store(&override)
	d.log = b.levels.ofDevice(rec.Device.ID, rec.Slug)
	dial := d.dial
	if d.target.Store(targetOf(rec.Device, override)); d.isGroup() {
		d.target.Store(new(target))
		dial = nil
	}
	d.offset.Store(int64(d.delay()))
	d.floor.Store(int64(d.latency()))
	d.face = newFace(b.tell, b.cfg.MQTT.BaseTopic, rec.Slug, d.pairingWord())
	d.learned.Store(cmp.Or(rec.Learned, &learned{AudioLatency: -1}))
	d.remember = func(l learned) { b.post(func() { d.record.Learned, b.registry.dirty = &l, true }) }
	d.refused = func(imposter bool) { b.post(func() { b.wasRefused(d, imposter) }) }
	d.reached = func(ok bool) { b.post(func() { b.wasReached(d, ok) }) }
	d.player = player.New(player.Config{
		Name:   rec.Slug,
		Dial:   dial,
		Open:   b.open,
		Film:   func(ctx context.Context, p player.Play) (player.Film, error) { return b.film(ctx, d, p) },
		Shows:  d.shows,
		Notify: func(s player.State) { b.changed(d, s) },
		Event:  d.face.event,
		Artwork: func(image []byte) {
			if len(image) > 0 {
				image, _ = audio.Artwork(image, artworkSide)
			}
			d.face.artwork(image)
		},
		Queue:     d.face.queue,
		Explain:   explain,
		HangUp:    time.Duration(override.KeepWarm), // always is negative in both
		Lead:      d.lead(),
		MaxVolume: d.mostVolume(),
		Ceiling:   b.ceiling,
		Volume:    rec.Volume,
		Logger:    d.log,

		Announcements: b.announcements(d),
	})
	return d
}

// ceiling is what nothing gets past at some time, and until when.
func (b *Bridge) ceiling(at time.Time) (level float64, until time.Time) {
	q := b.hours.Load()
	if !q.From.Set || q.MaxVolume == 0 {
		return 1, time.Time{}
	}
	quiet, until := q.Within(at)
	if !quiet {
		return 1, until
	}
	return float64(q.MaxVolume) / 100, until
}

// artworkSide is the longest side of a published cover, in pixels.
const artworkSide = 500

// learn takes over what discovery says; it tells whether anything changed that
// others are told.
func (d *device) learn(found discovery.Device) {
	found.ID = d.id()
	if d.record.Static && d.override().Name != "" {
		found.Name = d.override().Name
	}
	d.record.Device = found
	d.target.Store(targetOf(found, d.override()))
	d.tellInUse()
}

// tellInUse tells whether it announces that somebody plays on it.
func (d *device) tellInUse() {
	d.occupancy.announced(d.target.Load().airplay.InUse())
	d.tellBusy()
}

package bridge

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/audio"
	"airplay2mqtt/bridge/assistant"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/media"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/bridge/vault"
	"airplay2mqtt/bridge/voice"
	"airplay2mqtt/bridge/web"
	"airplay2mqtt/dacp"
	"airplay2mqtt/discovery"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

// Config says what a bridge is made of. The zero value of every field but
// Settings works.
type Config struct {
	// Settings is what the user decided. Settings.MQTT.Server must be set: who
	// wants the embedded broker starts it first (mqtt.StartBroker).
	Settings config.Config
	// Version and Commit are told in <base>/bridge/info.
	Version, Commit string
	// Logger hears what happens, from the level on that Settings.Log has and
	// requests change, if its own is not above that; the zero value is silent.
	Logger zerolog.Logger

	// The world. Nil means the real one.
	Browse       func(ctx context.Context, found func(discovery.Event)) error
	DialBroker   func(ctx context.Context) (net.Conn, error)
	DialContext  func(ctx context.Context, network, address string) (net.Conn, error)
	DialMedia    func(ctx context.Context, network, address string) (net.Conn, error) // to addresses that are played
	ListenPacket func(network, address string) (net.PacketConn, error)
	Listen       func(network, address string) (net.Listener, error) // for the buttons of speakers
	Announce     func(ctx context.Context, i discovery.Instance) error
	Slept        func() time.Duration // how long the machine has, since it was started

	// Tail is the end of the log, for the page; nil: it shows none. Doctor finds
	// out why a device, by its name, is silent, as a JSON object; nil: nobody
	// does. It may use the clock, which nobody else may have while we do.
	Tail   *web.Tail
	Doctor func(ctx context.Context, device string, clock *ptp.Engine) (json.RawMessage, error)
}

// A Bridge shows receivers on the broker and plays on them what it is told to.
type Bridge struct {
	cfg     config.Config
	about   Config
	log     zerolog.Logger
	levels  *levels
	hours   atomic.Pointer[config.QuietHours]
	tell    *teller
	client  *mqtt.Client
	folders *media.Folders
	opener  *audio.Opener
	voice   *voice.Speaker    // nil: text is not spoken
	ha      *assistant.Client // Home Assistant itself; nil: it is not asked
	indoors *audio.Opener     // of what lies there
	chimes  *chimes
	net     network
	buttons *dacp.Server
	page    *web.Server // nil: there is none
	clock   *ptp.Engine // of all AirPlay 2 sessions
	started time.Time

	instance string // tells this bridge from all others

	chores errgroup.Group // what is done beside the switchboard, and waited for
	calls  chan func()    // what the switchboard does next
	intake
	probing chan struct{} // holds a token for each probe under way
	look    chan struct{} // holds one when devices are to be looked for at once

	// Owned by the switchboard's goroutine.
	registry *registry
	journal  *journal           // and of any
	devices  map[string]*device // by id, and groups
	all      *device            // the group of all that are there, which has no record
	vault    *vault.Vault       // and of any
	vaultAge int                // of what was told of it
	players  *errgroup.Group
	living   context.Context // ends when the players shall
	commands int
	herald   *herald                     // to Home Assistant
	said     []string                    // the slugs that bridge/devices told last
	there    map[string]discovery.Device // what is announced in the network now, by id
	problems map[string]problem          // what somebody should look after
	rivals   rivalry
	healthAt time.Time          // when the health is told next
	leave    context.CancelFunc // ends Run
	again    bool               // another bridge is to begin after this one
	saveAt   time.Time
	saving   bool          // something is being written
	vitalsAt time.Time     // when the vitals are noted next
	slept    time.Duration // how long the machine had, when we looked last
	repeatAt time.Time     // when everything is told once more; zero: never

	// Guarded by mu: states that the switchboard has not looked at.
	mu     sync.Mutex
	states map[*device]player.State
}

// New makes a bridge. It opens no connection yet; an error says what in the
// settings cannot be used.
func New(cfg Config) (*Bridge, error) {
	levels := newLevels(cfg.Logger, cfg.Settings.Log.Level)
	cfg.Logger = levels.log()
	if err := CheckCommands(cfg.Settings.Limits); err != nil {
		return nil, err
	}
	b := &Bridge{
		cfg:     cfg.Settings,
		about:   cfg,
		log:     cfg.Logger,
		levels:  levels,
		tell:    newTeller(),
		net:     network{cfg.DialContext, cfg.ListenPacket},
		clock:   ptp.New(ptp.Config{ListenPacket: cfg.ListenPacket, Logger: cfg.Logger}),
		started: time.Now(),

		instance: rand.Text(),

		calls:   make(chan func(), 256),
		intake:  intake{heard: make(chan mqtt.Message, mostHeard), gate: newGate(cfg.Settings.Limits, cfg.Logger)},
		probing: make(chan struct{}, 2),
		look:    make(chan struct{}, 1),
		devices: map[string]*device{},
		states:  map[*device]player.State{},

		there:    map[string]discovery.Device{},
		problems: map[string]problem{},
	}
	if b.about.Slept == nil {
		b.about.Slept = slept
	}
	b.slept = b.about.Slept()
	b.herald = newHerald(b.tell)
	b.hours.Store(&cfg.Settings.QuietHours)
	for _, part := range []func() error{b.prepareMedia, b.findVoice, b.prepareButtons, b.prepareBroker} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *Bridge) bridgeState(word string) *mqtt.Message {
	return &mqtt.Message{Topic: b.cfg.MQTT.BaseTopic + "/bridge/state", Payload: []byte(word), Retain: true, QoS: 1}
}

// Run works until ctx ends: it stops the sound, hangs up, says "offline" and
// returns nil, all within three seconds: what does not end by then is left. So it
// does when a restart is asked for, and returns ErrRestart.
func (b *Bridge) Run(ctx context.Context) error {
	ctx, b.leave = context.WithCancel(ctx)
	defer b.leave()
	b.openState()
	// The line to the broker outlives all else, so that the end can be told.
	talking, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	var line errgroup.Group
	line.Go(func() error { return b.client.Run(talking) })
	line.Go(func() error { return b.tell.run(talking, b.client) })

	b.switchboard(ctx)
	b.clock.Close()
	if b.voice != nil {
		b.voice.Close()
	}

	b.goodbye(talking)
	hangUp()
	err := b.depart(&line)
	if err == nil && b.again {
		return ErrRestart
	}
	return err
}

// goodbye tells that nothing can be reached any more.
func (b *Bridge) goodbye(ctx context.Context) {
	for _, d := range append(slices.Collect(maps.Values(b.devices)), b.all) {
		d.face.close()
		d.face.available(false)
	}
	b.tell.retain(*b.bridgeState("offline"))
	if !b.client.Connected() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	if err := b.tell.drain(ctx); err != nil {
		b.log.Warn().Err(err).Msg("the broker did not hear the end")
	}
}

// switchboard owns the devices. It returns when ctx has ended and all players
// have hung up.
func (b *Bridge) switchboard(ctx context.Context) {
	living, cancel := context.WithCancel(ctx)
	defer cancel()
	b.players, b.living = new(errgroup.Group), living
	if b.page != nil {
		b.chores.Go(func() error { return b.servePage(living) })
	}
	if b.cfg.Discovery.MDNS { // by which receivers find us
		b.chores.Go(func() error { return b.serveButtons(living) })
	}
	b.begin()
	b.chores.Go(func() error { return b.chimes.cache.Watch(living, b.chimes.folder, 0) })
	b.chores.Go(func() error { return b.chimes.run(living) })
	var seekers errgroup.Group
	if b.cfg.Discovery.MDNS {
		seekers.Go(func() error { return b.browse(living) })
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case call := <-b.calls:
			call()
		case m := <-b.heard:
			b.obey(m)
		case <-tick.C:
			b.lookAfter(time.Now())
		}
	}
	b.end(&seekers)
}

// end waits for the players, and does what they still ask for meanwhile.
func (b *Bridge) end(seekers *errgroup.Group) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = b.players.Wait()
		_ = seekers.Wait()
	}()
	late := time.NewTimer(lastSound)
	defer late.Stop()
	for waiting := true; waiting; {
		select {
		case call := <-b.calls:
			call()
		case <-b.heard:
		case <-late.C:
			b.log.Warn().Msg("some device does not let us hang up; it is left")
			waiting = false
		case <-ended:
			waiting = false
		}
	}
	b.remember()
	b.save()
}

// begin brings back what was known, and what the configuration names.
func (b *Bridge) begin() {
	for i, c := range b.cfg.Devices {
		if c.Host != "" {
			b.addStatic(b.cfg.Devices[i])
		}
	}
	for id, rec := range b.registry.devices {
		if _, ok := b.devices[id]; !ok && !rec.Static && rec.Leader == "" && rec.Group == nil {
			b.add(rec, false)
		}
	}
	b.beginGroups()
	b.giveBack()
	b.tellInfo()
	b.tellDevices()
	b.tellHomeOfUs()
}

func (b *Bridge) browse(ctx context.Context) error {
	browse := b.about.Browse
	if browse == nil {
		browse = func(ctx context.Context, found func(discovery.Event)) error {
			return discovery.Browse(ctx, discovery.Config{Interfaces: b.cfg.Discovery.Interfaces, Look: b.look, Logger: b.log}, found)
		}
	}
	err := browse(ctx, func(e discovery.Event) { b.post(func() { b.discovered(e) }) })
	if err != nil && ctx.Err() == nil {
		b.log.Error().Err(err).Msg("discovery ended; configured devices are still played to")
	}
	return err
}

// post hands the switchboard something to do. It waits while the switchboard
// is behind, and drops it when the bridge has ended.
func (b *Bridge) post(call func()) {
	select {
	case b.calls <- call:
	case <-b.living.Done():
		select {
		case b.calls <- call:
		default:
		}
	}
}

// changed takes a player's new state; it never blocks.
func (b *Bridge) changed(d *device, s player.State) {
	d.face.show(s)
	d.busy.Store(s.Status != player.Idle)
	b.mu.Lock()
	b.states[d] = s
	b.mu.Unlock()
}

// lookAfter does each second what is to be done now and then.
func (b *Bridge) lookAfter(now time.Time) {
	b.remember()
	b.regroup() // who was away while all were playing
	b.awake()
	b.noteVitals(now)
	if !now.Before(b.healthAt) {
		b.tellHealth(now)
	}
	b.lookIntoVault()
	b.herald.step(now)
	b.watchRivals(now)
	b.watchNames()
	if !b.repeatAt.IsZero() && now.After(b.repeatAt) {
		b.repeatAt = time.Time{}
		b.tell.repeat()
	}
	if (b.registry.dirty || b.homeless()) && now.After(b.saveAt) {
		b.saveBeside()
		b.saveAt = now.Add(5 * time.Second)
	}
	for _, d := range b.devices {
		if d.record.Static && !d.online && !d.probing && now.After(d.nextLook) {
			b.probe(d)
		}
	}
}

// nap is how long the machine may sleep without a receiver noticing.
const nap = 200 * time.Millisecond

// awake tells the players when the machine has slept: receivers went on
// meanwhile, and what they know of our clock is wrong.
func (b *Bridge) awake() {
	was := b.slept
	if b.slept = b.about.Slept(); b.slept-was < nap {
		return
	}
	b.log.Info().Dur("slept", b.slept-was).Msg("this machine has slept; sessions are dialled again")
	for _, d := range b.devices {
		if err := d.player.Send(player.Wake{}, nil); err != nil {
			d.log.Warn().Err(err).Msg("it is not told that this machine has slept")
		}
	}
}

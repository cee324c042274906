package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"sync"
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
	"airplay2mqtt/discovery"
	"airplay2mqtt/raop"

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
	// Logger hears what happens; the zero value is silent.
	Logger zerolog.Logger

	// The world. Nil means the real one.
	Browse       func(ctx context.Context, found func(discovery.Event)) error
	DialBroker   func(ctx context.Context) (net.Conn, error)
	DialContext  func(ctx context.Context, network, address string) (net.Conn, error)
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
	tell    *teller
	client  *mqtt.Client
	folders *media.Folders
	opener  *audio.Opener
	voice   *voice.Speaker    // nil: text is not spoken
	ha      *assistant.Client // Home Assistant itself; nil: it is not asked
	indoors *audio.Opener     // of what lies there
	chimes  *chimes
	net     network
	buttons *raop.RemoteServer
	page    *web.Server // nil: there is none
	clock   *ptp.Engine // of all AirPlay 2 sessions
	started time.Time

	chores errgroup.Group // what is done beside the switchboard, and waited for
	calls  chan func()    // what the switchboard does next
	intake
	probing chan struct{} // holds a token for each probe under way

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
	saveAt   time.Time
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
	s := cfg.Settings
	if err := CheckCommands(s.Limits); err != nil {
		return nil, err
	}
	guard, err := media.NewGuard(s.Media.Allow, s.Media.Deny)
	if err != nil {
		return nil, err
	}
	security, err := mediaTLS(s.Media)
	if err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(s.Media.Chimes)
	if err != nil {
		return nil, fmt.Errorf("media.chimes: %w", err)
	}
	paths := append([]string{folder}, s.Media.Folders...)
	if s.Web.Listen != "" {
		paths = append(paths, uploads(s))
	}
	folders := media.NewFolders(paths...)
	b := &Bridge{
		cfg:     s,
		about:   cfg,
		log:     cfg.Logger,
		tell:    newTeller(),
		folders: folders,
		opener: &audio.Opener{
			DialContext: guard.DialContext,
			OpenFile:    folders.Open,
			AllowInput:  folders.Allow,
			TLS:         security,
			MaxDownload: int64(s.Media.MaxDownload),
			Logger:      cfg.Logger,
		},
		net:     network{cfg.DialContext, cfg.ListenPacket},
		clock:   ptp.New(ptp.Config{ListenPacket: cfg.ListenPacket, Logger: cfg.Logger}),
		started: time.Now(),
		calls:   make(chan func(), 256),
		intake:  intake{heard: make(chan mqtt.Message, mostHeard), gate: newGate(s.Limits, cfg.Logger)},
		probing: make(chan struct{}, 2),
		devices: map[string]*device{},
		states:  map[*device]player.State{},
	}
	b.chimes = &chimes{
		folder: folder,
		opener: b.opener,
		cache:  &audio.Cache{Opener: b.opener, Make: b.level, Logger: cfg.Logger},
		log:    cfg.Logger,
		ours:   map[string][]int16{},
		changed: func() {
			b.post(func() {
				b.tellInfo()
				for _, d := range b.devices {
					b.tellHome(d)
				}
			})
		},
	}
	if b.about.Slept == nil {
		b.about.Slept = slept
	}
	b.slept = b.about.Slept()
	if b.buttons, err = raop.NewRemoteServer(raop.RemoteConfig{Logger: cfg.Logger}); err != nil {
		return nil, err
	}
	if err := b.findVoice(); err != nil {
		return nil, err
	}
	if s.Announcements.Loudness != chimeLoudness {
		b.chimes.make = b.level
	}
	broker, err := b.broker()
	if err != nil {
		return nil, err
	}
	if b.client, err = b.newClient(broker); err != nil {
		return nil, err
	}
	if s.Web.Listen != "" {
		b.page, err = b.newPage(broker)
	}
	return b, err
}

// broker is how the broker is reached, by whoever of us does.
func (b *Bridge) broker() (mqtt.Config, error) {
	m := b.cfg.MQTT
	password, err := m.Secret()
	if err != nil {
		return mqtt.Config{}, err
	}
	security, err := tlsConfig(m)
	if err != nil {
		return mqtt.Config{}, err
	}
	return mqtt.Config{
		Server:   m.Server,
		Username: m.Username,
		Password: password,
		ClientID: m.ClientID,
		TLS:      security,
		Dial:     b.about.DialBroker,
		Logger:   b.log,
	}, nil
}

func (b *Bridge) newClient(cfg mqtt.Config) (*mqtt.Client, error) {
	cfg.Will, cfg.OnConnect = b.bridgeState("offline"), b.connected
	cfg.MaxPayload = b.largest()
	client, err := mqtt.New(cfg)
	if err != nil {
		return nil, err
	}
	m := b.cfg.MQTT
	for _, name := range verbNames() {
		client.Handle(m.BaseTopic+"/+/"+name, b.hear)
	}
	for name := range requests {
		client.Handle(m.BaseTopic+"/bridge/request/"+name, b.hearRequest)
	}
	if b.homeAssistant() {
		client.Handle(b.cfg.HomeAssistant.StatusTopic, b.hearHomeAssistant)
	}
	return client, nil
}

func (b *Bridge) bridgeState(word string) *mqtt.Message {
	return &mqtt.Message{Topic: b.cfg.MQTT.BaseTopic + "/bridge/state", Payload: []byte(word), Retain: true, QoS: 1}
}

// Run works until ctx ends: it stops the sound, hangs up, says "offline" and
// returns nil, all within five seconds.
func (b *Bridge) Run(ctx context.Context) error {
	var err error
	if b.registry, err = openRegistry(b.cfg.Data); err != nil {
		b.log.Warn().Err(err).Msg("what was remembered cannot be used")
	}
	if b.journal, err = openJournal(b.cfg.Data); err != nil {
		b.log.Warn().Err(err).Msg("volumes from before announcements are not given back")
	}
	if b.vault, err = OpenVault(b.cfg); err != nil {
		b.log.Warn().Err(err).Msg("paired devices are not known")
	}
	b.vault.Logger = b.log
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
	err = line.Wait()
	_ = b.chores.Wait() // each has told what went wrong
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
	ctx, cancel := context.WithTimeout(ctx, time.Second)
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
	for {
		select {
		case call := <-b.calls:
			call()
		case <-b.heard:
		case <-ended:
			b.remember()
			b.save()
			return
		}
	}
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
			return discovery.Browse(ctx, discovery.Config{Interfaces: b.cfg.Discovery.Interfaces, Logger: b.log}, found)
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
	b.lookIntoVault()
	if !b.repeatAt.IsZero() && now.After(b.repeatAt) {
		b.repeatAt = time.Time{}
		b.tell.repeat()
	}
	if b.registry.dirty && now.After(b.saveAt) {
		b.save()
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

// remember takes over the volumes that players have now.
func (b *Bridge) remember() {
	b.mu.Lock()
	states := b.states
	b.states = map[*device]player.State{}
	b.mu.Unlock()
	for d, s := range states {
		b.follows(d, s.Joined)
		if s.VolumeKnown && !d.isGroup() && (d.record.Volume == nil || *d.record.Volume != s.Chosen) {
			level := s.Chosen
			d.record.Volume = &level
			b.registry.dirty = true
		}
	}
}

func (b *Bridge) save() {
	if err := b.registry.save(); err != nil {
		b.log.Warn().Err(err).Msg("names and volumes could not be written")
	}
}

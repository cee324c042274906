package bridge

import (
	"fmt"
	"path/filepath"

	"airplay2mqtt/audio"
	"airplay2mqtt/bridge/media"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/dacp"
)

// prepareMedia makes what opens sounds, inside the borders of the settings, and
// knows the chimes.
func (b *Bridge) prepareMedia() error {
	m := b.cfg.Media
	guard, err := media.NewGuard(m.Allow, m.Deny)
	if err != nil {
		return err
	}
	dial := b.about.DialMedia
	if dial == nil {
		dial = guard.DialContext
	}
	security, err := mediaTLS(m)
	if err != nil {
		return err
	}
	folder, err := filepath.Abs(m.Chimes)
	if err != nil {
		return fmt.Errorf("media.chimes: %w", err)
	}
	paths := append([]string{folder}, m.Folders...)
	if b.cfg.Web.Listen != "" {
		paths = append(paths, uploads(b.cfg))
	}
	b.folders = media.NewFolders(paths...)
	b.opener = &audio.Opener{
		DialContext: dial,
		OpenFile:    b.folders.Open,
		AllowInput:  b.folders.Allow,
		TLS:         security,
		MaxDownload: int64(m.MaxDownload),
		Logger:      b.log,
	}
	b.chimes = &chimes{
		folder:  folder,
		opener:  b.opener,
		cache:   &audio.Cache{Opener: b.opener, Make: b.level, Logger: b.log},
		log:     b.log,
		ours:    map[string][]int16{},
		changed: func() { b.post(b.tellChimes) },
	}
	if b.cfg.Announcements.Loudness != chimeLoudness {
		b.chimes.make = b.level
	}
	return nil
}

// tellChimes tells which chimes there are by now.
func (b *Bridge) tellChimes() {
	b.tellInfo()
	b.tellHomes()
}

func (b *Bridge) prepareButtons() (err error) {
	b.buttons, err = dacp.New(dacp.Config{Logger: b.log})
	return err
}

// prepareBroker makes what talks to the broker: the bridge, and the page.
func (b *Bridge) prepareBroker() error {
	broker, err := b.broker()
	if err != nil {
		return err
	}
	if err := b.prepareClient(broker); err != nil || b.cfg.Web.Listen == "" {
		return err
	}
	b.page, err = b.newPage(broker)
	return err
}

// broker is how the broker is reached, by whoever of us does.
func (b *Bridge) broker() (mqtt.Config, error) {
	c, err := Reach(b.cfg.MQTT)
	c.Dial, c.Logger = b.about.DialBroker, b.log
	return c, err
}

func (b *Bridge) prepareClient(cfg mqtt.Config) (err error) {
	cfg.Will, cfg.OnConnect = b.bridgeState("offline"), b.connected
	cfg.MaxPayload = b.largest()
	if b.client, err = mqtt.New(cfg); err != nil {
		return err
	}
	m := b.cfg.MQTT
	for _, name := range verbNames() {
		b.client.Handle(m.BaseTopic+"/+/"+name, b.hear)
	}
	for _, filter := range []string{"+", "+/+"} { // also those that there are not, so that they are answered
		b.client.Handle(m.BaseTopic+"/bridge/request/"+filter, b.hearRequest)
	}
	b.client.Handle(m.BaseTopic+"/bridge/info", b.hearInfo)
	if b.homeAssistant() {
		b.client.Handle(b.cfg.HomeAssistant.StatusTopic, b.hearHomeAssistant)
	}
	return nil
}

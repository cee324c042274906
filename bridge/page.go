package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/mqtt"
	"airplay2mqtt/bridge/web"
)

// uploads is where files lie that the page has sent to be played once. It is
// one of the media folders.
func uploads(s config.Config) string { return filepath.Join(s.Data, "uploads") }

// newPage makes the page, which has a connection to the broker of its own.
func (b *Bridge) newPage(broker mqtt.Config) (*web.Server, error) {
	token, err := b.cfg.Web.Secret()
	if err != nil {
		return nil, err
	}
	if broker.ClientID != "" {
		broker.ClientID += "-page"
	}
	page := web.Config{
		Address:   b.cfg.Web.Listen,
		Token:     token,
		Ingress:   b.cfg.Web.Ingress,
		Base:      b.cfg.MQTT.BaseTopic,
		Commands:  verbNames(),
		Requests:  requestNames(),
		Broker:    broker,
		Uploads:   uploads(b.cfg),
		MaxUpload: int64(b.cfg.Media.MaxDownload),
		Version:   b.about.Version,
		Tail:      b.about.Tail,
		Health:    b.health,
		Measure:   b.measure,
		Listen:    b.about.Listen,
		Logger:    b.log,
	}
	if b.about.Doctor != nil {
		page.Doctor = b.examine
	}
	return web.New(page)
}

// servePage serves the page. Without it the bridge plays all the same.
func (b *Bridge) servePage(ctx context.Context) error {
	err := b.page.Run(ctx)
	if err != nil && ctx.Err() == nil {
		b.log.Error().Err(err).Msg("there is no page; everything else goes on")
	}
	return err
}

// answers is how long the switchboard has to do what it is asked.
const answers = 2 * time.Second

// ask has the switchboard do something and waits for it.
func (b *Bridge) ask(ctx context.Context, call func()) error {
	ctx, cancel := context.WithTimeout(ctx, answers)
	defer cancel()
	done := make(chan struct{})
	select {
	case b.calls <- func() { call(); close(done) }:
	case <-ctx.Done():
		return errors.New("the switchboard is busy; it does not answer")
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("the switchboard does not answer")
	}
}

// health says what is wrong with the bridge as a whole.
func (b *Bridge) health() error {
	if err := b.ask(b.living, func() {}); err != nil {
		return err
	}
	if !b.client.Connected() {
		return fmt.Errorf("there is no connection to the broker at %s", b.client.Address())
	}
	return nil
}

// examine has the doctor look at a device that nobody listens to.
func (b *Bridge) examine(ctx context.Context, slug string) (json.RawMessage, error) {
	var name string
	var refused error
	err := b.ask(ctx, func() {
		d, err := b.device(slug)
		switch {
		case err != nil:
			refused = err
		case d.isGroup():
			refused = errors.New("the doctor sees one device at a time, no groups")
		case d.busy.Load():
			refused = errors.New("something is played on it; the doctor would disturb that")
		default:
			if _, open := d.counts.sum(); open > 0 {
				refused = errors.New("it is well so far: the bridge has a session with it, which ends some seconds after the last sound; ask again then")
			}
			name = d.name()
		}
	})
	if err = errors.Join(err, refused); err != nil {
		return nil, err
	}
	return b.about.Doctor(ctx, name, b.clock)
}

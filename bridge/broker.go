package bridge

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/audio/ffmpeg"
	"airplay2mqtt/bridge/config"
	"airplay2mqtt/bridge/hass"
	"airplay2mqtt/bridge/mqtt"
)

// connected says everything to a broker that we have just reached. Whoever
// sees "online" finds all states told and is heard.
func (b *Bridge) connected(ctx context.Context) {
	online := *b.bridgeState("online")
	b.tell.forget(online.Topic)
	if b.tell.again(ctx) != nil || b.client.Listen(ctx) != nil {
		return // the connection is gone; there will be another
	}
	b.tell.retain(online)
	b.chores.Go(func() error { b.sweep(ctx); return nil })
}

// sweepTime is how long the broker is listened to for what an earlier run left.
const sweepTime = 3 * time.Second

// sweep looks what an earlier run of ours left on the broker, and clears what
// this one does not know: devices that are announced to Home Assistant and no
// more, and states of devices that are forgotten.
func (b *Bridge) sweep(ctx context.Context) {
	looking, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	found := dust{left: map[string][]byte{}}
	look := func(m mqtt.Message) {
		if m.Retain && len(m.Payload) > 0 && b.ours(m) && !b.tell.holds(m.Topic) {
			found.add(m)
		}
	}
	var watching sync.WaitGroup
	for _, filter := range b.sweepFilters() {
		watching.Go(func() { _ = b.client.Watch(looking, filter, look) })
	}
	watching.Wait()
	if ctx.Err() != nil {
		return // what is left is found on the next connection
	}
	b.post(func() {
		stale := b.takeOver(found.left)
		b.chores.Go(func() error { return b.clearAll(ctx, stale) })
	})
}

// clearAll clears what an earlier run left.
func (b *Bridge) clearAll(ctx context.Context, stale []string) error {
	for _, topic := range stale {
		if err := b.client.Clear(ctx, topic); err != nil {
			return err // the connection is gone; it is found on the next one
		}
		b.log.Info().Str("topic", topic).Msg("what an earlier run left was cleared")
	}
	return nil
}

// takeOver tells the herald what Home Assistant knows from an earlier run, and
// returns the topics that nothing of ours is on any more.
func (b *Bridge) takeOver(left map[string][]byte) (stale []string) {
	for topic := range left {
		if !b.tell.holds(topic) && !b.herald.wants(topic) {
			stale = append(stale, topic)
			delete(left, topic)
		}
	}
	b.herald.begin(left)
	return stale
}

// dust is what an earlier run has left, in bounds: more was not left by us.
type dust struct {
	mu   sync.Mutex
	left map[string][]byte // by topic; nil: there was no more room for the payload
	size int
}

const (
	mostSwept = 10_000  // topics
	mostDust  = 4 << 20 // bytes of payloads
)

func (d *dust) add(m mqtt.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.left) >= mostSwept {
		return
	}
	if d.size += len(m.Payload); d.size > mostDust {
		m.Payload = nil
	}
	d.left[m.Topic] = m.Payload
}

func (b *Bridge) sweepFilters() []string {
	base := b.cfg.MQTT.BaseTopic
	filters := []string{base + "/+/availability", base + "/+/state", base + "/+/state/+", base + "/+/artwork", base + "/+/artwork_base64", base + "/+/queue", base + "/+/options"}
	if b.homeAssistant() {
		filters = append(filters, hass.Filters(b.cfg.HomeAssistant.DiscoveryPrefix)...)
	}
	return filters
}

// ours tells whether a retained message was left by a bridge with our base
// topic. Under the base topic all is; in Home Assistant's discovery others have
// their devices too.
func (b *Bridge) ours(m mqtt.Message) bool {
	base := b.cfg.MQTT.BaseTopic
	if rest, ok := strings.CutPrefix(m.Topic, base+"/"); ok {
		return !strings.HasPrefix(rest, "bridge/")
	}
	return hass.Ours(hass.Message{Topic: m.Topic, Payload: m.Payload, Retain: true}, base)
}

// tellInfo tells what this bridge is.
func (b *Bridge) tellInfo() { b.tell.retain(b.info()) }

func (b *Bridge) info() mqtt.Message {
	info := struct {
		Version         string         `json:"version"`
		Commit          string         `json:"commit"`
		StartedAt       string         `json:"started_at"`
		Instance        string         `json:"instance"` // no two are alike
		Host            string         `json:"host"`
		Broker          string         `json:"broker"`
		BaseTopic       string         `json:"base_topic"`
		DiscoveryPrefix string         `json:"discovery_prefix"`
		Features        []string       `json:"features"`
		Commands        []string       `json:"commands"`
		Requests        []string       `json:"requests"`
		Chimes          []string       `json:"chimes"`
		Log             logging        `json:"log"`
		Configuration   any            `json:"configuration"`
		Schema          *config.Schema `json:"configuration_schema"`
	}{
		Version:         b.about.Version,
		Commit:          b.about.Commit,
		StartedAt:       b.started.UTC().Format(stamp),
		Instance:        b.instance,
		Host:            hostname(),
		Broker:          b.client.Address(),
		BaseTopic:       b.cfg.MQTT.BaseTopic,
		DiscoveryPrefix: b.cfg.HomeAssistant.DiscoveryPrefix,
		Features:        b.features(),
		Commands:        verbNames(),
		Requests:        requestNames(),
		Chimes:          b.chimes.names(),
		Log:             b.logging(),
		Configuration:   b.cfg.Redacted().Map(),
		Schema:          config.SchemaOf(),
	}
	return mqtt.Message{Topic: b.cfg.MQTT.BaseTopic + "/bridge/info", Payload: encode(info), QoS: 1}
}

// hostname is what this machine calls itself; empty: it does not say.
func hostname() string {
	name, _ := os.Hostname()
	return name
}

// features are words for what this bridge can do and others may not.
func (b *Bridge) features() []string {
	words := []string{}
	_, converts := ffmpeg.Find()
	for _, f := range []struct {
		has  bool
		word string
	}{
		{true, "airplay1"}, {true, "airplay2"}, {true, "video"},
		{converts, "ffmpeg"},
		{b.voice != nil, "speech"},
		{b.cfg.Discovery.MDNS, "discovery"},
		{b.homeAssistant(), "homeassistant"},
		{b.page != nil, "page"},
		{b.cfg.Limits.ReadOnly, "read_only"},
	} {
		if f.has {
			words = append(words, f.word)
		}
	}
	return words
}

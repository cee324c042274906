package web

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/bridge/mqtt"
)

const (
	// maxKept bounds how many topics are kept for browsers that come, and
	// maxSize how many bytes: others may write below our base topic, too.
	maxKept, maxSize = 4096, 32 << 20
	// maxHeard is the largest payload that browsers are told: a cover as text.
	maxHeard = 1 << 20
	// maxSaid is the largest payload that a browser may publish.
	maxSaid = 64 << 10
)

// A frame is what a page is told by its WebSocket, encoded once for all.
type frame []byte

// heard is what a page is told of a message.
type heard struct {
	Topic   string `json:"topic"`
	Payload string `json:"payload"`
}

// A hub is the line to the broker that all pages share. It keeps what the
// broker keeps, for those that come.
type hub struct {
	base     string
	commands []string
	requests []string
	client   *mqtt.Client
	note     func(topic string, payload []byte) // is told states and queues

	mu    sync.Mutex
	kept  map[string]frame
	size  int // of all that is kept
	pages map[*page]struct{}
	line  bool // what pages were told last of the connection
}

func newHub(cfg Config, note func(string, []byte)) (*hub, error) {
	h := &hub{
		base: cfg.Base, commands: cfg.Commands, requests: cfg.Requests, note: note,
		kept: map[string]frame{}, pages: map[*page]struct{}{},
	}
	broker := cfg.Broker
	broker.MaxPayload = maxHeard
	var err error
	if h.client, err = mqtt.New(broker); err != nil {
		return nil, err
	}
	for _, filter := range h.filters() {
		h.client.Handle(filter, h.hear)
	}
	return h, nil
}

// filters are the topics that say how things are. No commands are among them:
// a PIN that somebody types elsewhere is nobody's business. They do not overlap.
func (h *hub) filters() []string {
	filters := []string{h.base + "/bridge/response/#"}
	for _, word := range []string{"info", "devices", "health"} {
		filters = append(filters, h.base+"/bridge/"+word)
	}
	for _, word := range []string{"availability", "state", "queue", "artwork_base64", "event", "result"} {
		filters = append(filters, h.base+"/+/"+word)
	}
	return filters
}

// momentary tells whether a topic tells what happened and is not kept.
func (h *hub) momentary(topic string) bool {
	return strings.HasSuffix(topic, "/event") || strings.HasSuffix(topic, "/result") ||
		strings.HasPrefix(topic, h.base+"/bridge/response/")
}

// hear takes a message from the broker, on the client's goroutine.
func (h *hub) hear(m mqtt.Message) {
	if m.Oversize > 0 {
		return
	}
	if strings.HasSuffix(m.Topic, "/state") || strings.HasSuffix(m.Topic, "/queue") {
		h.note(m.Topic, m.Payload)
	}
	f := encode(heard{m.Topic, string(m.Payload)})
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.momentary(m.Topic) && !h.keep(m.Topic, f, len(m.Payload) == 0) {
		return
	}
	for p := range h.pages {
		p.tell(f)
	}
}

// keep keeps what was said on a topic, or forgets it. It returns false where
// there is no room. It wants mu held.
func (h *hub) keep(topic string, f frame, cleared bool) bool {
	h.size -= len(h.kept[topic])
	delete(h.kept, topic)
	if cleared {
		return true
	}
	if len(h.kept) >= maxKept || h.size+len(f) > maxSize {
		return false
	}
	h.kept[topic] = f
	h.size += len(f)
	return true
}

// run keeps the connection until ctx ends, and tells pages whether it stands.
func (h *hub) run(ctx context.Context) error {
	var connection sync.WaitGroup
	var err error
	connection.Go(func() { err = h.client.Run(ctx) })
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			connection.Wait()
			return err
		case <-tick.C:
			h.look()
		}
	}
}

func (h *hub) look() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.client.Connected(); now != h.line {
		h.line = now
		for p := range h.pages {
			p.tell(lineFrame(now))
		}
	}
}

func lineFrame(connected bool) frame {
	return encode(struct {
		Connected bool `json:"connected"`
	}{connected})
}

// join has a page told all that is kept, and then all that is heard. It returns
// false where there are too many pages.
func (h *hub) join(p *page, hello frame) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pages) >= maxPages {
		return false
	}
	h.line = h.client.Connected()
	first := []frame{hello, lineFrame(h.line)}
	topics := make([]string, 0, len(h.kept))
	for topic := range h.kept {
		topics = append(topics, topic)
	}
	slices.Sort(topics)
	for _, topic := range topics {
		first = append(first, h.kept[topic])
	}
	p.first = first
	h.pages[p] = struct{}{}
	return true
}

func (h *hub) leave(p *page) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.pages, p)
}

func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.pages)
}

// word is a slug, an id or a name of a device, as one level of a topic.
var word = regexp.MustCompile(`^[\pL\pN _.:'()&-]{1,100}$`)

// may says why a page may not publish to a topic: what it may are commands and
// requests, and nothing that would say what is not so.
func (h *hub) may(topic string) error {
	rest, ok := strings.CutPrefix(topic, h.base+"/")
	if !ok {
		return fmt.Errorf("the page publishes below %s/ only", h.base)
	}
	if request, ok := strings.CutPrefix(rest, "bridge/request/"); ok {
		if !slices.Contains(h.requests, request) {
			return fmt.Errorf("the bridge knows no request %q", request)
		}
		return nil
	}
	device, command, _ := strings.Cut(rest, "/")
	if !word.MatchString(device) || device == "bridge" || !slices.Contains(h.commands, command) {
		return fmt.Errorf("%s is no topic of a command", topic)
	}
	return nil
}

// say publishes for a page.
func (h *hub) say(ctx context.Context, topic, payload string) error {
	if err := h.may(topic); err != nil {
		return err
	}
	if len(payload) > maxSaid {
		return fmt.Errorf("the payload has %d bytes; the page publishes %d at most", len(payload), maxSaid)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return h.client.Publish(ctx, mqtt.Message{Topic: topic, Payload: []byte(payload), QoS: 1})
}

// encode is json.Marshal for values of ours, which always can be.
func encode(v any) frame {
	text, err := json.Marshal(v)
	if err != nil {
		panic("web: " + err.Error())
	}
	return text
}

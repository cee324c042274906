package bridge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/bridge/mqtt"
)

// A Publisher takes messages to the broker. *mqtt.Client is one.
type Publisher interface {
	Publish(ctx context.Context, m mqtt.Message) error
}

// A teller keeps what the broker ought to hold, and tells it. Retained
// messages are the truth: the newest wins, an unchanged one is not said again,
// and after a reconnect all of it is said once more. Other messages (events,
// results) are said once, in their order among the retained ones, or dropped
// while there is no broker to hear them.
//
// Its methods may be called from any goroutine and never block.
type teller struct {
	wake chan struct{} // holds one token while there may be something to do

	mu        sync.Mutex
	connected bool
	truth     map[string]mqtt.Message // by topic
	queued    map[string]bool         // topics in queue
	queue     []item
	moments   int             // bytes of what is to be said once
	idle      []chan struct{} // closed when the queue has been said
}

// An item is a topic whose truth is to be told, or a message to be said once.
type item struct {
	topic  string
	moment mqtt.Message
}

// maxQueue bounds what waits for a slow broker. Retained topics are bounded by
// their number; only moments can be lost, where there are too many, or too many
// bytes of them.
const (
	maxQueue   = 10_000
	maxMoments = 16 << 20
)

func newTeller() *teller {
	return &teller{wake: make(chan struct{}, 1), truth: map[string]mqtt.Message{}, queued: map[string]bool{}}
}

// retain makes a retained message the truth of its topic. An empty payload
// clears the topic, at the broker too.
func (t *teller) retain(m mqtt.Message) {
	m.Retain = true
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.truth[m.Topic]; ok && string(old.Payload) == string(m.Payload) {
		return
	}
	t.truth[m.Topic] = m
	t.enqueue(m.Topic)
}

// assume makes a retained message the truth of its topic that the broker holds
// already: it is told after a reconnect only.
func (t *teller) assume(m mqtt.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.truth[m.Topic] = m
}

// enqueue wants mu held.
func (t *teller) enqueue(topic string) {
	if t.queued[topic] || !t.connected {
		return
	}
	t.queued[topic] = true
	t.queue = append(t.queue, item{topic: topic})
	t.nudge()
}

// clear empties all topics that begin with prefix, at the broker too.
func (t *teller) clear(prefix string) {
	t.mu.Lock()
	var topics []string
	for topic, m := range t.truth {
		if strings.HasPrefix(topic, prefix) && len(m.Payload) > 0 {
			topics = append(topics, topic)
		}
	}
	t.mu.Unlock()
	for _, topic := range topics {
		t.retain(mqtt.Message{Topic: topic, QoS: 1})
	}
}

// say publishes a message once, if there is a broker.
func (t *teller) say(m mqtt.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	size := len(m.Topic) + len(m.Payload)
	if !t.connected || len(t.queue) >= maxQueue || t.moments+size > maxMoments {
		return
	}
	t.moments += size
	t.queue = append(t.queue, item{moment: m})
	t.nudge()
}

// again is called on every new connection: it has all that is retained told
// once more, and returns when that is done or ctx ends.
func (t *teller) again(ctx context.Context) error {
	t.mu.Lock()
	t.restart()
	t.mu.Unlock()
	return t.drain(ctx)
}

// repeat has all that is retained told once more on the connection that
// stands.
func (t *teller) repeat() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.connected {
		t.restart()
	}
}

// drain waits until everything has been told.
func (t *teller) drain(ctx context.Context) error {
	done := make(chan struct{})
	t.mu.Lock()
	t.idle = append(t.idle, done)
	t.nudge()
	t.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// inOrder lists all topics as they are told after a connect: what devices are
// doing before how they are discovered, so that nobody who is told of a device
// finds it without a state; whether the bridge is there comes last of all.
func (t *teller) inOrder() []string {
	topics := make([]string, 0, len(t.truth))
	for topic := range t.truth {
		topics = append(topics, topic)
	}
	rank := func(topic string) int {
		switch {
		case strings.HasSuffix(topic, "/bridge/state"):
			return 2
		case strings.HasSuffix(topic, "/config"):
			return 1
		}
		return 0
	}
	slices.SortFunc(topics, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return topics
}

func (t *teller) nudge() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// run tells until ctx ends.
func (t *teller) run(ctx context.Context, out Publisher) error {
	for {
		m, ok := t.next()
		if !ok {
			select {
			case <-ctx.Done():
				return nil
			case <-t.wake:
			}
			continue
		}
		switch err := publish(ctx, out, m); {
		case err == nil:
		case errors.Is(err, mqtt.ErrNotConnected):
			t.lost()
		default:
			t.lost()
			t.retry(ctx)
		}
	}
}

func publish(ctx context.Context, out Publisher, m mqtt.Message) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return out.Publish(ctx, m)
}

// next takes the first of the queue.
func (t *teller) next() (mqtt.Message, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		for _, c := range t.idle {
			close(c)
		}
		t.idle, t.queue = nil, nil
		return mqtt.Message{}, false
	}
	first := t.queue[0]
	t.queue = t.queue[1:]
	if first.topic == "" {
		t.moments -= len(first.moment.Topic) + len(first.moment.Payload)
		return first.moment, true
	}
	delete(t.queued, first.topic)
	return t.truth[first.topic], true
}

// lost is called when something could not be said: the connection is gone, and
// everything is said again when there is another.
func (t *teller) lost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connected = false
	t.queue, t.queued, t.moments = nil, map[string]bool{}, 0
}

// retry begins anew on a connection that stands and did not take a message.
func (t *teller) retry(ctx context.Context) {
	pause := time.NewTimer(time.Second)
	defer pause.Stop()
	select {
	case <-ctx.Done():
	case <-pause.C:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.restart()
	}
}

// restart wants mu held.
func (t *teller) restart() {
	t.connected = true
	t.queue, t.queued, t.moments = nil, map[string]bool{}, 0
	for _, topic := range t.inOrder() {
		t.enqueue(topic)
	}
	t.nudge()
}

// forget drops the truth of a topic without telling the broker.
func (t *teller) forget(topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.truth, topic)
}

// holds tells whether a topic is part of the truth and not cleared.
func (t *teller) holds(topic string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.truth[topic].Payload) > 0
}

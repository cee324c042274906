package mqtt

import (
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// What a Broker keeps at most of what is retained: ten times what a large house
// has. More is passed on and not kept, so that nobody can fill the memory with it.
const (
	mostKept      = 20_000
	mostKeptBytes = 64 << 20
)

// A larder knows how much is kept, by topic.
type larder struct {
	mu    sync.Mutex
	sizes map[string]int
	total int
}

// takes tells whether one more message can be kept, and counts it. An empty one
// clears its topic.
func (l *larder) takes(topic string, payload int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was, there := l.sizes[topic]
	if payload == 0 {
		delete(l.sizes, topic)
		l.total -= was
		return true
	}
	size := len(topic) + payload
	if l.total-was+size > mostKeptBytes || !there && len(l.sizes) >= mostKept {
		return false
	}
	l.sizes[topic] = size
	l.total += size - was
	return true
}

// OnPublish has what cannot be kept be heard, and not kept.
func (d *door) OnPublish(_ *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Retain && !d.larder.takes(pk.TopicName, len(pk.Payload)) {
		pk.FixedHeader.Retain = false
	}
	return pk, nil
}

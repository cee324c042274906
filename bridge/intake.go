package bridge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"airplay2mqtt/bridge/mqtt"
)

// An intake is where what the broker brings waits to be obeyed: bounded in
// number and in bytes, so that nobody can fill the memory.
type intake struct {
	heard   chan mqtt.Message // commands, in their order
	waiting atomic.Int64      // bytes of their payloads

	spilling sync.Mutex
	spilt    bucket // what found no room and is answered; guarded by spilling

	// Owned by the switchboard's goroutine.
	gate     *gate
	stale    []string // topics that the broker keeps commands on
	clearing bool     // some of them are being cleared
}

const (
	// mostHeard and mostWaiting are how many commands may wait, and how many
	// sounds of the largest size that came as messages.
	mostHeard, mostWaiting = 1024, 4
	// mostStale is how many topics may wait to be cleared. Others are the next
	// time that the bridge connects.
	mostStale = 1000
	// spilled is how many refusals a second are answered where there is no room.
	spilled = 20
)

// hear takes a command from the broker, on the client's goroutine: it must not
// block, so what does not fit is refused.
func (b *Bridge) hear(m mqtt.Message) {
	size := int64(len(m.Payload))
	if b.waiting.Add(size) <= mostWaiting*int64(b.largest()) {
		select {
		case b.heard <- m:
			return
		default:
		}
	}
	b.waiting.Add(-size)
	b.spill(m)
}

// spill answers a command for which there is no room.
func (b *Bridge) spill(m mqtt.Message) {
	b.spilling.Lock()
	told := b.spilt.take(time.Now(), 1, spilled, burst)
	b.spilling.Unlock()
	if word, name, ok := b.split(m.Topic); ok && told {
		newFace(b.tell, b.cfg.MQTT.BaseTopic, word, "").result(result{Command: name, Status: "error", Error: &problem{
			"rate_limited", "too many commands wait already; this one was dropped",
		}})
	}
}

// largest is how large a payload may be.
func (b *Bridge) largest() int { return max(int(b.cfg.Media.MaxPayload), maxCommand+1) }

// clearRetained takes what the broker had kept away from it.
func (b *Bridge) clearRetained(topic string) {
	if len(b.stale) < mostStale {
		b.stale = append(b.stale, topic)
	}
	b.clearStale()
}

// clearStale clears all topics that wait for it, in one goroutine.
func (b *Bridge) clearStale() {
	if b.clearing || len(b.stale) == 0 {
		return
	}
	topics := b.stale
	b.stale, b.clearing = nil, true
	b.chores.Go(func() error {
		for _, topic := range topics {
			ctx, cancel := context.WithTimeout(b.living, 5*time.Second)
			err := b.client.Clear(ctx, topic)
			cancel()
			if err != nil {
				break // the connection is gone; they come again with the next
			}
		}
		b.post(func() { b.clearing = false; b.clearStale() })
		return nil
	})
}

package mqtt

import (
	"sync"
	"sync/atomic"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// turns keep the library from changing what is retained while it looks for it:
// it does both at once (topics.go, retainPath), and a name that is half written may
// end the program. Hooks stand around both: one message is retained between
// OnPublish, or OnWill, and OnRetainMessage, and a subscription's are looked for
// between the answer and the end of its packet. Nothing waits for a network
// meanwhile.
type turns struct {
	mochi.HookBase
	mu       sync.RWMutex                 // held for writing while something is retained, for reading while looked for
	retains  atomic.Pointer[mochi.Client] // who holds it for writing
	searches sync.Map                     // the *mochi.Client that hold it for reading
}

func (t *turns) ID() string { return "turns" }

func (t *turns) Provides(b byte) bool {
	switch b {
	case mochi.OnPublish, mochi.OnWill, mochi.OnRetainMessage, mochi.OnPacketSent, mochi.OnPacketProcessed:
		return true
	}
	return false
}

// OnPublish is followed by OnRetainMessage for a message that is retained.
func (t *turns) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Retain {
		t.begin(cl)
	}
	return pk, nil
}

// OnWill is, too, for a will that is not to wait.
func (t *turns) OnWill(cl *mochi.Client, will mochi.Will) (mochi.Will, error) {
	if will.Retain && will.WillDelayInterval == 0 {
		t.begin(cl)
	}
	return will, nil
}

func (t *turns) begin(cl *mochi.Client) {
	t.mu.Lock()
	t.retains.Store(cl)
}

// OnRetainMessage is called without a begin for wills that have waited.
func (t *turns) OnRetainMessage(cl *mochi.Client, _ packets.Packet, _ int64) {
	if t.retains.CompareAndSwap(cl, nil) {
		t.mu.Unlock()
	}
}

// OnPacketSent sees the answer to a subscription; what is retained follows.
func (t *turns) OnPacketSent(cl *mochi.Client, pk packets.Packet, _ []byte) {
	if pk.FixedHeader.Type == packets.Suback {
		t.mu.RLock()
		t.searches.Store(cl, true)
	}
}

func (t *turns) OnPacketProcessed(cl *mochi.Client, _ packets.Packet, _ error) {
	if _, ok := t.searches.LoadAndDelete(cl); ok {
		t.mu.RUnlock()
	}
}

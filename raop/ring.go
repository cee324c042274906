package raop

import (
	"time"

	"airplay2mqtt/audio/alac"
	"airplay2mqtt/internal/rtp"
)

// ringSize is how many packets are remembered, 8.2 s: as many as
// shairport-sync has room for.
const ringSize = 1024

const slotSize = rtp.HeaderSize + alac.PacketSize

// A ring remembers packets as they were sent, for those that get lost. It is
// guarded by its session's mutex.
type ring struct {
	bytes []byte // slots of slotSize; made when the first packet comes
	slots []slot
}

type slot struct {
	size int // 0: empty
	seq  uint16
	due  time.Time // when its last frame has been heard
}

// at returns the place of a sequence number.
func (r *ring) at(seq uint16) (*slot, []byte) {
	i := int(seq) % ringSize
	return &r.slots[i], r.bytes[i*slotSize : (i+1)*slotSize]
}

// claim returns an empty buffer for the packet with that number. It is valid
// until ringSize packets later.
func (r *ring) claim(seq uint16) []byte {
	if r.slots == nil {
		r.bytes, r.slots = make([]byte, ringSize*slotSize), make([]slot, ringSize)
	}
	_, b := r.at(seq)
	return b[:0:slotSize]
}

// keep notes that the buffer of that number holds a packet of that size.
func (r *ring) keep(seq uint16, size int, due time.Time) {
	s, _ := r.at(seq)
	*s = slot{size: size, seq: seq, due: due}
}

// find returns a packet that can still be heard.
func (r *ring) find(seq uint16, now time.Time) []byte {
	if r.slots == nil {
		return nil
	}
	s, b := r.at(seq)
	if s.size == 0 || s.seq != seq || !now.Before(s.due) {
		return nil
	}
	return b[:s.size]
}

// forget empties the ring.
func (r *ring) forget() { clear(r.slots) }

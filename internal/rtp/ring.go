package rtp

import "time"

// A Ring remembers packets as they were sent, for those that get lost: as many
// as it was made for, of a size that was given then. It does not allocate.
type Ring struct {
	bytes []byte
	slots []slot
	size  int
}

type slot struct {
	size int // 0: empty
	seq  uint16
	due  time.Time // when its last frame has been heard
}

// NewRing returns a ring for so many packets, a power of two, of up to so many
// bytes.
func NewRing(packets, size int) *Ring {
	return &Ring{bytes: make([]byte, packets*size), slots: make([]slot, packets), size: size}
}

// at returns the place of a sequence number.
func (r *Ring) at(seq uint16) (*slot, []byte) {
	i := int(seq) % len(r.slots)
	return &r.slots[i], r.bytes[i*r.size : (i+1)*r.size]
}

// Claim returns an empty buffer for the packet with that number. It is valid
// until as many packets later as the ring holds.
func (r *Ring) Claim(seq uint16) []byte {
	s, b := r.at(seq)
	s.size = 0
	return b[:0:r.size]
}

// Keep notes that the buffer of that number holds a packet of that size, which
// is of use until due.
func (r *Ring) Keep(seq uint16, size int, due time.Time) {
	s, _ := r.at(seq)
	*s = slot{size: size, seq: seq, due: due}
}

// Find returns a packet that can still be heard, nil if there is none.
func (r *Ring) Find(seq uint16, now time.Time) []byte {
	if r == nil {
		return nil
	}
	s, b := r.at(seq)
	if s.size == 0 || s.seq != seq || !now.Before(s.due) {
		return nil
	}
	return b[:s.size]
}

// Left returns a packet that can still be heard, nil if there is none, and for
// how long it can.
func (r *Ring) Left(seq uint16, now time.Time) ([]byte, time.Duration) {
	packet := r.Find(seq, now)
	if packet == nil {
		return nil, 0
	}
	s, _ := r.at(seq)
	return packet, s.due.Sub(now)
}

// Passed tells whether a packet is remembered and cannot be heard any more.
func (r *Ring) Passed(seq uint16, now time.Time) bool {
	if r == nil {
		return false
	}
	s, _ := r.at(seq)
	return s.size > 0 && s.seq == seq && !now.Before(s.due)
}

// Forget empties the ring.
func (r *Ring) Forget() {
	if r != nil {
		clear(r.slots)
	}
}

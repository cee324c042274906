package ogg

// maxPacket bounds the packets that are kept. Only comments with a picture come
// near it. What is longer is cut.
const maxPacket = 24 << 20

// An assembler makes packets of the pages of one logical stream.
type assembler struct {
	serial  uint32
	next    uint32 // the sequence number that is expected
	started bool   // it is
	partial []byte // of a packet that is not complete
	open    bool   // partial is one, even if it is empty
	joined  []byte // where the last packet that was complete lies
	lost    bool   // something was lost since the last call of add
}

// add takes the next page of the stream and returns the packets that end on
// it. They are valid until the next call and as long as the page.
func (a *assembler) add(p page, packets [][]byte) [][]byte {
	if a.started && p.sequence != a.next {
		a.lose()
	}
	a.started, a.next = true, p.sequence+1
	body, lacing := p.body, p.lacing
	if !p.has(flagContinued) && a.open {
		a.lose() // its end is missing
	}
	if p.has(flagContinued) && !a.open && len(lacing) > 0 {
		a.lost = true // its beginning is missing
		size, segments, _ := cutPacket(lacing)
		body, lacing = body[size:], lacing[segments:]
	}
	for len(lacing) > 0 {
		size, segments, whole := cutPacket(lacing)
		part := body[:size]
		body, lacing = body[size:], lacing[segments:]
		switch {
		case !whole:
			a.keep(part)
		case a.open:
			a.keep(part)
			packets = append(packets, a.join())
		default:
			packets = append(packets, part)
		}
	}
	return packets
}

// keep appends to the packet that is not complete.
func (a *assembler) keep(part []byte) {
	a.open = true
	room := max(0, maxPacket-len(a.partial))
	a.partial = append(a.partial, part[:min(len(part), room)]...)
}

// join returns the packet that is complete now.
func (a *assembler) join() []byte {
	packet := a.partial
	a.partial, a.joined, a.open = a.joined[:0], packet, false
	if len(packet) > bigPacket {
		a.joined = nil
	}
	return packet
}

// bigPacket is larger than packets of sound are. The memory of those that are
// larger still is not kept for others.
const bigPacket = 256 << 10

// lose forgets the packet that is not complete, because something is missing.
func (a *assembler) lose() {
	a.partial, a.open, a.lost = a.partial[:0], false, true
}

// reset begins anew, at any page.
func (a *assembler) reset() {
	a.lose()
	a.started, a.lost = false, false
}

// takeLost tells whether something was lost since the last call.
func (a *assembler) takeLost() bool {
	lost := a.lost
	a.lost = false
	return lost
}

// cutPacket is the size of the first packet in a page, how many segments it
// has, and whether it ends on this page.
func cutPacket(lacing []byte) (size, segments int, whole bool) {
	for _, n := range lacing {
		size += int(n)
		segments++
		if n < 255 {
			return size, segments, true
		}
	}
	return size, segments, false
}

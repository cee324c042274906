package ogg_test

import (
	"encoding/binary"
	"slices"
)

// An oggPage is a page to be written, or one that was found.
type oggPage struct {
	flags    byte
	granule  int64
	serial   uint32
	sequence uint32
	lacing   []byte
	body     []byte
}

// append appends the page with its sum.
func (p oggPage) append(b []byte) []byte {
	from := len(b)
	b = append(b, "OggS\x00"...)
	b = append(b, p.flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.granule))
	b = binary.LittleEndian.AppendUint32(b, p.serial)
	b = binary.LittleEndian.AppendUint32(b, p.sequence)
	b = append(b, 0, 0, 0, 0, byte(len(p.lacing)))
	b = append(b, p.lacing...)
	b = append(b, p.body...)
	binary.LittleEndian.PutUint32(b[from+22:], oggSum(b[from:]))
	return b
}

// oggSum is the sum of a page whose own sum is zeros.
func oggSum(b []byte) (sum uint32) {
	for _, c := range b {
		sum ^= uint32(c) << 24
		for range 8 {
			carry := sum >> 31
			sum = sum<<1 ^ carry*0x04c11db7
		}
	}
	return sum
}

// pagesOf finds the pages of a stream without damage.
func pagesOf(data []byte) (pages []oggPage) {
	for len(data) > 27 {
		n := 27 + int(data[26])
		size := n
		for _, s := range data[27:n] {
			size += int(s)
		}
		pages = append(pages, oggPage{
			flags:    data[5],
			granule:  int64(binary.LittleEndian.Uint64(data[6:])),
			serial:   binary.LittleEndian.Uint32(data[14:]),
			sequence: binary.LittleEndian.Uint32(data[18:]),
			lacing:   slices.Clone(data[27:n]),
			body:     slices.Clone(data[n:size]),
		})
		data = data[size:]
	}
	return pages
}

func join(pages []oggPage) (data []byte) {
	for _, p := range pages {
		data = p.append(data)
	}
	return data
}

// resum sets the sums of all pages right.
func resum(data []byte) []byte { return join(pagesOf(data)) }

// paginate puts each packet on pages of its own. The granules are those at the
// ends of the packets.
func paginate(serial uint32, packets [][]byte, granules []int64) (pages []oggPage) {
	for i, packet := range packets {
		rest := packet
		for first := true; ; first = false {
			p := oggPage{serial: serial, sequence: uint32(len(pages)), granule: -1}
			if !first {
				p.flags |= 1
			}
			if len(pages) == 0 {
				p.flags |= 2
			}
			n := min(len(rest), 255*255)
			p.body = rest[:n]
			p.lacing = slices.Repeat([]byte{255}, n/255)
			whole := n == len(rest) && len(p.lacing) < 255
			if whole {
				p.lacing = append(p.lacing, byte(n%255))
				p.granule = granules[i]
			}
			rest = rest[n:]
			if whole && i == len(packets)-1 {
				p.flags |= 4
			}
			pages = append(pages, p)
			if whole {
				break
			}
		}
	}
	return pages
}

// packetsOf is the packets of one stream without damage.
func packetsOf(data []byte) (packets [][]byte) {
	var part []byte
	for _, p := range pagesOf(data) {
		body := p.body
		for _, n := range p.lacing {
			part = append(part, body[:n]...)
			body = body[n:]
			if n < 255 {
				packets = append(packets, part)
				part = nil
			}
		}
	}
	return packets
}

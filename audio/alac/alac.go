// Package alac writes the one frame of Apple Lossless that every receiver
// takes and that costs nothing to make: the verbatim frame, samples as they
// are behind a header of 23 bits.
//
//	packet = alac.AppendVerbatim(packet[:0], pcm) // 352 frames, 1412 bytes
package alac

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// FramesPerPacket is how many frames a packet holds, as announced to
	// receivers.
	FramesPerPacket = 352
	// PacketSize is the length of a verbatim packet in bytes.
	PacketSize = 1412
)

const (
	samples = 2 * FramesPerPacket
	endTag  = 0b111
)

// AppendVerbatim appends to dst one packet that holds pcm: 704 samples, left
// and right in turn. What is missing of them is silence, what is more is left
// out. It does not allocate if dst has room for PacketSize more bytes.
//
//	bits     value
//	3        001      element: a pair of channels
//	4 + 12   0        instance, unused
//	1        0        has size: no, the packet has as many frames as announced
//	2        00       bytes shifted off
//	1        1        verbatim
//	352*32   …        left, right: 16 bits each, the high one first
//	3 + 6    111 0…   end, padding
//
// The 23 bits in front put every sample across byte borders: from byte 2 on,
// each 32-bit word is the last 7 bits of what was before and the first 25 of
// the next frame. See docs/protocols/raop.md, ALAC verbatim frame.
func AppendVerbatim(dst []byte, pcm []int16) []byte {
	if len(pcm) < samples {
		var whole [samples]int16
		copy(whole[:], pcm)
		pcm = whole[:]
	}
	n := len(dst)
	dst = grow(dst, PacketSize)
	encode((*[PacketSize]byte)(dst[n:]), (*[samples]int16)(pcm))
	return dst
}

func encode(out *[PacketSize]byte, pcm *[samples]int16) {
	out[0], out[1] = 0x20, 0x00
	carry := uint64(1) // the verbatim flag, last of the header
	for i := 0; i < samples; i += 4 {
		x := uint64(uint16(pcm[i]))<<48 | uint64(uint16(pcm[i+1]))<<32 |
			uint64(uint16(pcm[i+2]))<<16 | uint64(uint16(pcm[i+3]))
		binary.BigEndian.PutUint64(out[2+2*i:], carry<<57|x>>7)
		carry = x & 0x7f
	}
	binary.BigEndian.PutUint16(out[PacketSize-2:], uint16(carry<<9|endTag<<6))
}

// grow makes b longer by n bytes, whose content does not matter.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b[:len(b)+n]
	}
	return append(b, make([]byte, n)...)
}

var (
	errShort      = errors.New("alac: packet too short")
	errCompressed = errors.New("alac: packet is compressed")
	errNotStereo  = errors.New("alac: packet is not a pair of channels")
	errHeader     = errors.New("alac: header has bits that must be 0")
	errNoEnd      = errors.New("alac: packet has no end tag")
)

// DecodeVerbatim reads a packet into pcm, left and right in turn, and tells
// how many frames there were: as many as the packet says, or FramesPerPacket
// if it does not say. It is an error if pcm has no room for them, if the
// packet is compressed, or if its end tag is missing, without which some
// receivers refuse it.
func DecodeVerbatim(pcm []int16, packet []byte) (frames int, err error) {
	if len(packet) < 3 {
		return 0, errShort
	}
	head := uint32(packet[0])<<16 | uint32(packet[1])<<8 | uint32(packet[2])
	const sized = 0x10
	switch {
	case head>>21 != 1:
		return 0, errNotStereo
	case head&0x02 == 0:
		return 0, errCompressed
	case head&^(sized|1) != 0x200002:
		return 0, errHeader
	}
	frames, body := FramesPerPacket, packet[2:]
	if head&sized != 0 {
		if len(packet) < 7 {
			return 0, errShort
		}
		n := binary.BigEndian.Uint32(packet[2:])<<7 | uint32(packet[6])>>1
		if uint64(n) > uint64(len(packet)) { // also keeps the sums below small
			return 0, errShort
		}
		frames, body = int(n), packet[6:]
	}
	if len(body) < 4*frames+2 {
		return 0, errShort
	}
	if len(pcm) < 2*frames {
		return 0, fmt.Errorf("alac: room for %d samples, packet has %d", len(pcm), 2*frames)
	}
	for i := range frames {
		x := binary.BigEndian.Uint32(body[4*i:])<<7 | uint32(body[4*i+4])>>1
		pcm[2*i], pcm[2*i+1] = int16(x>>16), int16(x)
	}
	if end := binary.BigEndian.Uint16(body[4*frames:]); end>>6&0b111 != endTag {
		return 0, errNoEnd
	}
	return frames, nil
}

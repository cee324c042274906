package airplay

import (
	"crypto/cipher"
	"encoding/binary"

	"airplay2mqtt/audio/alac"
	"airplay2mqtt/internal/rtp"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealer encrypts packets, each with a number that is never used again. It
// does not allocate.
//
//	header (12, of which the last 8 are authenticated) | sealed payload | tag (16) | nonce (8)
type sealer struct {
	aead  cipher.AEAD
	nonce [chacha20poly1305.NonceSize]byte
	count uint64
}

// newSealer takes the key of 32 bytes that SETUP hands to the receiver.
func newSealer(key []byte) (*sealer, error) {
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		return nil, err
	}
	return &sealer{aead: aead}, nil
}

// sealedSize is how much longer a payload gets.
const sealedSize = chacha20poly1305.Overhead + 8

// seal appends the payload to a packet that so far is its header.
func (s *sealer) seal(packet, payload []byte) []byte {
	s.count++
	binary.LittleEndian.PutUint64(s.nonce[4:], s.count)
	header := packet[len(packet)-rtp.HeaderSize:]
	packet = s.aead.Seal(packet, s.nonce[:], payload, header[4:])
	return append(packet, s.nonce[4:]...)
}

// slotSize is the length of a packet of sound.
const slotSize = rtp.HeaderSize + alac.PacketSize + sealedSize

// A block is a packet of buffered sound: its length, which counts itself, and
// a packet whose sequence number has 23 bits.
//
//	0      2            6    10   14
//	length 80|seq (23) time ssrc sealed payload …
type block struct {
	seq, time, ssrc uint32
}

const blockSize = 2 + slotSize

func (k block) appendTo(b []byte, s *sealer, payload []byte) []byte {
	size := 2 + rtp.HeaderSize + len(payload) + sealedSize
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = binary.BigEndian.AppendUint32(b, 1<<31|k.seq&(1<<23-1))
	b = binary.BigEndian.AppendUint32(b, k.time)
	b = binary.BigEndian.AppendUint32(b, k.ssrc)
	return s.seal(b, payload)
}

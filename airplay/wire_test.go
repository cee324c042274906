package airplay_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"airplay2mqtt/airplay"
	"airplay2mqtt/internal/rtp"
)

// counting returns the bytes from 0 on.
func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// The vector of docs/protocols/airplay2.md, which another program made.
func TestAPacketOnTheWire(t *testing.T) {
	h := rtp.Header{Marker: true, Seq: 1, Time: 10000, SSRC: 0xdeadbeef}
	got, err := airplay.Seal(counting(32), h, counting(64))
	want := "80e00001" + "00002710" + "deadbeef" + // header
		"9f56f15cb12fa91f21bfa4575e989788d56cf91d537e76badb7daf4091f5c3bb" +
		"f86bf48fc0edf9acac02deb4a7a9b2427307b755c7b97061bd2dbb5b1eb955be" + // sealed payload
		"8b5f22a7528c5facaee7a9d5d6483dd1" + // tag
		"0100000000000000" // the first number of the key
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("got %x, %v, want %s", got, err, want)
	}
}

// A block is such a packet with its length before it and a longer number.
func TestABlockOnTheWire(t *testing.T) {
	got, err := airplay.Block(counting(32), 0xff_800001, 10000, 0xdeadbeef, counting(64))
	packet, _ := airplay.Seal(counting(32), rtp.Header{Seq: 1, Time: 10000, SSRC: 0xdeadbeef}, counting(64))
	want := append([]byte{0, byte(2 + len(packet)), 0x80, 0x00, 0x00, 0x01}, packet[4:]...)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got  %x, %v\nwant %x", got, err, want)
	}
}

func TestFractionsOfASecond(t *testing.T) {
	for ns, want := range map[uint64]uint64{0: 0, 500_000_000: 1 << 63, 250_000_000: 1 << 62, 1: 18446744073, 999_999_999: 18446744055262807542} {
		if got := airplay.Fraction(ns); got != want {
			t.Errorf("%d ns: got %d, want %d", ns, got, want)
		}
	}
}

package raop

import (
	"crypto/rsa"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"

	"airplay2mqtt/audio"
	"airplay2mqtt/internal/parameter"
)

// What follows is for tests of bytes that cannot be told apart on the wire.

func DescribeTags(t audio.Tags) []byte { return parameter.Tags(t) }

// Listing returns a DMAP listing item of code and text in turn.
func Listing(codesAndTexts ...string) []byte {
	item := func(code string, b []byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte(code), uint32(len(b))), b...)
	}
	var all []byte
	for i := 0; i < len(codesAndTexts); i += 2 {
		all = append(all, item(codesAndTexts[i], []byte(codesAndTexts[i+1]))...)
	}
	return item("mlit", all)
}

func Describe(near, far string, pcm bool, keys string) []byte {
	return describe(2718281828, netip.MustParseAddr(near), netip.MustParseAddr(far), pcm, keys)
}

func SessionURL(near string) string { return sessionURL(netip.MustParseAddr(near), 7) }

func VolumeBody(level float64) []byte         { return parameter.Volume(level) }
func ParseVolume(body []byte) (float64, bool) { return parameter.ParseVolume(body) }
func FitArtwork(b []byte) ([]byte, string)    { return parameter.Artwork(b) }
func AppendPCM(b, frame []byte) []byte        { return appendPCM(b, frame) }
func ParseTransport(s string) (a, c, t uint16, err error) {
	p, err := parseTransport(s)
	return p.server, p.control, p.timing, err
}

// Encrypt encrypts b in place with key and vector in hexadecimal digits, and
// returns the lines of ANNOUNCE that hand them over.
func Encrypt(b []byte, key, iv string, random io.Reader, public *rsa.PublicKey) (string, error) {
	var c cbc
	hex.Decode(c.key[:], []byte(key))
	hex.Decode(c.iv[:], []byte(iv))
	if err := c.init(); err != nil {
		return "", err
	}
	c.encrypt(b)
	return c.sdp(random, public)
}

func AirportKey() *rsa.PublicKey { return airportKey() }

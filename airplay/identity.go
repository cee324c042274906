package airplay

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"airplay2mqtt/internal/rtsp"
)

// An identity is what is random in a session: the names by which the receiver
// knows us, the key of the sound, and where numbers begin.
type identity struct {
	number      uint32 // of the session, in its URL
	device      string // as a hardware address
	session     string // UUID
	group       string // UUID
	peer        string // UUID
	dacpID      string
	remote      uint32
	key         [32]byte
	connection  uint32
	firstSeq    uint32
	firstTime   uint32
	sessionSSRC uint32
}

// draw makes an identity.
func draw(random io.Reader, device string) (identity, error) {
	var id identity
	var b [3*16 + 6 + 8 + 6*4]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return id, err
	}
	if _, err := io.ReadFull(random, id.key[:]); err != nil {
		return id, err
	}
	id.session, id.group, id.peer = uuid(b[0:16]), uuid(b[16:32]), uuid(b[32:48])
	mac := b[48:54]
	mac[0] = mac[0]&^1 | 2 // locally administered
	if id.device = device; device == "" {
		id.device = strings.ToUpper(fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]))
	}
	id.dacpID = strings.ToUpper(hex.EncodeToString(b[54:62]))
	numbers := b[62:]
	for _, n := range []*uint32{&id.number, &id.remote, &id.connection, &id.firstSeq, &id.firstTime, &id.sessionSSRC} {
		*n = max(1, binary.BigEndian.Uint32(numbers))
		numbers = numbers[4:]
	}
	id.firstSeq &= 0xffff
	return id, nil
}

// uuid writes 16 random bytes as a UUID of version 4, in upper case.
func uuid(b []byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]))
}

// header returns what is sent with every request.
func (id identity) header(cfg Config) rtsp.Header {
	return rtsp.Header{
		{Name: "User-Agent", Value: cfg.UserAgent},
		{Name: "Client-Instance", Value: id.dacpID},
		{Name: "DACP-ID", Value: id.dacpID},
		{Name: "Active-Remote", Value: strconv.FormatUint(uint64(id.remote), 10)},
	}
}

// sessionURL names the session.
func sessionURL(near netip.Addr, number uint32) string {
	host := near.WithZone("").String()
	if near.Is6() {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("rtsp://%s/%d", host, number)
}

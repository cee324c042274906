package airplaytest

import (
	"encoding/binary"
	"errors"
	"net"
	"strconv"
)

// parseDMAP reads a container of items. Numbers are given in decimal.
func parseDMAP(b []byte) (map[string]string, error) {
	items := make(map[string]string)
	for len(b) > 0 {
		if len(b) < 8 || uint64(len(b)-8) < uint64(binary.BigEndian.Uint32(b[4:])) {
			return nil, errors.New("item too short")
		}
		code, n := string(b[:4]), binary.BigEndian.Uint32(b[4:])
		payload := b[8 : 8+n]
		b = b[8+n:]
		switch code {
		case "mlit":
			return parseDMAP(payload)
		case "mikd", "asyr", "astn", "astm":
			var v uint64
			for _, c := range payload {
				v = v<<8 | uint64(c)
			}
			items[code] = strconv.FormatUint(v, 10)
		default:
			items[code] = string(payload)
		}
	}
	return items, nil
}

func portOf(c net.PacketConn) int { return c.LocalAddr().(*net.UDPAddr).Port }

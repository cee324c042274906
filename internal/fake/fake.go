// Package fake is what fake receivers of both AirPlays are made of.
package fake

import (
	"encoding/binary"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"
)

// A Machine is the network of this machine, for fakes that are on no other.
type Machine struct{}

// Listen is net.Listen.
func (Machine) Listen(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}

// ListenPacket is net.ListenPacket.
func (Machine) ListenPacket(network, address string) (net.PacketConn, error) {
	return net.ListenPacket(network, address)
}

// Port is that of a UDP socket.
func Port(c net.PacketConn) int { return c.LocalAddr().(*net.UDPAddr).Port }

// Think waits for a while; if that is negative, for ever. It is false if over is
// closed before.
func Think(d time.Duration, over <-chan struct{}) bool {
	if d == 0 {
		return true
	}
	var done <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		done = t.C
	}
	select {
	case <-done:
		return true
	case <-over:
		return false
	}
}

// After does something later, unless over is closed before. The group waits for
// it.
func After(wg *sync.WaitGroup, over <-chan struct{}, d time.Duration, do func()) {
	wg.Go(func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			do()
		case <-over:
		}
	})
}

var errShort = errors.New("fake: a DMAP item is longer than what holds it")

// deepest is how many listings may lie in one another.
const deepest = 8

// DMAP reads a container of items, by their codes. Numbers are given in decimal.
func DMAP(b []byte) (map[string]string, error) {
	items := make(map[string]string)
	return items, dmap(b, items, deepest)
}

func dmap(b []byte, items map[string]string, depth int) error {
	for len(b) > 0 {
		if len(b) < 8 || uint64(len(b)-8) < uint64(binary.BigEndian.Uint32(b[4:])) || depth == 0 {
			return errShort
		}
		code, n := string(b[:4]), binary.BigEndian.Uint32(b[4:])
		payload := b[8 : 8+n]
		b = b[8+n:]
		switch code {
		case "mlit":
			if err := dmap(payload, items, depth-1); err != nil {
				return err
			}
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
	return nil
}

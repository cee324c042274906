package video

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"airplay2mqtt/internal/ntp"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtp"
)

// timing is how a tunnel agrees on the time, which films do not need and
// receivers insist on.
type timing string

const (
	byNTP timing = "NTP" // it asks a UDP port of ours
	byPTP timing = "PTP" // in name: no clock is named, and none is kept
)

// errTimes is wrapped by the error of a receiver that refuses a way of keeping
// time.
var errTimes = errors.New("this way of keeping time was refused")

// From tvOS 26.5 on nothing is told in a tunnel with NTP, and it ends after half
// a minute; those before refuse PTP (docs/protocols/video.md, play queue).
const ptpSince, ptpSinceMinor = 26, 5

// timings are those to try, the best first.
func (s *Session) timings(way Way) []timing {
	os := s.cfg.Info.OS
	older := major(os) >= queuesSince && major(os) < ptpSince || major(os) == ptpSince && minor(os) < ptpSinceMinor
	if way == Queue && !older {
		return []timing{byPTP, byNTP}
	}
	return []timing{byNTP}
}

// keepTime begins to keep time, and writes into a SETUP how that is done.
func (t *tunnel) keepTime(by timing, body plist.Dict) (err error) {
	body["timingProtocol"] = string(by)
	if by == byPTP {
		peer := plist.Dict{"ID": t.names.session, "DeviceType": int64(0), "SupportsClockPortMatchingOverride": true,
			"Addresses": []any{t.near.Addr().WithZone("").String()}}
		body["timingPeerInfo"], body["timingPeerList"] = peer, []any{peer}
		return nil
	}
	if t.clock, err = t.session.newClock(t.near.Addr(), t.far.Addr()); err != nil {
		return fmt.Errorf("timing port: %w", err)
	}
	body["timingPort"] = int64(t.clock.port())
	return nil
}

// untimed says what a SETUP without a good answer has to do with the time.
func (t *tunnel) untimed(by timing, err error) error {
	if by == byNTP && !t.clock.asked.Load() && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || refusesWay(err)) {
		return fmt.Errorf("%w: %w: %w: no question came to UDP port %d (a firewall, or a container without host networking)",
			errTimes, err, ErrTiming, t.clock.port())
	}
	if refusesWay(err) {
		return fmt.Errorf("%w (%s): %w", errTimes, by, err)
	}
	return err
}

// A clock answers a receiver's questions for the time.
type clock struct {
	conn  net.PacketConn
	far   netip.Addr
	ntp   ntp.Clock
	asked atomic.Bool
	done  chan struct{}
}

func (s *Session) newClock(near, far netip.Addr) (*clock, error) {
	conn, err := s.cfg.ListenPacket("udp", netip.AddrPortFrom(near, 0).String())
	if err != nil {
		return nil, err
	}
	c := &clock{conn: conn, far: far, ntp: ntp.NewClock(), done: make(chan struct{})}
	go c.answer() // close waits
	return c, nil
}

func (c *clock) port() int {
	a, err := netip.ParseAddrPort(c.conn.LocalAddr().String())
	if err != nil {
		return 0
	}
	return int(a.Port())
}

// answer is the goroutine that reads the port. It ends when that is closed; of
// other errors it takes some, which are those of single packets.
func (c *clock) answer() {
	defer close(c.done)
	in, out := make([]byte, 128), make([]byte, 0, rtp.TimingSize)
	for errs := 0; errs < 100; {
		n, from, err := c.conn.ReadFrom(in)
		now := c.ntp.Stamp(time.Now())
		if errors.Is(err, net.ErrClosed) {
			return
		}
		var q rtp.Timing
		at, bad := addressOf(from)
		switch {
		case err != nil:
			errs++
			continue
		case bad != nil || at.Addr().Unmap().WithZone("") != c.far.Unmap().WithZone("") || q.Unmarshal(in[:n]) != nil || q.Reply:
			continue
		}
		c.asked.Store(true)
		reply := q.Answer(now)
		reply.Sent = c.ntp.Stamp(time.Now())
		c.conn.WriteTo(reply.AppendTo(out), from)
	}
}

func addressOf(a net.Addr) (netip.AddrPort, error) {
	if a == nil {
		return netip.AddrPort{}, net.ErrClosed
	}
	return netip.ParseAddrPort(a.String())
}

func (c *clock) close() {
	c.conn.Close()
	<-c.done
}

// Package dacptest is the buttons of fake receivers.
package dacptest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"airplay2mqtt/internal/rtsp"
)

// A Panel is the buttons of one receiver. Its zero value knows nobody who plays.
type Panel struct {
	mu     sync.Mutex
	id     string // DACP-ID
	number string // Active-Remote
}

// Remember notes who plays, by the header of a request of his.
func (p *Panel) Remember(h rtsp.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id, p.number = h.Get("DACP-ID"), h.Get("Active-Remote")
}

// Sender returns by which DACP-ID who plays, or played last, is to be found,
// and by which Active-Remote the receiver signs what it tells him.
func (p *Panel) Sender() (dacpID string, activeRemote uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, _ := strconv.ParseUint(p.number, 10, 32)
	return p.id, uint32(n)
}

// A Network is where a receiver is. One that can dial is asked to.
type Network interface {
	Listen(network, address string) (net.Listener, error)
}

// patience is that of shairport-sync.
const patience = 500 * time.Millisecond

// Press does what a receiver does when one of its buttons is pressed: it sends
// a command, such as "playpause" or "setproperty?dmcp.device-volume=-20", to
// the remote-control server of who plays or played last. Receivers find that
// by multicast DNS; here it is told. Press returns the status of the answer, or an
// error if there is none within half a second.
func (p *Panel) Press(ctx context.Context, network Network, server, command string) (code int, err error) {
	_, number := p.Sender()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DialContext: dialer(network), DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+server+"/ctrl-int/1/"+command, nil)
	if err != nil {
		return 0, fmt.Errorf("dacptest: %w", err)
	}
	req.Header = http.Header{"Active-Remote": {strconv.FormatUint(uint64(number), 10)}, "User-Agent": nil}
	resp, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("dacptest: %w", err)
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// dialer is how a receiver connects where it is.
func dialer(network Network) func(ctx context.Context, network, address string) (net.Conn, error) {
	if n, ok := network.(interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	}); ok {
		return n.DialContext
	}
	return new(net.Dialer).DialContext
}

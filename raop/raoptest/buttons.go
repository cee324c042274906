package raoptest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"airplay2mqtt/internal/rtsp"
)

// A sender is how a receiver knows who plays.
type sender struct {
	dacpID string
	number string // Active-Remote
}

// remember notes who plays.
func (r *Receiver) remember(h rtsp.Header) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sender = sender{h.Get("DACP-ID"), h.Get("Active-Remote")}
}

// Sender returns by which DACP-ID who plays, or played last, is to be found,
// and by which Active-Remote the receiver signs what it tells him.
func (r *Receiver) Sender() (dacpID string, activeRemote uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, _ := strconv.ParseUint(r.sender.number, 10, 32)
	return r.sender.dacpID, uint32(n)
}

// pressPatience is that of shairport-sync.
const pressPatience = 500 * time.Millisecond

// Press does what a receiver does when one of its buttons is pressed: it sends
// a command, such as "playpause" or "setproperty?dmcp.device-volume=-20", to
// the remote-control server of who plays or played last. Receivers find that
// by multicast DNS; here it is told. Press returns the status of the answer,
// or an error if there is none within half a second.
func (r *Receiver) Press(ctx context.Context, server, command string) (code int, err error) {
	_, number := r.Sender()
	ctx, cancel := context.WithTimeout(ctx, pressPatience)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DialContext: r.dialer(), DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+server+"/ctrl-int/1/"+command, nil)
	if err != nil {
		return 0, fmt.Errorf("raoptest: %w", err)
	}
	req.Header = http.Header{"Active-Remote": {strconv.FormatUint(uint64(number), 10)}, "User-Agent": nil}
	resp, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("raoptest: %w", err)
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// dialer is how the receiver connects where it is.
func (r *Receiver) dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	if n, ok := r.cfg.Network.(interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	}); ok {
		return n.DialContext
	}
	return new(net.Dialer).DialContext
}

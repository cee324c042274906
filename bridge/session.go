package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/audio/stream"
	"airplay2mqtt/bridge/player"
	"airplay2mqtt/raop"
)

// A link is a session of either protocol.
type link interface {
	player.Session
	stream.Floor
	player.VolumeTeller
	player.PositionTaker
	player.ClockWatcher
	SetOffset(d time.Duration)
}

// A session is a link as a player wants it. The protocol knows that
// the receiver hung up; why, a player has to know: because another sender took
// it, or because it has gone.
type session struct {
	link
	over chan struct{}
	err  error // set before over is closed
}

// attend makes a session of one with the receiver at an address, which counts
// for itself. ended is called when it is over.
func (d *device) attend(s link, address string, sent func() sent, ended func()) *session {
	w := &session{link: s, over: make(chan struct{})}
	d.live.Store(w)
	d.counts.begin(w, sent)
	d.occupancy.begin()
	d.tellBusy()
	s.SetOffset(time.Duration(d.offset.Load())) // it may have been changed meanwhile
	go func() {                                 // Close waits for it
		defer close(w.over)
		<-s.Done()
		d.counts.end(w)
		ended()
		w.err = d.verdict(s.Err(), address)
		_, taken := w.err.(takenOver)
		d.occupancy.end(taken)
		d.tellBusy()
	}()
	return w
}

// Done is closed when the session is over and it is known why.
func (s *session) Done() <-chan struct{} { return s.over }

// Err says why the session is over.
func (s *session) Err() error {
	select {
	case <-s.over:
		return s.err
	default:
		return nil
	}
}

// Close ends the session and waits for all that belongs to it.
func (s *session) Close() error {
	err := s.link.Close()
	<-s.over
	return err
}

// farewell is how long the port of a receiver that ends may outlive its
// sessions.
const farewell = 250 * time.Millisecond

// verdict tells why a session is over. A receiver that closes it and is still
// there has been taken by another sender; one that refuses connections, or ends
// them at once, has gone (docs/protocols/raop.md, connection loss).
func (d *device) verdict(err error, address string) error {
	if !errors.Is(err, raop.ErrClosedByReceiver) && !errors.Is(err, airplay.ErrClosedByReceiver) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if gone := d.stays(ctx, address); gone != nil {
		d.reached(false)
		return &refusal{"device_offline", fmt.Sprintf("the device closed the connection and is not there any more: %v", gone)}
	}
	return takenOver{err}
}

// stays tells that a receiver takes a connection and keeps it, with nil, or why
// it does not.
func (d *device) stays(ctx context.Context, address string) error {
	conn, err := d.net.dialer()(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(farewell)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// dialer is what connects to receivers.
func (n network) dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	if n.dial == nil {
		return new(net.Dialer).DialContext
	}
	return n.dial
}

type takenOver struct{ error }

func (takenOver) TakenOver() bool { return true }

func (t takenOver) Unwrap() error { return t.error }

// Package pair pairs with a receiver by the PIN that it shows.
//
//	p, err := pair.Start(ctx, "192.168.1.20:7000", info, nil) // it shows the PIN
//	if err != nil {
//		return err
//	}
//	defer p.Close()
//	credentials, err := p.Finish(ctx, pin) // which somebody has typed
//
// The credentials are good for all later sessions.
package pair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/legacy"
	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/rtsp"

	"github.com/rs/zerolog"
)

// Config says how to pair. Its zero value works.
type Config struct {
	// Name is what the receiver shows of us. Empty: "airplay2mqtt".
	Name string
	// Protocol is for which of the two to pair. Empty: AirPlay 2 where the
	// receiver speaks it.
	Protocol airplay.Protocol
	// DialContext connects. Nil: a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Rand makes keys. Nil: crypto/rand.Reader.
	Rand io.Reader
	// Logger gets debug lines, in which nothing is secret. Zero: silent.
	Logger zerolog.Logger
}

const (
	connectPatience = 3 * time.Second
	requestPatience = 10 * time.Second
)

// A Pairing is one whose PIN the receiver shows.
type Pairing struct {
	client *rtsp.Client
	cancel context.CancelFunc
	pins   chan string
	shown  chan struct{} // closed when the receiver shows its PIN
	ended  chan struct{} // closed when the result is there
	once   sync.Once

	// To be read after ended.
	credentials airplay.Credentials
	err         error
}

// Start connects and has the receiver show its PIN. ctx bounds that, and not
// the pairing, which ends with Finish or Close. Errors are of type *Error
// where the receiver answered.
func Start(ctx context.Context, address string, info airplay.Info, cfg *Config) (*Pairing, error) {
	var c Config
	if cfg != nil {
		c = *cfg
	}
	c.Name = cmp.Or(c.Name, "airplay2mqtt")
	if c.DialContext == nil {
		c.DialContext = new(net.Dialer).DialContext
	}
	if kind, why := info.Pairing(); kind == airplay.Unsupported {
		return nil, &Error{Kind: Forbidden, err: errors.New(why)}
	}
	protocol := c.Protocol
	if ok, _ := info.AirPlay2(); protocol == airplay.AutoProtocol && ok {
		protocol = airplay.AirPlay2
	}
	p, err := c.start(ctx, address, protocol)
	if c.Protocol == airplay.AutoProtocol && protocol == airplay.AirPlay2 && errors.Is(err, pairing.Because(pairing.NotSpoken)) {
		// Firmware that announces AirPlay 2 and is none is known in the wild.
		c.Logger.Debug().Err(err).Msg("it does not pair as AirPlay 2 does, trying the older way")
		p, err = c.start(ctx, address, airplay.AirPlay1)
	}
	if err != nil {
		return nil, fmt.Errorf("pair with %s: %w", address, kindOf(err))
	}
	return p, nil
}

// start begins a pairing and waits until the receiver shows its PIN.
func (c Config) start(ctx context.Context, address string, protocol airplay.Protocol) (*Pairing, error) {
	connecting, cancel := context.WithTimeout(ctx, connectPatience)
	conn, err := c.DialContext(connecting, "tcp", address)
	cancel()
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &Pairing{
		client: rtsp.NewClient(conn, rtsp.Config{Patience: requestPatience, Logger: c.Logger,
			Header: rtsp.Header{{Name: "User-Agent", Value: pairing.UserAgent}}}),
		cancel: cancel, pins: make(chan string), shown: make(chan struct{}), ended: make(chan struct{}),
	}
	go p.run(running, c, protocol)
	select {
	case <-p.shown:
		return p, nil
	case <-p.ended:
		err = p.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.Close()
	return nil, err
}

// run pairs, with a pause in it for who reads the PIN.
func (p *Pairing) run(ctx context.Context, c Config, protocol airplay.Protocol) {
	defer close(p.ended)
	if protocol == airplay.AirPlay2 {
		p.credentials, p.err = p.modern(ctx, c)
		return
	}
	p.credentials, p.err = p.older(ctx, c)
}

func (p *Pairing) modern(ctx context.Context, c Config) (airplay.Credentials, error) {
	by := hap.Controller{Post: p.post, Name: c.Name, Rand: c.Rand}
	got, err := by.Setup(ctx, p.pin)
	if err != nil {
		return airplay.Credentials{}, err
	}
	if _, err := by.Verify(ctx, got); refused(err) {
		return airplay.Credentials{}, err
	}
	return airplay.Credentials{ID: got.ID, Seed: got.Seed, ReceiverID: got.ReceiverID, ReceiverKey: got.ReceiverKey}, nil
}

func (p *Pairing) older(ctx context.Context, c Config) (airplay.Credentials, error) {
	by := legacy.Controller{Post: p.post, Name: c.Name, Rand: c.Rand}
	got, err := by.Setup(ctx, p.pin)
	if err != nil {
		return airplay.Credentials{}, err
	}
	if err := by.Verify(ctx, got); refused(err) {
		return airplay.Credentials{}, err
	}
	return airplay.Credentials{ID: got.ID, Seed: got.Seed, ReceiverKey: got.ReceiverKey}, nil
}

// refused tells whether the receiver takes a new pairing back when it is shown
// for the first time. One that hangs up after it says nothing of it.
func refused(err error) bool {
	var e *pairing.Error
	return errors.As(err, &e)
}

func (p *Pairing) post(ctx context.Context, path string, header rtsp.Header, body []byte) (rtsp.Response, error) {
	return p.client.Do(ctx, rtsp.Request{Method: "POST", URI: path, Header: header, Body: body})
}

// pin tells that the receiver shows it, and waits for it.
func (p *Pairing) pin(ctx context.Context) (string, error) {
	close(p.shown)
	select {
	case pin := <-p.pins:
		return pin, nil
	case <-p.client.Done():
		return "", fmt.Errorf("the receiver did not wait for the PIN: %w", p.client.Err())
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Done is closed when the pairing is over, be it that the receiver did not
// wait for the PIN.
func (p *Pairing) Done() <-chan struct{} { return p.ended }

// Finish says the PIN and returns what both know of each other from now on.
// After it the pairing is over. A wrong PIN is an *Error of kind Rejected: begin
// again with Start, for the receiver then shows another.
func (p *Pairing) Finish(ctx context.Context, pin string) (airplay.Credentials, error) {
	defer p.Close()
	select {
	case p.pins <- pin:
	case <-p.ended:
	case <-ctx.Done():
		return airplay.Credentials{}, fmt.Errorf("pair: %w", context.Cause(ctx))
	}
	select {
	case <-p.ended:
	case <-ctx.Done():
		return airplay.Credentials{}, fmt.Errorf("pair: %w", context.Cause(ctx))
	}
	if p.err != nil {
		return airplay.Credentials{}, fmt.Errorf("pair: %w", kindOf(p.err))
	}
	return p.credentials, nil
}

// Close gives the pairing up, unless it is over.
func (p *Pairing) Close() error {
	p.once.Do(func() {
		p.cancel()
		p.client.Close()
	})
	<-p.ended
	return nil
}

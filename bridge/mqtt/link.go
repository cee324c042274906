package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

const (
	connectTimeout = 10 * time.Second       // dialling and the broker's answer
	answerTimeout  = 10 * time.Second       // for a subscription
	goodbyeTimeout = 2 * time.Second        // for all that is said at the end
	takeTimeout    = 500 * time.Millisecond // for paho to take something over
	closeTimeout   = 250 * time.Millisecond // for the broker to take our DISCONNECT
)

// A link is one connection, from the broker's yes to its end, and one paho
// client with it: paho neither reconnects nor stores anything for us, because it
// loses subscriptions at the one and the order of messages at the other.
type link struct {
	owner *Client
	paho  paho.Client
	wire  *wire
	since time.Time
	out   chan outgoing // what Publish and Post put in line
	fault chan error    // has room for one: why the link ended

	bye    chan struct{} // closed: send what is in line, then the goodbye
	done   chan struct{} // closed: nothing is sent any more
	listen chan struct{} // closed by want: subscribe now
	heard  chan struct{} // closed: subscribed, or refused with deaf
	want   func()
	deaf   error

	mu       sync.Mutex // a leaf
	open     bool       // subscribed, or about to be: routes are served
	watches  map[*route]struct{}
	clearing map[string]time.Time // topics whose echo is ours, and until when
}

// connect makes one try.
func (c *Client) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, errNoAnswer)
	defer cancel()
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	l := &link{
		owner: c, wire: newWire(conn, c.cfg.MaxPayload),
		out: make(chan outgoing, 64), fault: make(chan error, 1),
		bye: make(chan struct{}), done: make(chan struct{}),
		listen: make(chan struct{}), heard: make(chan struct{}),
		watches: map[*route]struct{}{}, clearing: map[string]time.Time{},
	}
	l.want = sync.OnceFunc(func() { close(l.listen) })
	l.paho = paho.NewClient(c.options(l))
	token := l.paho.Connect()
	select {
	case <-token.Done():
	case <-ctx.Done():
		conn.Close()
		<-token.Done()
	}
	if err := token.Error(); err != nil {
		conn.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, refusal(err)
	}
	l.since = time.Now()
	return l, nil
}

func (c *Client) options(l *link) *paho.ClientOptions {
	o := paho.NewClientOptions()
	o.AddBroker("tcp://broker") // not used: the connection is already there
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return l.wire, nil })
	o.SetClientID(c.cfg.ClientID)
	o.SetUsername(c.cfg.Username)
	o.SetPassword(c.cfg.Password)
	o.SetProtocolVersion(4) // or else a refusal is answered with a second try in version 3
	o.SetCleanSession(true)
	o.SetAutoReconnect(false)
	o.SetConnectTimeout(connectTimeout)
	o.SetKeepAlive(c.cfg.KeepAlive)
	o.SetPingTimeout(10 * time.Second)
	o.SetWriteTimeout(takeTimeout) // of handing over; wire has the real one
	o.SetOrderMatters(true)
	o.SetDefaultPublishHandler(l.dispatch)
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { l.drop(err) })
	if w := c.cfg.Will; w != nil {
		o.SetBinaryWill(w.Topic, w.Payload, w.QoS, w.Retain)
	}
	return o
}

// drop ends the link. The first reason counts.
func (l *link) drop(err error) {
	select {
	case l.fault <- err:
	default:
	}
}

// serve lives with a link until it ends: by a fault, or with ctx, and then err
// tells whether the goodbye was heard. Everything that it starts has ended when
// it returns.
func (c *Client) serve(ctx context.Context, l *link) (fault, err error) {
	var wg sync.WaitGroup
	var last paho.Token // what was said last; belongs to the writer until written is closed
	written := make(chan struct{})
	life, end := context.WithCancel(ctx)
	wg.Go(func() { last = l.write(); close(written) })
	wg.Go(l.subscribeAll)
	c.links.Add(1)
	c.now.Store(l)
	wg.Go(func() {
		if c.cfg.OnConnect != nil {
			c.cfg.OnConnect(life)
		}
		l.want()
	})

	select {
	case fault = <-l.fault:
		c.now.Store(nil)
	case <-ctx.Done():
		c.now.Store(nil)
		close(l.bye)
		err = l.goodbye(written, &last)
	}
	end()
	close(l.done)
	// Returns once paho's goroutines have ended, or when its time is up.
	l.paho.Disconnect(uint(closeTimeout / time.Millisecond))
	l.wire.Close()
	wg.Wait()
	return fault, err
}

// goodbye waits until the broker has taken all that was said.
func (l *link) goodbye(written <-chan struct{}, last *paho.Token) error {
	limit := time.NewTimer(goodbyeTimeout)
	defer limit.Stop()
	select {
	case <-written:
	case <-limit.C:
		return fmt.Errorf("mqtt: goodbye: %w", errNoAnswer)
	}
	if *last == nil {
		return nil
	}
	select {
	case <-(*last).Done():
	case <-limit.C:
		return fmt.Errorf("mqtt: goodbye: %w", errNoAnswer)
	}
	if err := (*last).Error(); err != nil {
		return fmt.Errorf("mqtt: goodbye: %w", err)
	}
	return nil
}

// dispatch runs on paho's goroutine, one message after another.
func (l *link) dispatch(_ paho.Client, heard paho.Message) {
	m := Message{Topic: heard.Topic(), Payload: heard.Payload(), Retain: heard.Retained(), QoS: heard.Qos()}
	if size, ok := l.wire.in.trimmed(m.Payload); ok {
		m.Payload, m.Oversize = nil, size
	}
	for _, handle := range l.listeners(m) {
		handle(m)
	}
}

// listeners are those who want to hear m.
func (l *link) listeners(m Message) (all []func(Message)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.echo(m) {
		return nil
	}
	if l.open {
		for _, r := range l.owner.routes {
			if matches(r.filter, m.Topic) {
				all = append(all, r.handle)
			}
		}
	}
	for w := range l.watches {
		if matches(w.filter, m.Topic) {
			all = append(all, w.handle)
		}
	}
	return all
}

// hand gives paho something to send until paho takes it. paho gives up after
// takeTimeout, which says only that it is busy with something larger.
func (l *link) hand(send func() paho.Token) (paho.Token, error) {
	for {
		token := send()
		select {
		case <-token.Done():
		default:
			return token, nil
		}
		err := token.Error()
		if err == nil {
			return token, nil
		}
		if errors.Is(err, paho.ErrNotConnected) {
			return nil, ErrNotConnected
		}
		select {
		case <-l.done:
			return nil, ErrNotConnected
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// settle hands something over and waits for the broker's answer.
func (l *link) settle(ctx context.Context, send func() paho.Token) error {
	token, err := l.hand(send)
	if err != nil {
		return err
	}
	limit := time.NewTimer(answerTimeout)
	defer limit.Stop()
	select {
	case <-token.Done():
		return token.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-l.done:
		return ErrNotConnected
	case <-limit.C:
		return errNoAnswer
	}
}

// refusal finds what was wrong in what paho says of it.
func refusal(err error) error {
	for code, known := range packets.ConnErrors {
		if known != nil && code < packets.ErrNetworkError && errors.Is(err, known) {
			return &RefusedError{Code: code}
		}
	}
	if both, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range both.Unwrap() {
			if e != nil && !errors.Is(e, packets.ErrorNetworkError) {
				return e
			}
		}
	}
	return err
}

package mqtt

import (
	"context"
	"errors"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// An outgoing message waits in line to be written.
type outgoing struct {
	Message
	token chan paho.Token // has room for one; nil: nobody waits
}

// Publish sends m and waits until it is written (QoS 0) or until the broker has
// it (QoS 1). Without a connection it returns ErrNotConnected at once. When ctx
// ends first, m may or may not have been sent.
//
// Messages arrive in the order of the calls, those of Post included.
func (c *Client) Publish(ctx context.Context, m Message) error {
	o := outgoing{m, make(chan paho.Token, 1)}
	l, err := c.line(ctx, o)
	if err != nil {
		return err
	}
	token, err := await(ctx, l, o.token)
	if err == nil {
		_, err = await(ctx, l, token.Done())
	}
	if err == nil {
		err = token.Error()
	}
	if err != nil && !errors.Is(err, ErrNotConnected) {
		return fmt.Errorf("mqtt: publish %s: %w", m.Topic, err)
	}
	return err
}

// await receives from a channel unless ctx or the link ends first.
func await[T any](ctx context.Context, l *link, from <-chan T) (v T, err error) {
	select {
	case v = <-from:
		return v, nil
	case <-ctx.Done():
		return v, ctx.Err()
	case <-l.done:
	}
	select { // both: what was answered counts
	case v = <-from:
		return v, nil
	default:
		return v, ErrNotConnected
	}
}

// Post puts m in line and does not wait for the broker. It waits for room in the
// line, 64 messages long, as ctx allows. What is in line when the connection
// ends is lost: it is for what OnConnect will say again.
func (c *Client) Post(ctx context.Context, m Message) error {
	_, err := c.line(ctx, outgoing{Message: m})
	return err
}

// Clear removes what the broker keeps on a topic. A broker sends the empty
// message that does so to all who subscribe to the topic, and in MQTT 3.1.1 to
// ourselves, too; that one echo is not handed to our handlers.
func (c *Client) Clear(ctx context.Context, topic string) error {
	l := c.now.Load()
	if l == nil {
		return ErrNotConnected
	}
	l.mu.Lock()
	l.clearing[topic] = time.Now().Add(echoTime)
	l.mu.Unlock()
	return c.Publish(ctx, Message{Topic: topic, Retain: true, QoS: 1})
}

// echoTime is how long an empty message is taken for the echo of Clear.
const echoTime = 3 * time.Second

// echo reports whether m is what Clear said. The caller holds mu.
func (l *link) echo(m Message) bool {
	if m.Retain || len(m.Payload) > 0 || m.Oversize > 0 || len(l.clearing) == 0 {
		return false
	}
	until, ok := l.clearing[m.Topic]
	delete(l.clearing, m.Topic)
	for topic, until := range l.clearing {
		if time.Now().After(until) {
			delete(l.clearing, topic)
		}
	}
	return ok && time.Now().Before(until)
}

func (c *Client) line(ctx context.Context, o outgoing) (*link, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("mqtt: publish: %w", err)
	}
	l := c.now.Load()
	if l == nil {
		return nil, ErrNotConnected
	}
	select {
	case l.out <- o:
		return l, nil
	case <-l.done:
		return nil, ErrNotConnected
	case <-ctx.Done():
		return nil, fmt.Errorf("mqtt: publish %s: %w", o.Topic, ctx.Err())
	}
}

// write sends what is in line, and the goodbye after it. It returns the token of
// the last message that is acknowledged: brokers acknowledge in order, so with
// that one they have all.
func (l *link) write() (last paho.Token) {
	for {
		select {
		case o := <-l.out:
			last = l.send(o, last)
			continue
		case <-l.done:
			return last
		case <-l.bye:
		}
		break
	}
	for {
		select {
		case o := <-l.out:
			last = l.send(o, last)
			continue
		default:
		}
		break
	}
	for _, m := range l.owner.cfg.Goodbye {
		last = l.send(outgoing{Message: m}, last)
	}
	return last
}

func (l *link) send(o outgoing, last paho.Token) paho.Token {
	token, err := l.hand(func() paho.Token { return l.paho.Publish(o.Topic, o.QoS, o.Retain, o.Payload) })
	if err != nil {
		return last // the link has ended; whoever waits learns it from done
	}
	if o.token != nil {
		o.token <- token
	}
	if o.QoS == 0 && last != nil {
		return last
	}
	return token
}

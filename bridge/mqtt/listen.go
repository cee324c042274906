package mqtt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// Listen makes the subscriptions of Handle now, and waits until the broker has
// confirmed them. They are made once for each connection; without a call of
// Listen that is when OnConnect has returned.
//
// An OnConnect that says "online" last calls Listen before: whoever sees the
// word can be heard.
func (c *Client) Listen(ctx context.Context) error {
	l := c.now.Load()
	if l == nil {
		return ErrNotConnected
	}
	l.want()
	select {
	case <-l.heard:
		return l.deaf
	case <-l.done:
		return ErrNotConnected
	case <-ctx.Done():
		return fmt.Errorf("mqtt: listen: %w", ctx.Err())
	}
}

// subscribeAll waits to be told to, and subscribes to the filters of Handle.
func (l *link) subscribeAll() {
	defer close(l.heard)
	select {
	case <-l.listen:
	case <-l.done:
		l.deaf = ErrNotConnected
		return
	}
	filters := make(map[string]byte)
	for _, r := range l.owner.routes {
		filters[r.filter] = 1
	}
	if len(filters) == 0 {
		return
	}
	l.mu.Lock()
	l.open = true
	l.mu.Unlock()
	l.deaf = l.subscribe(context.Background(), filters)
	var denied *DeniedError
	switch {
	case l.deaf == nil || errors.Is(l.deaf, ErrNotConnected):
	case errors.As(l.deaf, &denied):
		l.owner.log.Warn().Strs("filters", denied.Filters).
			Msg("the broker forbids to subscribe; its access rules must allow it, or commands are not heard")
	default:
		l.drop(l.deaf) // a connection that hears nothing is worth nothing
	}
}

// subscribe asks for filters, those that are refused a few times: some brokers
// (mochi 2.7) refuse one whose packet has the number of a message that is on its
// way to us, as if the two counted together.
func (l *link) subscribe(ctx context.Context, filters map[string]byte) error {
	for try := 1; ; try++ {
		denied, err := l.subscribeOnce(ctx, filters)
		if err != nil || len(denied) == 0 {
			return err
		}
		if try == subscribeTries {
			return &DeniedError{Filters: slices.Sorted(maps.Keys(denied))}
		}
		filters = denied
		select {
		case <-time.After(time.Duration(try) * subscribePause):
		case <-l.done:
			return ErrNotConnected
		case <-ctx.Done():
			return fmt.Errorf("mqtt: subscribe: %w", ctx.Err())
		}
	}
}

const (
	subscribeTries = 4
	subscribePause = 50 * time.Millisecond
)

// subscribeOnce returns the filters that were refused.
func (l *link) subscribeOnce(ctx context.Context, filters map[string]byte) (denied map[string]byte, err error) {
	var sub *paho.SubscribeToken
	err = l.settle(ctx, func() paho.Token {
		t := l.paho.SubscribeMultiple(filters, nil)
		sub, _ = t.(*paho.SubscribeToken)
		return t
	})
	if err != nil {
		return nil, fmt.Errorf("mqtt: subscribe: %w", err)
	}
	denied = map[string]byte{}
	for filter, code := range sub.Result() {
		if code > 2 {
			denied[filter] = filters[filter]
		}
	}
	return denied, nil
}

// A DeniedError tells which filters the broker does not let us subscribe to. The
// others are subscribed.
type DeniedError struct{ Filters []string }

func (e *DeniedError) Error() string {
	return fmt.Sprintf("mqtt: subscribe: the broker forbids %q", e.Filters)
}

// Watch hears filter for as long as ctx lasts; then it ends the subscription and
// returns nil. What is retained comes first. It returns ErrNotConnected when the
// connection ends before ctx does.
//
// It is for looking at what the broker keeps, inside OnConnect or at any time.
// handle is bound by the same rules as that of Handle, and so is filter, which
// must not be one of Handle's.
func (c *Client) Watch(ctx context.Context, filter string, handle func(Message)) error {
	if err := CheckFilter(filter); err != nil {
		return fmt.Errorf("mqtt: watch: %w", err)
	}
	for _, r := range c.routes {
		if r.filter == filter {
			return fmt.Errorf("mqtt: watch: %s is heard by Handle", filter)
		}
	}
	l := c.now.Load()
	if l == nil {
		return ErrNotConnected
	}
	return l.watch(ctx, &route{filter, handle})
}

func (l *link) watch(ctx context.Context, r *route) error {
	l.mu.Lock()
	l.watches[r] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.watches, r)
		l.mu.Unlock()
	}()
	err := l.subscribe(ctx, map[string]byte{r.filter: 1})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		return err
	default:
		select {
		case <-ctx.Done():
		case <-l.done:
			return ErrNotConnected
		}
	}
	if l.watched(r) {
		return nil
	}
	// ctx has ended, but the broker must still learn that we have.
	err = l.settle(context.WithoutCancel(ctx), func() paho.Token { return l.paho.Unsubscribe(r.filter) })
	if err != nil && !errors.Is(err, ErrNotConnected) {
		return fmt.Errorf("mqtt: unsubscribe: %w", err)
	}
	return nil
}

// watched reports whether another watch has the same filter.
func (l *link) watched(r *route) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.watches {
		if w != r && w.filter == r.filter {
			return true
		}
	}
	return false
}

package bridge

import (
	"context"
	"fmt"
	"time"
)

// Alive asks the switchboard whether it still does what it is told: nil where
// it answers before ctx ends. It is for whoever watches over the program.
func (b *Bridge) Alive(ctx context.Context) error {
	answered := make(chan struct{})
	select {
	case b.calls <- func() { close(answered) }:
	case <-ctx.Done():
		return fmt.Errorf("bridge: it is too busy to be asked: %w", ctx.Err())
	}
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("bridge: it does not answer: %w", ctx.Err())
	}
}

// Connected tells whether there is a connection to the broker.
func (b *Bridge) Connected() bool { return b.client.Connected() }

// ping answers that the bridge is there: the whole way, over the broker and
// through the switchboard.
func (b *Bridge) ping(fields) (any, error) {
	return map[string]any{
		"version": b.about.Version,
		"uptime":  round(time.Since(b.started).Seconds(), 3),
		"devices": len(b.devices),
	}, nil
}

package player

import (
	"context"
	"sync"
	"time"
)

// A child makes something in a goroutine of its own, because that may take
// long. What it made is taken from ready, or, when the child is abandoned,
// disposed of. A nil child is never ready.
type child[T any] struct {
	results chan result[T]
	cancel  context.CancelFunc
}

type result[T any] struct {
	made T
	err  error
}

// bear starts a child. ctx is its life; produce is given a part of it.
func bear[T any](ctx context.Context, family *sync.WaitGroup, limit time.Duration, produce func(ctx context.Context) (T, error), dispose func(T)) *child[T] {
	ctx, cancel := context.WithCancel(ctx)
	c := &child[T]{results: make(chan result[T]), cancel: cancel}
	family.Go(func() {
		defer cancel()
		work, done := context.WithTimeout(ctx, limit)
		made, err := produce(work)
		done()
		select {
		case c.results <- result[T]{made, err}:
		case <-ctx.Done():
			if err == nil {
				dispose(made)
			}
		}
	})
	return c
}

func (c *child[T]) ready() <-chan result[T] {
	if c == nil {
		return nil
	}
	return c.results
}

// abandon says that what the child makes is not wanted any more.
func (c *child[T]) abandon() {
	if c != nil {
		c.cancel()
	}
}

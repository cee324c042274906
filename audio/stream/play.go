package stream

import (
	"context"
	"sync"

	"airplay2mqtt/audio"
)

// Play plays a sound on any number of sinks, in step, and returns when it has
// been heard. If ctx ends before, they fall silent.
func Play(ctx context.Context, src audio.Source, sinks ...Sink) error {
	err := New(src, Config{}, sinks...).Run(ctx)
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	var flushing sync.WaitGroup
	for _, k := range sinks {
		flushing.Go(func() { k.Flush(ctx) }) // err says more than what this returns
	}
	flushing.Wait()
	return err
}

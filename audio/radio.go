package audio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"
)

// defaultReconnect is how long a radio is asked for again.
const defaultReconnect = 10 * time.Minute

// steady is how much sound makes a connection one that held, after which the
// next one is asked for soon again.
const steady = 10 * Rate // frames

// A radio is a live stream that is asked for again when it is cut off, until it
// has not sounded for too long. Each connection gets a decoder of its own, so
// that it may begin anywhere. While there is none, Read waits.
type radio struct {
	o      *Opener
	url    *url.URL
	titles *titles
	life   context.Context
	end    context.CancelFunc

	wait  time.Duration // before the next connection
	heard int64         // frames on this one
	any   bool          // any frames, ever
	given error         // up for good

	mu  sync.Mutex
	now *chain // nil: none
}

func newRadio(o *Opener, in *input, first *chain) *radio {
	r := &radio{o: o, url: in.asked, titles: in.titles, now: first, wait: retryFirst}
	r.life, r.end = context.WithCancel(context.Background())
	return r
}

func (r *radio) Rate() int      { return Rate }
func (r *radio) Seekable() bool { return false }

func (r *radio) Read(p []Frame) (int, error) {
	if r.given != nil {
		return 0, r.given
	}
	n, err := r.now.Read(p)
	if n > 0 || err == nil {
		r.any = r.any || n > 0
		if r.heard += int64(n); r.heard >= steady {
			r.wait = retryFirst
		}
		return n, nil
	}
	switch {
	case r.life.Err() != nil:
		return 0, errClosed
	case !r.any: // it is being opened, and can be refused
		return 0, err
	}
	return r.reconnect(p, err)
}

// reconnect asks again until there is sound. err is why it has to.
func (r *radio) reconnect(p []Frame, err error) (int, error) {
	lost := time.Now()
	log := r.o.Logger.With().Str("address", shown(r.url)).Logger()
	log.Warn().Err(err).Msg("radio cut off, connecting again")
	for tries := 1; ; tries++ {
		r.replace(nil)
		if pause(r.life, r.wait) != nil {
			return 0, errClosed
		}
		r.wait = min(2*r.wait, retryMost)
		n, why := r.connect(p)
		switch {
		case n > 0:
			log.Info().Int("tries", tries).Dur("after", time.Since(lost)).Msg("radio is back")
			r.heard = int64(n)
			return n, nil
		case r.life.Err() != nil:
			return 0, errClosed
		case why != nil && why != io.EOF:
			err = why
		}
		if silent := time.Since(lost); silent >= orDefault(r.o.Reconnect, defaultReconnect) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			r.given = &FetchError{URL: shown(r.url), Err: fmt.Errorf("no sound for %v, after %d tries: %w",
				silent.Round(time.Second), tries, unfetched(err))}
			return 0, r.given
		}
	}
}

// unfetched takes the address off an error that is told with it.
func unfetched(err error) error {
	var fetch *FetchError
	if errors.As(err, &fetch) && fetch.Err != nil {
		return fetch.Err
	}
	return err
}

// connect opens the stream once more and reads its first frames.
func (r *radio) connect(p []Frame) (n int, err error) {
	ctx, cancel := context.WithTimeout(r.life, orDefault(r.o.Timeout, defaultTimeout))
	defer cancel()
	in, err := r.o.fetch(ctx, r.url, r.titles)
	if err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { in.Close() })
	defer func() {
		if !stop() && n == 0 {
			err = in.explain(ctx, err)
		}
	}()
	src, err := r.o.decode(ctx, in)
	if err != nil {
		in.Close()
		return 0, err
	}
	if !r.replace(newChain(src)) {
		return 0, errClosed
	}
	return readSome(r.now, p)
}

// replace makes c what is read, unless all is over.
func (r *radio) replace(c *chain) bool {
	r.mu.Lock()
	old, over := r.now, r.life.Err() != nil
	if !over {
		r.now = c
	}
	r.mu.Unlock()
	switch {
	case over && c != nil:
		c.Close()
	case !over && old != nil:
		old.Close()
	}
	return !over
}

// Close ends a Read that waits.
func (r *radio) Close() error {
	r.end()
	r.mu.Lock()
	now := r.now
	r.mu.Unlock()
	if now == nil {
		return nil
	}
	return now.Close()
}

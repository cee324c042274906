package mqtt

import (
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"
)

const (
	firstPause = 250 * time.Millisecond
	shortPause = 4 * time.Second  // the longest in the first minutes
	longPause  = 30 * time.Second // the longest after them, and after a refusal
	shortTime  = 2 * time.Minute
	proven     = 30 * time.Second // a link that lived so long was a good one
	sayAgain   = time.Minute
	manyDrops  = 3
)

// An outage is the time without a good link. It knows when to try again, and
// says what is wrong: every new trouble once, then something each minute.
type outage struct {
	log   zerolog.Logger
	began time.Time
	step  int // how often the pause was doubled; goes on when the limit is lifted
	tries int // since the last link
	drops int // short links in a row
	said  time.Time
	told  map[string]bool // advice that was given
}

// failed counts a try without success and returns how long to wait.
func (o *outage) failed(err error) time.Duration {
	o.tries++
	advice := advise(err)
	if o.due(advice) {
		o.log.Warn().Err(err).Int("tries", o.tries).Str("hint", advice).Msg("cannot reach the broker, trying again")
	}
	if refused(err) {
		o.begin()
		return jitter(longPause)
	}
	return o.pause()
}

// lost is told that a link has ended after so long and returns how long to wait.
func (o *outage) lost(err error, stood time.Duration) time.Duration {
	if stood >= proven {
		*o = outage{log: o.log}
	}
	o.drops++
	if o.drops < manyDrops {
		o.begin()
		o.log.Warn().Err(describe(err)).Msg("lost the connection to the broker, trying again")
		return o.pause()
	}
	advice := "most often another client uses the same client id, such as a second copy of this program: give each its own"
	if o.due(advice) {
		o.log.Warn().Err(describe(err)).Int("times", o.drops).Str("hint", advice).
			Msg("the broker accepts the connection and soon closes it, again and again")
	}
	return o.pause()
}

// ended is told that there is a link.
func (o *outage) ended() {
	switch {
	case o.drops >= manyDrops:
		o.log.Debug().Msg("connected to the broker")
	case o.tries > 0:
		o.log.Info().Int("tries", o.tries+1).Msg("connected to the broker, recovered")
	default:
		o.log.Info().Msg("connected to the broker")
	}
	o.tries = 0
}

// due reports whether something is to be said now, and takes it for said.
func (o *outage) due(advice string) bool {
	if o.told[advice] && time.Since(o.said) < sayAgain {
		return false
	}
	if o.told == nil {
		o.told = map[string]bool{}
	}
	o.told[advice], o.said = true, time.Now()
	return true
}

func (o *outage) begin() {
	if o.began.IsZero() {
		o.began = time.Now()
	}
}

func (o *outage) pause() time.Duration {
	o.begin()
	limit := shortPause
	if time.Since(o.began) >= shortTime {
		limit = longPause
	}
	d := firstPause << o.step
	if d < limit {
		o.step++
	}
	return jitter(min(d, limit))
}

// jitter takes up to a quarter away, so that a house full of clients does not
// knock at the same instant.
func jitter(d time.Duration) time.Duration { return d - rand.N(d/4) }

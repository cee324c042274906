package discovery

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"
)

// Config says where and how often to look, and to whom to tell troubles. Its
// zero value works.
type Config struct {
	// Interfaces are the names of the network interfaces to use; those that
	// are not there yet are used when they come. The loopback counts only
	// when it is named. None: all that are up and can multicast.
	Interfaces []string
	// Interval is the longest time from one round of questions to the next.
	// The first rounds follow each other faster, and so do those after a
	// change of networks. 0: one minute.
	Interval time.Duration
	// Look has everybody asked at once each time that something is sent on it.
	// Nil: never.
	Look <-chan struct{}
	// Logger is told when there is no network to look at, and when there is
	// one again. Zero: silence.
	Logger zerolog.Logger
}

const (
	// roundLength is how long a round of questions waits for answers.
	roundLength = time.Second
	// firstInterval is between the first two rounds; each one after it is
	// twice as long. An answer that was sent to somebody less than a second
	// ago is not sent again (RFC 6762, 6), so the second round may be the
	// one that finds.
	firstInterval = time.Second
	// lookEvery is how often the network interfaces are looked at.
	lookEvery = 10 * time.Second
	// blindPause is the pause between tries while nothing can be asked.
	blindPause = 30 * time.Second
)

// world is what Browse uses of the machine; tests have one of their own.
type world struct {
	interfaces func(names []string) ([]netif, error)
	open       func(netif) ([]link, error)
	round      func(ctx context.Context, ifaces []netif, hear func(sighting)) error
}

// Browse looks for receivers until ctx ends, and returns why it ended. Every
// event is told to found, one after the other, from one goroutine; found may
// keep what it gets, and should not block for long.
//
// Where multicast is impossible (no network, a closed container), Browse says
// so to the logger once and tries again every half minute.
func Browse(ctx context.Context, cfg Config, found func(Event)) error {
	return browse(ctx, cfg, found, world{interfaces, openLinks, browseRound})
}

// A browser asks in rounds, listens between them, and remembers.
type browser struct {
	cfg   Config
	found func(Event)
	world world

	cache *cache
	ears  ears
	heard chan sighting
	wg    sync.WaitGroup

	ifaces []netif
	look   time.Time // when the interfaces are looked at
	round  time.Time // when the next round begins
	every  time.Duration
	asking *asking    // nil between rounds
	asked  chan error // how a round's questions went
	blind  trouble    // nothing can be asked
	partly trouble    // an interface that was named is not there
}

// asking is a round that is going on.
type asking struct {
	began, ends time.Time
	cancel      context.CancelFunc
	err         error
}

func browse(ctx context.Context, cfg Config, found func(Event), w world) error {
	ctx, cancel := context.WithCancel(ctx)
	if cfg.Interval <= 0 {
		cfg.Interval = time.Minute
	}
	cfg.Interfaces = slices.Clone(cfg.Interfaces)
	heard := make(chan sighting, 64)
	b := &browser{
		cfg: cfg, found: found, world: w,
		cache: newCache(),
		ears:  ears{open: w.open, heard: heard, on: map[int]ear{}},
		heard: heard,
		every: min(firstInterval, cfg.Interval),
		asked: make(chan error, 1),
		blind: trouble{
			log:   cfg.Logger,
			begun: "no receivers can be discovered; trying again every 30 s",
			ended: "receivers can be discovered again",
		},
		partly: trouble{
			log:   cfg.Logger,
			begun: "not all network interfaces can be used for discovery",
			ended: "all network interfaces can be used for discovery again",
		},
	}
	defer b.wg.Wait()
	defer b.ears.close()
	defer cancel()
	return b.run(ctx)
}

func (b *browser) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s := <-b.heard:
			b.cache.hear(time.Now(), s)
		case err := <-b.asked:
			b.answered(err)
		case <-b.cfg.Look:
			b.round, b.every = time.Now(), min(firstInterval, b.cfg.Interval)
		case <-timer.C:
		}
		timer.Reset(time.Until(b.step(ctx, time.Now())))
	}
}

// step does all that is due and returns when there is something to do again.
func (b *browser) step(ctx context.Context, now time.Time) time.Time {
	if !now.Before(b.look) {
		b.lookAround(ctx, now)
	}
	if b.asking != nil && !now.Before(b.asking.ends) {
		b.endRound(now)
	}
	if b.asking == nil && !now.Before(b.round) {
		b.beginRound(ctx, now)
	}
	if next := b.cache.next; !next.IsZero() && !now.Before(next) {
		events, questions := b.cache.step(now)
		b.ears.ask(questions, everywhere)
		for _, e := range events {
			b.found(e)
		}
	}
	next := sooner(b.look, b.cache.next)
	if b.asking != nil {
		return sooner(next, b.asking.ends)
	}
	return sooner(next, b.round)
}

// lookAround sees which interfaces there are. When they have changed we ask
// at once, because what was known may not hold any more.
func (b *browser) lookAround(ctx context.Context, now time.Time) {
	b.look = now.Add(lookEvery)
	ifaces, err := b.world.interfaces(b.cfg.Interfaces)
	if !slices.EqualFunc(ifaces, b.ifaces, netif.equal) {
		b.cfg.Logger.Debug().Int("interfaces", len(ifaces)).Msg("network interfaces changed")
		b.ifaces = ifaces
		b.cache.attach(now, ifaces)
		b.round, b.every = now, min(firstInterval, b.cfg.Interval)
	}
	deaf := b.ears.attach(ctx, ifaces)
	if deaf != nil {
		b.cfg.Logger.Debug().Err(deaf).Msg("no socket of our own")
	}
	if len(ifaces) > 0 {
		b.partly.report(err)
	}
	b.blind.last = cmp.Or(err, deaf)
}

func (b *browser) beginRound(ctx context.Context, now time.Time) {
	if len(b.ifaces) == 0 {
		b.blind.report(b.blind.last)
		b.round = now.Add(blindPause)
		return
	}
	ends := now.Add(min(roundLength, b.every))
	b.round = now.Add(b.every)
	b.every = min(2*b.every, b.cfg.Interval)
	ctx, cancel := context.WithDeadline(ctx, ends)
	b.asking = &asking{began: now, ends: ends, cancel: cancel}
	// On the loopback zeroconf sends from no address, and Avahi does not
	// answer that; we do it ourselves.
	b.ears.ask(who(), func(n netif) bool { return n.loopback })
	ifaces := b.ifaces
	b.wg.Go(func() {
		err := b.world.round(ctx, ifaces, func(s sighting) {
			select {
			case b.heard <- s:
			case <-ctx.Done():
			}
		})
		select {
		case b.asked <- err:
		case <-ctx.Done():
		}
	})
}

// who asks which instances there are.
func who() []question {
	var questions []question
	for _, s := range services {
		questions = append(questions, question{s.domain(), dns.TypePTR})
	}
	return questions
}

// answered hears how a round's questions went. If zeroconf could not ask, our
// own sockets may.
func (b *browser) answered(err error) {
	a := b.asking
	if a == nil {
		return
	}
	a.err = err
	if err != nil && len(b.ears.on) > 0 {
		b.cfg.Logger.Debug().Err(err).Msg("asking without zeroconf")
		b.ears.ask(who(), everywhere)
	}
}

func (b *browser) endRound(now time.Time) {
	a := b.asking
	b.asking = nil
	a.cancel()
	if a.err != nil && len(b.ears.on) == 0 {
		b.blind.report(errors.Join(b.blind.last, a.err))
		b.round = now.Add(blindPause)
		return
	}
	b.blind.report(nil)
	b.cache.roundOver(now, a.began)
}

// trouble is said once, and so is its end, with the number of tries.
type trouble struct {
	log          zerolog.Logger
	begun, ended string
	tries        int
	last         error // what the interfaces and sockets said
}

// report takes nil as the end of the trouble.
func (t *trouble) report(err error) {
	switch {
	case err != nil:
		if t.tries++; t.tries == 1 {
			t.log.Warn().Err(err).Msg(t.begun)
		}
	case t.tries > 0:
		t.log.Info().Int("tries", t.tries).Msg(t.ended)
		t.tries = 0
	}
}

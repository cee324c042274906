package player

import (
	"context"
	"errors"
	"sync"
	"time"

	"airplay2mqtt/audio/stream"
)

// A loan is a member's session as the stream of its leader has it. The member
// takes it back whenever it likes, without asking: from then on the stream
// speaks into the void, and nothing that it began is still under way.
type loan struct {
	session Session
	spoiled func(error) // told once that the session is of no use; must not block

	mu      sync.Mutex // a leaf
	over    bool       // it was taken back
	failed  bool
	sounds  bool // there was a Start, and no Flush after it
	busy    int  // calls that are under way
	calls   int  // how many there were that may wait
	hurry   map[int]context.CancelFunc
	idle    chan struct{} // closed when nothing is under way; nil: nobody waits
	silence chan struct{} // closed when the receiver is silent that was to be; nil: none was
}

func newLoan(s Session, spoiled func(error)) *loan {
	return &loan{session: s, spoiled: spoiled, hurry: map[int]context.CancelFunc{}}
}

// MinLead is that of the session.
func (l *loan) MinLead() time.Duration { return floor(l.session) }

// Start begins a line, once the receiver is silent that was told to be.
func (l *loan) Start(ctx context.Context, tl stream.Timeline) error {
	ctx, done, ok := l.call(ctx)
	if !ok {
		return nil
	}
	defer done()
	l.mu.Lock()
	silence := l.silence
	l.sounds = true
	l.mu.Unlock()
	if silence != nil {
		select {
		case <-silence:
		case <-ctx.Done():
			return l.outcome(ctx, ctx.Err())
		}
	}
	return l.outcome(ctx, l.session.Start(ctx, tl))
}

// WritePacket sends a packet, or drops it.
func (l *loan) WritePacket(p stream.Packet) error {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return nil
	}
	l.busy++
	l.mu.Unlock()
	err := l.session.WritePacket(p)
	l.leave()
	if err != nil {
		l.fail(err)
	}
	return err
}

// Flush silences the receiver.
func (l *loan) Flush(ctx context.Context) error {
	ctx, done, ok := l.call(ctx)
	if !ok {
		return nil
	}
	defer done()
	err := l.session.Flush(ctx)
	l.mu.Lock()
	l.sounds = l.sounds && err != nil
	l.mu.Unlock()
	return l.outcome(ctx, err)
}

// hush silences the receiver, and waits for it in a goroutine: one that is slow
// is not to hold up the others.
func (l *loan) hush(family *sync.WaitGroup) {
	l.mu.Lock()
	before, silent := l.silence, make(chan struct{})
	l.silence = silent
	l.mu.Unlock()
	family.Go(func() {
		defer close(silent)
		if before != nil {
			<-before
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		l.Flush(ctx) // what went wrong is told by spoiled
	})
}

// sent says that the stream has ended, and will send no more.
func (l *loan) sent() {
	l.mu.Lock()
	over := l.over
	l.mu.Unlock()
	if m, ok := l.session.(*mixer); ok && !over {
		m.sent()
	}
}

// end takes the session back. It returns when nothing is under way any more, or
// ctx ends, and tells whether the receiver may sound.
func (l *loan) end(ctx context.Context) (sounds bool) {
	l.mu.Lock()
	l.over = true
	sounds = l.sounds
	for _, cancel := range l.hurry {
		cancel()
	}
	var idle chan struct{}
	if l.busy > 0 {
		if l.idle == nil {
			l.idle = make(chan struct{})
		}
		idle = l.idle
	}
	l.mu.Unlock()
	if idle != nil {
		select {
		case <-idle:
		case <-ctx.Done():
		}
	}
	return sounds
}

// call begins a call that may wait, unless the session was taken back. When it
// is, ctx ends.
func (l *loan) call(ctx context.Context) (bounded context.Context, done func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return ctx, nil, false
	}
	ctx, cancel := context.WithCancel(ctx)
	l.busy++
	l.calls++
	n := l.calls
	l.hurry[n] = cancel
	return ctx, func() {
		cancel()
		l.mu.Lock()
		delete(l.hurry, n)
		l.mu.Unlock()
		l.leave()
	}, true
}

// leave ends a call.
func (l *loan) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy--; l.busy == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// outcome says what came of a call that may have been called off.
func (l *loan) outcome(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case l.isOver():
		return nil
	case !errors.Is(ctx.Err(), context.Canceled):
		l.fail(err)
	}
	return err
}

func (l *loan) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// fail tells, once, that the session is of no use.
func (l *loan) fail(err error) {
	l.mu.Lock()
	first := !l.failed && !l.over
	l.failed = true
	l.mu.Unlock()
	if first {
		l.spoiled(err)
	}
}

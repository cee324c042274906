package audio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"
)

// A Buffer reads another source ahead, in one goroutine, so that its own Read
// never waits. It is what a [Track] plays from.
//
// Read, SeekFrame and Close return at once; Read returns [ErrNotReady] while
// nothing has been read ahead. Errors of the source, and its end, are returned
// after the frames that came before them. All methods are safe for concurrent
// use.
type Buffer struct {
	src    Source
	titles *titles       // of src; nil: it has none
	cancel func()        // ends a wait for src
	over   chan struct{} // closed when the goroutine is done

	mu      sync.Mutex
	changed sync.Cond // any of what follows
	ring    []Frame
	start   int   // of what is ready
	ready   int   // frames
	seek    int64 // where src is to go before it is read on; -1: nowhere
	taken   int   // how many seeks have been asked for
	err     error // of src: its end, or why it has no more; nil: it goes on
	closed  bool
	resting bool // it is full, and reads on when there is room for nap frames
	nap     int
}

// readChunk is how many frames are read ahead at once.
const readChunk = 2048

// NewBuffer takes src over and begins to read it ahead, until it holds what
// sounds for the given time (5 s if that is not positive), or all of src.
func NewBuffer(src Source, ahead time.Duration) *Buffer {
	b := newBuffer(src, ahead, nil)
	b.begin()
	return b
}

// newBuffer makes a buffer that does not read yet.
func newBuffer(src Source, ahead time.Duration, t *titles) *Buffer {
	if ahead <= 0 {
		ahead = defaultAhead
	}
	size := framesIn(ahead, src.Rate())
	if n := length(src); n >= 0 {
		size = min(size, n)
	}
	size = max(size, 1)
	b := &Buffer{
		src: src, titles: t, over: make(chan struct{}), seek: -1,
		// One chunk more, so that there is always room for a whole one below
		// Capacity, and the end is known before the last frame is taken.
		ring: make([]Frame, size+readChunk),
	}
	// To be woken for each chunk costs more than to read it: it naps for half a
	// second, or for a quarter of what it holds.
	b.nap = max(readChunk, len(b.ring)/4, min(len(b.ring)/2, src.Rate()/2))
	b.changed.L = &b.mu
	return b
}

// begin begins to read ahead.
func (b *Buffer) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	go func() {
		defer close(b.over)
		for b.step(ctx) {
		}
	}()
}

// prime reads the first frames, before begin. That saves who wants them at once
// the wait for the goroutine's turn.
func (b *Buffer) prime(ctx context.Context) {
	for b.Ready() == 0 && b.failed() == nil && ctx.Err() == nil {
		b.step(ctx)
	}
}

const defaultAhead = 5 * time.Second

// framesIn is how many frames sound for so long.
func framesIn(d time.Duration, rate int) int64 {
	whole, rest := int64(d/time.Second), int64(d%time.Second)
	return whole*int64(rate) + rest*int64(rate)/int64(time.Second)
}

// Rate is that of the source.
func (b *Buffer) Rate() int { return b.src.Rate() }

// Len is the length of the source in frames, -1 if it is not known.
func (b *Buffer) Len() int64 { return length(b.src) }

// Seekable tells whether SeekFrame works.
func (b *Buffer) Seekable() bool { return seekable(b.src) }

// Read takes what is ready. It does not wait and does not allocate.
func (b *Buffer) Read(p []Frame) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, errClosed
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.ready == 0 {
		if b.err != nil {
			return 0, b.err
		}
		return 0, ErrNotReady
	}
	n := copy(p, b.ring[b.start:min(b.start+b.ready, len(b.ring))])
	n += copy(p[n:], b.ring[:b.ready-n]) // nothing, unless it goes on at the beginning
	b.start = (b.start + n) % len(b.ring)
	b.ready -= n
	b.titles.heard(n)
	if !b.resting || b.room() >= b.nap {
		b.changed.Broadcast()
	}
	return n, nil
}

// room is how many frames more the buffer can hold.
func (b *Buffer) room() int { return len(b.ring) - b.ready }

var errClosed = fmt.Errorf("audio: read: %w", fs.ErrClosed)

// SeekFrame makes the next frames that are read begin at frame n of the source,
// exactly. What was ready is dropped. If the source then turns out not to be
// able to go there, Read tells.
func (b *Buffer) SeekFrame(n int64) error {
	if !b.Seekable() {
		return ErrNotSeekable
	}
	if size := b.Len(); n < 0 || size >= 0 && n > size {
		return fmt.Errorf("audio: seek to frame %d of %d", n, size)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	b.seek, b.err = n, nil
	b.taken++
	b.start = (b.start + b.ready) % len(b.ring)
	b.ready = 0
	b.changed.Broadcast()
	return nil
}

// Wait waits until that many frames (at most Capacity) are ready, or the last
// ones are, or there will be no more. Read then tells which it is.
func (b *Buffer) Wait(ctx context.Context, frames int) error {
	stop := context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.changed.Broadcast()
	})
	defer stop()
	frames = min(frames, b.Capacity())
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.ready < frames && b.err == nil && !b.closed {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("audio: wait for sound: %w", err)
		}
		if b.resting {
			b.resting = false
			b.changed.Broadcast()
		}
		b.changed.Wait()
	}
	return nil
}

// Ready is how many frames can be read now.
func (b *Buffer) Ready() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ready
}

// failed tells why nothing is ready and nothing will be; nil if there is
// something.
func (b *Buffer) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ready > 0 {
		return nil
	}
	return b.err
}

// Capacity is how many frames are read ahead at most.
func (b *Buffer) Capacity() int { return len(b.ring) - readChunk }

// Close closes the source, which ends a read of it that waits, and waits until
// nothing of it is used any more.
func (b *Buffer) Close() error {
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	b.changed.Broadcast()
	b.mu.Unlock()
	if !first {
		<-b.over
		return nil
	}
	b.cancel()
	err := b.src.Close()
	<-b.over
	return err
}

// step seeks or reads once, when there is something to do. It returns false when
// the buffer is closed.
func (b *Buffer) step(ctx context.Context) bool {
	region, to, taken, ok := b.next()
	switch {
	case !ok:
		return false
	case to >= 0:
		b.arrived(taken, 0, b.goTo(to))
		return true
	}
	n, err := b.read(region)
	if errors.Is(err, ErrNotReady) {
		err = await(ctx, b.src)
	}
	b.arrived(taken, n, err)
	return true
}

// next waits until there is something to do: to seek, if to is not negative,
// or else to read into region. No other goroutine touches region, since it is
// not ready.
func (b *Buffer) next() (region []Frame, to int64, taken int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.closed && b.seek < 0 && (b.err != nil || b.room() < readChunk || b.resting && b.room() < b.nap) {
		b.resting = b.resting || b.room() < readChunk
		b.changed.Wait()
	}
	to, b.seek, b.resting = b.seek, -1, false
	from := (b.start + b.ready) % len(b.ring)
	free := min(len(b.ring)-b.ready, len(b.ring)-from, readChunk)
	return b.ring[from : from+free], to, b.taken, !b.closed
}

// arrived takes note of what src gave, unless it has been sought since.
func (b *Buffer) arrived(taken, n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if taken != b.taken {
		return
	}
	b.titles.read(b.ready)
	b.ready += n
	b.err = err
	b.changed.Broadcast()
}

func (b *Buffer) read(p []Frame) (n int, err error) {
	defer recovered(&err)
	return readSome(b.src, p)
}

func (b *Buffer) goTo(n int64) (err error) {
	defer recovered(&err)
	s, ok := b.src.(Seeker)
	if !ok {
		return ErrNotSeekable
	}
	return s.SeekFrame(n)
}

// recovered makes an error of a panic. Decoders are given whatever the world
// holds, and one of them giving up must not end the program.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", errBroke, p)
	}
}

var errBroke = errors.New("audio: the decoder broke down")

// seekable tells whether src can be sought. A source may have SeekFrame and
// know only at run time whether that works.
func seekable(src Source) bool {
	if s, ok := src.(interface{ Seekable() bool }); ok {
		return s.Seekable()
	}
	_, ok := src.(Seeker)
	return ok
}

// await waits until a source that had nothing may have something.
func await(ctx context.Context, src Source) error {
	if w, ok := src.(interface {
		Wait(ctx context.Context, frames int) error
	}); ok {
		return w.Wait(ctx, 1)
	}
	t := time.NewTimer(5 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// believed is how many frames are made room for because a header says so: half
// a minute.
const believed = 30 * Rate

// readAll reads src to its end, but not more than limit frames.
func readAll(ctx context.Context, src Source, limit int64) ([]Frame, error) {
	var frames []Frame
	if n := length(src); n >= 0 {
		frames = make([]Frame, 0, min(n, limit, believed))
	}
	chunk := make([]Frame, readChunk)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := readSome(src, chunk)
		if int64(len(frames)+n) > limit {
			return nil, ErrTooLong
		}
		frames = append(frames, chunk[:n]...)
		switch {
		case err == io.EOF:
			return frames, nil
		case errors.Is(err, ErrNotReady):
			if err := await(ctx, src); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, err
		}
	}
}

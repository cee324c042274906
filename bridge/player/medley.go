package player

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"airplay2mqtt/audio"
)

// A medley is one sound made of several, its parts: the first frame of one
// follows the last frame of the one before. Frames are counted through all of
// it; after a seek the counting goes on where it was. Its stream reads and
// seeks it; the player, to whom the sources belong, adds parts and looks.
type medley struct {
	ends chan struct{} // told that a part was read to its end
	ear  func() int64  // the frame that is heard; nil: not known
	last int64         // how many frames before the end is heard it is believed

	mu       sync.Mutex
	parts    []*part
	reading  int   // the part that is read; len(parts): all have been
	end      int64 // one after the last frame that was read
	expected bool  // more parts will come, or perhaps
	over     bool  // the stream was told that no more will come, and believes it
	aimed    aim
	changed  chan struct{} // closed when there may be something to read again
}

// An aim is where a seek is to go: to a frame of a part, by the name of a
// frame of the medley.
type aim struct {
	part  *part
	frame int64
	name  int64
}

func newMedley(p *part) *medley {
	return &medley{ends: make(chan struct{}, 1), parts: []*part{p}, changed: make(chan struct{})}
}

// Rate is that of all streams.
func (m *medley) Rate() int { return audio.Rate }

// Close does nothing: the sources belong to the player.
func (m *medley) Close() error { return nil }

// Len says that nobody knows.
func (m *medley) Len() int64 { return -1 }

// Read is for the stream.
func (m *medley) Read(dst []audio.Frame) (n int, err error) {
	var last *part
	for n < len(dst) {
		p, room, err := m.turn(len(dst) - n)
		if err != nil {
			return n, held(n, err)
		}
		if n > 0 && p != last {
			return n, nil // or the noise that one needs would be added to the end of another
		}
		last = p
		got, err := p.src.Read(dst[n : n+room])
		if got < 0 || got > room {
			got, err = 0, fmt.Errorf("player: the sound gave %d frames for %d", got, room)
		}
		m.took(p, got, err)
		n += got
		if errors.Is(err, audio.ErrNotReady) || got == 0 && err == nil {
			return n, held(n, audio.ErrNotReady)
		}
	}
	return n, nil
}

// held keeps an error for the next Read, where it will be found again, if
// this one has frames.
func held(n int, err error) error {
	if n > 0 {
		return nil
	}
	return err
}

// turn returns the part whose turn it is and how many frames to take of it,
// or why there is none.
func (m *medley) turn(most int) (*part, int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.reading < len(m.parts) {
		p := m.parts[m.reading]
		if !p.begun {
			p.begun, p.base, p.origin = true, m.end, p.at
		}
		if room := min(int64(most), p.until-p.at); room > 0 {
			return p, int(room), nil
		}
		m.finish(p, io.EOF)
	}
	if m.expected || m.ear != nil && m.end-m.ear() > m.last {
		return nil, 0, audio.ErrNotReady // something may still be added
	}
	m.over = true
	return nil, 0, io.EOF
}

// took notes what was read.
func (m *medley) took(p *part, n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.at += int64(n)
	m.end += int64(n)
	if err != nil && !errors.Is(err, audio.ErrNotReady) {
		m.finish(p, err)
	}
}

// finish goes on with the next part.
func (m *medley) finish(p *part, err error) {
	p.done = true
	if !errors.Is(err, io.EOF) {
		p.err = err
	}
	m.reading++
	select {
	case m.ends <- struct{}{}:
	default:
	}
}

// A reservoir is a source that reads ahead and can be waited for.
type reservoir interface {
	Wait(ctx context.Context, frames int) error
	Capacity() int
}

// Capacity is that of the part that is read.
func (m *medley) Capacity() int {
	if r, ok := m.current().(reservoir); ok {
		return r.Capacity()
	}
	return audio.Rate
}

// current returns what is read, nil if nothing is.
func (m *medley) current() audio.Source {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reading < len(m.parts) {
		return m.parts[m.reading].src
	}
	return nil
}

// Wait waits until it makes sense to read again: until the part that is read
// has so many frames, or its end, or, where one is expected, until it has
// come and has enough to begin with.
func (m *medley) Wait(ctx context.Context, frames int) error {
	for {
		m.mu.Lock()
		changed, waits := m.changed, m.reading == len(m.parts) && m.expected
		m.mu.Unlock()
		if !waits {
			break
		}
		frames = min(frames, audio.Rate/4)
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	src := m.current()
	if r, ok := src.(reservoir); ok {
		return r.Wait(ctx, min(frames, r.Capacity()))
	}
	if src == nil {
		return nil
	}
	// It cannot be waited for, so it is tried again soon.
	select {
	case <-time.After(retry):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retry is the time between tries of a source that has nothing yet.
const retry = 8 * time.Millisecond

// wake wakes who waits.
func (m *medley) wake() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// expect says whether more parts will come.
func (m *medley) expect(more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.expected != more {
		m.expected = more
		m.wake()
	}
}

// add adds a part behind the others.
func (m *medley) add(p *part) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts = append(m.parts, p)
	m.wake()
}

// withdraw takes a part out again, unless it was read from and is of use.
func (m *medley) withdraw(p *part) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.begun && !p.spoiled {
		return false
	}
	m.cut(p)
	return true
}

// forget lets go of a part that has been heard.
func (m *medley) forget(p *part) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut(p)
}

// cut removes a part.
func (m *medley) cut(p *part) {
	for i, other := range m.parts {
		if other != p {
			continue
		}
		m.parts = append(m.parts[:i:i], m.parts[i+1:]...)
		if i < m.reading {
			m.reading--
		}
		return
	}
}

// aim prepares a seek and returns the frame of the medley to seek to. One
// that was aimed before and has not happened yet will not.
func (m *medley) aim(p *part, frame int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.aimed = aim{part: p, frame: p.within(frame), name: max(m.end, m.aimed.name) + 1}
	return m.aimed.name
}

// SeekFrame is for the stream. What was read of the parts behind is unread.
func (m *medley) SeekFrame(name int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := -1
	for i, p := range m.parts {
		if p == m.aimed.part {
			at = i
		}
	}
	if name != m.aimed.name || at < 0 {
		return fmt.Errorf("player: overtaken by another seek: %w", audio.ErrNotSeekable)
	}
	p := m.aimed.part
	s, ok := p.src.(audio.Seeker)
	if !ok {
		return audio.ErrNotSeekable
	}
	if err := s.SeekFrame(m.aimed.frame); err != nil {
		return err
	}
	p.at, p.origin, p.base = m.aimed.frame, m.aimed.frame, name
	p.begun, p.done, p.err = true, false, nil
	m.end, m.reading, m.over = name, at, false
	m.unread(at + 1)
	return nil
}

// unread rewinds the parts from the i-th on. Those that cannot be, and what
// stands behind them, are spoiled.
func (m *medley) unread(i int) {
	for ; i < len(m.parts); i++ {
		p := m.parts[i]
		if p.begun && p.rewind() != nil {
			break
		}
		p.begun, p.done, p.err = false, false, nil
		p.at, p.origin = p.from, p.from
	}
	for _, p := range m.parts[i:] {
		p.spoiled = true
	}
	m.parts = m.parts[:i:i]
}

// A look is what a player sees of a part.
type look struct {
	begun, done, spoiled bool
	base, end            int64 // in the medley; end is that of what was read
	place                int64 // in the source: the frame that was asked for
	err                  error
	size                 int64 // valid if known
	rest                 int64 // how many frames are still to be read, if known
	known                bool
}

// look looks at a part while frame ear of the medley is heard.
func (m *medley) look(p *part, ear int64) look {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := look{begun: p.begun, done: p.done, spoiled: p.spoiled, base: p.base, err: p.err}
	l.end = p.base + p.at - p.origin
	l.place = p.from
	if p.begun {
		l.place = p.origin + min(max(ear, l.base), l.end) - l.base
	}
	l.size, l.known = p.size()
	if l.known && !l.done {
		l.rest = p.from + l.size - p.at
	}
	return l
}

// left returns how many frames are still to be read, if that is known, and of
// how many parts.
func (m *medley) left() (frames int64, known bool, parts int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.parts[m.reading:] {
		last, known := p.last()
		if !known {
			return 0, false, len(m.parts) - m.reading
		}
		frames += max(last-p.at, 0)
	}
	return frames, true, len(m.parts) - m.reading
}

// read returns how many frames were read, by the medley's counting.
func (m *medley) read() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.end
}

// ended tells whether the stream will not read on, unless it seeks.
func (m *medley) ended() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.over
}

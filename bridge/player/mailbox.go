package player

import (
	"context"
	"sync"
)

// A mailbox is how players talk to each other: none waits for another, so none
// can hold up another, and two that write to each other cannot lock each other
// out. A letter is what its reader does about it, in the goroutine of its Run.
type mailbox struct {
	came chan struct{} // holds one while there may be letters

	mu      sync.Mutex // a leaf
	letters []letter
	closed  bool
}

type letter func(ctx context.Context)

// put leaves a letter, and tells whether there is still somebody to read it.
func (m *mailbox) put(l letter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.letters = append(m.letters, l)
	select {
	case m.came <- struct{}{}:
	default:
	}
	return true
}

// take takes all letters out, in the order in which they came.
func (m *mailbox) take() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	letters := m.letters
	m.letters = nil
	return letters
}

// close refuses letters from now on, and takes out those that are there.
func (m *mailbox) close() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	letters := m.letters
	m.letters, m.closed = nil, true
	return letters
}

// read does what other players ask for, by what is true by now.
func (p *Player) read(ctx context.Context) {
	if p.isLost() {
		p.dropped(ctx)
	}
	p.listen(ctx)
	p.follow(ctx)
	for _, l := range p.mail.take() {
		l(ctx)
	}
}

package stream

import (
	"sync"
	"sync/atomic"
	"time"
)

// A State is what the ear has of a stream.
type State int

const (
	Starting State = iota // silence before the first frame, also after Resume and Seek
	Playing               // the sound
	Starved               // silence, because the source had nothing in time
	Paused                // silence, because somebody wanted it
	Ended                 // silence after the last frame
)

func (s State) String() string {
	switch s {
	case Starting:
		return "starting"
	case Playing:
		return "playing"
	case Starved:
		return "starved"
	case Paused:
		return "paused"
	default:
		return "ended"
	}
}

// A mark says what is heard from a frame of the timeline on: the sound from
// position at, or silence while the sound stays there.
type mark struct {
	frame, at int64
	state     State
}

// A playhead knows what is at the ear: it maps time to a position in the
// sound, of which the timeline also holds silence. The stream moves it, and
// anybody may look.
type playhead struct {
	mu    sync.Mutex
	tl    Timeline // zero: nothing is heard, and the first mark says why
	marks []mark   // by frame; never empty. The first is at the ear, or next to be

	sent atomic.Int64 // one after the last frame of the timeline that has left
}

func newPlayhead() *playhead {
	return &playhead{marks: append(make([]mark, 0, 64), mark{state: Starting})}
}

// start begins a timeline with silence.
func (h *playhead) start(tl Timeline, at int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tl = tl
	h.sent.Store(tl.Frame)
	h.marks = append(h.marks[:0], mark{frame: tl.Frame, at: at, state: Starting})
}

// put adds a mark behind the others and forgets those that are over.
func (h *playhead) put(m mark, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	over := h.index(h.tl.FrameAt(now))
	h.marks = append(h.marks[:copy(h.marks, h.marks[over:])], m)
}

// cut returns the position of the first frame that is not heard if the timeline
// is cut at a frame of it.
func (h *playhead) cut(frame int64) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, _ := h.look(frame)
	return at
}

// rest puts the playhead somewhere and ends the timeline, if there is one.
func (h *playhead) rest(at int64, state State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tl, h.marks = Timeline{}, append(h.marks[:0], mark{at: at, state: state})
}

// freeze leaves the playhead where the ear is.
func (h *playhead) freeze(now time.Time) {
	at, state := h.now(now)
	h.rest(at, state)
}

// now returns what is at the ear.
func (h *playhead) now(t time.Time) (at int64, state State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tl.IsZero() {
		return h.marks[0].at, h.marks[0].state
	}
	return h.look(h.tl.FrameAt(t))
}

// next returns when the state at the ear changes next, zero if that is not
// known yet.
func (h *playhead) next(t time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tl.IsZero() {
		return time.Time{}
	}
	i := h.index(h.tl.FrameAt(t)) + 1
	if i >= len(h.marks) {
		return time.Time{}
	}
	return h.tl.At(h.marks[i].frame)
}

// look returns what is heard at a frame of the timeline. What has not left is
// not heard, however late it is.
func (h *playhead) look(frame int64) (at int64, state State) {
	frame = min(frame, h.sent.Load())
	m := h.marks[h.index(frame)]
	if m.state != Playing {
		return m.at, m.state
	}
	return m.at + frame - m.frame, m.state
}

// index returns the mark that holds at frame.
func (h *playhead) index(frame int64) int {
	i := len(h.marks) - 1
	for i > 0 && h.marks[i].frame > frame {
		i--
	}
	return i
}

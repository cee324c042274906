package ptp

import (
	"time"

	"airplay2mqtt/internal/gptp"
)

// What a receiver's time is judged by: two seconds of its Syncs, of which the
// one that was under way least is the best, and the shortest way there and
// back of the last half minute.
const (
	syncsKept  = 16
	delaysKept = 30
	// quickAsks is how many answers are wanted quickly.
	quickAsks = 4
	// enough is how many Syncs make its time known.
	enough = 3
)

// theirs is the time of a receiver that leads. It is guarded by the mutex of
// its state.
type theirs struct {
	clock  uint64
	half   half
	syncs  window // ours minus theirs, with the time under way
	delays window // the time under way, one way
	ask    pendingAsk
}

// A half is a Sync whose true time has not come yet, or the true time of a
// Sync that was not read yet: they come to two ports.
type half struct {
	seq        uint16
	came, left uint64 // ours and theirs; zero: not known yet
	correction int64
}

// A pendingAsk is a question of ours.
type pendingAsk struct {
	seq     uint16
	left    uint64 // ours
	waiting bool
}

// A window keeps the last values, of which the smallest counts.
type window struct {
	values [delaysKept]int64
	next   int
	count  int // of those that are kept
}

func (w *window) add(v int64, size int) {
	w.values[w.next] = v
	w.next = (w.next + 1) % size
	w.count = min(w.count+1, size)
}

// least returns the smallest value, zero if there is none.
func (w *window) least() int64 {
	if w.count == 0 {
		return 0
	}
	least := w.values[0]
	for _, v := range w.values[1:w.count] {
		least = min(least, v)
	}
	return least
}

// offered learns which clock the receiver leads with. Another one than before
// is another time.
func (s *state) offered(m gptp.Announce) {
	if s.role != Follow || m.Grandmaster == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clock != m.Grandmaster {
		s.theirs = theirs{clock: m.Grandmaster}
	}
}

// synced takes a Sync, or its true time.
func (s *state) synced(m gptp.Stamp, at time.Time) {
	if s.role != Follow {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.half.seq != m.Seq {
		s.half = half{seq: m.Seq}
	}
	h := &s.half
	h.correction += m.Correction
	if m.Type == gptp.TypeSync {
		h.came = s.engine.Stamp(at)
	}
	if m.Type == gptp.TypeFollowUp || m.Flags&gptp.TwoStep == 0 {
		h.left = m.Time
	}
	if h.came != 0 && h.left != 0 {
		s.learn(*h, at)
		s.half = half{}
	}
}

// jump is how far from what is known a time may lie before it is that of a
// clock that was set anew.
const jump = int64(500 * time.Millisecond)

// learn takes when a Sync left the receiver and came to us. s.mu is held.
func (s *state) learn(h half, at time.Time) {
	if s.clock == 0 {
		return // nobody has said whose time it is
	}
	difference := int64(h.came) - int64(h.left) - h.correction>>16
	if known := s.syncs.least(); s.syncs.count > 0 && (difference-known > jump || known-difference > jump) {
		s.syncs, s.delays = window{}, window{}
	}
	s.syncs.add(difference, syncsKept)
	if s.syncs.count >= enough {
		s.sign(at)
	}
}

// askDelay asks the receiver when this reaches it.
func (s *state) askDelay() {
	seq := s.number(gptp.TypeDelayReq)
	s.mu.Lock()
	left := s.engine.Stamp(time.Now())
	s.ask = pendingAsk{seq: seq, left: left, waiting: true}
	s.mu.Unlock()
	s.send(s.engine.event, s.event, gptp.NewDelayReq(s.engine.source, seq))
}

// answered takes when our question reached the receiver.
func (s *state) answered(m gptp.Answer) {
	if s.role != Follow || m.Requester != s.engine.source {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ask.waiting || s.ask.seq != m.Seq || s.syncs.count == 0 {
		return
	}
	s.ask.waiting = false
	there := int64(m.Time) - m.Correction>>16 - int64(s.ask.left) // theirs minus ours, with the time under way
	if delay := (there + s.syncs.least()) / 2; delay >= 0 && delay < jump {
		s.delays.add(delay, delaysKept)
	}
}

// convert returns an instant of ours in the receiver's time. s.mu is held.
func (s *state) convert(ours uint64) (ns uint64, ok bool) {
	if s.clock == 0 || s.syncs.count < enough {
		return 0, false
	}
	return ours - uint64(s.syncs.least()-s.delays.least()), true
}

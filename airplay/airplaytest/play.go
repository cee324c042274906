package airplaytest

import (
	"slices"
	"time"
)

// A packet is what was sent, decrypted.
type packet struct {
	seq    uint16
	time   uint32
	came   time.Time
	frames [][2]int16
}

// A queue is what is yet to be heard, and what was heard last.
type queue struct {
	packets  []packet
	highest  uint16
	begun    bool // highest is true
	missing  []hole
	nextTime uint32
	lastSeq  uint16
	playing  bool // nextTime and lastSeq are true
}

// A hole is a packet that has not come.
type hole struct {
	seq   uint16
	next  time.Time // when it is asked for
	asked int       // how often it was
}

// When a receiver asks for what is missing (shairport-sync: docs/protocols/raop.md,
// retransmission).
const (
	firstAsk   = 100 * time.Millisecond
	askBetween = 250 * time.Millisecond
	mostAsks   = 3
)

// put keeps packets in the order of time, and notes what ought to have come
// before.
func (q *queue) put(p packet) {
	gap := int16(p.seq - q.highest)
	switch {
	case !q.begun || gap > 500:
		q.begun, q.highest, q.missing = true, p.seq, nil
	case gap <= 0:
		q.missing = slices.DeleteFunc(q.missing, func(h hole) bool { return h.seq == p.seq })
	default:
		for seq := q.highest + 1; seq != p.seq; seq++ {
			q.missing = append(q.missing, hole{seq: seq, next: p.came.Add(firstAsk)})
		}
		q.highest = p.seq
	}
	i := len(q.packets)
	for i > 0 && int32(q.packets[i-1].time-p.time) > 0 {
		i--
	}
	if i > 0 && q.packets[i-1].time == p.time {
		return // came twice
	}
	q.packets = slices.Insert(q.packets, i, p)
}

// overdue returns what is to be asked for now.
func (q *queue) overdue(now time.Time) (missing []uint16) {
	for i := range q.missing {
		h := &q.missing[i]
		if h.asked < mostAsks && !now.Before(h.next) {
			h.asked, h.next = h.asked+1, now.Add(askBetween)
			missing = append(missing, h.seq)
		}
	}
	return missing
}

// play is the goroutine that hears packets when their time has come.
func (t *stream) play() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-t.s.over:
			return
		case <-t.s.wake:
		case <-timer.C:
		}
		for {
			p, due, joined, wait := t.next(time.Now())
			if wait > 0 {
				timer.Reset(wait)
				break
			}
			if !t.deaf && (!t.s.r.cfg.MetadataFirst || t.s.told.Load()) {
				t.s.r.hear(p, joined, due)
			}
		}
	}
}

// next takes the packet whose time has come from the queue, or returns how
// long that will take.
func (t *stream) next(now time.Time) (p packet, due time.Time, joined bool, wait time.Duration) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	q := &t.queue
	for {
		if len(q.packets) == 0 {
			return p, due, false, time.Hour
		}
		p = q.packets[0]
		var ok bool
		if due, ok = t.due(p.time); !ok {
			return p, due, false, time.Hour
		}
		if wait := due.Sub(now); wait > 0 {
			return p, due, false, wait
		}
		q.packets = q.packets[1:]
		if q.playing && int16(p.seq-q.lastSeq) <= 0 {
			continue // it came twice, and was heard
		}
		if p.came.Sub(due) < time.Duration(len(p.frames))*time.Second/44100 {
			break
		}
		t.s.r.note(func(l *Log) { l.Late++ })
	}
	joined = q.playing && p.time == q.nextTime
	if q.playing && !joined {
		hole := int(int16(p.seq - q.lastSeq - 1))
		t.s.r.note(func(l *Log) {
			l.Gaps += max(hole, 0)
			if t.s.r.cfg.Noisy {
				l.Noises++
			}
		})
	}
	q.playing, q.lastSeq, q.nextTime = true, p.seq, p.time+uint32(len(p.frames))
	return p, due, joined, 0
}

// mostHeard is how much is kept of what was heard: ten minutes.
const mostHeard = 600 * 44100

// hear is the loudspeaker: it adds frames to the span that they continue, or
// to a new one.
func (r *Receiver) hear(p packet, joined bool, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.log.Spans); joined && n > 0 {
		if last := &r.log.Spans[n-1]; len(last.Frames) < mostHeard {
			last.Frames = append(last.Frames, p.frames...)
		}
		return
	}
	r.log.Spans = append(r.log.Spans, Span{At: at, Frames: slices.Clone(p.frames)})
}

package player

import (
	"context"
	"errors"
	"sync"
	"time"

	"airplay2mqtt/audio/alac"
	"airplay2mqtt/audio/stream"
)

// packet is how many frames a packet holds.
const packet = alac.FramesPerPacket

// reach is how much of what was sent a mixer remembers at least: as much as a
// stream sends before it is heard.
const reach = 2300 * time.Millisecond

// A mixer is a session that can let clips be heard over what a stream sends to
// it. Otherwise it hands on all that it is given. The line of time of the
// stream stays what it is, so that a speaker that speaks is in step with others
// before, meanwhile and after it.
//
// To speak it takes the line: it silences the receiver, begins again on the
// same line a moment ahead, and sends from there what the stream has sent, made
// softer, and the clips. Once that is over and it has come as far as the
// stream, it gives the line back. See docs/decisions/0012-the-mixer.md.
type mixer struct {
	Session
	speaking sync.WaitGroup // the overlays

	mu      sync.Mutex // a leaf
	tl      stream.Timeline
	from    int64                   // the first frame that is remembered of the line
	end     int64                   // one after the newest
	tape    [][alac.PacketSize]byte // packet n of the line lies at n modulo its length
	skip    int64                   // frames before this were sent already, as silence
	ended   bool                    // the stream will send no more
	over    *overlay                // what speaks, or has spoken a moment ago; nil: nothing
	taken   bool                    // it has the line
	writing bool                    // the stream is, at this moment
	written chan struct{}           // closed when it has; nil: nobody waits
}

func newMixer(s Session) *mixer { return &mixer{Session: s} }

// as finds an ability of the session that a mixer wraps.
func as[T any](s Session) (ability T, ok bool) {
	if m, mixes := s.(*mixer); mixes {
		s = m.Session
	}
	ability, ok = s.(T)
	return ability, ok
}

// MinLead is that of the session.
func (m *mixer) MinLead() time.Duration {
	if f, ok := m.Session.(stream.Floor); ok {
		return f.MinLead()
	}
	return 0
}

// Start begins a line. Who speaks over the one before is silent now.
func (m *mixer) Start(ctx context.Context, tl stream.Timeline) error {
	m.interrupt(ctx, errMoved)
	m.begin(tl)
	return m.Session.Start(ctx, tl)
}

func (m *mixer) begin(tl stream.Timeline) {
	packets := int(framesIn(max(time.Until(tl.Time)+time.Second, reach)) / packet)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.tape) < packets {
		m.tape = make([][alac.PacketSize]byte, packets)
	}
	m.tl, m.from, m.end, m.skip, m.ended = tl, tl.Frame, tl.Frame, tl.Frame, false
}

// WritePacket remembers a packet and hands it on, unless somebody speaks.
func (m *mixer) WritePacket(p stream.Packet) error {
	if !m.keep(p) {
		return nil
	}
	err := m.Session.WritePacket(p)
	m.wrote()
	return err
}

// keep remembers a packet and tells whether it is to be sent now.
func (m *mixer) keep(p stream.Packet) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.tl.IsZero() && len(p.Payload) == alac.PacketSize {
		if p.Frame != m.end {
			m.from = p.Frame // it joined the line late
		}
		copy(m.slot(p.Frame)[:], p.Payload)
		m.end = p.Frame + packet
	}
	if m.taken || p.Frame < m.skip {
		return false
	}
	m.writing = true
	return true
}

func (m *mixer) wrote() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writing = false
	if m.written != nil {
		close(m.written)
		m.written = nil
	}
}

func (m *mixer) slot(frame int64) *[alac.PacketSize]byte {
	return &m.tape[(frame-m.tl.Frame)/packet%int64(len(m.tape))]
}

// recall copies a packet of the stream, if it is remembered; else it tells
// whether the stream may still send it.
func (m *mixer) recall(dst *[alac.PacketSize]byte, frame int64) (sound, more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tl.IsZero() {
		return false, false
	}
	if frame >= m.end {
		return false, !m.ended
	}
	if frame < m.from || m.end-frame > packet*int64(len(m.tape)) {
		return false, false
	}
	*dst = *m.slot(frame)
	return true, false
}

// sent says that the stream has ended, and will send no more.
func (m *mixer) sent() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
}

// Flush silences the receiver, and who speaks, and ends the line.
func (m *mixer) Flush(ctx context.Context) error {
	m.rest(ctx)
	return m.Session.Flush(ctx)
}

// rest says that the line is over, and so is what is spoken on it.
func (m *mixer) rest(ctx context.Context) {
	m.interrupt(ctx, ErrReplaced)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tl = stream.Timeline{}
}

// Close ends the session.
func (m *mixer) Close() error {
	err := m.Session.Close()
	m.interrupt(context.Background(), ErrReplaced) // the session is over: nothing waits any more
	m.speaking.Wait()
	return err
}

// sounds tells whether there is a line to speak over.
func (m *mixer) sounds() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.tl.IsZero()
}

// speaks tells whether something is spoken.
func (m *mixer) speaks() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.over != nil
}

// errMoved says that the line that was spoken on has begun anew.
var errMoved = errors.New("player: the line of time has begun anew")

// interrupt ends what is spoken, for a reason, and gives the line back to the
// stream.
func (m *mixer) interrupt(ctx context.Context, why error) {
	m.mu.Lock()
	o := m.over
	m.over, m.taken = nil, false
	m.mu.Unlock()
	if o != nil {
		o.stop(ctx, why)
	}
}

// take takes the line from the stream, or from who spoke before, and waits
// until nothing is being written any more. It returns the line, zero if there
// is none.
func (m *mixer) take(ctx context.Context, o *overlay) stream.Timeline {
	m.interrupt(ctx, ErrReplaced)
	m.mu.Lock()
	if m.tl.IsZero() {
		m.mu.Unlock()
		return stream.Timeline{}
	}
	m.over, m.taken = o, true
	tl, written := m.tl, chan struct{}(nil)
	if m.writing {
		written = make(chan struct{})
		m.written = written
	}
	m.mu.Unlock()
	if written != nil {
		<-written
	}
	return tl
}

// give gives the line back, unless the stream has sent more than what lies
// before frame next. It tells whether the overlay has it no more.
func (m *mixer) give(o *overlay, next int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over != o || !m.taken {
		return true
	}
	if next < m.end {
		return false
	}
	m.taken, m.skip = false, next
	return true
}

// leave lets go of an overlay that is over, and of the line if it has it.
func (m *mixer) leave(o *overlay) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over == o {
		m.over, m.taken = nil, false
	}
}

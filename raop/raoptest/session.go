package raoptest

import (
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"airplay2mqtt/internal/fake"
	"airplay2mqtt/internal/ntp"
	"airplay2mqtt/internal/rtp"
)

// A session is a sender that was let in. A nil session can be ended.
type session struct {
	r     *Receiver
	conn  net.Conn
	sound sound
	clock ntp.Clock // our own
	born  time.Time

	audio, control, timing net.PacketConn
	controlTo, timingTo    *net.UDPAddr

	over chan struct{}
	once sync.Once
	wg   sync.WaitGroup
	wake chan struct{} // the player's

	mu       sync.Mutex
	asking   bool
	replies  int
	synced   chan struct{} // closed when the sender's clock is known
	ahead    time.Duration // how far its stamps are ahead of ours
	trip     time.Duration // of the exchange that told
	anchor   anchor
	ready    bool // RECORD was answered
	queue    []packet
	floor    *uint32 // what is below was flushed
	highest  uint16
	begun    bool // highest is true
	missing  []hole
	lastSeq  uint16 // played
	nextTime uint32 // behind what was played
	playing  bool   // lastSeq and nextTime are true
	muted    int    // packets yet to be muted
	patience *time.Timer
}

// An anchor is a sync in our own time.
type anchor struct {
	known   bool
	time    uint32
	at      time.Time
	latency int64
}

// due returns when a time stamp is heard.
func (a anchor) due(t uint32) time.Time {
	frames := int64(int32(t-a.time)) + a.latency
	return a.at.Add(time.Duration(frames * int64(time.Second) / 44100))
}

type packet struct {
	seq    uint16
	time   uint32
	came   time.Time // or when it was first known when it is due
	frames [][2]int16
}

// A hole is a packet that did not come.
type hole struct {
	seq            uint16
	noticed, asked time.Time
}

func newSession(r *Receiver, conn net.Conn, sound sound) *session {
	return &session{r: r, conn: conn, sound: sound, clock: ntp.NewClock(), born: time.Now(),
		over: make(chan struct{}), wake: make(chan struct{}, 1), synced: make(chan struct{}),
		anchor: anchor{latency: 88200}} // until a sync says otherwise
}

// open opens the ports and begins to listen.
func (s *session) open(control, timing int) (err error) {
	far := s.conn.RemoteAddr().(*net.TCPAddr)
	near := s.conn.LocalAddr().(*net.TCPAddr)
	for _, c := range []*net.PacketConn{&s.audio, &s.control, &s.timing} {
		if *c != nil {
			return errors.New("set up already")
		}
		if *c, err = s.r.cfg.Network.ListenPacket("udp", net.JoinHostPort(near.IP.String(), "0")); err != nil {
			return err
		}
	}
	s.controlTo = &net.UDPAddr{IP: far.IP, Port: control, Zone: far.Zone}
	s.timingTo = &net.UDPAddr{IP: far.IP, Port: timing, Zone: far.Zone}
	s.wg.Add(4)
	go s.read(s.audio, s.hearAudio)
	go s.read(s.control, s.hearControl)
	go s.read(s.timing, s.hearTiming)
	go s.play()
	return nil
}

// end closes everything and waits.
func (s *session) end() {
	if s == nil {
		return
	}
	s.once.Do(func() {
		close(s.over)
		s.closePorts()
		s.mu.Lock()
		if s.patience != nil {
			s.patience.Stop()
		}
		s.mu.Unlock()
		s.r.mu.Lock()
		if s.r.current == s {
			s.r.current = nil
		}
		s.r.mu.Unlock()
	})
	s.wg.Wait()
}

func (s *session) closePorts() {
	if s == nil {
		return
	}
	for _, c := range []net.PacketConn{s.audio, s.control, s.timing} {
		if c != nil {
			c.Close()
		}
	}
}

// after does something later, unless the session ends first.
func (s *session) after(d time.Duration, do func()) { fake.After(&s.wg, s.over, d, do) }

func (s *session) read(c net.PacketConn, handle func([]byte, time.Time)) {
	defer s.wg.Done()
	b := make([]byte, 2048)
	for {
		n, _, err := c.ReadFrom(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			handle(b[:n], time.Now())
		}
	}
}

// askTime begins to ask for the time: quickly at first, as shairport-sync 3
// does, then every 3 s.
func (s *session) askTime() {
	s.mu.Lock()
	asking := s.asking
	s.asking = true
	s.mu.Unlock()
	if asking {
		return
	}
	s.wg.Go(func() {
		t := time.NewTimer(0)
		defer t.Stop()
		for n := 0; ; n++ {
			select {
			case <-t.C:
			case <-s.over:
				return
			}
			q := rtp.Timing{Field: 7, Sent: s.clock.Stamp(time.Now())}
			s.timing.WriteTo(q.AppendTo(nil), s.timingTo)
			if n < 6 {
				t.Reset(300 * time.Millisecond)
			} else {
				t.Reset(3 * time.Second)
			}
		}
	})
}

// waitForTime tells whether the sender's clock became known in time.
func (s *session) waitForTime(patience time.Duration) bool {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-s.synced:
		return true
	case <-t.C:
	case <-s.over:
	}
	return false
}

// hearTiming takes a reply, if it is one of use.
func (s *session) hearTiming(b []byte, now time.Time) {
	var reply rtp.Timing
	if reply.Unmarshal(b) != nil || !reply.Reply {
		return
	}
	asked := s.clock.Time(reply.Reference)
	trip := now.Sub(asked)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies++
	if s.replies <= s.r.cfg.IgnoresFirstReplies || trip < 0 || trip > 200*time.Millisecond {
		return
	}
	select {
	case <-s.synced:
		if trip > s.trip {
			return
		}
	default:
		close(s.synced)
	}
	middle := (ntp.ToDuration(reply.Received) + ntp.ToDuration(reply.Sent)) / 2
	s.ahead, s.trip = middle-asked.Add(trip/2).Sub(s.born), trip
}

// hearControl takes syncs, and packets that are sent again.
func (s *session) hearControl(b []byte, now time.Time) {
	var again rtp.Resend
	if again.Unmarshal(b) == nil {
		s.r.note(func(l *Log) { l.Resent++ })
		s.put(b[rtp.ResendSize:], now)
		return
	}
	var sync rtp.Sync
	if sync.Unmarshal(b) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.synced:
	default:
		s.r.note(func(l *Log) { l.SyncsLost++ })
		return
	}
	latency := int64(sync.Latency)
	if sync.Field == rtp.FieldTunes {
		latency += 11025
	}
	if !s.anchor.known {
		for i := range s.queue {
			s.queue[i].came = now
		}
	}
	s.anchor = anchor{known: true, time: sync.Time, latency: latency,
		at: s.born.Add(ntp.ToDuration(sync.Now) - s.ahead)}
	s.r.note(func(l *Log) { l.Syncs = append(l.Syncs, Sync{now, sync.First, sync.Time, sync.Latency}) })
	s.kick()
}

// kick makes the player look again.
func (s *session) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// hearAudio takes a packet that is sent for the first time.
func (s *session) hearAudio(b []byte, now time.Time) {
	var h rtp.Header
	if h.Unmarshal(b) != nil {
		return
	}
	lost := false
	s.r.note(func(l *Log) {
		l.Packets++
		if h.Marker {
			l.Markers = append(l.Markers, h.Seq)
		}
		if s.r.cfg.Drop != nil {
			lost = s.r.cfg.Drop(s.r.dropped)
			s.r.dropped++
		}
	})
	if !lost {
		s.put(b, now)
	}
}

// put takes a packet into the queue, and asks for what is missing.
func (s *session) put(b []byte, now time.Time) {
	var h rtp.Header
	if h.Unmarshal(b) != nil {
		return
	}
	frames, err := s.sound.decode(b[rtp.HeaderSize:])
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.patience != nil {
		s.patience.Reset(s.r.cfg.SilenceLimit)
	}
	s.expect(h.Seq, now)
	if s.floor != nil {
		// shairport-sync forgets a flush that is more than 10 s ahead.
		if below := int32(*s.floor - h.Time); below > 0 && below < 10*44100 {
			return
		}
		s.floor = nil
	}
	s.enqueue(packet{h.Seq, h.Time, now, frames})
	s.request(now)
	s.kick()
}

// expect notes which packets should have come before seq.
func (s *session) expect(seq uint16, now time.Time) {
	gap := int16(seq - s.highest)
	if !s.begun || gap > 1000 {
		s.begun, s.highest, s.missing = true, seq, nil
		return
	}
	s.missing = slices.DeleteFunc(s.missing, func(h hole) bool { return h.seq == seq })
	for ; gap > 1; gap-- {
		s.highest++
		s.missing = append(s.missing, hole{seq: s.highest, noticed: now})
	}
	if gap == 1 {
		s.highest = seq
	}
}

// enqueue keeps the queue in the order of time.
func (s *session) enqueue(p packet) {
	i := len(s.queue)
	for i > 0 && int32(s.queue[i-1].time-p.time) >= 0 {
		i--
	}
	if i < len(s.queue) && s.queue[i].time == p.time {
		return // came twice
	}
	s.queue = slices.Insert(s.queue, i, p)
}

// When shairport-sync asks for what is missing: how long after it was
// noticed, how often, and how much of the announced latency must be left.
const (
	resendFirst = 100 * time.Millisecond
	resendAgain = 250 * time.Millisecond
	resendLast  = 100 * time.Millisecond
)

// request asks for what is missing, run by run.
func (s *session) request(now time.Time) {
	latency := time.Duration(s.anchor.latency) * time.Second / 44100
	var q rtp.ResendRequest
	send := func() {
		if q.Count > 0 {
			s.control.WriteTo(q.AppendTo(nil), s.controlTo)
			s.r.note(func(l *Log) { l.Requested += int(q.Count) })
		}
		q = rtp.ResendRequest{}
	}
	kept := s.missing[:0]
	for _, h := range s.missing {
		age := now.Sub(h.noticed)
		if latency-age < resendLast+s.r.cfg.Buffer {
			continue // too late
		}
		if age >= resendFirst && now.Sub(h.asked) >= resendAgain {
			h.asked = now
			if q.Count > 0 && q.First+q.Count != h.seq {
				send()
			}
			if q.Count == 0 {
				q.First = h.seq
			}
			q.Count++
		}
		kept = append(kept, h)
	}
	send()
	s.missing = kept
}

// record makes the session ready: the first packet is to be seq.
func (s *session) record(seq uint16, rtptime uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready, s.muted = true, s.r.cfg.Mutes
	s.begun, s.highest = true, seq-1
	if limit := s.r.cfg.SilenceLimit; limit > 0 {
		s.patience = time.AfterFunc(limit, func() { s.conn.Close() })
	}
}

func (s *session) recording() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready
}

// flush forgets what comes before rtptime, also of what is yet to come.
func (s *session) flush(rtptime uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.floor = &rtptime
	s.queue = slices.DeleteFunc(s.queue, func(p packet) bool { return int32(p.time-rtptime) < 0 })
	s.missing, s.begun, s.playing = nil, false, false
	s.muted = s.r.cfg.Mutes
	s.r.note(func(l *Log) { l.Flushes++ })
}

// play is the goroutine that hears packets when their time has come.
func (s *session) play() {
	defer s.wg.Done()
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-s.over:
			return
		case <-s.wake:
		case <-t.C:
		}
		for {
			p, due, joined, wait := s.next(time.Now())
			if wait > 0 {
				t.Reset(wait)
				break
			}
			s.hear(p, due, joined)
		}
	}
}

// next takes the packet whose time has come from the queue, or returns how
// long that will take. What matters is whether it came in time: a sound card
// does not wait for a goroutine that the machine has kept from running.
func (s *session) next(now time.Time) (p packet, due time.Time, joined bool, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if !s.anchor.known || len(s.queue) == 0 {
			return p, due, false, time.Hour
		}
		p = s.queue[0]
		due = s.anchor.due(p.time)
		if wait := due.Sub(now); wait > 0 {
			return p, due, false, wait
		}
		s.queue = s.queue[1:]
		length := time.Duration(len(p.frames)) * time.Second / 44100
		if p.came.Sub(due) >= length {
			s.r.note(func(l *Log) { l.Late++ })
			continue
		}
		if s.playing && int32(p.time-s.nextTime) < 0 {
			continue // a second copy of what has just been heard
		}
		break
	}
	if s.playing {
		if hole := int(p.seq - s.lastSeq - 1); hole > 0 && hole < 1000 {
			s.r.note(func(l *Log) { l.Gaps += hole })
		}
		joined = p.seq == s.lastSeq+1 && p.time == s.nextTime
	}
	s.playing, s.lastSeq, s.nextTime = true, p.seq, p.time+uint32(len(p.frames))
	if s.muted > 0 {
		s.muted--
		p.frames = make([][2]int16, len(p.frames))
	}
	return p, due, joined, 0
}

// hear is the loudspeaker.
func (s *session) hear(p packet, at time.Time, joined bool) {
	if s.r.cfg.OnFrames != nil {
		s.r.cfg.OnFrames(at, p.frames)
	}
	s.r.keep(p, joined, at)
}

// keep adds frames to the span that they continue, or to a new one. A span of
// nothing but silence, by which senders keep sessions, is not kept once another
// begins.
func (r *Receiver) keep(p packet, joined bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.log.Spans); !joined && n > 0 && silent(r.log.Spans[n-1].Frames) {
		r.log.Spans = r.log.Spans[:n-1]
	}
	kept := 0
	for _, s := range r.log.Spans {
		kept += len(s.Frames)
	}
	if time.Duration(kept)*time.Second/44100 >= r.cfg.Keep {
		return
	}
	if n := len(r.log.Spans); joined && n > 0 {
		r.log.Spans[n-1].Frames = append(r.log.Spans[n-1].Frames, p.frames...)
		return
	}
	r.log.Spans = append(r.log.Spans, Span{At: now, RTPTime: p.time, Frames: slices.Clone(p.frames)})
}

func silent(frames [][2]int16) bool {
	return !slices.ContainsFunc(frames, func(f [2]int16) bool { return f != [2]int16{} })
}

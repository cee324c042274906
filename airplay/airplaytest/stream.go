package airplaytest

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"airplay2mqtt/audio/alac"
	"airplay2mqtt/internal/fake"
	"airplay2mqtt/internal/ntp"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtp"

	"golang.org/x/crypto/chacha20poly1305"
)

// A stream is sound that was agreed upon. What it knows is guarded by the
// session's mutex. A nil stream can be closed.
type stream struct {
	s         *session
	buffered  bool
	deaf      bool // it was set up in an order that the receiver does not like
	aead      cipher.AEAD
	data      net.PacketConn // realtime
	blocks    net.Listener   // buffered
	control   net.PacketConn
	controlTo *net.UDPAddr
	used      map[uint64]uint32 // by the numbers that packets were sealed with, theirs

	anchor anchor
	queue
}

// An anchor says that a frame is heard at an instant of the sender's clock.
type anchor struct {
	set   bool
	clock uint64
	stamp time.Duration
	time  uint32
}

// open sets a stream up.
func (s *session) open(d plist.Dict) (plist.Dict, error) {
	kind, _ := d.Int("type")
	ct, _ := d.Int("ct")
	format, _ := d.Int("audioFormat")
	spf, _ := d.Int("spf")
	port, _ := d.Int("controlPort")
	aead, err := chacha20poly1305.New(d.Bytes("shk"))
	if err != nil || ct != 2 || format != 0x40000 || spf != alac.FramesPerPacket || kind != 96 && kind != 103 || s.stream != nil {
		return nil, errors.New("Bad Request")
	}
	t := &stream{s: s, buffered: kind == 103, aead: aead, used: make(map[uint64]uint32),
		deaf:      s.r.cfg.Deaf || s.r.cfg.RecordFirst && !s.recorded,
		controlTo: &net.UDPAddr{IP: s.far.IP, Port: int(port)}}
	if t.control, err = s.listen(); err != nil {
		return nil, err
	}
	answer := plist.Dict{"type": kind, "controlPort": int64(fake.Port(t.control))}
	if t.buffered {
		if t.blocks, err = s.r.cfg.Network.Listen("tcp", s.caller.host()); err != nil {
			return nil, err
		}
		answer["dataPort"], answer["audioBufferSize"] = int64(t.blocks.Addr().(*net.TCPAddr).Port), int64(8<<20)
		s.wg.Go(t.readBlocks)
	} else {
		if t.data, err = s.listen(); err != nil {
			return nil, err
		}
		answer["dataPort"] = int64(fake.Port(t.data))
		s.wg.Go(func() { s.read(t.data, t.hearAudio) })
		s.every(10*time.Millisecond, 10*time.Millisecond, t.request)
	}
	s.mu.Lock()
	s.stream = t
	s.mu.Unlock()
	s.wg.Go(func() { s.read(t.control, t.hearControl) })
	s.wg.Go(t.play)
	return answer, nil
}

func (t *stream) close() {
	if t == nil {
		return
	}
	t.control.Close()
	if t.data != nil {
		t.data.Close()
	}
	if t.blocks != nil {
		t.blocks.Close()
	}
}

// hearControl takes syncs, and packets that are sent again.
func (t *stream) hearControl(b []byte, _ net.Addr, now time.Time) {
	var again rtp.Resend
	var byPTP rtp.PTPSync
	var byNTP rtp.Sync
	switch {
	case len(b) > 8 && again.Unmarshal(b) == nil:
		t.s.r.note(func(l *Log) { l.Resent++ })
		t.take(b[rtp.ResendSize:], now)
	case byPTP.Unmarshal(b) == nil:
		t.sync(anchor{true, byPTP.Clock, time.Duration(byPTP.Now), byPTP.Time - 11035})
	case byNTP.Unmarshal(b) == nil:
		t.sync(anchor{true, 0, ntp.ToDuration(byNTP.Now), byNTP.Time - byNTP.Latency - 11025})
	}
}

func (t *stream) sync(a anchor) {
	t.s.mu.Lock()
	t.anchor = a
	t.s.mu.Unlock()
	t.s.r.note(func(l *Log) { l.Syncs++ })
	t.s.kick()
}

// anchorAt takes SETRATEANCHORTIME. It is false for one that cannot be
// honoured yet.
func (s *session) anchorAt(d plist.Dict) bool {
	t := s.stream
	rate, _ := d.Float("rate")
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.kick()
	if rate == 0 {
		t.anchor.set = false
		s.r.note(func(l *Log) { l.Pauses++ })
		return true
	}
	seconds, _ := d.Int("networkTimeSecs")
	fraction, _ := d.Int("networkTimeFrac")
	clock, _ := d.Int("networkTimeTimelineID")
	first, ok := d.Int("rtpTime")
	stamp := time.Duration(seconds)*time.Second + time.Duration(float64(uint64(fraction))/(1<<64)*1e9+0.5)
	a := anchor{true, uint64(clock), stamp, uint32(first)}
	if _, known := s.due(a.clock, a.stamp); !ok || s.r.cfg.StrictAnchor && !known {
		return false
	}
	t.anchor = a
	s.r.note(func(l *Log) { l.Anchors++ })
	return true
}

// hearAudio takes a packet that is sent for the first time.
func (t *stream) hearAudio(b []byte, _ net.Addr, now time.Time) {
	lost := false
	t.s.r.note(func(l *Log) {
		l.Packets++
		if t.s.r.cfg.Drop != nil {
			lost = t.s.r.cfg.Drop(t.s.r.dropped)
			t.s.r.dropped++
		}
		if len(b) > 8 {
			n, packet := binary.LittleEndian.Uint64(b[len(b)-8:]), binary.BigEndian.Uint32(b)&0xffff
			if before, used := t.used[n]; used && before != packet {
				l.Repeated++
			}
			t.used[n] = packet
		}
	})
	if !lost {
		t.take(b, now)
	}
}

// readBlocks takes buffered sound.
func (t *stream) readBlocks() {
	conn, err := t.blocks.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	t.s.wg.Go(func() {
		<-t.s.over
		conn.Close()
	})
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		b := make([]byte, max(int(binary.BigEndian.Uint16(size[:])), 2)-2)
		if _, err := io.ReadFull(conn, b); err != nil || len(b) < rtp.HeaderSize {
			return
		}
		seq := binary.BigEndian.Uint32(b) & 0x7fffff
		b[1] = rtp.TypeAudio
		binary.BigEndian.PutUint16(b[2:], uint16(seq))
		t.hearAudio(b, nil, time.Now())
	}
}

// take decrypts a packet and puts it into the queue.
func (t *stream) take(b []byte, now time.Time) {
	var h rtp.Header
	if h.Unmarshal(b) != nil || len(b) < rtp.HeaderSize+24 {
		return
	}
	var nonce [chacha20poly1305.NonceSize]byte
	copy(nonce[4:], b[len(b)-8:])
	payload, err := t.aead.Open(nil, nonce[:], b[rtp.HeaderSize:len(b)-8], b[4:rtp.HeaderSize])
	if err != nil {
		t.s.r.note(func(l *Log) { l.Forged++ })
		return
	}
	var pcm [2 * alac.FramesPerPacket]int16
	n, err := alac.DecodeVerbatim(pcm[:], payload)
	if err != nil {
		return
	}
	p := packet{seq: h.Seq, time: h.Time, came: now, frames: make([][2]int16, n)}
	for i := range p.frames {
		p.frames[i] = [2]int16{pcm[2*i], pcm[2*i+1]}
	}
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if at, ok := t.due(p.time); ok && !t.buffered && at.Sub(now) > t.s.r.cfg.Buffer {
		t.s.r.note(func(l *Log) { l.Early++ })
		return
	}
	t.queue.put(p)
	t.s.kick()
}

// due returns when a time stamp is heard, if that is known.
func (t *stream) due(time_ uint32) (at time.Time, ok bool) {
	if !t.anchor.set {
		return at, false
	}
	begin, ok := t.s.due(t.anchor.clock, t.anchor.stamp)
	frames := int64(int32(time_ - t.anchor.time))
	return begin.Add(time.Duration(frames * int64(time.Second) / 44100)), ok
}

// request asks for what is missing.
func (t *stream) request() {
	t.s.mu.Lock()
	missing := t.queue.overdue(time.Now())
	t.s.mu.Unlock()
	for _, seq := range missing {
		t.control.WriteTo(rtp.ResendRequest{First: seq, Count: 1}.AppendTo(nil), t.controlTo)
		t.s.r.note(func(l *Log) { l.Requested++ })
	}
}

// flush forgets what was not heard yet.
func (s *session) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.note(func(l *Log) {
		l.Flushes++
		if s.r.cfg.Noisy && s.stream != nil && !s.stream.buffered {
			l.Noises++
		}
	})
	if s.stream != nil {
		s.stream.queue = queue{}
	}
}

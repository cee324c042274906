package main

import (
	"bytes"
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"airplay2mqtt/internal/ntp"
	"airplay2mqtt/internal/rtp"
	"airplay2mqtt/raop"
)

// A tap listens to what a session and its receiver say to each other, from
// between the session and the network.
type tap struct {
	// omit tells which audio packets, counted from 0, never leave. Nil: none.
	omit func(n int) bool

	mu       sync.Mutex
	requests []exchange // of RTSP, with CONNECT as the first
	asking   time.Time  // when the RTSP request was sent whose answer is awaited; zero: none is
	method   string     // of that

	audio   int                      // packets that the session wanted to send
	omitted []uint16                 // those that were not, on purpose
	sent    map[uint16]time.Time     // when each was
	again   map[uint16]time.Duration // how long after that the receiver first asked for it again
	strange int                      // packets that it asked for and that never were
	refused int                      // datagrams that the network did not take, or the receiver returned

	trips   []time.Duration // by the receiver's clock and ours: differences count
	asked   []time.Time     // when it asked for the time
	pending time.Time       // when it did that was not answered yet
	slowest time.Duration   // how long it waited for an answer of ours at most
}

// An exchange is a request and how long its answer took.
type exchange struct {
	method string
	took   time.Duration
}

func newTap() *tap {
	return &tap{sent: map[uint16]time.Time{}, again: map[uint16]time.Duration{}}
}

// on puts the tap between a session and the network.
func (t *tap) on(cfg raop.Config) *raop.Config {
	cfg.Single = true // what is lost is to be seen
	cfg.DialContext = t.dial
	cfg.ListenPacket = func(network, address string) (net.PacketConn, error) {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			return nil, err
		}
		return tappedPorts{c, t}, nil
	}
	return &cfg
}

func (t *tap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	began := time.Now()
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	switch {
	case err != nil:
		return nil, err
	case network == "udp":
		return tappedAudio{c, t}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests = append(t.requests, exchange{"CONNECT", time.Since(began)})
	return tappedRTSP{c, t}, nil
}

// took is how long the answer to a method took, the first time; zero if it was
// not asked.
func (t *tap) took(method string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.requests {
		if e.method == method {
			return e.took
		}
	}
	return 0
}

// timings is how often the receiver has asked for the time, and how long it
// waited for our answer at most.
func (t *tap) timings() (asked int, slowest time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.asked), t.slowest
}

// tappedRTSP is the connection for requests.
type tappedRTSP struct {
	net.Conn
	tap *tap
}

func (c tappedRTSP) Write(b []byte) (int, error) {
	method, _, _ := bytes.Cut(b, []byte(" "))
	c.tap.mu.Lock()
	c.tap.asking, c.tap.method = time.Now(), strings.ToUpper(string(method[:min(len(method), 20)]))
	c.tap.mu.Unlock()
	return c.Conn.Write(b)
}

func (c tappedRTSP) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.tap.mu.Lock()
		if !c.tap.asking.IsZero() {
			c.tap.requests = append(c.tap.requests, exchange{c.tap.method, time.Since(c.tap.asking)})
			c.tap.asking = time.Time{}
		}
		c.tap.mu.Unlock()
	}
	return n, err
}

// tappedAudio is the connection that sound is sent on.
type tappedAudio struct {
	net.Conn
	tap *tap
}

// SetWriteBuffer is what a session asks for if it can.
func (c tappedAudio) SetWriteBuffer(n int) error {
	if b, ok := c.Conn.(interface{ SetWriteBuffer(int) error }); ok {
		return b.SetWriteBuffer(n)
	}
	return nil
}

func (c tappedAudio) Write(b []byte) (int, error) {
	if c.tap.withhold(b) {
		return len(b), nil
	}
	n, err := c.Conn.Write(b)
	c.tap.count(err)
	return n, err
}

// withhold notes a packet that is to be sent, unless it is one that is not.
func (t *tap) withhold(b []byte) bool {
	var h rtp.Header
	if h.Unmarshal(b) != nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent[h.Seq] = time.Now()
	t.audio++
	if t.omit == nil || !t.omit(t.audio-1) {
		return false
	}
	t.omitted = append(t.omitted, h.Seq)
	return true
}

func (t *tap) count(err error) {
	if err != nil {
		t.mu.Lock()
		t.refused++
		t.mu.Unlock()
	}
}

// tappedPorts are the control and the timing port.
type tappedPorts struct {
	net.PacketConn
	tap *tap
}

func (p tappedPorts) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.PacketConn.ReadFrom(b)
	if err == nil {
		p.tap.hear(b[:n], time.Now())
	}
	return n, from, err
}

func (p tappedPorts) WriteTo(b []byte, to net.Addr) (int, error) {
	n, err := p.PacketConn.WriteTo(b, to)
	if rtp.Type(b) == rtp.TypeTimingReply {
		p.tap.replied(time.Now())
	}
	p.tap.count(err)
	return n, err
}

// hear takes in what the receiver sends.
func (t *tap) hear(b []byte, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var q rtp.Timing
	var r rtp.ResendRequest
	switch {
	case q.Unmarshal(b) == nil && !q.Reply:
		t.asked = append(t.asked, now)
		if q.Sent != 0 {
			t.trips = append(t.trips, now.Sub(t.asked[0])-ntp.ToDuration(q.Sent))
		}
		t.pending = now
	case r.Unmarshal(b) == nil:
		for i := range min(r.Count, 1024) {
			t.hearLoss(r.First+i, now)
		}
	}
}

func (t *tap) hearLoss(seq uint16, now time.Time) {
	at, ok := t.sent[seq]
	if _, before := t.again[seq]; !ok {
		t.strange++
	} else if !before {
		t.again[seq] = now.Sub(at)
	}
}

func (t *tap) replied(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.pending.IsZero() {
		t.slowest = max(t.slowest, now.Sub(t.pending))
		t.pending = time.Time{}
	}
}

// spread is how much longer than the quickest the receiver's timing requests
// were on their way, sorted. Its clock and ours tell differences only.
func (t *tap) spread() []time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.trips) == 0 {
		return nil
	}
	quickest := slices.Min(t.trips)
	var list []time.Duration
	for _, trip := range t.trips {
		list = append(list, trip-quickest)
	}
	slices.Sort(list)
	return list
}

// losses are how long after each packet that got lost the receiver asked for
// it, sorted, without those that were omitted.
func (t *tap) losses() []time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []time.Duration
	for seq, after := range t.again {
		if !slices.Contains(t.omitted, seq) {
			list = append(list, after)
		}
	}
	slices.Sort(list)
	return list
}

// missed is how many of the omitted packets the receiver asked for.
func (t *tap) missed() (of, asked int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, seq := range t.omitted {
		if _, ok := t.again[seq]; ok {
			asked++
		}
	}
	return len(t.omitted), asked
}

// middle is the median of a sorted list, 0 of an empty one.
func middle(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// longest is the last of a sorted list, 0 of an empty one.
func longest(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)-1]
}

package airplay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"airplay2mqtt/airplay/ptp"
	"airplay2mqtt/internal/duty"
	"airplay2mqtt/internal/ntp"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtp"
	"airplay2mqtt/internal/rtsp"
)

const (
	connectPatience = 3 * time.Second
	requestPatience = 10 * time.Second
	// setupPatience is for receivers that try to reach our NTP port first:
	// Apple TVs give up after half a minute.
	setupPatience = 12 * time.Second
	// clockPatience is how long a receiver gets to ask for the time. The
	// first question comes a second after the connection.
	clockPatience = 5 * time.Second
)

// ask sends a request and takes nothing but 200 for an answer.
func (s *Session) ask(ctx context.Context, req rtsp.Request) (rtsp.Response, error) {
	return s.askWithin(ctx, requestPatience, req)
}

func (s *Session) askWithin(ctx context.Context, patience time.Duration, req rtsp.Request) (rtsp.Response, error) {
	if req.URI == "" {
		req.URI = s.url
	}
	resp, err := s.rtsp.DoWithin(ctx, patience, req)
	switch {
	case err != nil:
		return resp, fmt.Errorf("%s: %w", strings.ToLower(req.Method), err)
	case resp.Code != 200:
		return resp, &StatusError{Method: req.Method, Code: resp.Code, Reason: resp.Reason}
	}
	return resp, nil
}

// setup asks for something and returns what the receiver made of it.
func (s *Session) setup(ctx context.Context, body plist.Dict) (plist.Dict, error) {
	req, err := withList(rtsp.Request{Method: "SETUP"}, body)
	if err != nil {
		return nil, err
	}
	resp, err := s.askWithin(ctx, setupPatience, req)
	if err != nil {
		return nil, err
	}
	if len(resp.Body) == 0 {
		return plist.Dict{}, nil
	}
	d, err := plist.UnmarshalDict(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("setup: %w", err)
	}
	return d, nil
}

// keepTime begins to keep time with the receiver, before it is told that we
// do.
func (s *Session) keepTime(context.Context) (err error) {
	if s.timing == NTP {
		s.clock = ntp.NewClock()
		if s.timingPort, err = s.listen(); err != nil {
			return fmt.Errorf("timing port: %w", err)
		}
		s.wg.Add(1)
		go s.answerTimings()
		return nil
	}
	role := ptp.Lead
	if s.info.KeepsOwnTime() {
		role = ptp.Follow
	}
	s.peer, err = s.cfg.Clock.Add(s.far, role)
	return err
}

func (s *Session) listen() (net.PacketConn, error) {
	return duty.Listen(s.cfg.ListenPacket, s.near, s.cfg.FirstPort, s.cfg.LastPort)
}

// setupSession agrees on who we are and how time is kept.
func (s *Session) setupSession(ctx context.Context) error {
	body := plist.Dict{
		"deviceID": s.self.device, "macAddress": s.self.device, "sessionUUID": s.self.session,
		"timingProtocol": strings.ToUpper(string(s.timing)), "name": s.cfg.Name,
		// What Apple's senders say besides.
		"model": "iPhone14,3", "osName": "iPhone OS", "osVersion": "16.5", "osBuildVersion": "20F66",
		"sourceVersion": "690.7.1", "isMultiSelectAirPlay": true, "groupContainsGroupLeader": false,
		"senderSupportsRelay": false, "statsCollectionEnabled": false,
	}
	if s.timing == NTP {
		body["timingPort"] = int64(duty.Port(s.timingPort))
	} else {
		peer := plist.Dict{"ID": s.self.peer, "DeviceType": int64(0), "ClockID": int64(s.cfg.Clock.ID()),
			"SupportsClockPortMatchingOverride": false, "Addresses": []any{s.near.String()}}
		body["groupUUID"], body["timingPeerInfo"], body["timingPeerList"] = s.self.group, peer, []any{peer}
	}
	answer, err := s.setup(ctx, body)
	if err != nil {
		return err
	}
	port, ok := portIn(answer, "eventPort")
	if !ok {
		// shairport-sync answers so to NTP [T].
		return fmt.Errorf("%w (%s): it answered 200 to nothing", ErrTiming, strings.ToUpper(string(s.timing)))
	}
	s.eventPort = port
	return nil
}

// portIn reads a port that a receiver tells.
func portIn(d plist.Dict, name string) (uint16, bool) {
	n, ok := d.Int(name)
	return uint16(n), ok && 0 < n && n < 1<<16
}

// record says that sound is to come. It comes before the stream is set up:
// Samsung's speakers and Sonos stay silent otherwise.
func (s *Session) record(ctx context.Context) error {
	if _, err := s.ask(ctx, rtsp.Request{Method: "RECORD"}); err != nil {
		return err
	}
	s.mu.Lock()
	s.ear.Began(time.Now())
	s.mu.Unlock()
	return nil
}

// setPeers says whose clocks count: a receiver follows none that it was not
// told of.
func (s *Session) setPeers(ctx context.Context) error {
	if s.timing != PTP {
		return nil
	}
	b, err := plist.Marshal([]any{s.far.WithZone("").String(), s.near.WithZone("").String()})
	if err != nil {
		return err
	}
	_, err = s.ask(ctx, rtsp.Request{Method: "SETPEERS", Body: b,
		Header: rtsp.Header{{Name: "Content-Type", Value: "/peer-list-changed"}}})
	return err
}

// setupStream agrees on sound and ports, and connects.
func (s *Session) setupStream(ctx context.Context) (err error) {
	if s.control, err = s.listen(); err != nil {
		return fmt.Errorf("control port: %w", err)
	}
	stream := plist.Dict{
		"type": s.kind.number(), "ct": int64(2), "audioFormat": int64(0x40000), "spf": int64(perPacket), "sr": int64(44100),
		"shk": s.self.key[:], "controlPort": int64(duty.Port(s.control)), "streamConnectionID": int64(s.self.connection),
		"isMedia": true, "audioMode": "default", "supportsDynamicStreamID": false,
	}
	if s.kind == Realtime {
		stream["latencyMin"], stream["latencyMax"] = int64(11025), int64(88200)
	}
	answer, err := s.setup(ctx, plist.Dict{"streams": []any{stream}})
	if err != nil {
		return err
	}
	streams := answer.List("streams")
	if len(streams) == 0 {
		return errors.New("setup: the receiver agreed to no stream")
	}
	agreed, _ := streams[0].(plist.Dict)
	data, ok := portIn(agreed, "dataPort")
	control, controlOK := portIn(agreed, "controlPort")
	if !ok || !controlOK && s.kind == Realtime {
		return errors.New("setup: the receiver told no ports for sound")
	}
	s.streamID, _ = agreed.Int("streamID")
	s.controlAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.far, control))
	return s.dialAudio(ctx, data)
}

// audioBuffer is room for a second and a half of packets.
const audioBuffer = 256 << 10

func (s *Session) dialAudio(ctx context.Context, port uint16) (err error) {
	if s.sealer, err = newSealer(s.self.key[:]); err != nil {
		return err
	}
	address := netip.AddrPortFrom(s.far, port).String()
	if s.kind == Buffered {
		if s.blocks, err = s.cfg.DialContext(ctx, "tcp", address); err != nil {
			return fmt.Errorf("audio port: %w", err)
		}
	} else {
		conn, err := s.cfg.DialContext(ctx, "udp", address)
		if err != nil {
			return fmt.Errorf("audio port: %w", err)
		}
		if c, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
			c.SetWriteBuffer(audioBuffer)
		}
		s.audio, s.beat.ring = duty.NewSender(conn), rtp.NewRing(ringSize, slotSize)
		s.wg.Add(1)
		go s.tellSyncs()
	}
	s.wg.Add(2)
	go s.answerResends()
	go s.spool()
	return nil
}

// firstVolume sets the volume that the Config asks for, after the stream was
// set up: IKEA's Symfonisk forgets an earlier one.
func (s *Session) firstVolume(ctx context.Context) error {
	if s.cfg.Volume == nil {
		return nil
	}
	level := min(max(*s.cfg.Volume, 0), 1)
	if err := s.sendVolume(ctx, level); err != nil && status(err) == 0 {
		return err
	}
	s.volume.Told(level)
	return nil
}

// awaitClock waits until the receiver keeps time with us: nothing else proves
// that it will be heard (docs/protocols/airplay2.md, PTP).
func (s *Session) awaitClock(ctx context.Context) error {
	if s.timing == PTP && s.quirk.silent {
		s.follows()
		return nil
	}
	sign := (<-chan struct{})(s.asked)
	if s.timing == PTP {
		sign = s.peer.Locked()
	}
	timer := time.NewTimer(clockPatience)
	defer timer.Stop()
	select {
	case <-sign:
	case <-timer.C:
		return fmt.Errorf("%w: %s", ErrNoClock, s.noClock())
	case <-s.rtsp.Done():
		return fmt.Errorf("%w: %w", ErrClosedByReceiver, s.rtsp.Err())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s.timing == PTP && !s.info.KeepsOwnTime() {
		s.follows()
	}
	return nil
}

// follows notes that the receiver has begun to learn our time.
func (s *Session) follows() {
	s.mu.Lock()
	s.followed = time.Now()
	s.mu.Unlock()
}

// noClock says in words what did not come.
func (s *Session) noClock() string {
	if s.timing == NTP {
		return fmt.Sprintf("no NTP request came to UDP port %d within %v (a firewall, or a container without host networking)",
			duty.Port(s.timingPort), clockPatience)
	}
	return fmt.Sprintf("nothing came to UDP ports 319 and 320 within %v (a firewall, another network, or a device that keeps no PTP)", clockPatience)
}

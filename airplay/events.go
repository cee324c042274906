package airplay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"airplay2mqtt/dacp"
	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/parameter"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// remotes are the four letters by which those who touch a HomePod, or speak to
// it, say what they wish (sendMediaRemoteCommand). It does nothing by itself.
var remotes = map[string]string{
	"play": dacp.Play,
	"paus": dacp.Pause,
	"plps": dacp.PlayPause,
	"stop": dacp.Stop,
	"nitm": dacp.Next,
	"pitm": dacp.Previous,
}

// answerEvents is the goroutine that answers what the receiver tells by
// itself. An Apple TV drops a session whose events are not answered.
func (s *Session) answerEvents() {
	defer s.wg.Done()
	br := bufio.NewReader(s.events)
	for {
		req, err := rtsp.ReadRequest(br)
		if err == nil {
			s.hearEvent(req)
			s.events.SetWriteDeadline(time.Now().Add(requestPatience))
			_, err = s.events.Write(eventAnswer(req).AppendTo(nil))
		}
		if err != nil {
			if s.Err() == nil && !errors.Is(err, net.ErrClosed) {
				s.log.Debug().Err(err).Msg("event channel is over")
			}
			return
		}
	}
}

func eventAnswer(req rtsp.Request) rtsp.Response {
	resp := rtsp.Response{Code: 200, Reason: "OK", Header: rtsp.Header{
		{Name: "Content-Length", Value: "0"}, {Name: "Audio-Latency", Value: "0"}}}
	if n := req.Header.Get("CSeq"); n != "" {
		resp.Header.Add("CSeq", n)
	}
	resp.Header.Add("Server", "AirTunes/670.6.2")
	return resp
}

// hearEvent takes what is of use: wishes, and the volume.
func (s *Session) hearEvent(req rtsp.Request) {
	s.mu.Lock()
	s.counts.Events++
	s.mu.Unlock()
	event, err := plist.UnmarshalDict(req.Body)
	if err != nil {
		return
	}
	kind := event.Text("type")
	s.log.Debug().Str("type", kind).Msg("event")
	switch kind {
	case "sendMediaRemoteCommand":
		r, known := remotes[event.Text("value")]
		if known && s.cfg.Remote != nil {
			s.cfg.Remote(dacp.Remote{Kind: r})
		}
	case "updateInfo":
		s.learnVolume(event.Dict("value"))
	}
}

// learnVolume takes a receiver's word for its volume where we have set none.
func (s *Session) learnVolume(info plist.Dict) {
	db, ok := info.Float("initialVolume")
	if !ok {
		return
	}
	s.volume.Learn(parameter.Level(db))
}

// connectEvents connects the channel on which the receiver tells things by
// itself. Some listen a little later than they say (airplay2-receiver).
func (s *Session) connectEvents(ctx context.Context) error {
	address := netip.AddrPortFrom(s.far, s.eventPort).String()
	var err error
	for range 6 {
		var conn net.Conn
		if conn, err = s.cfg.DialContext(ctx, "tcp", address); err == nil {
			c := hap.NewConn(conn)
			c.Encrypt(s.keys.Events())
			s.events = c
			s.wg.Add(1)
			go s.answerEvents()
			return nil
		}
		t := time.NewTimer(250 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
	}
	return fmt.Errorf("event channel: %w", err)
}

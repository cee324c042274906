package video

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"airplay2mqtt/internal/plist"
)

// eventMost is how many bytes an event may have.
const eventMost = 1 << 20

// hear reads what the receiver tells on the reversed line, and answers. When
// that line ends, polling goes on.
func (s *Session) hear() {
	defer s.events.close()
	for {
		req, err := http.ReadRequest(s.events.r)
		if err != nil {
			s.cfg.Logger.Debug().Err(err).Msg("video events end")
			return
		}
		body, err := io.ReadAll(io.LimitReader(req.Body, eventMost+1))
		if err != nil || len(body) > eventMost {
			return
		}
		s.events.conn.SetWriteDeadline(time.Now().Add(answerPatience))
		if _, err := io.WriteString(s.events.conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
		event, err := plist.UnmarshalDict(body)
		if err != nil {
			continue // it was acknowledged; what it says is not understood
		}
		s.cfg.Logger.Debug().Str("event", event.Text("state")+event.Text("type")).Msg("video event")
		s.happened(event)
	}
}

// happened takes an event.
func (s *Session) happened(event plist.Dict) {
	if event.Text("type") == "unhandledURLRequest" {
		s.fetchFor(event.Dict("request"))
		return
	}
	if c := event.Text("category"); c != "" && c != "video" {
		return
	}
	if p := s.playing(); p != nil {
		p.heard(event)
	}
}

// fetchPatience is how long fetching for the receiver may take.
const fetchPatience = 15 * time.Second

// fetchFor fetches a playlist for the receiver, whose address says something to
// senders only, and sends it.
func (s *Session) fetchFor(request plist.Dict) {
	address := request.Text("FCUP_Response_URL")
	ctx, cancel := context.WithTimeout(s.life, fetchPatience)
	defer cancel()
	status, mime, body := http.StatusNotFound, "", []byte(nil)
	if strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://") {
		status, mime, body = s.cfg.Fetch(ctx, address)
	}
	answer := plist.Dict{
		"FCUP_Response_URL": address, "FCUP_Response_StatusCode": status, "FCUP_Response_Data": body,
		"FCUP_Response_Headers": plist.Dict{"Content-Type": mime},
	}
	if id, ok := request["FCUP_Response_RequestID"]; ok {
		answer["FCUP_Response_RequestID"] = id
	}
	b, err := plist.Marshal(plist.Dict{"type": "unhandledURLResponse", "params": answer})
	if err == nil {
		_, err = s.line.ask(ctx, "POST", "/action", "application/x-apple-binary-plist", b)
	}
	if err != nil {
		s.cfg.Logger.Debug().Err(err).Msg("the receiver was not sent what it asked for")
	}
}

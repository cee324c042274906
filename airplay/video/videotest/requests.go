package videotest

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"time"

	"airplay2mqtt/internal/plist"
)

// screenConfig is the screen of a television.
func (tv *Television) screenConfig() ScreenConfig {
	cfg := ScreenConfig{
		Film: tv.cfg.Film, Live: tv.cfg.Live, Load: tv.cfg.Load, HoldsLast: tv.cfg.HoldsLast, NoRoute: tv.cfg.NoRoute,
		Unplayable: tv.cfg.Unplayable, HangUpAfter: tv.cfg.HangUpAfter, HangUp: tv.HangUp,
		Tell: func(event plist.Dict) {
			event["category"] = "video"
			tv.tell(event)
		},
	}
	if tv.cfg.Network != nil {
		cfg.DialContext = tv.cfg.Network.DialContext
	}
	if tv.cfg.Asks != "" {
		cfg.Prepare = tv.beg
	}
	return cfg
}

// beg asks the sender for a playlist.
func (tv *Television) beg(ctx context.Context, _ string) error {
	tv.tell(plist.Dict{"type": "unhandledURLRequest", "request": plist.Dict{"FCUP_Response_URL": tv.cfg.Asks, "FCUP_Response_RequestID": int64(7)}})
	select {
	case <-tv.asked:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// play begins a film, in the place of what is shown.
func (tv *Television) play(w http.ResponseWriter, r *http.Request, body []byte) {
	address, from, ok := tv.parsePlay(r, body)
	switch {
	case tv.cfg.Refuse != 0:
		w.WriteHeader(tv.cfg.Refuse)
		return
	case !ok:
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	tv.mu.Lock()
	tv.empty = tv.cfg.EmptyInfos
	tv.mu.Unlock()
	tv.screen.Play(address, from)
}

func (tv *Television) scrub(to time.Duration) {
	tv.mu.Lock()
	tv.empty = tv.cfg.EmptyInfos
	tv.mu.Unlock()
	tv.screen.Scrub(to)
}

// info answers playback-info.
func (tv *Television) info(w http.ResponseWriter) {
	info := tv.screen.Info()
	tv.mu.Lock()
	defer tv.mu.Unlock()
	switch ready, _ := info.Bool("readyToPlay"); {
	case tv.cfg.RefuseInfo != 0:
		w.WriteHeader(tv.cfg.RefuseInfo)
	case ready && tv.empty > 0:
		tv.empty--
	default:
		writePlist(w, info)
	}
}

// action takes what it has asked the sender for.
func (tv *Television) action(body []byte) {
	d, err := plist.UnmarshalDict(body)
	if err != nil || d.Text("type") != "unhandledURLResponse" {
		return
	}
	tv.mu.Lock()
	tv.log.Answers = append(tv.log.Answers, d.Dict("params"))
	tv.mu.Unlock()
	select {
	case tv.asked <- d.Dict("params"):
	default:
	}
}

// tell says something on all reversed connections, and waits for the answers.
func (tv *Television) tell(event plist.Dict) {
	tv.mu.Lock()
	events := append([]*reversed(nil), tv.events...)
	tv.mu.Unlock()
	for _, e := range events {
		e.tell(event)
	}
}

func (e *reversed) tell(event plist.Dict) {
	said := plist.Dict{"sessionID": int64(1)}
	for name, value := range event {
		said[name] = value
	}
	body, err := plist.Marshal(said)
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conn.SetDeadline(time.Now().Add(5 * time.Second))
	head := fmt.Sprintf("POST /event HTTP/1.1\r\nX-Apple-Session-ID: %s\r\nContent-Type: application/x-apple-binary-plist\r\nContent-Length: %d\r\n\r\n", e.session, len(body))
	if _, err := e.conn.Write(append([]byte(head), body...)); err != nil {
		return
	}
	resp, err := http.ReadResponse(bufio.NewReader(e.conn), nil)
	if err == nil {
		resp.Body.Close()
	}
}

package airplay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"airplay2mqtt/airplay"
	"airplay2mqtt/airplay/airplaytest"
)

// with is an answer with a body.
func with(body string) string {
	return fmt.Sprintf("RTSP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// forged is a frame of the encrypted connection whose tag is wrong.
var forged = "\x10\x00" + strings.Repeat("\x00", 16+16)

// What a hostile receiver says is an error, soon, and the connection is closed.
func TestHostileReceiversAreHungUpOn(t *testing.T) {
	for name, c := range map[string]struct {
		rx   airplaytest.Config
		want string
	}{
		"a body without end":   {airplaytest.Config{Raw: map[string]string{"GET": "RTSP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n"}}, "info"},
		"a header without end": {airplaytest.Config{Raw: map[string]string{"GET": "RTSP/1.0 200 OK\r\n" + strings.Repeat("A: b\r\n", 1e5)}}, "info"},
		"a list that holds itself": {airplaytest.Config{Raw: map[string]string{"GET": with("bplist00\xa1\x00\x08" +
			"\x00\x00\x00\x00\x00\x00\x01\x01" + "\x00\x00\x00\x00\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x00" +
			"\x00\x00\x00\x00\x00\x00\x00\x0a")}}, "info"},
		"64 KiB of TLV":           {airplaytest.Config{Raw: map[string]string{"POST": with(strings.Repeat("\x00", 64<<10))}}, "pair-setup M2"},
		"TLV that is cut off":     {airplaytest.Config{Raw: map[string]string{"POST": with("\x06\x01\x02\x03\xff")}}, "pair-setup M2"},
		"a proof that is wrong":   {airplaytest.Config{WrongProof: true}, "pair-setup M4"},
		"a frame that is forged":  {airplaytest.Config{Raw: map[string]string{"SETUP": forged}}, "frame"},
		"an answer in plain":      {airplaytest.Config{Raw: map[string]string{"SETUP": with("")}}, "no answer"},
		"a list of nothing known": {airplaytest.Config{Raw: map[string]string{"GET": with("bplist00")}}, "info"},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, c.rx, func(h *house) {
				begun := time.Now()
				s, err := h.try(airplay.Config{})
				if err == nil {
					s.Close()
					h.Fatal("got no error")
				}
				if !strings.Contains(err.Error(), c.want) || time.Since(begun) > 15*time.Second {
					h.Errorf("got %v after %v, want an error of %q", err, time.Since(begun), c.want)
				}
				time.Sleep(time.Second)
				if n := h.rx.Connections(); n != 0 {
					h.Errorf("%d connections are left", n)
				}
			})
		})
	}
}

func TestAForgedFrameEndsTheSession(t *testing.T) {
	inHouse(t, airplaytest.Config{Raw: map[string]string{"POST /feedback": forged}}, func(h *house) {
		s := h.dial(airplay.Config{})
		time.Sleep(5 * time.Second)
		if err := s.Err(); err == nil || !strings.Contains(err.Error(), "frame") {
			h.Errorf("got %v, want the end because of a frame", err)
		}
		if n := h.rx.Connections(); n != 0 {
			h.Errorf("%d connections are left", n)
		}
	})
}

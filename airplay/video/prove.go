package video

import (
	"context"
	"errors"
	"fmt"

	"airplay2mqtt/internal/features"
	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// A proof is a way of showing a receiver of AirPlay 2 who we are. After one
// that it refuses the next is tried on another connection.
type proof int

const (
	byCredentials proof = iota // of a pairing by PIN
	bySecret                   // the password, in transient pairing
	byNoPIN                    // transient pairing as everybody does it
)

// errRejected is wrapped by the error of a proof that was not accepted.
var errRejected = errors.New("not accepted")

// proofs are those to try, in this order (docs/protocols/airplay2.md,
// passwords).
func (s *Session) proofs() []proof {
	switch own := s.cfg.Credentials; {
	case !own.None() && !own.Legacy():
		return []proof{byCredentials}
	case s.cfg.Password != "":
		return []proof{bySecret, byNoPIN}
	}
	return []proof{byNoPIN}
}

// prove shows the receiver who we are, and returns what the connection is
// encrypted with from here on.
func (s *Session) prove(ctx context.Context, client *rtsp.Client, by proof) (hap.Keys, error) {
	c := hap.Controller{Name: s.cfg.Name, Rand: s.cfg.Rand,
		Post: func(ctx context.Context, path string, header rtsp.Header, body []byte) (rtsp.Response, error) {
			return client.Do(ctx, rtsp.Request{Method: "POST", URI: path, Header: header, Body: body})
		}}
	keys, err := s.pair(ctx, c, by)
	var no *pairing.Error
	switch {
	case errors.Is(err, pairing.Because(pairing.NotSpoken)):
		return keys, fmt.Errorf("%w: %w", errWay, err)
	case errors.As(err, &no) && by != byCredentials && (s.cfg.Password != "" || s.cfg.Info.Password):
		return keys, fmt.Errorf("%w: %w: %w", errRejected, ErrPassword, err)
	case errors.As(err, &no):
		return keys, fmt.Errorf("%w: %w: %w", errRejected, ErrPairing, err)
	}
	return keys, err
}

func (s *Session) pair(ctx context.Context, c hap.Controller, by proof) (hap.Keys, error) {
	switch by {
	case byCredentials:
		own := s.cfg.Credentials
		return c.Verify(ctx, hap.Credentials{ReceiverKey: own.ReceiverKey, Seed: own.Seed, ReceiverID: own.ReceiverID, ID: own.ID})
	case bySecret:
		return c.Transient(ctx, s.cfg.Password)
	}
	return c.Transient(ctx, hap.NoPIN)
}

// enter makes a tunnel, trying all proofs, and all ways of keeping time. up
// goes on to where films can be played in it.
func (s *Session) enter(ctx context.Context, way Way, agent string, up func(*tunnel, timing) error) error {
	proofs, timings := s.proofs(), s.timings(way)
	for {
		t, err := s.connectTunnel(ctx, proofs[0], agent)
		if err == nil {
			if err = up(t, timings[0]); err == nil {
				return nil
			}
			t.close()
		}
		switch {
		case ctx.Err() != nil:
			return err
		case errors.Is(err, errRejected) && len(proofs) > 1:
			proofs = proofs[1:]
		case errors.Is(err, errTimes) && len(timings) > 1:
			timings = timings[1:]
		default:
			return err
		}
		s.cfg.Logger.Debug().Err(err).Msg("refused, trying another way to begin")
	}
}

// taken tells whether somebody else plays on a receiver that has hung up: it
// says so when it is asked what it is.
func (s *Session) taken(err error) bool {
	if way, _ := s.Way(); way == Plain || !rtsp.HungUp(err) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectPatience)
	defer cancel()
	conn, err := s.cfg.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return false
	}
	client := rtsp.NewClient(conn, rtsp.Config{Header: rtsp.Header{{Name: "User-Agent", Value: pairing.UserAgent}}, Logger: s.cfg.Logger})
	defer client.Close()
	resp, err := client.DoWithin(ctx, connectPatience, rtsp.Request{Method: "GET", URI: "/info"})
	if err != nil || resp.Code != 200 {
		return false
	}
	said, err := plist.UnmarshalDict(resp.Body)
	if err != nil {
		return false
	}
	flags, _ := said.Int("statusFlags")
	return features.Flags(flags).Has(features.SessionActive)
}

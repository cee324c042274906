package raop

import (
	"context"
	"errors"
	"fmt"

	"airplay2mqtt/internal/legacy"
	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/rtsp"
)

// verify shows a receiver that it was paired with us, and has it show the
// same. One that knows nothing of it is played to without.
func (s *Session) verify(ctx context.Context) error {
	if s.cfg.Credentials == "" {
		return nil
	}
	stored, err := legacy.ParseCredentials(s.cfg.Credentials)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	stored.ReceiverKey = s.cfg.ReceiverKey
	c := legacy.Controller{Rand: s.cfg.Rand, Post: func(ctx context.Context, path string, header rtsp.Header, body []byte) (rtsp.Response, error) {
		resp, err := s.rtsp.Do(ctx, rtsp.Request{Method: "POST", URI: path, Header: header, Body: body})
		s.answered = s.answered || err == nil
		return resp, err
	}}
	err = c.Verify(ctx, stored)
	switch {
	case errors.Is(err, pairing.Because(pairing.NotSpoken)):
		s.log.Debug().Err(err).Msg("receiver does not ask for the pairing")
		return nil
	case errors.Is(err, pairing.Because(pairing.Forgotten)):
		return fmt.Errorf("%w: %w", ErrPairing, err)
	case errors.Is(err, pairing.Because(pairing.Imposter)):
		return fmt.Errorf("%w: %w", ErrImposter, err)
	}
	return err
}

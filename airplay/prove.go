package airplay

import (
	"context"
	"errors"
	"fmt"

	"airplay2mqtt/internal/hap"
	"airplay2mqtt/internal/pairing"
	"airplay2mqtt/internal/rtsp"
)

// A proof is a way of showing a receiver who we are. After one that it
// refuses the next is tried on another connection: receivers keep a failed
// pairing for as long as the connection.
type proof int

const (
	byCredentials proof = iota // of a pairing by PIN
	bySecret                   // the password, in transient pairing: shairport-sync
	byNoPIN                    // transient pairing as everybody does it
	byPassword                 // the password, in a whole pairing: OwnTone
)

// errRejected is wrapped by the error of a proof that was not accepted.
var errRejected = errors.New("not accepted")

// proofsFor returns what is tried, in this order (docs/protocols/airplay2.md,
// passwords). That a password is asked for later, at SETUP, is none of these.
func (d *dialer) proofsFor() []proof {
	switch {
	case d.cfg.Credentials.ReceiverID != "":
		return []proof{byCredentials}
	case d.cfg.Password != "" && quirkOf(d.info).silent:
		return []proof{bySecret, byNoPIN} // its whole pairing never encrypts
	case d.cfg.Password != "":
		return []proof{bySecret, byNoPIN, byPassword}
	}
	return []proof{byNoPIN}
}

// prove shows the receiver who we are, and returns what the connection is
// encrypted with from here on.
func (d *dialer) prove(ctx context.Context, client *rtsp.Client) (hap.Keys, error) {
	if d.proofs == nil {
		d.proofs = d.proofsFor()
	}
	c := hap.Controller{Name: d.cfg.Name, Rand: d.cfg.Rand,
		Post: func(ctx context.Context, path string, header rtsp.Header, body []byte) (rtsp.Response, error) {
			return client.Do(ctx, rtsp.Request{Method: "POST", URI: path, Header: header, Body: body})
		}}
	keys, err := d.pair(ctx, c)
	var no *pairing.Error
	if errors.As(err, &no) {
		err = fmt.Errorf("%w: %w", errRejected, err)
	}
	return keys, err
}

func (d *dialer) pair(ctx context.Context, c hap.Controller) (hap.Keys, error) {
	switch d.proofs[0] {
	case byCredentials:
		own := d.cfg.Credentials
		return c.Verify(ctx, hap.Credentials{ReceiverKey: own.ReceiverKey, Seed: own.Seed, ReceiverID: own.ReceiverID, ID: own.ID})
	case bySecret:
		return c.Transient(ctx, d.cfg.Password)
	case byPassword:
		password := func(context.Context) (string, error) { return d.cfg.Password, nil }
		fresh, err := c.Setup(ctx, password)
		if err != nil {
			return hap.Keys{}, err
		}
		return c.Verify(ctx, fresh)
	}
	return c.Transient(ctx, hap.NoPIN)
}

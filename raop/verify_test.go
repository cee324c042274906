package raop_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"airplay2mqtt/internal/legacy"
	"airplay2mqtt/internal/memnet"
	"airplay2mqtt/internal/rtsp"
	"airplay2mqtt/raop"
	"airplay2mqtt/raop/raoptest"
)

// paired returns credentials for an accessory.
func paired(t *testing.T, a *legacy.Accessory, pin string) legacy.Credentials {
	t.Helper()
	p := a.Connect()
	c := legacy.Controller{Post: func(_ context.Context, path string, header rtsp.Header, body []byte) (rtsp.Response, error) {
		resp, _ := p.Answer(rtsp.Request{Method: "POST", URI: path, Header: header, Body: body})
		return resp, nil
	}}
	credentials, err := c.Setup(t.Context(), func(context.Context) (string, error) { return pin, nil })
	if err != nil {
		t.Fatal(err)
	}
	return credentials
}

func TestPairedReceiversPlayForWhomTheyArePairedWith(t *testing.T) {
	a := legacy.NewAccessory(legacy.AccessoryConfig{PIN: "1234"})
	good := paired(t, a, "1234")
	other := paired(t, legacy.NewAccessory(legacy.AccessoryConfig{PIN: "1234"}), "1234")
	for name, c := range map[string]struct {
		pairing     *legacy.Accessory
		credentials legacy.Credentials
		want        error
	}{
		"paired":                      {a, good, nil},
		"not paired":                  {a, legacy.Credentials{}, raop.ErrPairing},
		"paired with another":         {a, other, raop.ErrPairing},
		"with another key than once":  {a, legacy.Credentials{ID: good.ID, Seed: good.Seed, ReceiverKey: other.ReceiverKey}, raop.ErrImposter},
		"one that knows no pairing":   {nil, good, nil},
		"paired by another program":   {a, legacy.Credentials{ID: good.ID, Seed: good.Seed}, nil},
		"paired, and does not say so": {legacy.NewAccessory(legacy.AccessoryConfig{EmptyAnswers: true}), good, raop.ErrPairing},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lan := memnet.New()
				rx, err := raoptest.New(raoptest.Config{Network: lan.Host("10.0.0.20"), Address: ":5000", Pairing: c.pairing})
				if err != nil {
					t.Fatal(err)
				}
				defer rx.Close()
				us := lan.Host("10.0.0.2")
				cfg := &raop.Config{DialContext: us.DialContext, ListenPacket: us.ListenPacket, ReceiverKey: c.credentials.ReceiverKey}
				if c.credentials.ID != "" {
					cfg.Credentials = c.credentials.String()
				}
				s, err := raop.Dial(t.Context(), "10.0.0.20:5000", raop.Info{}, cfg)
				if !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if err == nil {
					s.Close()
				}
			})
		})
	}
}

func TestWrongCredentialsAreNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := memnet.New()
		rx, err := raoptest.New(raoptest.Config{Network: lan.Host("10.0.0.20"), Address: ":5000"})
		if err != nil {
			t.Fatal(err)
		}
		defer rx.Close()
		us := lan.Host("10.0.0.2")
		_, err = raop.Dial(t.Context(), "10.0.0.20:5000", raop.Info{}, &raop.Config{
			DialContext: us.DialContext, ListenPacket: us.ListenPacket, Credentials: "D9B75D737BE2F0F1:6A26D8"})
		if !errors.Is(err, legacy.ErrCredentials) {
			t.Errorf("got %v, want ErrCredentials", err)
		}
	})
}

package airplay

import (
	"context"
	"fmt"

	"airplay2mqtt/internal/features"
	"airplay2mqtt/internal/plist"
	"airplay2mqtt/internal/rtsp"
)

// askInfo asks the receiver what it is. One that does not say is what its
// records said.
func (d *dialer) askInfo(ctx context.Context, c *rtsp.Client) (plist.Dict, error) {
	resp, err := c.Do(ctx, rtsp.Request{Method: "GET", URI: "/info"})
	if err != nil {
		return nil, fmt.Errorf("info: %w", err)
	}
	d.answered = true
	switch {
	case resp.Code == 404:
		return nil, fmt.Errorf("%w: %w", ErrNotAirPlay2, &StatusError{Method: "GET /info", Code: resp.Code, Reason: resp.Reason})
	case resp.Code != 200:
		return nil, nil
	}
	said, err := plist.UnmarshalDict(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("info: %w", err)
	}
	d.info = d.info.told(said)
	return said, nil
}

// told returns the info with what the receiver itself said.
func (i Info) told(said plist.Dict) Info {
	if model := said.Text("model"); model != "" {
		i.Model = model
	}
	if version := said.Text("sourceVersion"); version != "" {
		i.Version = version
	}
	if maker := said.Text("manufacturer"); maker != "" {
		i.Manufacturer = maker
	}
	if f, ok := number64(said["features"]); ok && f != 0 {
		i.Features = f
	}
	if f, ok := number64(said["statusFlags"]); ok {
		i.Flags = f
		i.Password = i.Password || features.Flags(f).Has(features.PasswordRequired)
	}
	return i
}

// number64 reads a number whose 64 bits count, not its sign.
func number64(v any) (uint64, bool) {
	switch n := v.(type) {
	case int64:
		return uint64(n), true
	case uint64:
		return n, true
	}
	return 0, false
}

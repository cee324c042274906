package assistant

import (
	"context"
	"errors"
	"net/url"
	"strings"
)

// Scheme begins the addresses that only Home Assistant can resolve.
const Scheme = "media-source://"

// Media is what such an address stands for.
type Media struct {
	URL  string
	MIME string
	// Own says that it lies at Home Assistant itself, at [Client.Address].
	Own bool
}

// Resolve asks what an address of Home Assistant's own stands for. What is
// returned is good for a day, and may hold a signature, which is secret.
func (c *Client) Resolve(ctx context.Context, id string) (Media, error) {
	m, err := c.resolve(ctx, id)
	if err != nil {
		return Media{}, c.fail("resolve "+Scheme, err)
	}
	return m, nil
}

func (c *Client) resolve(ctx context.Context, id string) (Media, error) {
	if !strings.HasPrefix(id, Scheme) {
		return Media{}, errors.New("the address does not begin so")
	}
	var found struct {
		URL  string `json:"url"`
		MIME string `json:"mime_type"`
	}
	err := c.command(ctx, map[string]any{"type": "media_source/resolve_media", "media_content_id": id}, &found)
	if err != nil {
		return Media{}, err
	}
	u, err := url.Parse(found.URL)
	switch {
	case err != nil:
	case u.Host == "" && strings.HasPrefix(found.URL, "/"):
		return Media{URL: c.cfg.Site + found.URL, MIME: found.MIME, Own: true}, nil
	case u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"):
		return Media{URL: found.URL, MIME: found.MIME}, nil
	}
	return Media{}, errors.New("it stands for what is no http address")
}

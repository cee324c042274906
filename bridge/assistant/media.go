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
	return place(c.cfg.Site, found.URL, found.MIME)
}

// place makes media of what Home Assistant says: a path at its own site, or an
// address elsewhere.
func place(site, address, mime string) (Media, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
	case u.Host == "" && u.Scheme == "" && strings.HasPrefix(address, "/"):
		return Media{URL: site + address, MIME: mime, Own: true}, nil
	case u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"):
		return Media{URL: address, MIME: mime}, nil
	}
	return Media{}, errors.New("it stands for what is no http address")
}
